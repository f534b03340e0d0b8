//! `i18n/Translation-en`: the long descriptions of packages, where the suite is configured to have them there.
//!
//! `export` applies a change of the configuration to all packages; every other edit to its own. A suite that is not
//! configured keeps the translations of other tools as they are.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::patches::{self, Texts};
use crate::{
    compression::Compression,
    config::SuiteConfig,
    deb::{self, BinaryPackage},
    dists::{
        IndexFile, IndexKey, PackageEntry, PackagesIndex, PackagesKey, blocks,
        translation::{DESCRIPTION, Translation, missing},
    },
    names::{Architecture, Component},
    regular,
    store::{Content, Store, blocking},
    suite::{base::VerifiedBase, damage, error::Error, pool_package, published::PublishedSuite},
};

/// The number of packages that are read concurrently.
const AT_ONCE: usize = 8;

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
    pub(super) notes: Vec<String>,
}

/// The key of the translation of a component.
pub(super) fn key(component: &Component) -> IndexKey {
    IndexKey::Translation { component: component.clone(), language: "en".into() }
}

/// The published translation of a component.
enum Read {
    /// None is listed.
    Unlisted,
    /// It is listed and cannot be read.
    Lost,
    Text(Bytes),
}

impl Read {
    async fn of(published: &PublishedSuite, component: &Component) -> Result<Self, Error> {
        match published.text(&key(component).path()).await {
            Err(error) if damage::is_damage(published.store(), &error) => Ok(Self::Lost),
            text => Ok(text?.map_or(Self::Unlisted, Self::Text)),
        }
    }

    fn is_lost(&self) -> bool {
        matches!(self, Self::Lost)
    }

    fn into_text(self) -> Option<Bytes> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// Whether the translation of a component is lost, or lacks the description of one of these packages.
pub(super) async fn is_incomplete(
    published: &PublishedSuite,
    component: &Component,
    packages: &[PackageEntry],
) -> Result<bool, Error> {
    Ok(match Read::of(published, component).await? {
        Read::Unlisted => false,
        Read::Lost => true,
        Read::Text(text) => {
            let translation = Translation::parse(&text);
            !packages.iter().all(|package| translation.describes(package))
        }
    })
}

/// The translations of suites that were read, by the number of the suite and by component, each with whether the published
/// one is lost.
pub(super) type Known = BTreeMap<(usize, Component), (Translation, bool)>;

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
    let (translation, is_lost) = match known.entry((number, component.clone())) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => {
            let read = Read::of(suite, component).await?;
            // Mirrors list translations that they do not have; a package of another archive is not read twice.
            let is_lost = read.is_lost() && suite.is_of_our_form();
            entry.insert((read.into_text().as_ref().map(Translation::parse).unwrap_or_default(), is_lost))
        }
    };
    if *is_lost {
        restore(suite, translation, vec![package.clone()]).await?;
    }
    Ok(translation.join(package).unwrap_or_else(|| package.clone()))
}

/// Reads the descriptions of packages from their files in the pool; returns a note for those that have none.
async fn restore(
    suite: &PublishedSuite,
    translation: &mut Translation,
    packages: Vec<PackageEntry>,
) -> Result<Option<String>, Error> {
    let mut wanted = BTreeMap::new();
    for package in packages.into_iter().filter(|package| !translation.describes(package)) {
        wanted.entry((package.name().to_owned(), missing(&package))).or_insert(package);
    }
    let reads = stream::iter(wanted.into_values()).map(|package| async move {
        let description = description(suite.store(), &package).await?;
        Ok::<_, Error>((package, description))
    });
    let mut reads = reads.buffered(AT_ONCE);
    let mut lost = Vec::new();
    while let Some(read) = reads.next().await {
        let (package, description) = read?;
        let why = match description {
            Ok(text) if translation.restore(&package, &text) => continue,
            Ok(_) => "its file has another description",
            Err(why) => why,
        };
        lost.push(format!("`{}` {}: {why}", package.name(), package.version()));
    }
    let more = lost.len().saturating_sub(1);
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    Ok(lost.first().map(|one| format!("`Translation-en` lacks the description of {one}{more}")))
}

/// Reads the description of a package from its file, or returns why it cannot be read.
async fn description(store: &Store, package: &PackageEntry) -> Result<Result<Bytes, &'static str>, Error> {
    let path = package.filename().unwrap_or_default();
    let content = match pool_package::load(store, path, package).await? {
        Ok(content) => content,
        Err(why) => return Ok(Err(why)),
    };
    let package_type = package.package_type();
    let read = blocking(move || match &content {
        Content::Bytes(bytes, _) => BinaryPackage::read_as(&bytes[..], package_type),
        Content::File(local) => {
            BinaryPackage::read_as(regular::open(&local.file).map_err(deb::Error::Read)?, package_type)
        }
    });
    let text = read.await.ok().and_then(|read| read.field(DESCRIPTION).map(Bytes::copy_from_slice));
    Ok(text.ok_or("its file cannot be read"))
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
                self.split(component, changed, &mut translated).await?;
            } else if self.is_export && !self.config.components.is_empty() {
                self.join(component, changed, &mut translated).await?;
            }
        }
        Ok(translated)
    }

    /// Moves long descriptions into the translation. Those that a published one lacks are read from the pool: by every edit
    /// where it is lost, else by an export.
    async fn split(
        &self,
        component: &Component,
        changed: &mut BTreeMap<PackagesKey, PackagesIndex>,
        translated: &mut Translated,
    ) -> Result<(), Error> {
        let read = Read::of(self.published, component).await?;
        let (is_lost, published) = (read.is_lost(), read.into_text());
        let mut translation = published.as_ref().map(Translation::parse).unwrap_or_default();
        let mut names = BTreeSet::new();
        for (_, index) in changed.iter_mut().filter(|(key, _)| is_of(key, component)) {
            index.rewrite(self.is_export, |package| translation.split(package));
            names.extend(index.edited_names().map(str::to_owned));
        }
        // The packages of an index that leaves are not among the edited ones.
        let is_whole =
            is_lost || self.is_export || self.published.packages_keys().iter().any(|key| self.leaves(key));
        let names = (!is_whole).then_some(names);
        let (mut needed, mut lost) = (BTreeSet::new(), Vec::new());
        let mut need = |package: &PackageEntry| {
            needed.extend(missing(package).map(|md5| (package.name().into(), md5)));
            lost.extend((is_whole && !translation.describes(package)).then(|| package.clone()));
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
        translated.notes.extend(restore(self.published, &mut translation, lost).await?);
        translation.retain(names.as_ref(), &needed);
        let text = translation.render();
        let is_same = published.as_ref().map_or(text.is_empty(), |published| *published == text);
        let is_current = is_same
            && !(self.is_export && patches::is_broken(self.published, &key(component).path()).await?);
        let files = if is_current { Vec::new() } else { self.files(component, &text)? };
        translated.texts.extend(Texts::of_files(key(component), published, &files));
        translated.files.extend(files);
        Ok(())
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
        translated: &mut Translated,
    ) -> Result<(), Error> {
        let translation = match Read::of(self.published, component).await? {
            Read::Unlisted => return Ok(()),
            Read::Text(text) => Translation::parse(&text),
            Read::Lost => {
                let mut translation = Translation::default();
                let of_component = changed.iter().filter(|(key, _)| is_of(key, component));
                let packages = of_component.flat_map(|(_, index)| index.entries()).collect();
                translated.notes.extend(restore(self.published, &mut translation, packages).await?);
                translation
            }
        };
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
        translated.dropped.insert(key(component).path());
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
