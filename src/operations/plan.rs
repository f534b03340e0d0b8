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
    translations::Translations,
};
use crate::{
    compression::Compression,
    config::{COPIED, Sources, SuiteConfig},
    digest::Digests,
    dists::{
        IndexFile, IndexKey, IndexKind, PackageEntry, PackagesIndex, PackagesKey, Release,
        blocks::{self, Before},
        index_key::{ContentsOf, DEBUG},
        layout::index_of,
        release::Listed,
    },
    gc::live_set::Needs,
    names::{Architecture, Component, Suite},
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
        refusal::Reason,
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

/// Why packages are left out of a suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LeftOut {
    /// It takes no packages of this type.
    Type(PackageType),
    /// It has no index of this architecture.
    Architecture(Architecture),
}

/// The components and architectures of a suite.
pub(crate) struct SuiteLayout {
    pub(crate) components: Vec<Component>,
    pub(crate) architectures: Vec<Architecture>,
    pub(crate) sources: Sources,
    /// The configured components with indices of udebs and of ddebs; a type that is not in it may be in any.
    pub(crate) separate: BTreeMap<PackageType, Vec<Component>>,
    /// Packages that are not added because the suite has none of their type.
    pub(crate) left_out: BTreeMap<LeftOut, Vec<String>>,
    /// Those that leave the suite.
    pub(crate) retired: Retired,
}

/// Components and architectures that leave a suite.
#[derive(Debug, Default)]
pub(crate) struct Retired {
    pub(crate) components: Vec<Component>,
    pub(crate) architectures: Vec<Architecture>,
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

impl SuiteLayout {
    /// Returns the indices that list a package: that of its architecture, of which `base` is itself or the architecture of
    /// the variant, or those of all architectures.
    pub(crate) fn targets(&self, key: &PackagesKey, base: &str) -> Result<Vec<PackagesKey>, Reason> {
        let PackagesKey { component, architecture, package_type } = key;
        let package_type = *package_type;
        let of = |architecture: &Architecture| PackagesKey::new(component, architecture, package_type);
        if let Some(known) = self.separate.get(&package_type).filter(|known| !known.contains(component)) {
            return Err(Reason::NotListed {
                package_type,
                component: component.clone(),
                known: known.clone(),
            });
        }
        if architecture.is_all() && !self.architectures.is_empty() {
            return Ok(self.architectures.iter().map(of).collect());
        }
        let is_listed = if architecture.is_source() {
            self.sources != Sources::Refused
        } else {
            self.architectures.iter().any(|known| known.as_str() == base)
        };
        if is_listed {
            return Ok(vec![of(architecture)]);
        }
        Err(Reason::Architecture { architecture: architecture.clone(), known: self.architectures.clone() })
    }

    /// Whether the suite has an index for a package that is copied index by index; others are copied without this
    /// condition. An open suite gets the architectures of its packages.
    pub(crate) fn has_place_for(&self, package: &CopiedPackage, is_open: bool) -> bool {
        let Some(only) = &package.only else { return true };
        // The index of a variant is beside that of its architecture, which alone is one of the suite's.
        let base = package.entry.architecture();
        let is_of_variant = base != package.architecture.as_str();
        let is_listed = |name: &Architecture| only.contains(name) || (is_of_variant && name.as_str() == base);
        let has_architecture =
            package.architecture.is_source() || is_open || self.architectures.iter().any(is_listed);
        has_architecture
            && (self.components.is_empty() || self.components.contains(&package.component))
            && !self.refuses(package.entry.package_type(), &package.component)
    }

    /// Whether the suite has no place for packages of a type in a component.
    pub(crate) fn refuses(&self, package_type: PackageType, component: &Component) -> bool {
        match package_type {
            PackageType::Dsc => self.sources == Sources::Refused,
            _ => self.separate.get(&package_type).is_some_and(|known| !known.contains(component)),
        }
    }

    /// Whether a component has indices of packages of a type even if they are empty.
    pub(crate) fn lists(&self, package_type: PackageType, component: &Component) -> bool {
        match package_type {
            PackageType::Deb => true,
            PackageType::Dsc => matches!(self.sources, Sources::Listed | Sources::Alone),
            _ => self.separate.get(&package_type).is_some_and(|known| known.contains(component)),
        }
    }

    /// The indices of packages of a type that the suite may have.
    pub(crate) fn keys_of(&self, package_type: PackageType) -> Vec<PackagesKey> {
        if package_type == PackageType::Dsc {
            return self.components.iter().map(PackagesKey::of_sources).collect();
        }
        let of = |component| {
            let architectures = self.architectures.iter();
            architectures.map(move |architecture| PackagesKey::new(component, architecture, package_type))
        };
        self.components.iter().flat_map(of).collect()
    }

    /// Why the suite has no place for a package of a component that it has.
    pub(crate) fn left_out_for(&self, package: &CopiedPackage, component: &Component) -> LeftOut {
        let package_type = package.entry.package_type();
        if self.refuses(package_type, component) {
            LeftOut::Type(package_type)
        } else {
            LeftOut::Architecture(package.architecture.clone())
        }
    }

    /// Returns a note for each kind of packages that are left out.
    pub(crate) fn notes_of_left_out(&self, suite: &Suite) -> Vec<String> {
        let note = |(why, packages): (&LeftOut, &Vec<String>)| {
            let (kind, without) = match why {
                LeftOut::Type(PackageType::Dsc) => ("source package", "`source`".to_owned()),
                LeftOut::Type(other) => ("package", format!("packages of type `{other}` in their component")),
                LeftOut::Architecture(architecture) => ("package", format!("architecture `{architecture}`")),
            };
            let (packages, are) = match &packages[..] {
                [only] => (format!("{kind} `{only}`"), "is"),
                several => (format!("{} {kind}s", several.len()), "are"),
            };
            format!("{packages} {are} left out: suite `{suite}` is configured without {without}")
        };
        self.left_out.iter().map(note).collect()
    }

    /// Whether a listed file belongs to a component or an architecture that leaves the suite.
    fn retires(&self, path: &str) -> bool {
        let Retired { components, architectures } = &self.retired;
        if components.is_empty() && architectures.is_empty() {
            return false;
        }
        // `updates/main` may be a component beside `updates`.
        let known = self.components.iter().chain(components).filter(|name| is_in(path, name.as_str()));
        let component = known.max_by_key(|name| name.as_str().len());
        component.is_some_and(|name| components.contains(name))
            || architectures.iter().any(|name| describes(path, name))
    }
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

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|below| below.starts_with('/'))
}

/// Whether a listed file describes packages of an architecture: its indices, the `Release` beside them, `Contents`, and
/// files that other tools derive from packages.
fn describes(path: &str, architecture: &Architecture) -> bool {
    let index = index_of(path);
    if architecture.is_source() {
        let is_index = |key| {
            matches!(key, IndexKey::Sources { .. } | IndexKey::Contents { of: ContentsOf::Sources, .. })
        };
        return is_index(IndexKey::parse(index)) || index.ends_with("/source/Release");
    }
    if let Some(of) = IndexKey::parse(index).architecture() {
        return of == architecture;
    }
    let folder = format!("binary-{architecture}");
    let file = index.rsplit('/').next().unwrap_or_default();
    let named = file.split_once('-').filter(|(kind, _)| matches!(*kind, "Components" | "Commands"));
    index.split('/').any(|part| part == folder)
        || named.is_some_and(|(_, name)| name.split('.').next() == Some(architecture.as_str()))
}

fn words<T: ToString>(names: &[T]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
