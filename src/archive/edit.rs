//! `SuiteEdit`: packages to add and to remove, as a wish that can be applied to any state of a suite.
//!
//! [`SuiteEdit::plan`] applies it to what is published: it decides for each package, makes the new indices and the new
//! `Release`, and refuses what would change something published. Nothing is written. Who loses the race for the commit
//! plans the same edit again on the winner's state.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;

use super::{Error, Incoming, PublishedSuite, Reason, Refusal, commit::blocking};
use crate::{
    compression::Compression,
    config::SuiteConfig,
    dists::{
        IndexFile, IndexName, PackageEntry, PackagesIndex, Release, blocks,
        release::{Listed, render_date},
    },
    names::{Architecture, Component},
    pool::PoolPath,
    store::Content,
};

/// How far a `Date` may be ahead of a client's clock (`Acquire::Max-FutureTime` of apt).
const ACCEPTED_AHEAD: SignedDuration = SignedDuration::from_secs(10);

/// What a suite's content is to become.
#[derive(Default)]
pub struct SuiteEdit {
    /// Packages that are to be there.
    pub add: Vec<NewPackage>,
    /// Packages that are not to be there.
    pub remove: Vec<Removal>,
}

/// A package that is to be there.
pub struct NewPackage {
    /// What was read.
    pub incoming: Incoming,
    /// Its component; else its section decides, or the suite's first component.
    pub component: Option<Component>,
}

/// Packages that are not to be there.
#[derive(Debug, Clone)]
pub struct Removal {
    /// Their name.
    pub name: String,
    /// Only this version.
    pub version: Option<String>,
    /// Only this architecture.
    pub architecture: Option<Architecture>,
}

/// A package that came, went or was there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Change {
    /// The name of the package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
    /// The component.
    pub component: Component,
}

impl Change {
    fn of(entry: &PackageEntry, component: &Component) -> Self {
        Self {
            name: entry.name().to_owned(),
            version: entry.version().to_owned(),
            architecture: entry.architecture().to_owned(),
            component: component.clone(),
        }
    }
}

/// What an edit comes to on one state of a suite; every byte that will be written is known.
pub(super) struct Plan {
    /// The new `Release`; `None` if nothing changes.
    pub(super) release: Option<Release>,
    /// Index files to store, in every compression.
    pub(super) indices: Vec<IndexFile>,
    /// Files for the pool.
    pub(super) pool: Vec<(PoolPath, Content)>,
    /// Files that are in the pool already, if nobody lost them.
    pub(super) kept: Vec<(PoolPath, Content)>,
    /// Packages that come.
    pub(super) added: Vec<Change>,
    /// Packages that are there already, with the same bytes.
    pub(super) present: Vec<Change>,
    /// Packages that go.
    pub(super) removed: Vec<Change>,
    /// What a user should know.
    pub(super) notes: Vec<String>,
}

/// The components and architectures that a suite will have.
struct Shape {
    components: Vec<Component>,
    architectures: Vec<Architecture>,
}

/// The indices that an edit looks into, and which of them it changed.
struct Indices {
    all: BTreeMap<IndexName, PackagesIndex>,
    changed: BTreeSet<IndexName>,
}

impl SuiteEdit {
    /// Applies the edit to what is published.
    pub(super) async fn plan(
        &self,
        published: &PublishedSuite,
        config: &SuiteConfig,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        let (shape, components) = self.shape(published, config)?;
        let mut indices = self.load(published, &shape, &components).await?;
        let mut plan = Plan {
            release: None,
            indices: Vec::new(),
            pool: Vec::new(),
            kept: Vec::new(),
            added: Vec::new(),
            present: Vec::new(),
            removed: Vec::new(),
            notes: Vec::new(),
        };
        let mut refused = self.apply_removals(published, &mut indices, &mut plan);
        refused.extend(self.apply_additions(published, &shape, &components, &mut indices, &mut plan));
        refused.extend(self.apply_limit(published, config.limit, &mut indices, &mut plan));
        if !refused.is_empty() {
            return Err(Error::Refused(refused));
        }
        plan.indices = compress(indices, &config.compressions).await?;
        plan.release = release(published, config, &shape, &mut plan, now)?;
        if let (Some(old), Some(new)) = (published.release(), &plan.release) {
            plan.notes.extend(changes_that_stop_apt(old, new));
        }
        Ok(plan)
    }

    /// What components and architectures there will be, and the component of each new package.
    fn shape(
        &self,
        published: &PublishedSuite,
        config: &SuiteConfig,
    ) -> Result<(Shape, Vec<Component>), Error> {
        let path = || published.path(published.pointer().map_or("Release", |pointer| pointer.file));
        let unreadable = |source| Error::Pointer { path: path(), source };
        let mut shape =
            Shape { components: config.components.clone(), architectures: config.architectures.clone() };
        if let Some(release) = published.release() {
            // Nothing published is lost because a configuration does not name it.
            let indices = published.index_names();
            let listed = release.components().map_err(unreadable)?;
            let there = listed.into_iter().chain(indices.iter().map(|name| name.component.clone()));
            extend(&mut shape.components, there);
            let listed = release.architectures().map_err(unreadable)?;
            let there = listed.into_iter().chain(indices.into_iter().map(|name| name.architecture));
            extend(&mut shape.architectures, there);
        }
        let mut components = Vec::with_capacity(self.add.len());
        for new in &self.add {
            let component = match &new.component {
                Some(named) if shape.components.is_empty() || shape.components.contains(named) => {
                    named.clone()
                }
                Some(named) => {
                    return Err(Error::UnknownComponent {
                        component: named.clone(),
                        suite: published.name().clone(),
                        known: shape.components,
                    });
                }
                None => guess_component(new.incoming.package.section(), &shape.components),
            };
            components.push(component);
        }
        if shape.components.is_empty() {
            extend(&mut shape.components, components.iter().cloned());
        }
        if config.architectures.is_empty() {
            let new = self.add.iter().map(|new| new.incoming.package.architecture());
            extend(&mut shape.architectures, new.filter(|architecture| !architecture.is_all()).cloned());
            if shape.architectures.is_empty() {
                // Only packages for all architectures so far. An index `binary-all` is what a client of any architecture
                // then reads; it stays when other architectures come, since clients may rely on it.
                shape.architectures.push(Architecture::all());
            }
        }
        Ok((shape, components))
    }

    /// Reads the indices that the edit has to look into.
    async fn load(
        &self,
        published: &PublishedSuite,
        shape: &Shape,
        components: &[Component],
    ) -> Result<Indices, Error> {
        let there = published.index_names();
        let mut wanted = BTreeSet::new();
        let packages = || self.add.iter().map(|new| &new.incoming.package);
        let any_all = packages().any(|package| package.architecture().is_all());
        for component in &shape.components {
            for architecture in &shape.architectures {
                let name = IndexName { component: component.clone(), architecture: architecture.clone() };
                // A package is looked for in every component of its architecture: it may be in one only.
                let concerned = any_all
                    && (components.contains(component) || *architecture == shape.architectures[0])
                    || packages().any(|package| package.architecture() == architecture)
                    || !self.remove.is_empty();
                if concerned || !there.contains(&name) {
                    wanted.insert(name);
                }
            }
        }
        let mut indices = Indices { all: BTreeMap::new(), changed: BTreeSet::new() };
        for name in wanted {
            let index = published.index(&name).await?;
            if !there.contains(&name) {
                indices.changed.insert(name.clone());
            }
            indices.all.insert(name, index);
        }
        // A new architecture begins with the packages that run on all.
        for name in indices.changed.clone() {
            let sibling = there.iter().find(|other| other.component == name.component);
            let Some(sibling) = sibling else { continue };
            let everywhere = match indices.all.get(sibling) {
                Some(index) => all_packages(index),
                None => all_packages(&published.index(sibling).await?),
            };
            indices.index(&name).insert(everywhere);
        }
        Ok(indices)
    }

    fn apply_removals(
        &self,
        published: &PublishedSuite,
        indices: &mut Indices,
        plan: &mut Plan,
    ) -> Vec<Refusal> {
        let mut refused = Vec::new();
        for removal in &self.remove {
            let fits = |entry: &PackageEntry| {
                entry.name() == removal.name
                    && removal.version.as_ref().is_none_or(|version| entry.version() == version)
                    && removal.architecture.as_ref().is_none_or(|arch| entry.architecture() == arch.as_str())
            };
            let mut found = BTreeSet::new();
            let mut others = BTreeSet::new();
            for (name, index) in &mut indices.all {
                for entry in index.named(&removal.name) {
                    if fits(entry) {
                        found.insert(Change::of(entry, &name.component));
                    } else {
                        others.insert(format!("{} {}", entry.version(), entry.architecture()));
                    }
                }
                if index.remove(fits) > 0 {
                    indices.changed.insert(name.clone());
                }
            }
            if found.is_empty() {
                let subject = match &removal.version {
                    Some(version) => format!("{}={version}", removal.name),
                    None => removal.name.clone(),
                };
                let source = Reason::NotPublished { others: others.into_iter().collect() };
                let suite = Some(published.name().clone());
                refused.push(Refusal { action: "remove", preposition: "from", subject, suite, source });
            }
            plan.removed.extend(found);
        }
        refused
    }

    fn apply_additions(
        &self,
        published: &PublishedSuite,
        shape: &Shape,
        components: &[Component],
        indices: &mut Indices,
        plan: &mut Plan,
    ) -> Vec<Refusal> {
        let mut refused = Vec::new();
        // What this very edit brings, by its file in the pool.
        let mut given: HashMap<PoolPath, &Incoming> = HashMap::new();
        let mut new: BTreeMap<IndexName, Vec<PackageEntry>> = BTreeMap::new();
        for (package, component) in self.add.iter().zip(components) {
            let incoming = &package.incoming;
            let mut refuse = |source| {
                let subject = incoming.file.display().to_string();
                let suite = Some(published.name().clone());
                refused.push(Refusal { action: "add", preposition: "to", subject, suite, source });
            };
            let path = PoolPath::of(component, &incoming.package);
            match given.get(&path) {
                Some(other) if other.package.digests() == incoming.package.digests() => continue,
                Some(other) => {
                    refuse(clash(incoming, other, &path));
                    continue;
                }
                None => given.insert(path.clone(), incoming),
            };
            let entry = PackageEntry::of(&incoming.package, &path);
            let targets = match shape.targets(component, incoming.package.architecture()) {
                Ok(targets) => targets,
                Err(reason) => {
                    refuse(reason);
                    continue;
                }
            };
            match place(&entry, component, &path, incoming, &targets, indices) {
                Err(reason) => refuse(reason),
                Ok(Placed { lacking, path: published_path }) => {
                    let change = Change::of(&entry, component);
                    let content = Content::File {
                        file: incoming.file.clone(),
                        digests: *incoming.package.digests(),
                        stamp: incoming.stamp,
                    };
                    match published_path {
                        Some(path) => plan.kept.push((path, content)),
                        None if lacking.is_empty() => {}
                        None => plan.pool.push((path, content)),
                    }
                    if lacking.is_empty() {
                        plan.present.push(change);
                        continue;
                    }
                    if let Some(newest) = newer(&entry, &targets, indices) {
                        plan.notes.push(format!(
                            "`{}` {} is older than {newest}, which clients will prefer",
                            entry.name(),
                            entry.version()
                        ));
                    }
                    for (target, entry) in lacking {
                        new.entry(target).or_default().push(entry);
                    }
                    plan.added.push(change);
                }
            }
        }
        if refused.is_empty() {
            for (name, entries) in new {
                indices.index(&name).insert(entries);
                indices.changed.insert(name);
            }
        }
        refused
    }

    /// Keeps only the newest versions of each name that was added.
    fn apply_limit(
        &self,
        published: &PublishedSuite,
        limit: Option<usize>,
        indices: &mut Indices,
        plan: &mut Plan,
    ) -> Vec<Refusal> {
        let Some(limit) = limit else { return Vec::new() };
        let names: BTreeSet<&str> = plan.added.iter().map(|change| change.name.as_str()).collect();
        let mut gone = BTreeSet::new();
        for (index_name, index) in &mut indices.all {
            let mut surplus = Vec::new();
            for name in &names {
                let versions = index.named(name);
                surplus.extend(versions.iter().take(versions.len().saturating_sub(limit)).cloned());
            }
            if !surplus.is_empty() {
                index.remove(|entry| {
                    names.contains(entry.name()) && surplus.iter().any(|old| old.is_same_package(entry))
                });
                indices.changed.insert(index_name.clone());
            }
            gone.extend(surplus.iter().map(|entry| Change::of(entry, &index_name.component)));
        }
        let mut refused = Vec::new();
        for new in plan.added.iter().filter(|new| gone.contains(new)) {
            let newest = indices.all.values().find_map(|index| index.named(&new.name).last());
            let newest = newest.map(|entry| entry.version().to_owned()).unwrap_or_default();
            let file = self.add.iter().find(|package| {
                let package = &package.incoming.package;
                package.name().as_str() == new.name && package.version().as_str() == new.version
            });
            refused.push(Refusal {
                action: "add",
                preposition: "to",
                subject: file
                    .map_or_else(|| new.name.clone(), |file| file.incoming.file.display().to_string()),
                suite: Some(published.name().clone()),
                source: Reason::BelowLimit { limit, newest },
            });
        }
        plan.removed.extend(gone);
        refused
    }
}

impl Shape {
    /// The indices that a package goes into.
    fn targets(&self, component: &Component, architecture: &Architecture) -> Result<Vec<IndexName>, Reason> {
        let of = |architecture: &Architecture| IndexName {
            component: component.clone(),
            architecture: architecture.clone(),
        };
        if architecture.is_all() {
            return Ok(self.architectures.iter().map(of).collect());
        }
        if self.architectures.contains(architecture) {
            return Ok(vec![of(architecture)]);
        }
        Err(Reason::Architecture { architecture: architecture.clone(), known: self.architectures.clone() })
    }
}

impl Indices {
    fn index(&mut self, name: &IndexName) -> &mut PackagesIndex {
        self.all.entry(name.clone()).or_default()
    }
}

/// Where a package lacks, and where its file is if it is published in some index already.
struct Placed {
    lacking: Vec<(IndexName, PackageEntry)>,
    path: Option<PoolPath>,
}

/// Decides where a package lacks; an error if it would change something that is published.
fn place(
    entry: &PackageEntry,
    component: &Component,
    path: &PoolPath,
    incoming: &Incoming,
    targets: &[IndexName],
    indices: &Indices,
) -> Result<Placed, Reason> {
    let shown = describe(entry);
    let mut lacking = Vec::new();
    let mut there: Option<&PackageEntry> = None;
    for target in targets {
        let index = indices.all.get(target);
        let Some(published) = index.and_then(|index| index.find(entry)) else {
            let twin = index.into_iter().flat_map(|index| index.named(entry.name()));
            if let Some(twin) = twin.into_iter().find(|twin| twin.filename() == Some(path.as_str())) {
                let (package, other, path) = (shown, describe(twin), path.as_str().to_owned());
                return Err(Reason::SameFile { package, other, path });
            }
            lacking.push((target.clone(), entry.clone()));
            continue;
        };
        if !same_bytes(published, incoming) {
            let (published, new) = (digest_of(published), sha256(incoming));
            return Err(Reason::OtherContents { package: shown, published, new });
        }
        there = Some(published);
    }
    let elsewhere =
        indices.all.iter().find(|(name, index)| name.component != *component && index.find(entry).is_some());
    if let Some((name, _)) = elsewhere {
        return Err(Reason::OtherComponent { package: shown, component: name.component.clone() });
    }
    if let Some(published) = there {
        // One stanza for one package, whatever index it stands in.
        for (_, entry) in &mut lacking {
            entry.clone_from(published);
        }
    }
    // Other tools may keep it elsewhere in the pool than we would.
    let path = there.and_then(|published| PoolPath::parse(published.filename()?).ok());
    Ok(Placed { lacking, path })
}

/// Whether a published package is the file that was given; archives of old may know it by MD5 alone.
fn same_bytes(published: &PackageEntry, incoming: &Incoming) -> bool {
    let digests = incoming.package.digests();
    let same_size = published.size().is_none_or(|size| size == digests.size);
    match published.sha256() {
        Some(sha256) => same_size && sha256 == digests.sha256,
        None => same_size && published.field("MD5sum") == Some(digests.md5.to_string().as_bytes()),
    }
}

fn digest_of(entry: &PackageEntry) -> String {
    entry.sha256().map_or_else(|| "no SHA256".into(), |digest| format!("SHA256 {digest}"))
}

fn sha256(incoming: &Incoming) -> String {
    format!("SHA256 {}", incoming.package.digests().sha256)
}

fn describe(entry: &PackageEntry) -> String {
    format!("`{}` {} {}", entry.name(), entry.version(), entry.architecture())
}

/// Why two files that were given together cannot both be taken.
fn clash(this: &Incoming, other: &Incoming, path: &PoolPath) -> Reason {
    let shown = |incoming: &Incoming| {
        let package = &incoming.package;
        format!("`{}` {} {}", package.name(), package.version(), package.architecture())
    };
    if shown(this) == shown(other) {
        let other_file = other.file.display().to_string();
        return Reason::GivenTwice {
            package: shown(this),
            other: other_file,
            there: sha256(other),
            new: sha256(this),
        };
    }
    Reason::SameFile { package: shown(this), other: shown(other), path: path.as_str().to_owned() }
}

/// The newest published version of the same name, if it is newer.
fn newer(entry: &PackageEntry, targets: &[IndexName], indices: &Indices) -> Option<String> {
    let published = targets.iter().filter_map(|target| indices.all.get(target)?.named(entry.name()).last());
    let newest = published.max_by(|a, b| a.order_of_versions(b))?;
    newest.order_of_versions(entry).is_gt().then(|| newest.version().to_owned())
}

fn all_packages(index: &PackagesIndex) -> Vec<PackageEntry> {
    index.entries().iter().filter(|entry| entry.architecture() == "all").cloned().collect()
}

fn extend<T: PartialEq>(names: &mut Vec<T>, more: impl Iterator<Item = T>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// The component that a section speaks of, in the order that reprepro guesses: the section is a component, begins with
/// one, ends in one, begins one; else the first.
fn guess_component(section: Option<&str>, components: &[Component]) -> Component {
    let section = section.unwrap_or_default();
    let find = |fits: &dyn Fn(&str) -> bool| components.iter().find(|component| fits(component.as_str()));
    let begins = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('/'));
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('/'));
    let guess = find(&|component| component == section)
        .or_else(|| find(&|component| begins(section, component)))
        .or_else(|| find(&|component| ends(section, component)))
        .or_else(|| find(&|component| !section.is_empty() && begins(component, section)))
        .or(components.first());
    match guess {
        Some(component) => component.clone(),
        None => Component::parse("main").unwrap_or_else(|error| unreachable!("{error}")),
    }
}

/// Renders and compresses the changed indices, on all cores.
async fn compress(indices: Indices, compressions: &[Compression]) -> Result<Vec<IndexFile>, Error> {
    // The digests of the uncompressed index are listed even where it is not stored: apt finds no packages without.
    let mut wanted = vec![Compression::Plain];
    wanted.extend(compressions.iter().filter(|&&compression| compression != Compression::Plain));
    let Indices { mut all, changed } = indices;
    all.retain(|name, _| changed.contains(name));
    blocking(move || {
        let texts: Vec<_> = all.par_iter().map(|(name, index)| (name.path(), index.render())).collect();
        let jobs: Vec<_> = texts
            .iter()
            .flat_map(|text| wanted.iter().map(move |compression| (text, *compression)))
            .collect();
        jobs.into_par_iter()
            .map(|((path, text), compression)| {
                let path = format!("{path}{}", compression.extension());
                let bytes = blocks::compress(text, compression)
                    .map_err(|source| Error::Unpack { path: path.clone(), source })?;
                Ok(IndexFile::new(path, bytes))
            })
            .collect()
    })
    .await
}

/// The new `Release`, or `None` if the published one says the same already.
fn release(
    published: &PublishedSuite,
    config: &SuiteConfig,
    shape: &Shape,
    plan: &mut Plan,
    now: Timestamp,
) -> Result<Option<Release>, Error> {
    let old = published.release();
    let mut new = old.cloned().unwrap_or_default();
    let configured = !config.components.is_empty();
    if configured || old.is_none() {
        new.set("Codename", Some(config.codename.to_string()));
    }
    if configured {
        new.set("Suite", config.suite.clone());
        for name in crate::config::COPIED {
            let value = config.copied.iter().find(|(field, _)| *field == name);
            new.set(name, value.map(|(_, value)| value.clone()));
        }
    } else if old.is_none() {
        new.set("Suite", Some(config.codename.to_string()));
    }
    new.set("Acquire-By-Hash", Some("yes".into()));
    let source = if new.names_source() { " source" } else { "" };
    new.set("Architectures", Some(format!("{}{source}", words(&shape.architectures))));
    new.set("Components", Some(words(&shape.components)));

    let changed: BTreeSet<&str> =
        plan.indices.iter().map(|file| super::suite::plain_path(file.path())).collect();
    // A changed index takes all its forms along, also those that are not written any more.
    // And the patches that lead to the index of before (`Packages.diff/Index`).
    new.retain(|path| {
        let plain = path.split_once(".diff/").map_or(super::suite::plain_path(path), |(index, _)| index);
        !changed.contains(plain)
    });
    for file in &plan.indices {
        new.list(file.path().to_owned(), Listed::from(file.digests()));
    }
    let expires = new.field("Valid-Until").is_some();
    let expiry_as_configured = !configured || expires == config.valid_for.is_some();
    if old.is_some_and(|old| new.says_the_same(old)) && expiry_as_configured {
        return Ok(None);
    }

    let unreadable = |source| Error::Pointer { path: published.path("Release"), source };
    // apt ignores a `Release` that is older than the one it has.
    let before = old.map(Release::date).transpose().map_err(unreadable)?;
    let date = before.map_or(now, |before| before.max(now));
    new.set("Date", Some(render_date(date)));
    if date.duration_since(now) > ACCEPTED_AHEAD {
        plan.notes.push(format!(
            "`Date` stays {date}, as it is published, though the clock here says {now}: clients whose clock is not there yet refuse the suite"
        ));
    }
    let span = match (
        config.valid_for,
        configured,
        old.map(Release::valid_until).transpose().map_err(unreadable)?,
    ) {
        (Some(days), ..) => Some(SignedDuration::from_hours(24 * i64::from(days))),
        // As long as whoever made it meant it to be valid.
        (None, false, Some(Some(until))) => before.map(|before| until.duration_since(before)),
        _ => None,
    };
    let until = span.and_then(|span| date.checked_add(span).ok()).map(render_date);
    new.set("Valid-Until", until);
    Ok(Some(new))
}

/// Changes of a `Release` at which apt stops until its user agrees (apt-secure(8), "release info changes").
fn changes_that_stop_apt(old: &Release, new: &Release) -> impl Iterator<Item = String> {
    let shown =
        |value: Option<&str>| value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"));
    ["Origin", "Label", "Codename", "NotAutomatic", "ButAutomaticUpgrades"].into_iter().filter_map(move |field| {
        let (before, after) = (old.field(field), new.field(field));
        (before != after).then(|| {
            let (before, after) = (shown(before), shown(after));
            format!("`{field}` changes from {before} to {after}: `apt update` stops at that until its user agrees (`--allow-releaseinfo-change`)")
        })
    })
}

fn words<T: ToString>(names: &[T]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_speaks_of_a_component_as_in_reprepro() {
        let components: Vec<Component> =
            ["main", "contrib", "non-free/firmware"].iter().map(|name| name.parse().unwrap()).collect();
        for (section, expected) in [
            (Some("contrib"), "contrib"),
            (Some("contrib/net"), "contrib"),
            (Some("net/contrib"), "contrib"),
            (Some("non-free"), "non-free/firmware"),
            (Some("net"), "main"),
            (Some(""), "main"),
            (None, "main"),
        ] {
            assert_eq!(guess_component(section, &components).as_str(), expected, "{section:?}");
        }
        assert_eq!(guess_component(Some("contrib/net"), &[]).as_str(), "main");
    }
}
