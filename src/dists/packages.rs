//! `Packages` and `Sources`: the stanzas of one component and architecture.
//!
//! Published stanzas are carried over byte for byte, from whichever tool, and only parsed as far as an edit needs:
//! name, version and architecture. Sorted by name, version and architecture, so that the same packages always give the
//! same bytes.
//!
//! The text of an index is kept unchanged; edits are kept beside it, by name, and replace its stanzas when the index
//! is rendered.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    ordered::{self, Ordered},
    package_entry::Identity,
};
use crate::package_type::PackageType;

pub use super::package_entry::{Error, PackageEntry};

/// A sorted index of packages.
#[derive(Clone, Default)]
pub struct PackagesIndex {
    text: Ordered,
    /// All packages of each edited name, sorted; they replace those of that name in the text.
    edited: BTreeMap<String, Vec<PackageEntry>>,
    /// The text that was read.
    published: Option<Bytes>,
}

impl PackagesIndex {
    /// Reads an index of packages of a type from any source; the stanzas share its memory.
    pub fn parse(published: &Bytes, package_type: PackageType) -> Result<Self, Error> {
        let text = Ordered::of(published, package_type)?;
        Ok(Self { text, edited: BTreeMap::new(), published: Some(published.clone()) })
    }

    /// Renders every stanza, each followed by an empty line.
    #[must_use]
    pub fn render(&self) -> Bytes {
        let old = self.text.text();
        if self.edited.is_empty() {
            return old.clone();
        }
        let edited = self.edited.values().flatten();
        let size = old.len() + edited.map(|entry| entry.stanza().len() + 1).sum::<usize>();
        let mut text = BytesMut::with_capacity(size);
        let mut at = 0;
        for (name, entries) in &self.edited {
            let place = self.text.place(name);
            text.put_slice(&old[at..place.start]);
            ordered::put(&mut text, entries);
            at = place.end;
        }
        text.put_slice(&old[at..]);
        text.freeze()
    }

    /// The text as it was read, before any edit.
    #[must_use]
    pub fn published(&self) -> Option<&Bytes> {
        self.published.as_ref()
    }

    /// All packages, sorted.
    #[must_use]
    pub fn entries(&self) -> Vec<PackageEntry> {
        let mut all = Vec::new();
        let mut at = 0;
        for (name, entries) in &self.edited {
            let place = self.text.place(name);
            all.extend(self.text.entries(at..place.start));
            all.extend_from_slice(entries);
            at = place.end;
        }
        all.extend(self.text.entries(at..self.text.text().len()));
        all
    }

    /// The packages of one name, sorted.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<PackageEntry> {
        match self.edited.get(name) {
            Some(entries) => entries.clone(),
            None => self.text.entries(self.text.place(name)).collect(),
        }
    }

    /// The names whose packages were edited.
    pub(crate) fn edited_names(&self) -> impl Iterator<Item = &str> {
        self.edited.keys().map(String::as_str)
    }

    /// The packages of one name before any edit, sorted.
    pub(crate) fn named_before(&self, name: &str) -> Vec<PackageEntry> {
        self.text.entries(self.text.place(name)).collect()
    }

    /// All packages before any edit, sorted.
    pub(crate) fn entries_before(&self) -> Vec<PackageEntry> {
        self.text.entries(0..self.text.text().len()).collect()
    }

    /// Replaces entries by others of the same packages: all of them, or those of edited names.
    pub(crate) fn rewrite(&mut self, all: bool, mut new: impl FnMut(&PackageEntry) -> Option<PackageEntry>) {
        if all {
            for entry in self.entries() {
                if let Some(new) = new(&entry) {
                    let same = |other: &&mut PackageEntry| other.is_same_package(&entry);
                    if let Some(other) = self.edit(entry.name()).iter_mut().find(same) {
                        *other = new;
                    }
                }
            }
            return;
        }
        for entry in self.edited.values_mut().flatten() {
            if let Some(new) = new(entry) {
                *entry = new;
            }
        }
    }

    /// Finds the entry of the same package.
    #[must_use]
    pub fn find(&self, package: &PackageEntry) -> Option<PackageEntry> {
        match self.edited.get(package.name()) {
            Some(entries) => {
                let at = entries.partition_point(|entry| entry.order(package).is_lt());
                entries.get(at).filter(|entry| entry.is_same_package(package)).cloned()
            }
            None => self.text.find(&package.identity()),
        }
    }

    /// Whether it has any package of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.edited.get(name).map_or_else(|| !self.text.place(name).is_empty(), |entries| !entries.is_empty())
    }

    /// Inserts packages; the caller ensures that the index has none of them.
    pub fn insert(&mut self, new: impl IntoIterator<Item = PackageEntry>) {
        let mut names = BTreeSet::new();
        for entry in new {
            names.insert(entry.name().to_owned());
            self.edit(entry.name()).push(entry);
        }
        for name in names {
            self.edit(&name).sort_by(PackageEntry::order);
        }
    }

    /// Removes the entries of these packages.
    pub fn remove_all(&mut self, packages: &[PackageEntry]) {
        let mut by_name: BTreeMap<&str, HashSet<[&str; 2]>> = BTreeMap::new();
        for package in packages {
            by_name.entry(package.name()).or_default().insert([package.version(), package.architecture()]);
        }
        for (name, gone) in by_name {
            self.remove(name, |entry| gone.contains(&[entry.version(), entry.architecture()]));
        }
    }

    /// Removes matching packages of one name; returns their number.
    pub fn remove(&mut self, name: &str, leave_out: impl Fn(&PackageEntry) -> bool) -> usize {
        if !self.named(name).iter().any(&leave_out) {
            return 0;
        }
        let entries = self.edit(name);
        let before = entries.len();
        entries.retain(|entry| !leave_out(entry));
        before - entries.len()
    }

    /// The packages of all edited names: as they were read, and as they are now.
    #[must_use]
    pub fn edits(&self) -> (Vec<PackageEntry>, Vec<PackageEntry>) {
        let before = self.edited.keys().flat_map(|name| self.text.entries(self.text.place(name)));
        (before.collect(), self.edited.values().flatten().cloned().collect())
    }

    fn edit(&mut self, name: &str) -> &mut Vec<PackageEntry> {
        let text = &self.text;
        self.edited.entry(name.to_owned()).or_insert_with(|| text.entries(text.place(name)).collect())
    }
}

/// Compares two stanzas by their order in an index; stanzas without a package are equal.
pub(crate) fn order_of(one: &[u8], other: &[u8], package_type: PackageType) -> Ordering {
    match (Identity::read(one, package_type), Identity::read(other, package_type)) {
        (Some(one), Some(other)) => one.order(&other),
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(text: &str) -> PackagesIndex {
        PackagesIndex::parse(&Bytes::copy_from_slice(text.as_bytes()), PackageType::Deb).unwrap()
    }

    fn stanza(name: &str, version: &str) -> String {
        format!("Package: {name}\nVersion: {version}\nArchitecture: all\nX-Odd:  kept\n  as it is\n\n")
    }

    fn names(index: &PackagesIndex) -> Vec<String> {
        index.entries().iter().map(|entry| format!("{} {}", entry.name(), entry.version())).collect()
    }

    #[test]
    fn one_of_very_many_versions_is_found() {
        let stanza = |n: u32| format!("Package: a\nVersion: {n}\nArchitecture: all\n\n");
        let text = (0..4000).map(stanza).collect::<Vec<_>>().concat();
        let mut all = index(&text);
        let entries = all.entries();
        assert_eq!(entries.len(), 4000);
        for entry in &entries {
            assert!(all.find(entry).is_some_and(|found| found.is_same_package(entry)));
        }
        let other = index("Package: a\nVersion: 5\nArchitecture: amd64\n\n").entries().remove(0);
        assert!(all.find(&other).is_none() && all.has("a") && !all.has("b"));
        all.remove_all(&entries[10..3990]);
        assert_eq!(all.entries().len(), 20);
        assert!(all.find(&entries[10]).is_none() && all.find(&entries[3990]).is_some());
        all.insert(entries[10..3990].iter().rev().cloned());
        assert_eq!(all.render(), text);
        all.remove_all(&entries);
        assert!(!all.has("a"));
    }

    #[test]
    fn a_sorted_index_round_trips_byte_for_byte() {
        let text = stanza("aa", "1.9") + &stanza("aa", "1.10") + &stanza("bb", "1:0.1");
        assert_eq!(index(&text).render(), text);
    }

    #[test]
    fn a_foreign_index_is_put_in_order_and_keeps_its_stanzas() {
        let text = format!("\n{}\n\n{}", stanza("zz", "1"), stanza("aa", "2~rc1"))
            + "Package: mm\nVersion: 1\nArchitecture: all";
        let index = index(&text);
        assert_eq!(names(&index), ["aa 2~rc1", "mm 1", "zz 1"]);
        assert_eq!(
            index.entries()[2].stanza(),
            stanza("zz", "1")
                .trim_end_matches('\n')
                .to_owned()
                .as_bytes()
                .iter()
                .copied()
                .chain([b'\n'])
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn finds_inserts_and_removes() {
        let mut all = index(&(stanza("aa", "1") + &stanza("cc", "1")));
        let new = index(&(stanza("bb", "2") + &stanza("aa", "0.5"))).entries();
        assert!(all.find(&new[0]).is_none());
        all.insert(new);
        assert_eq!(names(&all), ["aa 0.5", "aa 1", "bb 2", "cc 1"]);
        assert_eq!(all.named("aa").len(), 2);
        assert_eq!(all.remove("aa", |_| true), 2);
        assert_eq!(names(&all), ["bb 2", "cc 1"]);
        assert!(all.named("aa").is_empty());
    }

    #[test]
    fn fields_are_found_without_regard_to_case_and_with_their_folded_lines() {
        let all = index("package: aa\nVERSION:1\nArchitecture: all\nTag:\n a,\n b\nSize: 12\n");
        assert_eq!(names(&all), ["aa 1"]);
        assert_eq!(all.entries()[0].field("tag"), Some(&b"\n a,\n b"[..]));
        assert_eq!(all.entries()[0].size(), Some(12));
        assert_eq!(all.entries()[0].field("Siz"), None);
    }

    #[test]
    fn the_source_is_what_is_said_or_the_package_itself() {
        let source = |field: &str| {
            let all = index(&format!("Package: aa\nVersion: 1:2-3+b1\nArchitecture: all\n{field}"));
            let entry = all.entries().remove(0);
            (entry.source().name.to_owned(), entry.source().version.to_owned())
        };
        for (field, name, version) in [
            ("", "aa", "1:2-3+b1"),
            ("Source: bb\n", "bb", "1:2-3+b1"),
            ("Source: bb (1:2-3)\n", "bb", "1:2-3"),
            ("Source: bb(2)\n", "bb", "2"),
            ("Source:\n", "aa", "1:2-3+b1"),
            ("Source: bb (2\n", "bb", "1:2-3+b1"),
        ] {
            assert_eq!(source(field), (name.to_owned(), version.to_owned()), "{field:?}");
        }
    }

    #[test]
    fn a_share_of_machines_is_one_field_and_nothing_else_changes() {
        let plain = stanza("aa", "1");
        let entry = |text: &str| index(text).entries().remove(0);
        let odd = "phased-update-percentage:\n 7\nPackage: aa\nVersion: 1\nArchitecture: all\nX-Odd:  kept\n  as it is\n\n";
        for (text, share) in [(&plain[..], 100), (odd, 7)] {
            let entry = entry(text);
            assert_eq!(entry.phased(), share);
            let phased = entry.with_phased(0);
            assert_eq!((phased.phased(), phased.name(), phased.version()), (0, "aa", "1"));
            let expected = plain.trim_end().to_owned() + "\nPhased-Update-Percentage: 0\n";
            assert_eq!(phased.stanza(), expected.as_bytes());
            assert_eq!(phased.with_phased(100).stanza(), (plain.trim_end().to_owned() + "\n").as_bytes());
        }
        // apt treats an invalid value as 100.
        assert_eq!(
            entry(&(plain.trim_end().to_owned() + "\nPhased-Update-Percentage: many\n")).phased(),
            100
        );
    }

    #[test]
    fn a_stanza_without_identity_is_reported_with_its_line() {
        let text = Bytes::from(stanza("aa", "1") + "Package: bb\nArchitecture: all\n");
        assert_eq!(
            PackagesIndex::parse(&text, PackageType::Deb).err(),
            Some(Error::Lacks { line: 7, field: "Version" })
        );
    }

    proptest! {
        /// Edits in any order: the same packages give the same text.
        #[test]
        fn edits_in_place_give_what_is_made_from_nothing(
            read in prop::collection::hash_set(("[a-c]{1,2}", 0..4_u8), 0..12),
            edits in prop::collection::vec(("[a-c]{1,2}", 0..4_u8), 0..12),
            blank in any::<bool>(),
        ) {
            let stanza = |(name, version): &(String, u8)| stanza(name, &format!("1.{version}"));
            let between = if blank { "\n" } else { "" };
            let mut edited = index(&read.iter().map(|package| stanza(package) + between).collect::<String>());
            let mut expected: BTreeSet<(String, u8)> = read.into_iter().collect();
            for package in edits {
                let (name, version) = (&package.0, format!("1.{}", package.1));
                if expected.remove(&package) {
                    prop_assert_eq!(edited.remove(name, |entry| entry.version() == version), 1);
                } else {
                    prop_assert_eq!(edited.remove(name, |entry| entry.version() == version), 0);
                    edited.insert(index(&stanza(&package)).entries());
                    expected.insert(package);
                }
            }
            let text: String = expected.iter().map(stanza).collect();
            prop_assert_eq!(names(&edited), names(&index(&text)));
            prop_assert_eq!(edited.render(), text);
            for (name, _) in &expected {
                let count = expected.iter().filter(|(other, _)| other == name).count();
                prop_assert_eq!(edited.named(name).len(), count);
            }
        }
    }
}
