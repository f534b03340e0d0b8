//! Compares two generations of suites, of one archive or of two, index by index; indices with equal digests are not
//! read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::diff::{Difference, Kind, diff};
use crate::{
    compression::Compression,
    digest::Sha256Digest,
    dists::{
        Entry, IndexKey, IndexKind,
        layout::{ReleaseForm, patched_by},
    },
    names::Component,
    store::blocking,
    suite::{error::Error, published::PublishedSuite},
};

/// The differences between two generations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Differences {
    /// Packages, binary and source, by name, component and architecture.
    pub packages: Vec<Difference>,
    /// Listed files that are not indices of packages, such as `Contents`.
    pub files: Vec<ChangedFile>,
}

/// A listed file that only one of two generations has, or that has different contents.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangedFile {
    /// Its path below the suite, without the extension of a compression.
    pub path: String,
    /// The kind of the change.
    pub kind: Kind,
}

impl Differences {
    /// Whether there are no differences for clients.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of differences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packages.len() + self.files.len()
    }
}

/// Compares several generations in a row and reuses the indices that were read.
#[derive(Default)]
pub(crate) struct Comparison {
    read: Read,
}

/// Entries that were read, by the kind and digest of their index.
type Read = BTreeMap<(IndexKind, Sha256Digest), Arc<Vec<Entry>>>;

/// The indices of packages of each kind and component.
type Groups = BTreeMap<(IndexKind, Component), BTreeSet<IndexKey>>;

impl PublishedSuite {
    /// Returns the differences from this generation to `new`.
    ///
    /// # Errors
    ///
    /// An index cannot be read, or does not match its pointer.
    pub async fn differences(&self, new: &Self) -> Result<Differences, Error> {
        Comparison::default().of(self, new).await
    }
}

impl Comparison {
    /// Returns the differences from `old` to `new`.
    pub(crate) async fn of(
        &mut self,
        old: &PublishedSuite,
        new: &PublishedSuite,
    ) -> Result<Differences, Error> {
        let (before, after) = (groups(old), groups(new));
        let all: BTreeSet<&(IndexKind, Component)> = before.keys().chain(after.keys()).collect();
        let none = BTreeSet::new();
        let mut read = Read::new();
        let mut packages = Vec::new();
        for group in all {
            let (before, after) = (before.get(group).unwrap_or(&none), after.get(group).unwrap_or(&none));
            let (mut old_entries, mut new_entries) = (Vec::new(), Vec::new());
            for key in before.union(after) {
                // Packages for `all` are listed in every index: if one side has no such index, the other indices
                // decide whether they are new.
                if before == after && is_same(old, new, &key.path()) {
                    continue;
                }
                old_entries.push(self.entries(old, key, &mut read).await?);
                new_entries.push(self.entries(new, key, &mut read).await?);
            }
            let (index, component) = group.clone();
            let compare = move || {
                let (old, new) = (old_entries.iter(), new_entries.iter());
                diff((index, &component), old.flat_map(|all| all.iter()), new.flat_map(|all| all.iter()))
            };
            packages.extend(blocking(compare).await);
        }
        self.read = read;
        packages.sort_by(|one, other| order(one).cmp(&order(other)));
        Ok(Differences { packages, files: changed_files(old, new) })
    }

    async fn entries(
        &self,
        state: &PublishedSuite,
        key: &IndexKey,
        read: &mut Read,
    ) -> Result<Arc<Vec<Entry>>, Error> {
        let listed = state.release().and_then(|release| release.files().get(&key.path()));
        let digest = listed.map(|listed| (key.kind(), listed.sha256));
        let known = digest.and_then(|digest| self.read.get(&digest).or_else(|| read.get(&digest)));
        let entries = match known {
            Some(entries) => entries.clone(),
            None => Arc::new(state.carried_entries(key).await?),
        };
        if let Some(digest) = digest {
            read.insert(digest, entries.clone());
        }
        Ok(entries)
    }
}

fn order(difference: &Difference) -> (&str, &Component, IndexKind, &str) {
    let Difference { name, component, index, architecture, .. } = difference;
    (name, component, *index, architecture)
}

/// The indices of packages that a generation lists.
fn groups(state: &PublishedSuite) -> Groups {
    let mut groups = Groups::new();
    for key in state.index_keys() {
        if let Some(component) = key.component_of_entries().cloned() {
            groups.entry((key.kind(), component)).or_default().insert(key);
        }
    }
    groups
}

/// The listed files that are not indices of packages and differ, by their digests alone.
fn changed_files(old: &PublishedSuite, new: &PublishedSuite) -> Vec<ChangedFile> {
    let files = |state: &PublishedSuite| -> BTreeSet<String> {
        let others = state.index_keys().into_iter().filter(|key| key.component_of_entries().is_none());
        // Such a file describes an index, which the pointer of the suite describes too.
        let is_release = |path: &str| ReleaseForm::of_path(path) == Some(ReleaseForm::Release);
        // Patches say nothing that their index does not say.
        let is_own = |path: &String| !is_release(path) && patched_by(path).is_none();
        others.map(|key| key.path()).filter(is_own).collect()
    };
    let (before, after) = (files(old), files(new));
    let changed = before.union(&after).filter_map(|path| {
        let kind = match (before.contains(path), after.contains(path)) {
            (true, true) if is_same(old, new, path) => return None,
            (true, true) => Kind::Contents,
            (true, false) => Kind::Removed,
            _ => Kind::Added,
        };
        Some(ChangedFile { path: path.clone(), kind })
    });
    changed.collect()
}

/// Whether both pointers list some form of a file with the same digest.
fn is_same(old: &PublishedSuite, new: &PublishedSuite, plain: &str) -> bool {
    let (Some(old), Some(new)) = (old.release(), new.release()) else { return false };
    Compression::ALL.into_iter().any(|compression| {
        let path = format!("{plain}{}", compression.extension());
        let listed = old.files().get(&path);
        listed.is_some_and(|old| new.files().get(&path).is_some_and(|new| old.sha256 == new.sha256))
    })
}
