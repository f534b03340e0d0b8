//! `copy` and `pull`: selects packages of another suite, of this archive or of another one.
//!
//! The suites of an archive share its pool, so a package is promoted by copying its stanza byte for byte, including its
//! `Filename`. The other suite is verified like a base, because its packages get signed here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    closure::Closure,
    copied_package::CopiedPackage,
    flat,
    selection::{Matcher, Selection},
    translations,
    upstream::{Upstream, open_other},
};
use crate::{
    deb,
    dists::{PackageEntry, PackagesIndex, PackagesKey},
    formula::Formula,
    glob::Glob,
    names::{Architecture, Component, Suite},
    nearest::nearest,
    package_type::PackageType,
    store::{self, Store},
    suite::{
        base::VerifiedBase,
        discovery,
        error::{Error, chain},
        generations,
        published::PublishedSuite,
        refusal::{Reason, Refusal},
        trust::Trust,
    },
};

/// Packages, binary and source, to copy from another suite.
#[non_exhaustive]
pub struct Copies {
    /// The source suite.
    pub from: Suite,
    /// The archive of the source suite, if it is another one.
    pub archive: Option<Store>,
    /// The folder of that archive with its indices, if it is one without `dists/`; empty for its root.
    pub flat: Option<String>,
    /// The full name of an earlier generation of the source suite, which is copied from instead of the current one.
    pub generation: Option<String>,
    /// The trust policy for the source suite.
    pub trust: Trust,
    /// Further sources. As for apt, the newest version wins, whatever source has it; of the same version, the first source.
    pub others: Vec<CopySource>,
    /// The selected packages; each selector must match.
    pub wanted: Vec<Wanted>,
    /// Only packages of these architectures; if empty, of all.
    pub architectures: Vec<Architecture>,
    /// Whether the packages of variants of these architectures are copied too.
    pub with_variants: bool,
    /// Their new component; by default the one in the source suite.
    pub component: Option<Component>,
    /// Further packages: the newest version of each name and architecture that this formula selects. It need not match.
    pub filter: Option<Formula>,
    /// Packages that are selected index by index, and are listed in the same indices. They need not match.
    pub selected: Vec<Selection>,
    /// Whether the packages that they depend on are copied too, unless the suite has such packages.
    pub with_dependencies: bool,
    /// Whether the stanzas are read from the files again: those of the indices need not be valid.
    pub rebuilt: bool,
    /// The architectures whose indices list them instead, if they are for all architectures.
    pub into: Vec<Architecture>,
}

/// A further source of packages.
#[non_exhaustive]
pub struct CopySource {
    /// The suite.
    pub from: Suite,
    /// The archive.
    pub archive: Store,
    /// The folder of its indices, if it is an archive without `dists/`.
    pub flat: Option<String>,
    /// The full name of an earlier generation, which is copied from instead of the current one.
    pub generation: Option<String>,
    /// The trust policy for it.
    pub trust: Trust,
}

/// The verified sources, and their indices in the order of the sources.
struct Sources {
    /// Each with the number of the indices up to its last one.
    all: Vec<(PublishedSuite, usize)>,
    indices: AllIndices,
}

impl Sources {
    /// The number of the source that an index belongs to.
    fn number_of(&self, key: &PackagesKey) -> usize {
        let at = self.indices.iter().position(|(own, _)| std::ptr::eq(own, key)).unwrap_or_default();
        self.all.iter().position(|(_, end)| at < *end).unwrap_or_default()
    }
}

/// A selector of packages: the newest matching version of each name and architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The name to match.
    pub named: Named,
    /// Only this version of the packages, or of their source.
    pub version: Option<String>,
}

/// The name in a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Named {
    /// The package name, or a [`Glob`] of names.
    Package(String),
    /// The name of the source package, or a [`Glob`] of names: it and all binary packages built from it.
    Source(String),
}

impl Named {
    /// Returns the published name that was meant by one that is not published.
    pub(super) fn near<'a>(&self, indices: impl Iterator<Item = &'a PackagesIndex>) -> Option<String> {
        let (Self::Package(name) | Self::Source(name)) = self;
        let all: BTreeSet<String> = indices
            .flat_map(PackagesIndex::entries)
            .map(|entry| match self {
                Self::Package(_) => entry.name().to_owned(),
                Self::Source(_) => entry.source().name.to_owned(),
            })
            .collect();
        nearest(name, all.iter().map(String::as_str)).filter(|near| near != name).map(str::to_owned)
    }
}

impl Copies {
    /// Copies from a suite under this trust policy; nothing as long as [`Copies::wanted`] is empty.
    #[must_use]
    pub fn new(from: Suite, trust: Trust) -> Self {
        Self {
            from,
            archive: None,
            flat: None,
            generation: None,
            with_dependencies: false,
            rebuilt: false,
            trust,
            others: Vec::new(),
            wanted: Vec::new(),
            architectures: Vec::new(),
            with_variants: false,
            component: None,
            filter: None,
            selected: Vec::new(),
            into: Vec::new(),
        }
    }

    /// Whether packages are copied index by index, each to its own component.
    pub(super) fn is_by_index(&self) -> bool {
        !self.selected.is_empty()
    }

    /// Reads and verifies the other suite, and selects the packages that a suite lists. Also returns notes for the user.
    pub(crate) async fn select(
        &self,
        to: &PublishedSuite,
    ) -> Result<(Vec<CopiedPackage>, Vec<String>), Error> {
        let (sources, mut notes) = self.open(to).await?;
        let indices = &sources.indices;
        let mut selected = BTreeMap::new();
        let mut refused = Vec::new();
        let refusal = |subject: String, source| Refusal {
            action: "copy",
            preposition: "from",
            subject,
            suite: Some(self.from.clone()),
            source,
        };
        for wanted in &self.wanted {
            match self.find(wanted, indices) {
                Ok(found) => selected.extend(found),
                Err(source) => refused.push(refusal(wanted.to_string(), source)),
            }
        }
        selected.extend(self.filtered(indices));
        let by_index = self.by_index(indices);
        if self.with_dependencies && refused.is_empty() {
            let asked = selected.iter().map(|(package, (entry, _))| (package.clone(), entry.clone()));
            let asked = asked
                .chain(by_index.iter().map(|((_, package), found)| (package.clone(), found.entry.clone())));
            let closure = Closure::of(asked.collect(), indices, to, &self.architectures).await?;
            notes.extend(closure.notes);
            for (entry, index) in closure.packages {
                let identity =
                    [entry.name(), entry.index_architecture(), entry.version()].map(ToOwned::to_owned);
                selected.entry((entry.package_type(), identity)).or_insert((entry, index));
            }
        }
        // One that another tool published must not stop the clients of a second suite.
        let all = selected.iter().map(|(package, (entry, _))| (package, entry));
        for (package, entry) in
            all.chain(by_index.iter().map(|((_, package), found)| (package, &found.entry)))
        {
            if entry.is_source() || self.rebuilt {
                continue;
            }
            if let Err(bad) = deb::check_stanza(entry.stanza()) {
                let (_, [name, architecture, version]) = package;
                refused.push(refusal(format!("{name} {version} {architecture}"), bad.into()));
            }
        }
        if !refused.is_empty() {
            return Err(Error::Refused(refused));
        }
        let mut translations = translations::Known::new();
        for (entry, index) in selected.values_mut() {
            *entry = with_description(entry, index, &sources, &mut translations).await?;
        }
        let copied = |entry: PackageEntry, index: &PackagesKey| {
            let (source, _) = &sources.all[sources.number_of(index)];
            match &self.archive {
                Some(_) => CopiedPackage::of_other_archive(&entry, index, source, ""),
                // apt downloads no such package.
                None if entry.sha256().is_none() && !entry.is_source() => Err(Error::Incomplete {
                    path: source.path(&index.path()),
                    package: entry.name().to_owned(),
                    field: "SHA256",
                }),
                None => CopiedPackage::of(entry, index, source),
            }
        };
        let selected = selected.into_values().map(|(entry, index)| copied(entry, index));
        let mut selected = selected.collect::<Result<Vec<_>, Error>>()?;
        for Listed { entry, key, architectures } in by_index.into_values() {
            let only = (!self.is_for_every_index(&entry)).then_some(architectures);
            let entry = with_description(&entry, key, &sources, &mut translations).await?;
            let package = copied(entry, key)?;
            selected.push(CopiedPackage { only, ..package });
        }
        Ok((selected, notes))
    }

    /// Opens and verifies every source, and reads their indices. Also returns notes for the user.
    async fn open(&self, to: &PublishedSuite) -> Result<(Sources, Vec<String>), Error> {
        let generation = self.generation.as_deref();
        let first = match (&self.archive, &self.flat) {
            (Some(archive), Some(folder)) => {
                let opened = open_flat((archive, folder), &self.from, &self.trust).await;
                opened.map_err(|error| of_source(error, archive))?
            }
            (Some(archive), None) => {
                let opened = self.open_archive((archive, generation), &self.from, &self.trust).await;
                opened.map_err(|error| of_source(error, archive))?
            }
            (None, _) if generation.is_some() => {
                self.open_archive((to.store(), generation), &self.from, &self.trust).await?
            }
            (None, _) => {
                let opened = VerifiedBase::open(to.store(), &self.from, &self.trust).await;
                let opened = opened.map_err(|error| match error {
                    Error::NotSigned { .. } => {
                        Error::UnsignedSource { suite: self.from.clone(), to: to.name().clone() }
                    }
                    error => error,
                })?;
                self.read_all(opened).await?
            }
        };
        let (state, indices, mut notes) = first;
        let mut sources = Sources { all: vec![(state, indices.len())], indices };
        for CopySource { from, archive, flat, generation, trust } in &self.others {
            let opened = match flat {
                Some(folder) => open_flat((archive, folder), from, trust).await,
                None => self.open_archive((archive, generation.as_deref()), from, trust).await,
            };
            let (state, indices, more) = opened.map_err(|error| of_source(error, archive))?;
            sources.indices.extend(indices);
            sources.all.push((state, sources.indices.len()));
            notes.extend(more);
        }
        Ok((sources, notes))
    }

    /// Opens and verifies a suite, or a generation of it, and reads its indices.
    async fn open_archive(
        &self,
        (archive, generation): (&Store, Option<&str>),
        from: &Suite,
        trust: &Trust,
    ) -> Result<Opened, Error> {
        let Some(generation) = generation else {
            return self.read_all(open_other(archive, from, trust).await?).await;
        };
        let state = generations::open_to_build_on(archive, from, generation, trust).await?;
        let (indices, notes) = self.all_indices(&state).await?;
        Ok((state, indices, notes))
    }

    /// Reads the indices of a verified suite. Also returns notes for the user.
    async fn read_all(&self, source: VerifiedBase) -> Result<Opened, Error> {
        if source.pointer().is_none() {
            return Err(discovery::not_published(source.store(), source.name()).await);
        }
        match self.all_indices(&source).await {
            Ok((indices, notes)) => Ok((source.state().clone(), indices, notes)),
            Err(error) => {
                // The indices may be missing because the suite was published again: that is a lost race.
                source.still_current().await?;
                Err(error)
            }
        }
    }

    /// Reads all indices; also returns notes for the user.
    async fn all_indices(&self, suite: &PublishedSuite) -> Result<(AllIndices, Vec<String>), Error> {
        let (mut indices, mut missing, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for name in suite.edited_keys() {
            let read = suite.index(&name).await;
            // A package that a mirror leaves out cannot be copied from it.
            match suite.unless_left_out(&name.path(), read, PackagesIndex::default).await {
                Ok(index) => indices.push((name, index)),
                Err(error @ Error::Store(_)) => return Err(error),
                Err(Error::Missing { path }) if self.archive.is_some() => missing.push((name, path)),
                // Damaged `Sources` do not affect binary packages.
                Err(error) if name.is_of_sources() => notes.push(format!(
                    "source packages are not copied from suite `{}`: {}",
                    suite.name(),
                    chain(&error)
                )),
                Err(error) => return Err(error),
            }
        }
        notes.extend(self.without(missing, &indices)?);
        Ok((indices, notes))
    }

    /// Returns the packages that are selected index by index, by component, name, architecture and version.
    fn by_index<'a>(
        &self,
        indices: &'a [(PackagesKey, PackagesIndex)],
    ) -> BTreeMap<(Component, Identity), Listed<'a>> {
        let mut found: BTreeMap<_, Listed<'a>> = BTreeMap::new();
        for (key, index) in indices.iter().filter(|(key, _)| self.reads(key)) {
            let entries = self.selected.iter().flat_map(|selection| selection.of_index(key, index));
            for entry in entries.filter(|entry| self.fits_architecture(entry)) {
                let [name, architecture, version] =
                    [entry.name(), entry.index_architecture(), entry.version()].map(ToOwned::to_owned);
                let listed = found
                    .entry((key.component.clone(), (key.package_type, [name, architecture, version])))
                    .or_insert_with(|| Listed {
                        entry,
                        key,
                        architectures: self.into.iter().cloned().collect(),
                    });
                if self.into.is_empty() {
                    listed.architectures.insert(key.architecture.clone());
                }
            }
        }
        // Each index has its own newest version, which is that of one source, and of one architecture.
        if self.selected.iter().all(|selection| selection.newest) {
            let competes = |entry: &PackageEntry| !self.others.is_empty() || self.is_for_every_index(entry);
            let all: Vec<PackageEntry> =
                found.values().map(|listed| listed.entry.clone()).filter(competes).collect();
            let mut newest: BTreeMap<(PackageType, [String; 2]), PackageEntry> = BTreeMap::new();
            let id = |entry: &PackageEntry| {
                (entry.package_type(), [entry.name(), entry.index_architecture()].map(ToOwned::to_owned))
            };
            for entry in all {
                let known = newest.entry(id(&entry)).or_insert_with(|| entry.clone());
                if known.order_of_versions(&entry).is_lt() {
                    *known = entry;
                }
            }
            found.retain(|_, listed| {
                newest.get(&id(&listed.entry)).is_none_or(|best| best.version() == listed.entry.version())
            });
        }
        found
    }

    /// Whether a package that is selected index by index is listed in every index all the same: the indices of another
    /// archive have other architectures than the suite. Where all versions are taken, the indices stay as they are.
    fn is_for_every_index(&self, entry: &PackageEntry) -> bool {
        let is_newest = self.selected.iter().all(|selection| selection.newest);
        self.archive.is_some() && is_newest && entry.index_architecture() == Architecture::all().as_str()
    }

    /// Returns the newest match of each type, name and architecture, by those and the version.
    fn find<'a>(
        &self,
        wanted: &Wanted,
        indices: &'a [(PackagesKey, PackagesIndex)],
    ) -> Result<Found<'a>, Reason> {
        let mut others = BTreeSet::new();
        let found = newest(indices, |_, index| {
            let mut entries = wanted.named.of(index);
            entries.retain(|entry| {
                let is_taken = self.takes(wanted, entry);
                if !is_taken {
                    others.insert(wanted.named.shown(entry));
                }
                is_taken
            });
            entries
        });
        if found.is_empty() {
            let near = wanted.named.near(indices.iter().map(|(_, index)| index));
            return Err(Reason::NotPublished { others: others.into_iter().collect(), near });
        }
        Ok(found)
    }

    /// Returns the packages that the formula selects, by the rules for those that are named.
    fn filtered<'a>(&self, indices: &'a [(PackagesKey, PackagesIndex)]) -> Found<'a> {
        let Some(formula) = &self.filter else { return Found::new() };
        let selection = Selection::of(Matcher::Formula(formula.clone()));
        let all = Wanted { named: Named::Package("*".into()), version: None };
        newest(indices, |key, index| {
            let mut entries = selection.of_index(key, index);
            entries.retain(|entry| self.takes(&all, entry));
            entries
        })
    }

    /// Whether a package of a wanted name is taken.
    fn takes(&self, wanted: &Wanted, entry: &PackageEntry) -> bool {
        self.fits(wanted, entry) && !(entry.is_source() && self.leaves_sources(wanted))
    }

    /// Whether source packages of another archive are copied only where they are named as such.
    fn leaves_sources(&self, wanted: &Wanted) -> bool {
        let is_asked = self.architectures.iter().any(Architecture::is_source);
        self.archive.is_some() && !is_asked && matches!(wanted.named, Named::Package(_))
    }

    fn fits(&self, wanted: &Wanted, entry: &PackageEntry) -> bool {
        let version = wanted.named.version_of(entry);
        wanted.version.as_ref().is_none_or(|asked| version == asked)
            && (entry.is_source() && matches!(wanted.named, Named::Source(_)) && self.archive.is_some()
                || self.fits_architecture(entry))
    }

    fn fits_architecture(&self, entry: &PackageEntry) -> bool {
        let asked = |name: &str| self.architectures.iter().any(|asked| asked.as_str() == name);
        self.architectures.is_empty()
            || asked(entry.index_architecture())
            || self.with_variants && asked(entry.architecture())
    }
}

/// The type of a package, its name, architecture and version.
type Identity = (PackageType, [String; 3]);

/// Packages that were found, each with an index that lists it.
type Found<'a> = BTreeMap<Identity, (PackageEntry, &'a PackagesKey)>;

/// Returns the newest version of each type, name and architecture of the selected packages, by those and the version.
fn newest(
    indices: &[(PackagesKey, PackagesIndex)],
    mut select: impl FnMut(&PackagesKey, &PackagesIndex) -> Vec<PackageEntry>,
) -> Found<'_> {
    let mut newest: BTreeMap<(PackageType, [String; 2]), (PackageEntry, &PackagesKey)> = BTreeMap::new();
    for (key, index) in indices {
        for entry in select(key, index) {
            let package =
                (entry.package_type(), [entry.name().to_owned(), entry.index_architecture().to_owned()]);
            // A package for all architectures is in the index of each architecture: the first one is enough.
            let known = newest.get(&package);
            if known.is_none_or(|(known, _)| known.order_of_versions(&entry).is_lt()) {
                newest.insert(package, (entry, key));
            }
        }
    }
    let with_version = newest.into_iter().map(|((package_type, [name, architecture]), found)| {
        let version = found.0.version().to_owned();
        ((package_type, [name, architecture, version]), found)
    });
    with_version.collect()
}

/// A package, and the architectures whose indices list it.
struct Listed<'a> {
    entry: PackageEntry,
    key: &'a PackagesKey,
    architectures: BTreeSet<Architecture>,
}

type AllIndices = Vec<(PackagesKey, PackagesIndex)>;

/// A verified source, its indices, and notes for the user.
type Opened = (PublishedSuite, AllIndices, Vec<String>);

/// An error about a file of another archive, which is not ours to repair.
fn of_source(error: Error, archive: &Store) -> Error {
    // A web server shows no suites: the location has to name one.
    if let Error::NotPublished { suite, known } = &error
        && known.is_empty()
    {
        return Error::NoSuchSuite { suite: suite.clone(), location: archive.location().to_string() };
    }
    let is_of_a_file = matches!(
        error,
        Error::Mismatch { .. }
            | Error::Longer { .. }
            | Error::Missing { .. }
            | Error::NotMirrored { .. }
            | Error::Unpack { .. }
            | Error::Index { .. }
            | Error::Pointer { .. }
            | Error::Store(store::Error::TooLarge { .. })
    );
    let location = archive.location().to_string();
    if is_of_a_file { Error::Source { location, source: Box::new(error) } } else { error }
}

/// Opens and verifies an archive without `dists/`, and reads its indices.
async fn open_flat((archive, folder): (&Store, &str), from: &Suite, trust: &Trust) -> Result<Opened, Error> {
    let upstream = Upstream::flat_or_bare(archive, from, folder, trust).await?;
    let indices = flat::indices(&upstream).await?;
    Ok((upstream.into_state(), indices, Vec::new()))
}

impl Wanted {
    /// Parses `NAME` or `NAME=VERSION`.
    #[must_use]
    pub fn parse(text: &str, named: fn(String) -> Named) -> Self {
        let (name, version) = match text.split_once('=') {
            Some((name, version)) => (name, Some(version.to_owned())),
            None => (text, None),
        };
        Self { named: named(name.to_owned()), version }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.named {
            Named::Package(name) => f.write_str(name)?,
            Named::Source(name) => write!(f, "source package {name}")?,
        }
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "={version}"))
    }
}

impl Named {
    /// The version of a package that a selector compares: its own, or that of its source.
    pub(crate) fn version_of<'a>(&self, entry: &'a PackageEntry) -> &'a str {
        match self {
            Self::Package(_) => entry.version(),
            Self::Source(_) => entry.source().version,
        }
    }

    /// Renders a package that matches by name only.
    pub(crate) fn shown(&self, entry: &PackageEntry) -> String {
        let (name, version, architecture) = (entry.name(), entry.version(), entry.index_architecture());
        match self {
            Self::Package(named) if named == name => format!("{version} {architecture}"),
            _ => format!("{name} {version} {architecture}"),
        }
    }

    /// Returns the packages of an index with this name.
    pub(crate) fn of(&self, index: &PackagesIndex) -> Vec<PackageEntry> {
        match self {
            Self::Package(name) if !Glob::is_pattern(name) => index.named(name),
            Self::Package(pattern) => {
                let pattern = Glob::new(pattern);
                let mut entries = index.entries();
                entries.retain(|entry| pattern.matches(entry.name()));
                entries
            }
            Self::Source(name) => {
                let pattern = Glob::new(name);
                let mut entries = index.entries();
                entries.retain(|entry| pattern.matches(entry.source().name));
                entries
            }
        }
    }
}

/// Returns a package with its long description, which its suite may have in a translation.
async fn with_description(
    package: &PackageEntry,
    key: &PackagesKey,
    sources: &Sources,
    known: &mut translations::Known,
) -> Result<PackageEntry, Error> {
    let number = sources.number_of(key);
    translations::with_description(package, &key.component, (number, &sources.all[number].0), known).await
}
