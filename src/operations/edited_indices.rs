//! `Indices`: the indices that an edit reads and changes.

use std::collections::{BTreeMap, BTreeSet};

use super::{addition::Addition, edit::SuiteEdit, plan::SuiteLayout};
use crate::{
    config::Sources,
    dists::{PackageEntry, PackagesIndex, PackagesKey},
    names::{Architecture, Component},
    suite::{error::Error, published::PublishedSuite},
};

/// The indices that an edit reads, and the keys of the changed ones.
#[derive(Default)]
pub(crate) struct Indices {
    pub(crate) all: BTreeMap<PackagesKey, PackagesIndex>,
    pub(crate) changed: BTreeSet<PackagesKey>,
}

impl SuiteEdit {
    /// Reads the indices that the edit needs and that were not read yet; outdated ones are written again.
    pub(crate) async fn load(
        &self,
        published: &PublishedSuite,
        layout: &SuiteLayout,
        additions: &[Addition],
        outdated: &BTreeSet<PackagesKey>,
        indices: &mut Indices,
    ) -> Result<(), Error> {
        let there = published.edited_keys();
        let mut wanted = BTreeSet::new();
        let any_all = additions.iter().any(|new| new.architecture.is_all());
        let components: BTreeSet<&Component> = additions.iter().map(|new| &new.component).collect();
        let architectures: BTreeSet<&Architecture> = additions.iter().map(|new| &new.architecture).collect();
        for component in &layout.components {
            for architecture in &layout.architectures {
                let name = PackagesKey { component: component.clone(), architecture: architecture.clone() };
                // A package is searched in every component of its architecture, since it may be in one component only.
                let concerned = any_all
                    && (components.contains(component) || *architecture == layout.architectures[0])
                    || architectures.contains(architecture)
                    || self.removes()
                    || self.retention.is_some();
                if concerned || !there.contains(&name) || outdated.contains(&name) {
                    wanted.insert(name);
                }
            }
        }
        wanted.extend(self.wanted_sources(layout, additions, &there));
        wanted.extend(outdated.iter().filter(|key| key.is_of_sources()).cloned());
        wanted.retain(|name| !indices.all.contains_key(name));
        for name in &wanted {
            let index = published.index(name).await?;
            if !there.contains(name) || outdated.contains(name) {
                indices.changed.insert(name.clone());
            }
            indices.all.insert(name.clone(), index);
        }
        // A new architecture starts with the packages for all architectures.
        for name in wanted.into_iter().filter(|name| !there.contains(name) && !name.is_of_sources()) {
            let sibling =
                there.iter().find(|other| other.component == name.component && !other.is_of_sources());
            let Some(sibling) = sibling else { continue };
            let everywhere = match indices.all.get(sibling) {
                Some(index) => all_packages(index),
                None => all_packages(&published.index(sibling).await?),
            };
            indices.index(&name).insert(everywhere);
        }
        Ok(())
    }

    fn removes(&self) -> bool {
        !self.remove.is_empty() || !self.remove_selected.is_empty()
    }

    /// The indices of source packages that the edit needs: the published ones if it may change them, and those that the
    /// suite has yet to get.
    fn wanted_sources(
        &self,
        layout: &SuiteLayout,
        additions: &[Addition],
        there: &BTreeSet<PackagesKey>,
    ) -> Vec<PackagesKey> {
        let new = || additions.iter().filter(|new| new.architecture.is_source());
        let may_change = new().next().is_some() || self.removes() || self.retention.is_some();
        let published = there.iter().filter(|key| key.is_of_sources() && may_change).cloned();
        let missing = layout.components.iter().map(PackagesKey::of_sources).filter(|key| {
            let is_needed =
                layout.sources == Sources::Listed || new().any(|new| new.component == key.component);
            is_needed && !there.contains(key)
        });
        published.chain(missing).collect()
    }
}

impl Indices {
    pub(crate) fn index(&mut self, name: &PackagesKey) -> &mut PackagesIndex {
        self.all.entry(name.clone()).or_default()
    }
}

fn all_packages(index: &PackagesIndex) -> Vec<PackageEntry> {
    index.entries().into_iter().filter(|entry| entry.architecture() == "all").collect()
}
