//! `i18n/Translation-en`: the long descriptions of packages, where the suite is configured to have them there.
//!
//! `export` applies a change of the configuration to all packages; every other edit to its own. A suite that is not
//! configured keeps the translations of other tools as they are.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::patches::Texts;
use crate::{
    compression::Compression,
    config::SuiteConfig,
    dists::{
        IndexFile, IndexKey, PackageEntry, PackagesIndex, PackagesKey, blocks,
        translation::{Translation, missing},
    },
    names::{Architecture, Component},
    suite::{base::VerifiedBase, damage, error::Error, published::PublishedSuite},
};

/// The packages of an edit, whose descriptions may move.
pub(super) struct Translations<'a> {
    pub(super) published: &'a VerifiedBase,
    pub(super) config: &'a SuiteConfig,
    /// The components and architectures that leave the suite, whose indices are no longer listed.
    pub(super) retired: (&'a [Component], &'a [Architecture]),
    pub(super) is_export: bool,
}

/// The new translations of an edit.
#[derive(Default)]
pub(super) struct Translated {
    pub(super) files: Vec<IndexFile>,
    /// The texts of those that were published before.
    pub(super) texts: Vec<Texts>,
    /// The uncompressed paths of those that are no longer configured.
    pub(super) dropped: BTreeSet<String>,
}

/// The key of the translation of a component.
pub(super) fn key(component: &Component) -> IndexKey {
    IndexKey::Translation { component: component.clone(), language: "en".into() }
}

/// Reads the published translation of a component; `None` if there is none that can be read.
pub(super) async fn read(published: &PublishedSuite, component: &Component) -> Result<Option<Bytes>, Error> {
    match published.text(&key(component).path()).await {
        Err(error) if damage::is_damage(published.store(), &error) => Ok(None),
        text => text,
    }
}

/// The translations of suites that were read, by the number of the suite and by component.
pub(super) type Known = BTreeMap<(usize, Component), Translation>;

/// Returns a package of a suite with its long description, which the suite may have in a translation.
pub(super) async fn with_description(
    package: &PackageEntry,
    component: &Component,
    (number, suite): (usize, &PublishedSuite),
    known: &mut Known,
) -> Result<PackageEntry, Error> {
    if package.is_source() || missing(package).is_none() {
        return Ok(package.clone());
    }
    let place = (number, component.clone());
    if !known.contains_key(&place) {
        let text = read(suite, component).await?;
        known.insert(place.clone(), text.as_ref().map(Translation::parse).unwrap_or_default());
    }
    Ok(known[&place].join(package).unwrap_or_else(|| package.clone()))
}

impl Translations<'_> {
    /// Moves the descriptions of changed packages between the indices.
    pub(super) async fn render(
        &self,
        changed: &mut BTreeMap<PackagesKey, PackagesIndex>,
    ) -> Result<Translated, Error> {
        let mut translated = Translated::default();
        let left = self.published.packages_keys().into_iter().filter(|key| self.leaves(key));
        let components: BTreeSet<Component> = changed
            .keys()
            .cloned()
            .chain(left)
            .filter(|key| key.package_type == crate::package_type::PackageType::Deb)
            .map(|key| key.component)
            .filter(|component| !self.retired.0.contains(component))
            .collect();
        for component in &components {
            if self.config.translations {
                let (files, published) = self.split(component, changed).await?;
                translated.texts.extend(Texts::of_files(key(component), published, &files));
                translated.files.extend(files);
            } else if self.is_export && !self.config.components.is_empty() {
                self.join(component, changed, &mut translated.dropped).await?;
            }
        }
        Ok(translated)
    }

    /// Moves long descriptions into the translation; returns it and the published one.
    async fn split(
        &self,
        component: &Component,
        changed: &mut BTreeMap<PackagesKey, PackagesIndex>,
    ) -> Result<(Vec<IndexFile>, Option<Bytes>), Error> {
        let published = read(self.published, component).await?;
        let mut translation = published.as_ref().map(Translation::parse).unwrap_or_default();
        let mut names = BTreeSet::new();
        for (_, index) in changed.iter_mut().filter(|(key, _)| is_of(key, component)) {
            index.rewrite(self.is_export, |package| translation.split(package));
            names.extend(index.edited_names().map(str::to_owned));
        }
        // The packages of an index that leaves are not among the edited ones.
        let is_whole = self.is_export || self.published.packages_keys().iter().any(|key| self.leaves(key));
        let names = (!is_whole).then_some(names);
        let mut needed = BTreeSet::new();
        let mut need = |package: &PackageEntry| {
            needed.extend(missing(package).map(|md5| (package.name().into(), md5)));
        };
        for key in self.keys(component, changed) {
            let read;
            let index = if let Some(index) = changed.get(&key) {
                index
            } else {
                read = self.published.index(&key).await?;
                &read
            };
            match &names {
                Some(names) => names.iter().flat_map(|name| index.named(name)).for_each(|one| need(&one)),
                None => index.entries().iter().for_each(&mut need),
            }
        }
        translation.retain(names.as_ref(), &needed);
        let text = translation.render();
        let is_same = published.as_ref().map_or(text.is_empty(), |published| *published == text);
        let files = if is_same { Vec::new() } else { self.files(component, &text)? };
        Ok((files, published))
    }

    /// The indices of binary packages of a component after the edit.
    fn keys(
        &self,
        component: &Component,
        changed: &BTreeMap<PackagesKey, PackagesIndex>,
    ) -> BTreeSet<PackagesKey> {
        let mut keys = self.published.packages_keys();
        keys.extend(changed.keys().cloned());
        keys.retain(|key| is_of(key, component) && !self.leaves(key));
        keys
    }

    /// Whether an index is no longer listed after the edit.
    fn leaves(&self, key: &PackagesKey) -> bool {
        let (components, architectures) = self.retired;
        components.contains(&key.component) || architectures.contains(&key.architecture)
    }

    /// Moves long descriptions back to the packages; drops the translation if no package needs it.
    async fn join(
        &self,
        component: &Component,
        changed: &mut BTreeMap<PackagesKey, PackagesIndex>,
        dropped: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        let Some(text) = read(self.published, component).await? else { return Ok(()) };
        let translation = Translation::parse(&text);
        for (_, index) in changed.iter_mut().filter(|(key, _)| is_of(key, component)) {
            index.rewrite(true, |package| translation.join(package));
        }
        for key in self.keys(component, changed) {
            let entries = match changed.get(&key) {
                Some(index) => index.entries(),
                None => self.published.index(&key).await?.entries(),
            };
            if entries.iter().any(|package| missing(package).is_some()) {
                return Ok(());
            }
        }
        dropped.insert(key(component).path());
        Ok(())
    }

    fn files(&self, component: &Component, text: &Bytes) -> Result<Vec<IndexFile>, Error> {
        let plain = key(component).path();
        let packed = self.config.compressions.iter().filter(|&&form| form != Compression::Plain);
        let packed: Vec<Compression> = packed.copied().collect();
        let is_plain_stored = packed.is_empty();
        let forms = [Compression::Plain].into_iter().chain(packed);
        let files = forms.map(|compression| {
            let path = format!("{plain}{}", compression.extension());
            let bytes = blocks::compress(text, compression, None)
                .map_err(|source| Error::Unpack { path: path.clone(), source })?;
            let file = IndexFile::new(path, bytes);
            let is_stored = is_plain_stored || compression != Compression::Plain;
            Ok(if is_stored { file } else { file.listed_only() })
        });
        files.collect()
    }
}

fn is_of(key: &PackagesKey, component: &Component) -> bool {
    key.component == *component && key.package_type == crate::package_type::PackageType::Deb
}
