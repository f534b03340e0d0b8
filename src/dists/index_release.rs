//! The `Release` beside an index, which describes one component and architecture, as reprepro and dak write it.
//!
//! apt does not read it; some installers and mirror tools do.

use std::fmt::Write as _;

use super::{index_key::IndexKey, release::Release};

/// The fields in their order: the name there, and the name in the release file of the suite.
const FIELDS: [(&str, &str); 9] = [
    ("Archive", "Suite"),
    ("Version", "Version"),
    ("Component", ""),
    ("Origin", "Origin"),
    ("Label", "Label"),
    ("Architecture", ""),
    ("NotAutomatic", "NotAutomatic"),
    ("ButAutomaticUpgrades", "ButAutomaticUpgrades"),
    ("Description", "Description"),
];

/// Returns the path of the file beside an index.
#[must_use]
pub fn path(key: &IndexKey) -> String {
    let index = key.path();
    let folder = index.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/Release")
}

/// Renders the file for an index of a suite.
#[must_use]
pub fn render(suite: &Release, key: &IndexKey) -> Vec<u8> {
    let mut text = String::new();
    for (name, of_suite) in FIELDS {
        let value = match name {
            "Component" => key.component().map(ToString::to_string),
            "Architecture" => {
                Some(key.architecture().map_or_else(|| "source".to_owned(), ToString::to_string))
            }
            _ => suite.field(of_suite).map(ToOwned::to_owned),
        };
        if let Some(value) = value {
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_describes_one_index() {
        let mut suite = Release::default();
        for (name, value) in [("Suite", "stable"), ("Codename", "bookworm"), ("Label", "Example")] {
            suite.set(name, Some(value.to_owned()));
        }
        suite.set("Description", Some("one\n two".to_owned()));
        let key = IndexKey::parse("main/binary-amd64/Packages");
        let expected =
            "Archive: stable\nComponent: main\nLabel: Example\nArchitecture: amd64\nDescription: one\n two\n";
        assert_eq!(String::from_utf8(render(&suite, &key)).unwrap(), expected);
        assert_eq!(path(&key), "main/binary-amd64/Release");
        let key = IndexKey::parse("updates/main/source/Sources");
        assert_eq!(path(&key), "updates/main/source/Release");
        assert!(render(&suite, &key).ends_with(b"Architecture: source\nDescription: one\n two\n"));
    }
}
