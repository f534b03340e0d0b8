//! `Indices`: the indices that an edit reads and changes.

use std::collections::{BTreeMap, BTreeSet};

use super::{addition::Addition, edit::SuiteEdit, suite_layout::SuiteLayout};
use crate::{
    dists::{PackageEntry, PackagesIndex, PackagesKey},
    names::{Architecture, Component},
    package_type::PackageType,
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
        let debs = || additions.iter().filter(|new| new.entry.package_type() == PackageType::Deb);
        let any_all = debs().any(|new| new.architecture.is_all());
        let components: BTreeSet<&Component> = debs().map(|new| &new.component).collect();
        let architectures: BTreeSet<&Architecture> = debs().map(|new| &new.architecture).collect();
        for component in &layout.components {
            for architecture in &layout.architectures {
                let name = PackagesKey::new(component, architecture, PackageType::Deb);
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
        // The indices of variants, which have no packages for all architectures.
        let is_of_variant = |key: &PackagesKey| {
            key.package_type == PackageType::Deb && !layout.architectures.contains(&key.architecture)
        };
        let may_change = |key: &PackagesKey| {
            architectures.contains(&key.architecture) || self.removes() || self.retention.is_some()
        };
        wanted.extend(there.iter().filter(|key| is_of_variant(key) && may_change(key)).cloned());
        let of_variants = debs().filter(|new| new.is_of_variant());
        wanted.extend(
            of_variants.map(|new| PackagesKey::new(&new.component, &new.architecture, PackageType::Deb)),
        );
        for package_type in [PackageType::Dsc].into_iter().chain(PackageType::SEPARATE) {
            wanted.extend(self.wanted_apart(package_type, layout, additions, &there));
        }
        wanted.extend(outdated.iter().cloned());
        wanted.retain(|name| !indices.all.contains_key(name));
        for name in &wanted {
            let index = published.index(name).await?;
            if !there.contains(name) || outdated.contains(name) {
                indices.changed.insert(name.clone());
            }
            indices.all.insert(name.clone(), index);
        }
        // A new architecture starts with the packages for all architectures.
        for name in wanted
            .into_iter()
            .filter(|name| !there.contains(name) && layout.architectures.contains(&name.architecture))
        {
            let is_sibling = |other: &&PackagesKey| {
                other.component == name.component
                    && other.package_type == name.package_type
                    && layout.architectures.contains(&other.architecture)
            };
            let sibling = there.iter().find(is_sibling);
            let Some(sibling) = sibling else { continue };
            let everywhere = match indices.all.get(sibling) {
                Some(index) => all_packages(index),
                None => all_packages(&published.index(sibling).await?),
            };
            indices.index(&name).insert(everywhere);
        }
        Ok(())
    }

    /// Whether the edit may change any index.
    fn removes(&self) -> bool {
        !self.remove.is_empty() || !self.remove_selected.is_empty() || self.reoverride.is_some()
    }

    /// The indices of packages that are listed apart from ordinary ones and that the edit needs: the published ones if it may
    /// change them, and those that the suite has yet to get.
    fn wanted_apart(
        &self,
        package_type: PackageType,
        layout: &SuiteLayout,
        additions: &[Addition],
        there: &BTreeSet<PackagesKey>,
    ) -> Vec<PackagesKey> {
        let new = || additions.iter().filter(|new| new.entry.package_type() == package_type);
        let of_type = || there.iter().filter(|key| key.package_type == package_type);
        let may_change = new().next().is_some() || self.removes() || self.retention.is_some();
        let published = of_type().filter(|_| may_change).cloned();
        let missing = layout.keys_of(package_type).into_iter().filter(|key| {
            let is_needed = layout.lists(package_type, &key.component)
                || new().any(|new| new.component == key.component)
                // A new architecture starts with the packages for all architectures.
                || (!there.contains(&PackagesKey { package_type: PackageType::Deb, ..key.clone() })
                    && of_type().any(|other| other.component == key.component && !other.is_of_sources()));
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
