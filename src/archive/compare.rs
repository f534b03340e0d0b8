//! Two states of suites, of one archive or of two, compared index by index: what the pointers say is the same is not read.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Error, PublishedSuite,
    diff::{Difference, diff},
};
use crate::{
    compression::Compression,
    digest::Sha256Digest,
    dists::{PackagesIndex, PackagesKey},
    names::{Architecture, Component},
    store::blocking,
};

/// Compares states in a row; what one comparison has read the next one need not read again.
#[derive(Default)]
pub(super) struct Comparison {
    read: BTreeMap<Sha256Digest, PackagesIndex>,
}

impl PublishedSuite {
    /// What `new` has otherwise than this state, package by package: sorted by name, component and architecture.
    ///
    /// # Errors
    /// An index cannot be read, or is not what its pointer says.
    pub async fn differences(&self, new: &Self) -> Result<Vec<Difference>, Error> {
        Comparison::default().of(self, new).await
    }
}

impl Comparison {
    /// What `new` has otherwise than `old`.
    pub(super) async fn of(
        &mut self,
        old: &PublishedSuite,
        new: &PublishedSuite,
    ) -> Result<Vec<Difference>, Error> {
        let (before, after) = (architectures(old), architectures(new));
        let components: BTreeSet<&Component> = before.keys().chain(after.keys()).collect();
        let none = BTreeSet::new();
        let mut read = BTreeMap::new();
        let mut found = Vec::new();
        for component in components {
            let before = before.get(component).unwrap_or(&none);
            let after = after.get(component).unwrap_or(&none);
            let (mut old_entries, mut new_entries) = (Vec::new(), Vec::new());
            for architecture in before.union(after) {
                let name = PackagesKey { component: component.clone(), architecture: architecture.clone() };
                // Packages for `all` stand in every index: where one is on one side only, the others tell whether they
                // are new.
                if before == after && is_same(old, new, &name) {
                    continue;
                }
                old_entries.extend(self.index(old, &name, &mut read).await?.entries());
                new_entries.extend(self.index(new, &name, &mut read).await?.entries());
            }
            let component = component.clone();
            found.extend(blocking(move || diff(&component, &old_entries, &new_entries)).await);
        }
        self.read = read;
        found.sort_by(|one, other| {
            let key = |difference: &Difference| {
                (difference.name.clone(), difference.component.clone(), difference.architecture.clone())
            };
            key(one).cmp(&key(other))
        });
        Ok(found)
    }

    async fn index(
        &self,
        state: &PublishedSuite,
        name: &PackagesKey,
        read: &mut BTreeMap<Sha256Digest, PackagesIndex>,
    ) -> Result<PackagesIndex, Error> {
        let listed = state.release().and_then(|release| release.files().get(&name.path()));
        let digest = listed.map(|listed| listed.sha256);
        let known = digest.and_then(|digest| self.read.get(&digest).or_else(|| read.get(&digest)));
        let index = match known {
            Some(index) => index.clone(),
            None => state.index(name).await?,
        };
        if let Some(digest) = digest {
            read.insert(digest, index.clone());
        }
        Ok(index)
    }
}

/// The architectures of each component that a state lists an index of.
fn architectures(state: &PublishedSuite) -> BTreeMap<Component, BTreeSet<Architecture>> {
    let mut all: BTreeMap<Component, BTreeSet<Architecture>> = BTreeMap::new();
    for PackagesKey { component, architecture } in state.packages_keys() {
        all.entry(component).or_default().insert(architecture);
    }
    all
}

/// Whether both pointers list some form of an index with the same digest.
fn is_same(old: &PublishedSuite, new: &PublishedSuite, name: &PackagesKey) -> bool {
    let (Some(old), Some(new)) = (old.release(), new.release()) else { return false };
    Compression::ALL.into_iter().any(|compression| {
        let path = format!("{}{}", name.path(), compression.extension());
        let listed = old.files().get(&path);
        listed.is_some_and(|old| new.files().get(&path).is_some_and(|new| old.sha256 == new.sha256))
    })
}
