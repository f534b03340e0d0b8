//! Fields whose values dpkg or apt restrict: a wrong value makes a package that dpkg never unpacks, or a warning on every
//! client.

use super::error::{BadField, Error, LONGEST};
use crate::{package_type::PackageType, stanza::Stanza};

/// Fields of dpkg's own records, which it refuses in a package.
const OF_STATUS: [&str; 4] = ["Status", "Config-Version", "Triggers-Pending", "Triggers-Awaited"];
/// Fields with the values `yes` and `no`.
const FLAGS: [&str; 2] = ["Essential", "Protected"];
/// The values of `Multi-Arch`.
const MULTI_ARCH: [&str; 4] = ["no", "same", "foreign", "allowed"];
/// Fields whose values apt stores in its cache, besides those with a limit of their own.
const STORED: [&str; 3] = ["Section", "Source", "Priority"];
/// The field with the type of a package.
const TYPE: &str = "Package-Type";
/// The section of packages of the installer, which installed systems must not see.
const INSTALLER: &str = "debian-installer";
/// The field of a package that is built for newer processors of an architecture.
pub(super) const VARIANT: &str = "Architecture-Variant";

/// Refuses a stanza that dpkg does not read and one of another type than the file name says.
pub(super) fn check(stanza: &Stanza<'_>, is_for_all: bool, named: PackageType) -> Result<(), Error> {
    let value = |field| stanza.text_of(field).filter(|text| !text.is_empty());
    let bad = |field, why| Err(Error::BadField { field, why });
    let other = |field, text: &str| {
        let text = text.escape_debug().to_string();
        Err(Error::OtherType { field, text, named })
    };
    match (value(TYPE), value("Section")) {
        (Some(kind), _) => match PackageType::parse(&kind).filter(|kind| *kind != PackageType::Dsc) {
            None => return Err(Error::PackageType(kind.escape_debug().to_string())),
            Some(kind) if kind != named => return other(TYPE, &kind.to_string()),
            Some(_) => {}
        },
        // dpkg-gencontrol omits the type of a udeb; this section is for nothing else.
        (None, Some(section))
            if section.rsplit('/').next() == Some(INSTALLER) && named != PackageType::Udeb =>
        {
            return other("Section", &section);
        }
        _ => {}
    }
    check_values(stanza, is_for_all).or_else(|(field, why)| bad(field, why))
}

/// Refuses values with which dpkg does not install the package, or apt reads no index.
pub(super) fn check_values(stanza: &Stanza<'_>, is_for_all: bool) -> Result<(), (&'static str, BadField)> {
    let value = |field| stanza.text_of(field).filter(|text| !text.is_empty());
    if let Some(field) = OF_STATUS.into_iter().find(|field| stanza.get(field).is_some()) {
        return Err((field, BadField::OfStatus));
    }
    for field in FLAGS {
        if let Some(flag) = value(field).filter(|flag| !is_one_of(flag, &["yes", "no"])) {
            return Err((
                field,
                BadField::Value { text: flag.escape_debug().to_string(), known: "`yes` or `no`" },
            ));
        }
    }
    if let Some(kind) = value("Multi-Arch") {
        if !is_one_of(&kind, &MULTI_ARCH) {
            let known = "`no`, `same`, `foreign` or `allowed`";
            return Err(("Multi-Arch", BadField::Value { text: kind.escape_debug().to_string(), known }));
        }
        if is_for_all && kind.eq_ignore_ascii_case("same") {
            return Err(("Multi-Arch", BadField::SameForAll));
        }
    }
    if let Some(files) = value("Conffiles") {
        let mut lines = files.lines();
        let is_bad = |line: &str| line.split_ascii_whitespace().count() < 2;
        if lines.next().is_some_and(|first| !first.is_empty()) || lines.any(is_bad) {
            return Err(("Conffiles", BadField::Conffiles));
        }
    }
    if let Some(digest) = value("Description-md5") {
        let is_md5 = digest.len() == 32 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_md5 {
            return Err(("Description-md5", BadField::DescriptionMd5(digest.escape_debug().to_string())));
        }
    }
    for field in STORED {
        if let Some(long) = stanza.get(field).map(<[u8]>::len).filter(|&length| length > LONGEST) {
            return Err((field, BadField::Long(long)));
        }
    }
    Ok(())
}

/// Values that dpkg accepts, and about which apt warns on every client: the fields with their values.
pub(super) fn apt_warns_about(stanza: &Stanza<'_>) -> Vec<(&'static str, String)> {
    let is_percentage = |text: &str| text.trim().parse::<u8>().is_ok_and(|percent| percent <= 100);
    let is_odd = |field: &&str| {
        let Some(text) = stanza.text_of(field).filter(|text| !text.is_empty()) else { return false };
        match *field {
            "Multi-Arch" => !MULTI_ARCH.contains(&&*text),
            "Important" => !is_one_of(&text, &["yes", "no"]),
            _ => !is_percentage(&text),
        }
    };
    let fields = ["Multi-Arch", "Important", "Phased-Update-Percentage"].into_iter().filter(is_odd);
    fields
        .map(|field| (field, stanza.text_of(field).unwrap_or_default().escape_debug().to_string()))
        .collect()
}

fn is_one_of(text: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(text))
}
