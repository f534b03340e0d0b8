//! `i18n/Translation-en`: the long descriptions of packages, which `Packages` then does not repeat for every architecture
//! ([repository format](https://wiki.debian.org/DebianRepository/Format), "Translation indices").
//!
//! A stanza in `Packages` keeps the first line of its description and the MD5 of the whole, by which clients find the
//! translation. Published descriptions are carried over byte for byte.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use bytes::{Bytes, BytesMut};

use super::package_entry::{PackageEntry, field_of};
use crate::{digest::Digests, stanza::Stanzas};

/// The field that it has instead of `Packages`.
pub(crate) const DESCRIPTION: &str = "Description";
const MD5: &str = "Description-md5";

/// The long descriptions of a component.
#[derive(Default)]
pub struct Translation {
    /// By package and MD5, the whole description.
    descriptions: BTreeMap<(Box<str>, Box<str>), Bytes>,
}

impl Translation {
    /// Reads an index of any tool; stanzas without the required fields are left out.
    #[must_use]
    pub fn parse(text: &Bytes) -> Self {
        let mut translation = Self::default();
        let mut stanzas = Stanzas::new(text);
        while let Some(block) = stanzas.next_block() {
            let stanza = text.slice_ref(block);
            let field = |name| field_of(&stanza, name);
            let word = |name| Some(std::str::from_utf8(&stanza[field(name)?]).ok()?.into());
            if let (Some(name), Some(md5), Some(text)) = (word("Package"), word(MD5), field("Description-en"))
            {
                translation.descriptions.insert((name, md5), stanza.slice(text));
            }
        }
        translation
    }

    /// Renders all descriptions, by package.
    #[must_use]
    pub fn render(&self) -> Bytes {
        let size = |((name, _), text): (&(Box<str>, Box<str>), &Bytes)| name.len() + text.len() + 90;
        let mut out = BytesMut::with_capacity(self.descriptions.iter().map(size).sum());
        for ((name, md5), text) in &self.descriptions {
            // Writing to memory does not fail.
            let _ = write!(out, "Package: {name}\n{MD5}: {md5}\nDescription-en: ");
            out.extend_from_slice(text);
            out.extend_from_slice(b"\n\n");
        }
        out.freeze()
    }

    /// Whether it has no description.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.descriptions.is_empty()
    }

    /// Takes over the long description of a package; `None` if it has none.
    pub fn split(&mut self, package: &PackageEntry) -> Option<PackageEntry> {
        let text = package.shared_field(DESCRIPTION).filter(|text| text.contains(&b'\n'))?;
        let md5 = md5_of(&text);
        let first = text.split(|&b| b == b'\n').next().unwrap_or_default();
        let short = [first, b"\nDescription-md5: ", md5.as_bytes()].concat();
        self.descriptions.insert((package.name().into(), md5.into()), text.clone());
        Some(package.with_replaced(DESCRIPTION, &short, MD5))
    }

    /// The same package with its long description; `None` if it needs none or has none here.
    #[must_use]
    pub fn join(&self, package: &PackageEntry) -> Option<PackageEntry> {
        let md5 = missing(package)?;
        let text = self.descriptions.get(&(package.name().into(), md5))?;
        Some(package.with_replaced(DESCRIPTION, text, MD5))
    }

    /// Whether it has the long description of a package, or the package needs none.
    #[must_use]
    pub fn describes(&self, package: &PackageEntry) -> bool {
        missing(package).is_none_or(|md5| self.descriptions.contains_key(&(package.name().into(), md5)))
    }

    /// Takes the description of a package that was read from the package itself; `false` if its stanza names another.
    pub fn restore(&mut self, package: &PackageEntry, text: &Bytes) -> bool {
        let Some(md5) = missing(package).filter(|md5| **md5 == *md5_of(text)) else { return false };
        self.descriptions.insert((package.name().into(), md5), text.clone());
        true
    }

    /// Removes the descriptions of these packages, or of all, that are not needed.
    pub fn retain(&mut self, names: Option<&BTreeSet<String>>, needed: &BTreeSet<(Box<str>, Box<str>)>) {
        let is_other = |name: &str| names.is_some_and(|names| !names.contains(name));
        self.descriptions.retain(|key, _| is_other(&key.0) || needed.contains(key));
    }
}

/// The MD5 by which clients find a description.
fn md5_of(text: &[u8]) -> String {
    Digests::of(&[text, b"\n"].concat()).md5.to_string()
}

/// Compares two stanzas by their order in an index; stanzas without the required fields are equal.
pub(crate) fn order_of(one: &[u8], other: &[u8]) -> Ordering {
    let [one, other] = [one, other].map(|stanza| Some((value(stanza, "Package")?, value(stanza, MD5)?)));
    if one.is_none() || other.is_none() { Ordering::Equal } else { one.cmp(&other) }
}

fn value<'a>(stanza: &'a [u8], name: &str) -> Option<&'a [u8]> {
    field_of(stanza, name).map(|at| &stanza[at])
}

/// Checks an index of any tool.
///
/// # Errors
/// The place at which apt would stop.
pub(crate) fn check(text: &[u8]) -> Result<(), String> {
    for (number, stanza) in (1..).zip(Stanzas::new(text)) {
        let stanza = stanza.map_err(|error| error.to_string())?;
        let is_md5 = |value: &[u8]| value.len() == 32 && value.iter().all(u8::is_ascii_hexdigit);
        if stanza.get("Package").is_none() || !stanza.get(MD5).is_some_and(is_md5) {
            return Err(format!("stanza {number} has no `Package`, or no `{MD5}` of 32 digits"));
        }
    }
    Ok(())
}

/// The MD5 of the long description that a stanza does not have.
#[must_use]
pub fn missing(package: &PackageEntry) -> Option<Box<str>> {
    if package.field(DESCRIPTION).is_some_and(|text| text.contains(&b'\n')) {
        return None;
    }
    std::str::from_utf8(package.field(MD5)?).ok().map(Into::into)
}

/// Whether a stanza has a long description.
#[must_use]
pub fn is_long(package: &PackageEntry) -> bool {
    package.field(DESCRIPTION).is_some_and(|text| text.contains(&b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dists::PackagesIndex;

    fn package(fields: &str) -> PackageEntry {
        let text = format!("Package: a\nVersion: 1\nArchitecture: all\n{fields}\n");
        PackagesIndex::parse(&text.into(), crate::package_type::PackageType::Deb).unwrap().entries().remove(0)
    }

    #[test]
    fn a_long_description_is_split_off_and_joined_again() {
        // The MD5 is that of the text and a newline.
        let long = "Description: example package based on GNU hello\n The GNU hello program produces a familiar, friendly greeting.  It\n \
                    allows non-programmers to use a classic computer science tool which\n would otherwise be unavailable to them.\n .\n \
                    Seriously, though: this is an example of how to do a Debian package.\n It is the Debian version of the GNU Project's \
                    `hello world' program\n (which is itself an example for the GNU Project).\n";
        let whole = package(&format!("{long}Section: devel\nDescription-md5: stale\n"));
        let mut translation = Translation::default();
        let short = translation.split(&whole).unwrap();
        let text = std::str::from_utf8(short.stanza()).unwrap();
        assert_eq!(
            text,
            "Package: a\nVersion: 1\nArchitecture: all\nDescription: example package based on GNU hello\n\
             Description-md5: c4a4aec43084cfb4a44c959b27e3a6d6\nSection: devel\n"
        );
        assert!(translation.split(&short).is_none() && is_long(&whole) && !is_long(&short));
        let again = Translation::parse(&translation.render());
        assert_eq!(again.render(), translation.render());
        assert!(again.render().starts_with(
            b"Package: a\nDescription-md5: c4a4aec43084cfb4a44c959b27e3a6d6\nDescription-en: example"
        ));
        let joined = again.join(&short).unwrap();
        assert_eq!(joined.stanza(), package(&format!("{long}Section: devel\n")).stanza());
        assert!(again.join(&joined).is_none() && missing(&joined).is_none());
    }

    #[test]
    fn descriptions_are_removed_by_package_and_digest() {
        let mut translation = Translation::default();
        for long in ["Description: one\n more\n", "Description: two\n more\n"] {
            translation.split(&package(long)).unwrap();
        }
        let key = missing(&translation.split(&package("Description: two\n more\n")).unwrap()).unwrap();
        let [a, b] = ["a", "b"].map(|name| BTreeSet::from([name.to_owned()]));
        translation.retain(Some(&b), &BTreeSet::new());
        translation.retain(Some(&a), &BTreeSet::from([("a".into(), key.clone())]));
        let text = translation.render();
        assert!(text.starts_with(b"Package: a\n") && text.ends_with(b"Description-en: two\n more\n\n"));
        translation.retain(None, &BTreeSet::from([("b".into(), key)]));
        assert!(translation.is_empty() && translation.render().is_empty());
        let odd = Bytes::from_static(b"Package: a\n\nDescription-md5: x\n\n");
        assert!(Translation::parse(&odd).is_empty());
    }
}
