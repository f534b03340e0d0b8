//! `Plan`: the result of an operation on one base: the changed indices and the new `Release`, rendered.
//!
//! It contains every byte that the commit will write, and nothing is written yet.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use jiff::Timestamp;
use rayon::prelude::*;

use super::{
    contents::{Derivation, Derived},
    copied_package::CopiedPackage,
    dates,
    edited_packages::Packages,
    listing::Listing,
    patches::{PatchFiles, Texts},
    remote::Fetched,
    suite_layout::{Retired, SuiteLayout},
    translations::Translations,
};
use crate::{
    compression::Compression,
    config::{COPIED, SuiteConfig},
    digest::Digests,
    dists::{
        IndexFile, IndexKind, PackageEntry, PackagesIndex, PackagesKey, Release,
        blocks::{self, Before},
        index_key::DEBUG,
        release::Listed,
    },
    gc::live_set::Needs,
    names::{Architecture, Component},
    operations::snapshot_source::Source,
    package_type::PackageType,
    pool::PoolPath,
    store::{Content, blocking},
    suite::{
        base::VerifiedBase,
        error::Error,
        file_lists,
        package_file::PackageFile,
        published::{PublishedSuite, plain_path, unpack},
        release_info::{ReleaseInfo, changed_fields, stops_apt},
    },
};

/// A package that is added, removed or already present.
///
/// Equality is by identity, regardless of the file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Change {
    /// The name of the package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, or the variant of one.
    pub architecture: String,
    /// The component.
    pub component: Component,
    /// Its type.
    pub package_type: PackageType,
    /// Its file and its source.
    pub file: PackageFile,
}

impl PartialEq for Change {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Change {}

impl PartialOrd for Change {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Change {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {} {} in `{}`", self.name, self.version, self.architecture, self.place())
    }
}

impl Change {
    fn identity(&self) -> (&str, &str, &str, &Component, PackageType) {
        (&self.name, &self.version, &self.architecture, &self.component, self.package_type)
    }

    /// The component, and the folder in it for packages of its type: `main|debian-installer`.
    #[must_use]
    pub fn place(&self) -> String {
        IndexKind::of_type(self.package_type).shown_in(&self.component)
    }

    /// Whether it is a source package.
    #[must_use]
    pub fn is_source(&self) -> bool {
        self.architecture == Architecture::source().as_str()
    }

    pub(crate) fn of(entry: &PackageEntry, component: &Component) -> Self {
        Self {
            name: entry.name().to_owned(),
            version: entry.version().to_owned(),
            architecture: entry.index_architecture().to_owned(),
            component: component.clone(),
            package_type: entry.package_type(),
            file: entry.into(),
        }
    }
}

/// A package whose phase changes (`Phased-Update-Percentage`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Phased {
    /// The package.
    pub package: Change,
    /// The published phase, in per cent.
    pub from: u8,
    /// The new phase, in per cent.
    pub to: u8,
}

/// The result of an operation on one base.
#[derive(Default)]
pub(crate) struct Plan {
    /// The new `Release`; `None` if nothing changes.
    pub(crate) release: Option<Release>,
    /// Index files to store, in every compression.
    pub(crate) indices: Vec<IndexFile>,
    /// The patches of the changed indices.
    pub(crate) patches: PatchFiles,
    /// Other files to store as they are: the `Release` beside an index.
    pub(crate) beside: Vec<IndexFile>,
    /// Files of other tools to list, in every compression.
    pub(crate) attached: Vec<IndexFile>,
    /// Files of other tools to take from the list, by their uncompressed paths.
    pub(crate) detached: BTreeSet<String>,
    /// Files for the pool.
    pub(crate) pool: Vec<(PoolPath, Content)>,
    /// Those of them that are records of an upload.
    pub(crate) records: Vec<String>,
    /// Files of published packages, which the pool should already have; restored if they are missing or damaged.
    pub(crate) kept: Vec<(PoolPath, Content)>,
    /// Files of copied packages, which the pool must have.
    pub(crate) copied: Vec<Copied>,
    /// Files of packages of other archives, which the pool may not have yet.
    pub(crate) fetched: Vec<Fetched>,
    /// Existing files that may be unreferenced now and that the new pointer references: they are pinned.
    pub(crate) needs: Needs,
    /// The source of a snapshot and the pool files that it references, which exist as long as that generation is kept.
    pub(crate) source_files: Option<(Source, Vec<String>)>,
    /// The changes that the operation was resolved to on this base, one line each: a later try may make no others.
    pub(crate) resolved: BTreeSet<String>,
    /// The earlier generation whose content is published again.
    pub(crate) based_on: Option<String>,
    /// Packages to add.
    pub(crate) added: Vec<Change>,
    /// Packages that are already published with the same bytes.
    pub(crate) present: Vec<Change>,
    /// Packages that are left out, since the suite has or keeps newer versions.
    pub(crate) skipped: Vec<Change>,
    /// Packages that replace others of the same version.
    pub(crate) replaced: Vec<Change>,
    /// Published packages whose phase changes.
    pub(crate) phased: Vec<Phased>,
    /// Packages to remove.
    pub(crate) removed: Vec<Change>,
    /// All changes, index by index.
    pub(crate) listings: Vec<Listing>,
    /// The removed packages that are first moved to another suite.
    pub(crate) surplus: Vec<(Change, CopiedPackage)>,
    /// Changed fields that stop `apt update`.
    pub(crate) stops_apt: Vec<ReleaseInfo>,
    /// Changes of the release file besides packages, for the user.
    pub(crate) changes: Vec<String>,
    /// Warnings for the user.
    pub(crate) notes: Vec<String>,
    /// Packages that are older than published ones, each with a warning.
    pub(crate) older: Vec<(Change, String)>,
    /// File lists of packages, kept beside the archive.
    pub(crate) file_lists: Vec<(String, Content)>,
}

/// A file that must be in the pool: of a package that is copied from another suite, or of a source package that came without.
#[derive(Clone)]
pub(crate) struct Copied {
    pub(crate) path: PoolPath,
    pub(crate) size: u64,
    /// Its digests, if a file is needed that was not given.
    pub(crate) digests: Option<Digests>,
    /// The verb for messages.
    pub(crate) action: &'static str,
    /// The package for messages.
    pub(crate) subject: String,
}

impl Plan {
    /// Renders the changed indices and the new `Release`, and records changes that stop `apt update`.
    pub(crate) async fn render(
        &mut self,
        mut changed: BTreeMap<PackagesKey, PackagesIndex>,
        published: &VerifiedBase,
        config: &SuiteConfig,
        layout: &SuiteLayout,
        derivation: &Derivation<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Retired { components, architectures } = &layout.retired;
        let (retired, is_export) = ((&components[..], &architectures[..]), derivation.is_export);
        let translations = Translations { published, config, retired, is_export };
        let translated = translations.render(&mut changed).await?;
        let mut derived = {
            let (components, architectures) = (&layout.components, &layout.architectures);
            derivation.render(&Packages { published, changed: &changed, components, architectures }).await?
        };
        let before = before(published, &changed, config).await?;
        let mut texts;
        (self.indices, texts) = compress(changed, before, config).await?;
        texts.append(&mut derived.texts);
        texts.extend(translated.texts);
        self.patches = PatchFiles::new(published, config, texts, (now, is_export)).await?;
        self.indices.extend(derived.files.drain(..).chain(translated.files));
        self.indices.append(&mut self.attached);
        derived.dropped.extend(translated.dropped);
        self.notes.extend(translated.notes);
        self.notes.append(&mut derived.lists.notes);
        let new = derived.lists.new.iter();
        self.file_lists =
            new.map(|(sha256, list)| (file_lists::path(sha256), file_lists::pack(list))).collect();
        self.release = release(published, config, layout, &derived, self, now)?;
        if let (Some(old), Some(new)) = (published.release(), &self.release) {
            self.stops_apt = stops_apt(old, new);
            self.changes = changed_fields(old, new).iter().map(ToString::to_string).collect();
        }
        Ok(())
    }
}

impl Plan {
    /// Publishes a base that clients do not see yet, even if the operation changes nothing.
    pub(crate) fn publish_anyway(
        &mut self,
        base: &VerifiedBase,
        config: &SuiteConfig,
        now: Timestamp,
    ) -> Result<(), Error> {
        if let (None, Some(seen)) = (&self.release, base.release()) {
            let mut release = seen.clone();
            dates::set(&mut release, base, config, now, &mut self.notes)?;
            self.release = Some(release);
        }
        Ok(())
    }
}

/// The published compressed forms of indices.
type Published = BTreeMap<(PackagesKey, &'static str), Before>;

/// Reads the compressed forms of the changed indices, to reuse their unchanged blocks.
async fn before(
    published: &VerifiedBase,
    changed: &BTreeMap<PackagesKey, PackagesIndex>,
    config: &SuiteConfig,
) -> Result<Published, Error> {
    let mut before = BTreeMap::new();
    let Some(release) = published.release() else { return Ok(before) };
    let ours = published.was_published_here();
    for (name, index) in changed {
        let Some(text) = index.published().filter(|text| blocks::are_worth_reading(text)) else { continue };
        let compressions = config.compressions_of(name.package_type).iter();
        for compression in compressions.filter(|&&compression| compression != Compression::Plain) {
            let path = format!("{}{}", name.path(), compression.extension());
            let Some(listed) = release.files().get(&path) else { continue };
            match published.listed_file(&path, listed).await {
                Ok(Some((_, file))) => {
                    if !ours && !holds(&path, &file, *compression, text).await {
                        continue;
                    }
                    let text = text.clone();
                    before.insert((name.clone(), compression.extension()), Before { text, file });
                }
                // A missing or damaged form is compressed from scratch.
                Ok(None) | Err(Error::Mismatch { .. } | Error::Longer { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(before)
}

/// Whether a compressed form, which another tool may have written, holds the text of its index: reusing the blocks of
/// another text would sign it.
async fn holds(path: &str, file: &Bytes, compression: Compression, text: &Bytes) -> bool {
    let plain = Listed::from(&Digests::of(text));
    unpack(path.to_owned(), file.clone(), compression, Some(plain)).await.is_ok()
}

/// The forms of an index, each with whether it is stored.
type Wanted = Vec<(Compression, bool)>;

/// Renders and compresses the changed indices, on all cores.
async fn compress(
    indices: BTreeMap<PackagesKey, PackagesIndex>,
    before: Published,
    config: &SuiteConfig,
) -> Result<(Vec<IndexFile>, Vec<Texts>), Error> {
    // The plain index is listed even if it is not stored: without its digests apt finds no packages.
    let wanted = |name: &PackagesKey| {
        let stored = config.compressions_of(name.package_type);
        let mut wanted = vec![(Compression::Plain, stored.contains(&Compression::Plain))];
        let packed = stored.iter().filter(|&&compression| compression != Compression::Plain);
        wanted.extend(packed.map(|compression| (*compression, true)));
        wanted
    };
    let indices: Vec<_> = indices.into_iter().map(|(name, index)| (wanted(&name), name, index)).collect();
    blocking(move || {
        let texts: Vec<(Wanted, PackagesKey, Option<Bytes>, Bytes)> = indices
            .into_par_iter()
            .map(|(wanted, key, index)| {
                let (old, new) = (index.published().cloned(), index.render());
                (wanted, key, old, new)
            })
            .collect();
        let jobs: Vec<_> = texts
            .iter()
            .flat_map(|(wanted, key, _, new)| wanted.iter().map(move |form| (key, new, *form)))
            .collect();
        let files: Vec<IndexFile> = jobs
            .into_par_iter()
            .map(|(key, new, (compression, is_stored))| {
                let path = format!("{}{}", key.path(), compression.extension());
                let before = before.get(&(key.clone(), compression.extension()));
                let bytes = blocks::compress(new, compression, before)
                    .map_err(|source| Error::Unpack { path: path.clone(), source })?;
                let file = IndexFile::new(path, bytes);
                Ok(if is_stored { file } else { file.listed_only() })
            })
            .collect::<Result<_, Error>>()?;
        let texts = texts
            .into_iter()
            .filter_map(|(_, key, old, _)| Texts::of_files(key.into_index_key(), old, &files));
        let texts = texts.collect();
        Ok((files, texts))
    })
    .await
}

/// Renders the new `Release`; `None` if the published one has the same content.
fn release(
    published: &PublishedSuite,
    config: &SuiteConfig,
    layout: &SuiteLayout,
    derived: &Derived,
    plan: &mut Plan,
    now: Timestamp,
) -> Result<Option<Release>, Error> {
    let old = published.release();
    let mut new = old.cloned().unwrap_or_default();
    let configured = !config.components.is_empty();
    if configured || old.is_none() {
        new.set("Codename", Some(config.name_in_release(config.codename.as_str()).to_owned()));
    }
    if configured {
        let suite = config.suite.as_deref();
        new.set("Suite", suite.map(|suite| config.name_in_release(suite).to_owned()));
        for name in COPIED {
            let value = config.copied.iter().find(|(field, _)| *field == name);
            new.set(name, value.map(|(_, value)| value.clone()));
        }
    } else if old.is_none() {
        new.set("Suite", Some(config.codename.to_string()));
    }
    new.set("Acquire-By-Hash", Some("yes".into()));
    let stays = !layout.retired.architectures.contains(&Architecture::source());
    let source = if new.names_source() && stays { " source" } else { "" };
    let source = if layout.architectures.is_empty() { " source" } else { source };
    let architectures = format!("{}{source}", words(&layout.architectures));
    new.set("Architectures", Some(architectures.trim_start().to_owned()));

    new.retain(|path| !layout.retires(path));
    let changed: BTreeSet<&str> = plan.indices.iter().map(|file| plain_path(file.path())).collect();
    // All old forms of a changed index are removed, also those that are no longer written.
    let is_changed = |index: &str| {
        changed.contains(index) || derived.dropped.contains(index) || plan.detached.contains(index)
    };
    new.retain(|path| !is_changed(plain_path(path)));
    plan.patches.list_in(&mut new, config, is_changed);
    for file in &plan.indices {
        new.list(file.path().to_owned(), Listed::from(file.digests()));
    }
    plan.unlist_stale(&mut new, &derived.current);
    new.set("Components", Some(components(layout, &new, config.component_prefix.as_ref())));
    plan.list_index_releases(&mut new, config);
    let expires = new.field("Valid-Until").is_some();
    let expiry_as_configured = !configured || expires == config.valid_for.is_some();
    if old.is_some_and(|old| new.says_the_same(old)) && expiry_as_configured {
        return Ok(None);
    }

    dates::set(&mut new, published, config, now, &mut plan.notes)?;
    Ok(Some(new))
}

/// The components that clients may name: apt reads the packages of debug symbols of `main` as component `main/debug`.
fn components(layout: &SuiteLayout, release: &Release, prefix: Option<&Component>) -> String {
    let mut names: Vec<String> = layout.components.iter().map(ToString::to_string).collect();
    let debug = layout.components.iter().map(|component| format!("{component}/{DEBUG}"));
    let has_index = |name: &String| {
        let folder = format!("{name}/binary-");
        let next = release.files().range(folder.clone()..).next();
        next.is_some_and(|(path, _)| path.starts_with(&folder))
    };
    names.extend(debug.filter(has_index));
    if let Some(prefix) = prefix {
        names = names.iter().map(|name| format!("{prefix}/{name}")).collect();
    }
    names.join(" ")
}

fn words<T: ToString>(names: &[T]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
