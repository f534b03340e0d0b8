//! The packages of a suite for the archive's page, in parts: files that a browser fetches one by one and caches for ever.
//!
//! Rows are sorted by name and cut before names that their hash chooses, whatever the neighbours are. A change of a
//! package therefore changes one part of each kind, and edited parts are those of a build from scratch.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    ops::Range,
};

use bytes::Bytes;
use flate2::{Compression, Crc, GzBuilder, read::GzDecoder};
use rayon::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    digest::Sha256Digest,
    dists::{Entry, IndexKey, layout, order_of_versions},
    stanza::Stanza,
};

/// The largest part that is read, unpacked.
const LARGEST: u64 = 256 << 20;

/// The longest summary in the search; longer ones are cut.
const SUMMARY: usize = 160;

/// A row of a part.
pub(crate) trait Row: Serialize + DeserializeOwned + Send {
    /// A part begins at one of so many names.
    const ONE_IN: u32;

    /// The name of the package.
    fn name(&self) -> &str;
}

/// A package as an index lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) component: String,
    pub(crate) kind: String,
    pub(crate) version: String,
    pub(crate) architecture: String,
    pub(crate) stanza: String,
    /// The architectures whose indices list it.
    pub(crate) listed: BTreeSet<String>,
}

/// A package as the search finds it: name, newest version, summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found(pub(crate) String, pub(crate) String, pub(crate) String);

impl Row for Package {
    const ONE_IN: u32 = 128;

    fn name(&self) -> &str {
        &self.name
    }
}

impl Row for Found {
    const ONE_IN: u32 = 2048;

    fn name(&self) -> &str {
        &self.0
    }
}

/// A part: its first name, its digest, and the number of its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part(pub(crate) String, pub(crate) String, pub(crate) usize);

/// The parts of a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) packages: Vec<Part>,
    pub(crate) search: Vec<Part>,
}

impl Manifest {
    /// The number of names.
    pub(crate) fn names(&self) -> usize {
        self.search.iter().map(|part| part.2).sum()
    }

    /// The digests of all parts.
    pub(crate) fn digests(&self) -> impl Iterator<Item = Sha256Digest> {
        self.packages.iter().chain(&self.search).filter_map(|part| part.1.parse().ok())
    }
}

/// New parts, and their files.
#[derive(Debug, Default)]
pub(crate) struct New {
    pub(crate) parts: Vec<Part>,
    pub(crate) files: Vec<(String, Bytes)>,
}

/// A change of one index: packages that leave it, and those that it lists now.
#[derive(Debug, Clone)]
pub(crate) struct Change<'a> {
    pub(crate) index: &'a IndexKey,
    pub(crate) entry: &'a Entry,
    pub(crate) is_new: bool,
}

impl Package {
    /// The row of an entry of an index.
    fn of(index: &IndexKey, entry: &Entry) -> Option<Self> {
        let component = index.component_of_entries()?.to_string();
        let listed = index.architecture().map_or("source", |architecture| architecture.as_str());
        Some(Self {
            name: entry.name.to_string(),
            component,
            kind: entry.kind.package_type().to_owned(),
            version: entry.version.to_string(),
            architecture: entry.architecture.to_string(),
            stanza: String::from_utf8_lossy(&entry.stanza).into_owned(),
            listed: BTreeSet::from([listed.to_owned()]),
        })
    }

    /// Whether both are one package, in any index.
    fn is_same(&self, other: &Self) -> bool {
        let identity = |one: &Self| {
            [&one.name, &one.component, &one.kind, &one.version, &one.architecture].map(Clone::clone)
        };
        identity(self) == identity(other)
    }

    fn summary(&self) -> String {
        let stanza = Stanza::parse(self.stanza.as_bytes()).ok();
        let text = stanza.and_then(|stanza| stanza.text_of("Description").map(std::borrow::Cow::into_owned));
        let line = text.as_deref().and_then(|text| text.lines().next()).unwrap_or_default();
        line.chars().take(SUMMARY).collect()
    }
}

/// All rows of these indices, sorted; a package for all architectures is one row.
pub(crate) fn rows(indices: &[(IndexKey, Vec<Entry>)]) -> Vec<Package> {
    let mut all: BTreeMap<Package, BTreeSet<String>> = BTreeMap::new();
    for (index, entries) in indices {
        for mut row in entries.iter().filter_map(|entry| Package::of(index, entry)) {
            let listed = std::mem::take(&mut row.listed);
            all.entry(row).or_default().extend(listed);
        }
    }
    all.into_iter().map(|(row, listed)| Package { listed, ..row }).collect()
}

/// Applies the changes of indices to the rows that contain the changed names.
pub(crate) fn apply(rows: &mut Vec<Package>, changes: &[Change<'_>]) {
    // Removals first: a package with another stanza is removed and added.
    for is_new in [false, true] {
        for change in changes.iter().filter(|change| change.is_new == is_new) {
            let Some(row) = Package::of(change.index, change.entry) else { continue };
            for other in rows.iter_mut().filter(|other| other.is_same(&row)) {
                other.listed.retain(|architecture| !row.listed.contains(architecture));
            }
            if is_new {
                match rows.iter_mut().find(|other| other.is_same(&row) && other.stanza == row.stanza) {
                    Some(other) => other.listed.extend(row.listed),
                    None => rows.push(row),
                }
            }
        }
    }
    rows.retain(|row| !row.listed.is_empty());
    rows.sort();
}

/// The rows that the search finds among these, which are sorted.
pub(crate) fn found(rows: &[Package]) -> Vec<Found> {
    let of = |same: &[Package]| {
        let best = same.iter().max_by(|one, other| {
            let binary = |row: &Package| row.kind != "dsc";
            binary(one).cmp(&binary(other)).then_with(|| order_of_versions(&one.version, &other.version))
        })?;
        Some(Found(best.name.clone(), best.version.clone(), best.summary()))
    };
    rows.chunk_by(|one, other| one.name == other.name).filter_map(of).collect()
}

/// The parts, as ranges, that have to be read for a change of these names.
pub(crate) fn affected<R: Row>(parts: &[Part], names: &BTreeSet<&str>) -> Vec<Range<usize>> {
    if parts.is_empty() {
        return if names.is_empty() { Vec::new() } else { vec![Range::default()] };
    }
    let mut touched = BTreeSet::new();
    for name in names {
        let at = place(parts, name);
        touched.insert(at);
        // Its first name may leave, so that it joins the part before.
        if parts[at].0 == *name && at > 0 {
            touched.insert(at - 1);
        }
    }
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for at in touched {
        match ranges.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => ranges.push(at..at + 1),
        }
    }
    ranges
}

/// Whether a change of a name belongs to a range of parts.
pub(crate) fn is_in(parts: &[Part], range: &Range<usize>, name: &str) -> bool {
    range.is_empty() || range.contains(&place(parts, name))
}

/// The part that a name is in, or would be.
fn place(parts: &[Part], name: &str) -> usize {
    parts.partition_point(|part| part.0.as_str() <= name).saturating_sub(1)
}

/// Cuts sorted rows into parts.
pub(crate) fn cut<R: Row>(rows: Vec<R>) -> New {
    let mut pieces: Vec<Vec<R>> = Vec::new();
    for row in rows {
        let begins = match pieces.last().and_then(|piece| piece.last()) {
            None => true,
            Some(last) => last.name() != row.name() && is_chosen::<R>(row.name()),
        };
        if begins {
            pieces.push(Vec::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(row);
        }
    }
    let packed: Vec<(Part, (String, Bytes))> =
        pieces.into_par_iter().map(|piece| pack_part(&piece)).collect();
    let (parts, files) = packed.into_iter().unzip();
    New { parts, files }
}

fn pack_part<R: Row>(piece: &[R]) -> (Part, (String, Bytes)) {
    let first = piece.first().map(|row| row.name().to_owned()).unwrap_or_default();
    let names = piece.chunk_by(|one, other| one.name() == other.name()).count();
    let (digest, path, bytes) = pack(&piece);
    (Part(first, digest, names), (path, bytes))
}

/// Renders and compresses a file: its digest, its path and its bytes.
pub(crate) fn pack(content: &impl Serialize) -> (String, String, Bytes) {
    let text = serde_json::to_vec(content).unwrap_or_default();
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(6));
    // A write into memory does not fail.
    let _ = encoder.write_all(&text);
    let bytes = Bytes::from(encoder.finish().unwrap_or_default());
    let digest = Sha256Digest::of(&bytes).to_string();
    let path = layout::page_path(&digest);
    (digest, path, bytes)
}

/// Unpacks a file; `None` if it is damaged.
pub(crate) fn unpack<T: DeserializeOwned>(digest: &str, bytes: &[u8]) -> Option<T> {
    if Sha256Digest::of(bytes).to_string() != digest {
        return None;
    }
    let mut text = Vec::new();
    GzDecoder::new(bytes).take(LARGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn is_chosen<R: Row>(name: &str) -> bool {
    let mut crc = Crc::new();
    crc.update(name.as_bytes());
    // Neighbours differ in few bits, and a CRC is linear.
    (crc.sum().wrapping_mul(0x9e37_79b1) >> 16).is_multiple_of(R::ONE_IN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: &str) -> IndexKey {
        IndexKey::parse(path)
    }

    fn entries(index: &IndexKey, packages: &[(String, &str)]) -> Vec<Entry> {
        let stanza = |(name, version): &(String, &str)| {
            format!("Package: {name}\nVersion: {version}\nArchitecture: all\nDescription: about {name}\n\n")
        };
        let text: String = packages.iter().map(stanza).collect();
        crate::dists::entries(index, &Bytes::from(text)).unwrap()
    }

    fn name(number: usize) -> String {
        format!("lib{number:04}-dev")
    }

    /// The same as a page writer: loads the affected parts, edits and cuts them.
    fn edited(all: &New, changes: &[Change<'_>]) -> Vec<Part> {
        let names: BTreeSet<&str> = changes.iter().map(|change| &*change.entry.name).collect();
        let mut parts = all.parts.clone();
        for range in affected::<Package>(&parts, &names).into_iter().rev() {
            let mut rows = Vec::new();
            for part in &parts[range.clone()] {
                let (_, file) = all.files.iter().find(|(path, _)| path.contains(&part.1)).unwrap();
                rows.extend(unpack::<Vec<Package>>(&part.1, file).unwrap());
            }
            let own: Vec<Change<'_>> =
                changes.iter().filter(|one| is_in(&parts, &range, &one.entry.name)).cloned().collect();
            apply(&mut rows, &own);
            parts.splice(range, cut(rows).parts);
        }
        parts
    }

    #[test]
    fn an_edit_gives_the_parts_of_a_build_from_scratch() {
        let index = key("main/binary-amd64/Packages");
        let all: Vec<(String, &str)> = (0..3000).map(|number| (name(number), "1.0")).collect();
        let build = |packages: &[(String, &str)]| cut(rows(&[(index.clone(), entries(&index, packages))]));
        let full = build(&all);
        assert!((10..60).contains(&full.parts.len()), "{}", full.parts.len());
        let chosen: Vec<usize> = (0..3000).filter(|&number| is_chosen::<Package>(&name(number))).collect();
        for at in chosen.into_iter().take(4).chain([0, 1, 1234, 2999]) {
            let mut less = all.clone();
            let gone = less.remove(at);
            let gone = entries(&index, &[gone]);
            let without = build(&less);
            let change = |is_new| [Change { index: &index, entry: &gone[0], is_new }];
            assert_eq!(edited(&full, &change(false)), without.parts, "{at}");
            assert_eq!(edited(&without, &change(true)), full.parts, "{at}");
            let old: BTreeSet<&String> = full.parts.iter().map(|part| &part.1).collect();
            assert!(without.parts.iter().filter(|part| !old.contains(&part.1)).count() <= 2);
        }
        assert_eq!(
            edited(
                &New::default(),
                &[Change { index: &index, entry: &entries(&index, &all[..1])[0], is_new: true }]
            ),
            build(&all[..1]).parts
        );
    }

    #[test]
    fn a_package_for_all_architectures_is_one_row_until_its_last_index_drops_it() {
        let (one, other) = (key("main/binary-amd64/Packages"), key("main/binary-arm64/Packages"));
        let (old, new) = (entries(&one, &[(name(1), "1.0")]), entries(&one, &[(name(1), "2.0")]));
        let mut all = rows(&[(one.clone(), old.clone()), (other.clone(), old.clone())]);
        assert_eq!((all.len(), all[0].listed.len()), (1, 2));
        let change = |index, entry, is_new| Change { index, entry, is_new };
        apply(&mut all, &[change(&one, &new[0], true), change(&one, &old[0], false)]);
        assert_eq!(
            all.iter().map(|row| (&*row.version, row.listed.len())).collect::<Vec<_>>(),
            [("1.0", 1), ("2.0", 1)]
        );
        assert_eq!(found(&all), [Found(name(1), "2.0".into(), format!("about {}", name(1)))]);
        apply(&mut all, &[change(&other, &old[0], false)]);
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn a_damaged_part_is_not_read() {
        let (digest, path, bytes) = pack(&vec![Found("a".into(), "1".into(), String::new())]);
        assert_eq!(path, format!("page/{digest}.gz"));
        assert!(unpack::<Vec<Found>>(&digest, &bytes).is_some());
        assert!(unpack::<Vec<Found>>(&digest, &bytes[1..]).is_none());
    }
}
