//! `Listing`: a package that an operation inserts into one index, or removes from it.

use std::collections::{BTreeMap, HashSet};

use crate::{
    dists::{Entry, IndexKey, PackageEntry, PackagesIndex, PackagesKey},
    names::{Architecture, Component},
};

/// A package that is inserted into one index, or removed from it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Listing {
    /// The index.
    pub index: IndexKey,
    /// The component of the index.
    pub component: Component,
    /// The architecture whose clients read the index; `source` for source packages.
    pub architecture: Architecture,
    /// The package, with its files.
    pub entry: Entry,
    /// Whether it is inserted; otherwise it is removed.
    pub is_new: bool,
}

/// Returns the changes of all indices.
pub(super) fn of(changed: &BTreeMap<PackagesKey, PackagesIndex>) -> Vec<Listing> {
    let mut all = Vec::new();
    for (key, index) in changed {
        let (gone, new) = index.edits();
        all.extend(differing(&gone, &new).filter_map(|entry| listing(key, entry, false)));
        all.extend(differing(&new, &gone).filter_map(|entry| listing(key, entry, true)));
    }
    all
}

/// Returns the entries that are not among the others with the same stanza.
fn differing<'a>(
    these: &'a [PackageEntry],
    others: &[PackageEntry],
) -> impl Iterator<Item = &'a PackageEntry> {
    let others: HashSet<Vec<u8>> = others.iter().map(|entry| entry.stanza().to_vec()).collect();
    these.iter().filter(move |entry| !others.contains(entry.stanza()))
}

fn listing(key: &PackagesKey, entry: &PackageEntry, is_new: bool) -> Option<Listing> {
    Some(Listing {
        index: key.clone().into_index_key(),
        component: key.component.clone(),
        architecture: key.architecture.clone(),
        entry: Entry::of(entry).ok()?,
        is_new,
    })
}
