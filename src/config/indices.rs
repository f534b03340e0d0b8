//! The fields that say which indices a suite has, and in which forms.

use std::collections::BTreeMap;

use super::lines::text_of;
use crate::{compression::Compression, names::Component, package_type::PackageType, stanza::Stanza};

/// Fields that name the components with packages of a type.
const SEPARATE: [(&str, PackageType); 2] =
    [("UDebComponents", PackageType::Udeb), ("DDebComponents", PackageType::Ddeb)];

/// Fields with the compressions of other indices than `Packages`: the name of the index and the type of its packages.
const OTHER_INDICES: [(&str, &str, PackageType); 3] = [
    ("DscIndices", "Sources", PackageType::Dsc),
    ("UDebIndices", "Packages", PackageType::Udeb),
    ("DDebIndices", "Packages", PackageType::Ddeb),
];

/// The names of the fields.
pub(super) fn fields() -> impl Iterator<Item = &'static str> {
    SEPARATE.map(|(field, _)| field).into_iter().chain(OTHER_INDICES.map(|(field, ..)| field))
}

/// The configured components of the types of packages that are listed apart.
pub(super) fn separate(
    stanza: &Stanza<'_>,
    components: &[Component],
) -> Result<BTreeMap<PackageType, Vec<Component>>, String> {
    let mut separate = BTreeMap::new();
    for (field, package_type) in SEPARATE {
        let Some(words) = text_of(stanza, field)? else { continue };
        let mut listed: Vec<Component> = Vec::new();
        for word in words.split_whitespace() {
            let component = components.iter().find(|component| component.as_str() == word);
            let component = component
                .ok_or_else(|| format!("field `{field}` names `{word}`, which is not in `Components`"))?;
            if !listed.contains(component) {
                listed.push(component.clone());
            }
        }
        separate.insert(package_type, listed);
    }
    Ok(separate)
}

/// The configured compressions of other indices than `Packages`.
pub(super) fn other_compressions(
    stanza: &Stanza<'_>,
    warn: &mut impl FnMut(String),
) -> Result<BTreeMap<PackageType, Vec<Compression>>, String> {
    let mut found = BTreeMap::new();
    for (field, file, package_type) in OTHER_INDICES {
        if let Some(forms) = compressions_in(stanza, field, file, warn)? {
            found.insert(package_type, forms);
        }
    }
    Ok(found)
}

/// The compressions that a field names, if it is set.
pub(super) fn compressions_in(
    stanza: &Stanza<'_>,
    field: &str,
    file: &str,
    warn: &mut impl FnMut(String),
) -> Result<Option<Vec<Compression>>, String> {
    text_of(stanza, field)?.map(|text| compressions(field, file, &text, warn)).transpose()
}

/// `Packages [Release] . .gz .xz .zst .bz2 [hook…]`; `Sources` instead of `Packages` for source packages.
fn compressions(
    field: &str,
    file: &str,
    text: &str,
    warn: &mut impl FnMut(String),
) -> Result<Vec<Compression>, String> {
    let mut words = text.split_whitespace().peekable();
    let first = words.next().unwrap_or_default();
    if first != file {
        return Err(format!("field `{field}` must begin with `{file}`, not `{first}`"));
    }
    // The name of the file that reprepro writes beside each index; no such file is written here.
    words.next_if(|word| !word.starts_with('.'));
    let mut found = Vec::new();
    for word in words {
        match word {
            "." => found.push(Compression::Plain),
            ".gz" => found.push(Compression::Gzip),
            ".xz" => found.push(Compression::Xz),
            ".zst" => found.push(Compression::Zstd),
            ".bz2" => found.push(Compression::Bzip2),
            _ if word.starts_with('.') => {
                warn(format!(
                    "`{word}` in field `{field}` is not supported; expected `.`, `.gz`, `.xz`, `.zst` or `.bz2`"
                ));
            }
            _ => warn(format!(
                "the hook `{word}` in field `{field}` is not run: no script writes beside the indices of a suite, which is \
                 published at once; name the forms (`.gz`, `.xz`, `.bz2`), and `PDiffs:` in place of a hook for patches"
            )),
        }
    }
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err(format!(
            "field `{field}` names no compression; expected `.`, `.gz`, `.xz`, `.zst` or `.bz2`"
        ));
    }
    Ok(found)
}
