//! Fields whose values dpkg or apt restrict: a wrong value makes a package that dpkg never unpacks, or a warning on every
//! client.

use super::error::{BadField, Error, LONGEST};
use crate::{package_type::PackageType, stanza::Stanza};

/// Fields of dpkg's own records, which it refuses in a package.
const OF_STATUS: [&str; 4] = ["Status", "Config-Version", "Triggers-Pending", "Triggers-Awaited"];
/// Obsolete fields that dpkg appends to the version: with such a version in its records it stops at every call.
const REVISIONS: [&str; 3] = ["Revision", "Package-Revision", "Package_Revision"];
/// Fields about the file itself, in which dpkg expects the same number of words.
const OF_FILE: [&str; 4] = ["Filename", "MSDOS-Filename", "Size", "MD5sum"];
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
    let words = |field| Some((field, value(field)?.split_ascii_whitespace().count()));
    let mut about = OF_FILE.into_iter().filter_map(words);
    if let Some((other, expected)) = about.next()
        && let Some((field, _)) = about.find(|(_, count)| *count != expected)
    {
        return bad(field, BadField::Words { other });
    }
    check_values(stanza, is_for_all).or_else(|(field, why)| bad(field, why))
}

/// Whether dpkg reads a line of `Conffiles`: a blank, the path, blanks, the MD5, and two flags that may follow.
fn is_conffile(line: &str) -> bool {
    let Some(entry) = line.strip_prefix(' ') else { return false };
    // dpkg looks for a blank from the end, and not at the first two characters.
    let before_last_word = |text: &str| text.rfind(' ').filter(|at| *at > 1);
    let Some(mut end) = before_last_word(entry) else { return false };
    for flag in ["remove-on-upgrade", "obsolete"] {
        let word = entry[end + 1..].split(' ').next();
        if word == Some(flag) {
            let Some(before) = before_last_word(&entry[..end]) else { return false };
            end = before;
        }
    }
    let mut path = entry;
    while let Some(rest) =
        path.strip_prefix('/').or_else(|| path.strip_prefix('.').filter(|rest| rest.starts_with('/')))
    {
        path = rest;
    }
    // The root is no file.
    entry.len() - path.len() < end
}

/// Refuses values with which dpkg does not install the package, or apt reads no index.
pub(super) fn check_values(stanza: &Stanza<'_>, is_for_all: bool) -> Result<(), (&'static str, BadField)> {
    let value = |field| stanza.text_of(field).filter(|text| !text.is_empty());
    if let Some(field) = REVISIONS.into_iter().find(|field| stanza.get(field).is_some()) {
        return Err((field, BadField::Revision));
    }
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
        let (first, lines) = files.split_once('\n').unwrap_or((&files, ""));
        let bad = Some(first).filter(|first| !first.is_empty());
        let mut lines = lines.split_terminator('\n');
        if let Some(line) = bad.or_else(|| lines.find(|line| !is_conffile(line))) {
            return Err(("Conffiles", BadField::Conffiles(format!("`{}`", line.escape_debug()))));
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
