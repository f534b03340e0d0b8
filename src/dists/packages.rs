//! `Packages`: the stanzas of one component and architecture.
//!
//! Stanzas that are already published are carried over byte for byte, whoever wrote them, and only looked into as far as
//! an edit needs: name, version and architecture. Order: by name, then version, then architecture, so that the same
//! packages always give the same bytes.

use std::{cmp::Ordering, ops::Range};

use bytes::{BufMut, Bytes, BytesMut};

use crate::{
    deb::BinaryPackage,
    digest::{Digests, Md5Digest, Sha256Digest},
    pool::PoolPath,
    stanza::Stanzas,
    version::Version,
};

/// One package of an index: its stanza, and where in it the three parts of its identity stand.
#[derive(Clone)]
pub struct PackageEntry {
    /// With its last newline, without empty lines.
    stanza: Bytes,
    name: Range<u32>,
    version: Range<u32>,
    architecture: Range<u32>,
}

/// Says what is wrong with a stanza of an index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A stanza lacks a field without which it is no package.
    #[error("the stanza at line {line} has no field `{field}`")]
    Lacks {
        /// The line on which the stanza begins.
        line: usize,
        /// The field.
        field: &'static str,
    },
    /// A field that is read as text is not UTF-8.
    #[error("the stanza at line {line} has a `{field}` that is not UTF-8")]
    NotText {
        /// The line on which the stanza begins.
        line: usize,
        /// The field.
        field: &'static str,
    },
}

impl PackageEntry {
    /// Makes the stanza of a .deb: its control fields as they are, then what the index adds.
    #[must_use]
    pub fn of(package: &BinaryPackage, path: &PoolPath) -> Self {
        let Digests { size, md5, sha256 } = package.digests();
        let mut text = package.control_for_index().into_owned();
        let added = format!("Filename: {}\nSize: {size}\nMD5sum: {md5}\nSHA256: {sha256}\n", path.as_str());
        text.extend_from_slice(added.as_bytes());
        // A package that was read has these fields, so the stanza always has them.
        Self::read(text.into(), 1).unwrap_or_else(|error| unreachable!("the stanza of a .deb: {error}"))
    }

    fn read(stanza: Bytes, line: usize) -> Result<Self, Error> {
        let part = |field| {
            let value = field_of(&stanza, field).ok_or(Error::Lacks { line, field })?;
            if std::str::from_utf8(&stanza[value.clone()]).is_err() {
                return Err(Error::NotText { line, field });
            }
            // A stanza of more than 4 GiB cannot be in memory as part of an index that apt could read.
            let bound = |at| u32::try_from(at).map_err(|_| Error::NotText { line, field });
            Ok(bound(value.start)?..bound(value.end)?)
        };
        let (name, version, architecture) = (part("Package")?, part("Version")?, part("Architecture")?);
        Ok(Self { stanza, name, version, architecture })
    }

    fn text(&self, range: &Range<u32>) -> &str {
        // Checked when the entry was made.
        std::str::from_utf8(&self.stanza[range.start as usize..range.end as usize]).unwrap_or_default()
    }

    /// The value of `Package`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text(&self.name)
    }

    /// The value of `Version`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.text(&self.version)
    }

    /// The value of `Architecture`.
    #[must_use]
    pub fn architecture(&self) -> &str {
        self.text(&self.architecture)
    }

    /// The value of any other field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        field_of(&self.stanza, name).map(|range| &self.stanza[range])
    }

    /// The value of `Filename`, if it is there and is text.
    #[must_use]
    pub fn filename(&self) -> Option<&str> {
        std::str::from_utf8(self.field("Filename")?).ok()
    }

    /// The value of `Size`.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        std::str::from_utf8(self.field("Size")?).ok()?.parse().ok()
    }

    /// The value of `SHA256`.
    #[must_use]
    pub fn sha256(&self) -> Option<Sha256Digest> {
        std::str::from_utf8(self.field("SHA256")?).ok()?.parse().ok()
    }

    /// The value of `MD5sum`.
    #[must_use]
    pub fn md5(&self) -> Option<Md5Digest> {
        std::str::from_utf8(self.field("MD5sum")?).ok()?.parse().ok()
    }

    /// The stanza as it stands in the index.
    #[must_use]
    pub fn stanza(&self) -> &[u8] {
        &self.stanza
    }

    /// Whether this is the same package: name, version and architecture, to the letter.
    #[must_use]
    pub fn is_same_package(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    fn identity(&self) -> (&str, &str, &str) {
        (self.name(), self.version(), self.architecture())
    }

    /// The order of packages in an index.
    fn order(&self, other: &Self) -> Ordering {
        let by_name = self.name().cmp(other.name());
        by_name
            .then_with(|| self.order_of_versions(other))
            .then_with(|| self.version().cmp(other.version()))
            .then_with(|| self.architecture().cmp(other.architecture()))
    }

    /// The order of versions as dpkg has it; versions that Policy does not allow come first, in the order of their text.
    #[must_use]
    pub fn order_of_versions(&self, other: &Self) -> Ordering {
        match (Version::parse(self.version()).ok(), Version::parse(other.version()).ok()) {
            (None, None) => self.version().cmp(other.version()),
            (ours, theirs) => ours.cmp(&theirs),
        }
    }
}

/// An index of packages in its order.
#[derive(Clone, Default)]
pub struct PackagesIndex {
    entries: Vec<PackageEntry>,
    /// The text that it was read from.
    published: Option<Bytes>,
}

impl PackagesIndex {
    /// Reads an index, made by anybody; the stanzas stay parts of `text`.
    pub fn parse(text: &Bytes) -> Result<Self, Error> {
        let mut stanzas = Stanzas::new(text);
        let mut entries = Vec::with_capacity(text.len() / 700);
        while let Some(block) = stanzas.next_block() {
            let stanza =
                if block.ends_with(b"\n") { text.slice_ref(block) } else { [block, b"\n"].concat().into() };
            entries.push(PackageEntry::read(stanza, stanzas.block_line())?);
        }
        if !entries.is_sorted_by(|a, b| a.order(b).is_le()) {
            entries.sort_by(PackageEntry::order);
        }
        Ok(Self { entries, published: Some(text.clone()) })
    }

    /// The text of the index: every stanza, each followed by an empty line.
    #[must_use]
    pub fn render(&self) -> Bytes {
        let size = self.entries.iter().map(|entry| entry.stanza.len() + 1).sum();
        let mut text = BytesMut::with_capacity(size);
        for entry in &self.entries {
            text.put_slice(&entry.stanza);
            text.put_u8(b'\n');
        }
        text.freeze()
    }

    /// The text as it was read, before any change.
    #[must_use]
    pub fn published(&self) -> Option<&Bytes> {
        self.published.as_ref()
    }

    /// All packages in their order.
    #[must_use]
    pub fn entries(&self) -> &[PackageEntry] {
        &self.entries
    }

    /// The packages of one name.
    #[must_use]
    pub fn named(&self, name: &str) -> &[PackageEntry] {
        let start = self.entries.partition_point(|entry| entry.name() < name);
        let count = self.entries[start..].iter().take_while(|entry| entry.name() == name).count();
        &self.entries[start..start + count]
    }

    /// The published entry of the same package.
    #[must_use]
    pub fn find(&self, package: &PackageEntry) -> Option<&PackageEntry> {
        self.named(package.name()).iter().find(|entry| entry.is_same_package(package))
    }

    /// Puts packages in their places; the caller has made sure that none of them is there.
    pub fn insert(&mut self, mut new: Vec<PackageEntry>) {
        if new.is_empty() {
            return;
        }
        // The long sorted run that is there already makes this stable sort a merge.
        self.entries.append(&mut new);
        self.entries.sort_by(PackageEntry::order);
    }

    /// Takes packages out; says how many.
    pub fn remove(&mut self, leave_out: impl Fn(&PackageEntry) -> bool) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| !leave_out(entry));
        before - self.entries.len()
    }
}

/// Where the value of a field stands in a stanza, without looking at more of it than the names of the fields before.
fn field_of(stanza: &[u8], name: &str) -> Option<Range<usize>> {
    let mut line = 0;
    while line < stanza.len() {
        let end = memchr::memchr(b'\n', &stanza[line..]).map_or(stanza.len(), |at| line + at);
        let text = &stanza[line..end];
        let is_field = text.len() > name.len()
            && text[name.len()] == b':'
            && text[..name.len()].eq_ignore_ascii_case(name.as_bytes());
        if is_field {
            let blank = |b: &u8| matches!(b, b' ' | b'\t');
            let mut stop = end;
            while stanza.get(stop + 1).is_some_and(blank) {
                stop = memchr::memchr(b'\n', &stanza[stop + 1..]).map_or(stanza.len(), |at| stop + 1 + at);
            }
            let mut start = line + name.len() + 1;
            while start < stop && blank(&stanza[start]) {
                start += 1;
            }
            while stop > start && (blank(&stanza[stop - 1]) || stanza[stop - 1] == b'\r') {
                stop -= 1;
            }
            return Some(start..stop);
        }
        line = end + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(text: &str) -> PackagesIndex {
        PackagesIndex::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn stanza(name: &str, version: &str) -> String {
        format!("Package: {name}\nVersion: {version}\nArchitecture: all\nX-Odd:  kept\n  as it is\n\n")
    }

    fn names(index: &PackagesIndex) -> Vec<String> {
        index.entries().iter().map(|entry| format!("{} {}", entry.name(), entry.version())).collect()
    }

    #[test]
    fn what_is_in_order_comes_back_byte_for_byte() {
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
        let new = index(&(stanza("bb", "2") + &stanza("aa", "0.5"))).entries().to_vec();
        assert!(all.find(&new[0]).is_none());
        all.insert(new);
        assert_eq!(names(&all), ["aa 0.5", "aa 1", "bb 2", "cc 1"]);
        assert_eq!(all.named("aa").len(), 2);
        assert_eq!(all.remove(|entry| entry.name() == "aa"), 2);
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
    fn a_stanza_without_identity_is_told_with_its_line() {
        let text = Bytes::from(stanza("aa", "1") + "Package: bb\nArchitecture: all\n");
        assert_eq!(PackagesIndex::parse(&text).err(), Some(Error::Lacks { line: 7, field: "Version" }));
    }
}
