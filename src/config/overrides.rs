//! Overrides (`DebOverride`, `UDebOverride`, `DscOverride` in `conf/distributions`): fields that an index has in place of
//! those of the packages.
//!
//! The lines of a file are those of reprepro, `PACKAGE FIELD VALUE`, with patterns as packages and the fields `$Component`
//! and `$Delete`; or those of apt-ftparchive, `PACKAGE PRIORITY SECTION [MAINTAINER]`, and `PACKAGE SECTION` for source
//! packages. A package has the changes of all lines with its name; if there is none, those of the first pattern.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use super::{error::Error, suite_config::SuiteConfig};
use crate::{glob::Glob, package_type::PackageType};

/// The priorities of Debian Policy 2.5, by which lines of apt-ftparchive are known.
const PRIORITIES: [&str; 6] = ["required", "important", "standard", "optional", "extra", "source"];
/// Fields that say which package it is, or where its files are.
const FIXED: [&str; 16] = [
    "Package",
    "Package-Type",
    "Source",
    "Version",
    "Architecture",
    "Architecture-Variant",
    "Filename",
    "Size",
    "MD5sum",
    "SHA1",
    "SHA256",
    "SHA512",
    "Files",
    "Directory",
    "Checksums-Sha1",
    "Checksums-Sha256",
];

/// The overrides of a suite.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    files: BTreeMap<PackageType, OverrideFile>,
}

#[derive(Debug, Clone, Default)]
struct OverrideFile {
    named: HashMap<String, Vec<FieldChange>>,
    patterns: Vec<(String, Glob, Vec<FieldChange>)>,
}

/// A change of a field of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldChange {
    /// The field has this value.
    Set {
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
    /// The field is left out.
    Delete {
        /// The field.
        field: String,
    },
    /// `Maintainer` has another value if it is one of these.
    Maintainer {
        /// The values that are replaced.
        old: Vec<String>,
        /// The new value.
        new: String,
    },
    /// The package goes to this component.
    Component(String),
}

impl Overrides {
    /// Reads the files that the configuration of a suite names.
    pub fn read(suite: &SuiteConfig) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        for (package_type, path) in &suite.overrides {
            files.insert(*package_type, OverrideFile::read(path, *package_type)?);
        }
        Ok(Self { files })
    }

    /// The changes of a package; debug symbols have those of ordinary packages.
    #[must_use]
    pub fn of(&self, package_type: PackageType, name: &str) -> &[FieldChange] {
        let package_type = if package_type == PackageType::Ddeb { PackageType::Deb } else { package_type };
        let Some(file) = self.files.get(&package_type) else { return &[] };
        if let Some(changes) = file.named.get(name) {
            return changes;
        }
        let pattern = file.patterns.iter().find(|(_, glob, _)| glob.matches(name));
        pattern.map_or(&[], |(.., changes)| changes)
    }

    /// The section that the overrides give a package.
    #[must_use]
    pub fn section(&self, package_type: PackageType, name: &str) -> Option<&str> {
        self.of(package_type, name).iter().find_map(|change| match change {
            FieldChange::Set { field, value } if field.eq_ignore_ascii_case("Section") => {
                Some(value.as_str())
            }
            _ => None,
        })
    }

    /// The component that the overrides give a package.
    #[must_use]
    pub fn component(&self, package_type: PackageType, name: &str) -> Option<&str> {
        self.of(package_type, name).iter().find_map(|change| match change {
            FieldChange::Component(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl OverrideFile {
    fn read(path: &Path, package_type: PackageType) -> Result<Self, Error> {
        let bytes =
            crate::regular::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let mut file = Self::default();
        for (number, line) in bytes.split(|&b| b == b'\n').enumerate() {
            let wrong = |why: String| Error::Line { path: path.to_owned(), line: number + 1, why };
            let line = std::str::from_utf8(line).map_err(|_| wrong("it is not UTF-8".into()))?.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some((package, changes)) = changes(line, package_type).map_err(wrong)? {
                file.add(package, changes);
            }
        }
        Ok(file)
    }

    fn add(&mut self, package: &str, new: Vec<FieldChange>) {
        if !package.contains(['*', '?', '[']) {
            extend(self.named.entry(package.to_owned()).or_default(), new);
            return;
        }
        match self.patterns.iter_mut().find(|(pattern, ..)| pattern == package) {
            Some((.., changes)) => extend(changes, new),
            None => self.patterns.push((package.to_owned(), Glob::new(package), new)),
        }
    }
}

/// Adds the changes of a further line of a package. As in reprepro, the first value of a field stays.
fn extend(changes: &mut Vec<FieldChange>, new: Vec<FieldChange>) {
    let field = |change: &FieldChange| match change {
        FieldChange::Set { field, .. } => Some(field.to_ascii_lowercase()),
        _ => None,
    };
    for change in new {
        let name = field(&change);
        if name.is_none() || !changes.iter().any(|known| field(known) == name) {
            changes.push(change);
        }
    }
}

/// Parses a line of either format; `None` if it has no value, which changes nothing in reprepro either.
fn changes(line: &str, package_type: PackageType) -> Result<Option<(&str, Vec<FieldChange>)>, String> {
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return Err("it has control characters".into());
    }
    let (package, rest) = split(line);
    let (second, rest) = split(rest);
    let set =
        |field: &str, value: &str| FieldChange::Set { field: field.to_owned(), value: value.to_owned() };
    if second.is_empty() {
        return Ok(None);
    }
    if rest.is_empty() {
        // apt-ftparchive: a source package and its section.
        if package_type == PackageType::Dsc && !second.starts_with('$') {
            return Ok(Some((package, vec![set("Section", second)])));
        }
        return Ok(None);
    }
    if PRIORITIES.contains(&second.to_ascii_lowercase().as_str()) {
        let (section, maintainer) = split(rest);
        let mut all = vec![set("Section", section)];
        if second != "source" {
            all.push(set("Priority", second));
        }
        all.extend(maintainer_of(maintainer));
        return Ok(Some((package, all)));
    }
    let fixed = |field: &str| FIXED.iter().any(|fixed| fixed.eq_ignore_ascii_case(field));
    let change = match second {
        special if special.eq_ignore_ascii_case("$Component") => FieldChange::Component(rest.to_owned()),
        special if special.eq_ignore_ascii_case("$Delete") && !fixed(rest) => {
            FieldChange::Delete { field: field_name(rest)?.to_owned() }
        }
        special if special.eq_ignore_ascii_case("$Delete") => {
            return Err(format!("field `{rest}` cannot be deleted"));
        }
        special if special.starts_with('$') => {
            return Err(format!("the special field `{special}` is unknown"));
        }
        field if fixed(field) => return Err(format!("field `{field}` cannot be changed")),
        field => set(field_name(field)?, rest),
    };
    Ok(Some((package, vec![change])))
}

/// The maintainer of a line of apt-ftparchive: `NEW`, or `OLD // OLD => NEW`.
fn maintainer_of(text: &str) -> Option<FieldChange> {
    let (old, new) = match text.split_once("=>") {
        Some((old, new)) => (old.split("//").map(|old| old.trim().to_owned()).collect(), new.trim()),
        None => (vec!["*".to_owned()], text),
    };
    (!new.is_empty()).then(|| FieldChange::Maintainer { old, new: new.to_owned() })
}

fn field_name(text: &str) -> Result<&str, String> {
    let is_good = |c: char| c.is_ascii_graphic() && c != ':';
    if text.starts_with(['-', '#']) || !text.chars().all(is_good) {
        return Err(format!("`{text}` is not the name of a field"));
    }
    Ok(text)
}

fn split(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (first, rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(field: &str, value: &str) -> FieldChange {
        FieldChange::Set { field: field.into(), value: value.into() }
    }

    #[test]
    fn lines_of_both_tools_are_read() {
        let maintainer = |old: &[&str], new: &str| FieldChange::Maintainer {
            old: old.iter().map(ToString::to_string).collect(),
            new: new.into(),
        };
        for (line, package_type, expected) in [
            ("a Section net", PackageType::Deb, vec![set("Section", "net")]),
            ("a\tX-Text  two words ", PackageType::Deb, vec![set("X-Text", "two words")]),
            ("a $Delete Task", PackageType::Udeb, vec![FieldChange::Delete { field: "Task".into() }]),
            ("a $Component contrib", PackageType::Dsc, vec![FieldChange::Component("contrib".into())]),
            ("a optional net", PackageType::Deb, vec![set("Section", "net"), set("Priority", "optional")]),
            ("a source net", PackageType::Dsc, vec![set("Section", "net")]),
            ("a net", PackageType::Dsc, vec![set("Section", "net")]),
            (
                "a extra net Me <m@x>",
                PackageType::Deb,
                vec![set("Section", "net"), set("Priority", "extra"), maintainer(&["*"], "Me <m@x>")],
            ),
            (
                "a extra net A <a> // B <b> => C <c>",
                PackageType::Deb,
                vec![
                    set("Section", "net"),
                    set("Priority", "extra"),
                    maintainer(&["A <a>", "B <b>"], "C <c>"),
                ],
            ),
        ] {
            assert_eq!(changes(line, package_type), Ok(Some(("a", expected))), "{line}");
        }
        for line in ["a", "a Section", "a $Component"] {
            assert_eq!(changes(line, PackageType::Deb), Ok(None), "{line}");
        }
        for (line, says) in [
            ("a Filename x", "cannot be changed"),
            ("a version 2", "cannot be changed"),
            ("a $Delete Size", "cannot be deleted"),
            ("a $Odd x", "special field `$Odd` is unknown"),
            ("a X:Y z", "not the name of a field"),
            ("a X \u{1}", "control characters"),
        ] {
            let error = changes(line, PackageType::Deb).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn a_name_comes_before_a_pattern() {
        let mut file = OverrideFile::default();
        for line in [
            "lib* Section libs",
            "liba Section net",
            "liba Priority extra",
            "lib* Priority optional",
            "liba section late",
            "* Section x",
        ] {
            let (package, new) = changes(line, PackageType::Deb).unwrap().unwrap();
            file.add(package, new);
        }
        let overrides = Overrides { files: [(PackageType::Deb, file)].into() };
        let of = |name: &str| overrides.of(PackageType::Ddeb, name).to_vec();
        assert_eq!(of("liba"), [set("Section", "net"), set("Priority", "extra")]);
        assert_eq!(of("libb"), [set("Section", "libs"), set("Priority", "optional")]);
        assert_eq!(overrides.section(PackageType::Deb, "z"), Some("x"));
        assert!(overrides.of(PackageType::Udeb, "z").is_empty());
    }
}
