//! `cnf/Commands`: the commands that packages install, for command-not-found.
//!
//! Stanzas as Ubuntu writes them: one for the index itself, then one for each package with commands, by name. A package
//! has the commands of its newest version.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use bytes::Bytes;

use super::packages::PackageEntry;
use crate::{
    deb::FileList,
    names::{Architecture, Component, Suite},
};

/// The folders with commands, in the order in which paths are sorted.
const FOLDERS: [&str; 5] = ["bin/", "sbin/", "usr/bin/", "usr/games/", "usr/sbin/"];

/// The path of an uncompressed index below the folder of the suite.
#[must_use]
pub fn path(component: &Component, architecture: &Architecture) -> String {
    format!("{component}/cnf/Commands-{architecture}")
}

/// Parses the path of an uncompressed index.
#[must_use]
pub fn parse_path(path: &str) -> Option<(Component, Architecture)> {
    let (folder, file) = path.rsplit_once('/')?;
    let component = folder.strip_suffix("/cnf")?.parse().ok()?;
    Some((component, file.strip_prefix("Commands-")?.parse().ok()?))
}

/// The first stanza, which describes the index.
#[must_use]
pub fn header(suite: &Suite, component: &Component, architecture: &Architecture) -> String {
    format!("suite: {suite}\ncomponent: {component}\narch: {architecture}\n\n")
}

/// The stanza of a package; `None` without commands.
#[must_use]
pub fn stanza(package: &PackageEntry, files: &FileList) -> Option<String> {
    let commands: BTreeSet<&str> = files.paths().filter_map(command).collect();
    let mut names = commands.into_iter();
    let mut text =
        format!("name: {}\nversion: {}\ncommands: {}", package.name(), package.version(), names.next()?);
    for name in names {
        let _ = write!(text, ",{name}");
    }
    text.push_str("\n\n");
    Some(text)
}

/// The command at a path. A list cannot express one with a comma or a blank.
fn command(path: &[u8]) -> Option<&str> {
    let path = std::str::from_utf8(path).ok()?;
    let name = FOLDERS.iter().find_map(|folder| path.strip_prefix(folder))?;
    let is_odd = |c: char| matches!(c, ',' | '/') || c.is_whitespace() || c.is_control();
    (!name.contains(is_odd)).then_some(name)
}

/// The names of the packages of an index.
#[must_use]
pub fn names(text: &[u8]) -> BTreeSet<String> {
    let lines = String::from_utf8_lossy(text);
    lines.lines().filter_map(|line| line.strip_prefix("name:")).map(|name| name.trim().to_owned()).collect()
}

/// Replaces the stanzas of packages; one without a stanza is left out.
#[must_use]
pub fn edit(text: &[u8], header: &str, changes: &BTreeMap<String, Option<String>>) -> Bytes {
    let text = String::from_utf8_lossy(text);
    let mut stanzas: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for stanza in text.split_inclusive("\n\n") {
        let name = stanza.lines().find_map(|line| line.strip_prefix("name:")).map(str::trim);
        if let Some(name) = name.filter(|name| !changes.contains_key(*name)) {
            stanzas.entry(name).or_default().push(stanza.trim_end_matches('\n'));
        }
    }
    for (name, stanza) in changes {
        if let Some(stanza) = stanza {
            stanzas.insert(name, vec![stanza.trim_end_matches('\n')]);
        }
    }
    let mut edited = String::with_capacity(text.len() + header.len());
    edited.push_str(header);
    for stanza in stanzas.into_values().flatten() {
        edited.push_str(stanza);
        edited.push_str("\n\n");
    }
    edited.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dists::PackagesIndex;

    fn package(name: &str, version: &str) -> PackageEntry {
        let text = format!("Package: {name}\nVersion: {version}\nArchitecture: all\n\n");
        PackagesIndex::parse(&text.into(), crate::package_type::PackageType::Deb).unwrap().entries().remove(0)
    }

    fn list(text: &'static str) -> FileList {
        FileList::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    #[test]
    fn commands_are_the_files_in_the_folders_of_commands() {
        let files = list(
            "bin/sh\nsbin/init\nusr/bin/a b\nusr/bin/a,b\nusr/bin/d/x\nusr/bin/z\nusr/games/sl\nusr/lib/no\n",
        );
        let text = stanza(&package("tools", "1:2-3"), &files).unwrap();
        assert_eq!(text, "name: tools\nversion: 1:2-3\ncommands: init,sh,sl,z\n\n");
        assert_eq!(stanza(&package("tools", "1"), &list("usr/lib/no\n")), None);
    }

    #[test]
    fn stanzas_are_replaced_by_name() {
        let header = "suite: s\ncomponent: main\narch: amd64\n\n";
        let other = "suite: jammy\ncomponent: main\narch: amd64\n\nname: b\nversion: 1\npriority-bonus: 5\ncommands: b\n\n\
                     name: a\nversion: 1\ncommands: a\n\nname: gone\nversion: 1\ncommands: gone\n\n";
        let changes = BTreeMap::from([
            ("gone".to_owned(), None),
            ("a".to_owned(), stanza(&package("a", "2"), &list("bin/a2\n"))),
        ]);
        let edited = edit(other.as_bytes(), header, &changes);
        let expected = format!(
            "{header}name: a\nversion: 2\ncommands: a2\n\nname: b\nversion: 1\npriority-bonus: 5\ncommands: b\n\n"
        );
        assert_eq!(edited, expected);
        assert_eq!(edit(&edited, header, &BTreeMap::new()), expected);
        assert_eq!(edit(b"", header, &BTreeMap::new()), header);
    }

    #[test]
    fn paths_go_both_ways() {
        let (component, architecture) = parse_path("updates/main/cnf/Commands-amd64").unwrap();
        assert_eq!(path(&component, &architecture), "updates/main/cnf/Commands-amd64");
        for other in
            ["main/cnf/Commands-", "cnf/Commands-amd64", "main/Commands-amd64", "main/cnf/Other-amd64"]
        {
            assert_eq!(parse_path(other), None, "{other}");
        }
    }
}
