//! Components and architectures that leave a suite: the configuration no longer names them, and they have no packages.
//!
//! One with packages stays, since nothing published is ever lost, and a note says so. An architecture whose indices
//! hold only packages for all architectures has no packages of its own: the other architectures list them too.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    edited_indices::Indices,
    plan::Plan,
    suite_layout::{Retired, SuiteLayout},
};
use crate::{
    config::{Sources, SuiteConfig},
    dists::{IndexKey, PackagesIndex, PackagesKey, Release},
    names::{Architecture, Component},
    suite::{error::Error, published::PublishedSuite},
};

/// The contents of a suite after an edit, as far as it concerns what may leave.
struct Contents<'a> {
    published: &'a PublishedSuite,
    indices: &'a Indices,
    /// Published indices that the edit did not read.
    read: BTreeMap<PackagesKey, PackagesIndex>,
}

impl Indices {
    /// Removes from the layout and the indices what leaves the suite, and notes what stays although it is not configured.
    pub(super) async fn retire(
        &mut self,
        published: &PublishedSuite,
        config: &SuiteConfig,
        layout: &mut SuiteLayout,
        plan: &mut Plan,
    ) -> Result<(), Error> {
        if config.components.is_empty() || published.pointer().is_none() {
            return Ok(());
        }
        let components: Vec<Component> =
            layout.components.iter().filter(|name| !config.components.contains(name)).cloned().collect();
        // Without `Architectures:` they are those of the packages, and a published one stays. `all` cannot be configured; an
        // empty one is left over from a suite that had no packages.
        let others = layout.architectures.len() > 1;
        let is_odd = |name: &&Architecture| match &config.architectures[..] {
            [] if config.sources != Sources::Alone => name.is_all() && others,
            configured => !configured.contains(name),
        };
        let mut architectures: Vec<Architecture> =
            layout.architectures.iter().filter(is_odd).cloned().collect();
        if config.sources == Sources::Refused && layout.sources != Sources::Refused {
            architectures.push(Architecture::source());
        }
        let mut contents = Contents { published, indices: self, read: BTreeMap::new() };
        let mut retired = Retired::default();
        for component in components {
            match contents.of_component(&component).await? {
                0 => retired.components.push(component),
                some => plan.notes.push(stays("component", component.as_str(), "Components", some)),
            }
        }
        for architecture in architectures {
            match contents.of_architecture(&architecture, config).await? {
                0 => retired.architectures.push(architecture),
                // `all` cannot be configured.
                _ if architecture.is_all() => {}
                some => plan.notes.push(stays("architecture", architecture.as_str(), "Architectures", some)),
            }
        }
        for (kind, names) in
            [("component", texts(&retired.components)), ("architecture", texts(&retired.architectures))]
        {
            plan.notes.extend(names.iter().map(|name| {
                format!(
                    "{kind} `{name}` is no longer configured and has no packages: it is no longer published"
                )
            }));
        }
        // An index of a variant without its architecture would be taken for that of an architecture.
        let names: BTreeSet<Architecture> =
            published.edited_keys().into_iter().map(|key| key.architecture).collect();
        let stays = |name: &Architecture| {
            let others = layout.architectures.iter().filter(|other| !retired.architectures.contains(other));
            layout.architectures.contains(name) || others.into_iter().any(|other| name.is_variant_of(other))
        };
        let of_retired =
            |name: &Architecture| retired.architectures.iter().any(|base| name.is_variant_of(base));
        let variants: Vec<Architecture> =
            names.into_iter().filter(|name| of_retired(name) && !stays(name)).collect();
        retired.architectures.extend(variants);
        layout.components.retain(|name| !retired.components.contains(name));
        layout.architectures.retain(|name| !retired.architectures.contains(name));
        let leaves = |key: &PackagesKey| {
            retired.components.contains(&key.component) || retired.architectures.contains(&key.architecture)
        };
        self.all.retain(|key, _| !leaves(key));
        self.changed.retain(|key| !leaves(key));
        layout.retired = retired;
        Ok(())
    }
}

fn stays(kind: &str, name: &str, field: &str, packages: usize) -> String {
    let packages = if packages == 1 { "1 package".to_owned() } else { format!("{packages} packages") };
    format!("{kind} `{name}` is not in `{field}:` and stays published, because it has {packages}")
}

fn texts<T: ToString>(names: &[T]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

impl Contents<'_> {
    /// Returns the number of packages of a component, of every kind.
    async fn of_component(&mut self, component: &Component) -> Result<usize, Error> {
        let keys = self.packages_keys(|key| key.component == *component);
        let mut names = BTreeSet::new();
        for key in keys {
            let entries = self.index(&key).await?.entries();
            names.extend(
                entries.iter().map(|entry| identity(entry.name(), entry.version(), entry.architecture())),
            );
        }
        let others = self.others(|key| key.component() == Some(component)).await?;
        Ok(names.len() + others + self.images(|path| path.starts_with(&format!("{component}/"))))
    }

    /// Returns the number of packages that only an architecture has.
    async fn of_architecture(
        &mut self,
        architecture: &Architecture,
        config: &SuiteConfig,
    ) -> Result<usize, Error> {
        let mut own = BTreeSet::new();
        let variants =
            |name: &Architecture| !config.architectures.contains(name) && name.is_variant_of(architecture);
        for key in self.packages_keys(|key| key.architecture == *architecture || variants(&key.architecture))
        {
            let entries = self.index(&key).await?.entries();
            for entry in entries {
                if entry.architecture() == "all"
                    && !architecture.is_all()
                    && self.is_elsewhere(&key, &entry, config).await?
                {
                    continue;
                }
                own.insert(identity(entry.name(), entry.version(), entry.architecture()));
            }
        }
        let others = self.others(|key| key.architecture() == Some(architecture)).await?;
        let folder = format!("/installer-{architecture}/");
        Ok(own.len() + others + self.images(|path| path.contains(&folder)))
    }

    /// Whether every configured architecture lists a package for all architectures.
    async fn is_elsewhere(
        &mut self,
        key: &PackagesKey,
        entry: &crate::dists::PackageEntry,
        config: &SuiteConfig,
    ) -> Result<bool, Error> {
        for architecture in &config.architectures {
            let other = PackagesKey::new(&key.component, architecture, key.package_type);
            if self.index(&other).await?.find(entry).is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn packages_keys(&self, is_meant: impl Fn(&PackagesKey) -> bool) -> Vec<PackagesKey> {
        let mut keys = self.published.edited_keys();
        keys.extend(self.indices.all.keys().cloned());
        keys.into_iter().filter(is_meant).collect()
    }

    /// Returns an index as the edit leaves it.
    async fn index(&mut self, key: &PackagesKey) -> Result<&PackagesIndex, Error> {
        if let Some(index) = self.indices.all.get(key) {
            return Ok(index);
        }
        if !self.read.contains_key(key) {
            let index = self.published.index(key).await?;
            self.read.insert(key.clone(), index);
        }
        Ok(&self.read[key])
    }

    /// Returns the number of entries of the indices that edits do not write, such as those of the installer.
    async fn others(&self, is_meant: impl Fn(&IndexKey) -> bool) -> Result<usize, Error> {
        let mut count = 0;
        for key in self.published.pool_index_keys() {
            if key.clone().into_edited().is_none() && is_meant(&key) {
                count += self.published.entries(&key).await?.len();
            }
        }
        Ok(count)
    }

    /// Returns the number of listed installer images.
    fn images(&self, is_meant: impl Fn(&str) -> bool) -> usize {
        let files = self.published.release().into_iter().flat_map(Release::own_files);
        files.filter(|(path, _)| path.contains("/installer-") && is_meant(path)).count()
    }
}

fn identity(name: &str, version: &str, architecture: &str) -> [String; 3] {
    [name.to_owned(), version.to_owned(), architecture.to_owned()]
}
