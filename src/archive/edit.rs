//! `SuiteEdit`: packages to add and to remove, as a wish that can be applied to any state of a suite.
//!
//! [`SuiteEdit::plan`] applies it to what is published: it decides for each package, makes the new indices and the new
//! `Release`, and refuses what would change something published. Nothing is written. Who loses the race for the commit
//! plans the same edit again on the winner's state.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::{
    Change, Error, Incoming, PublishedSuite, Reason, Refusal,
    plan::{Plan, Shape},
};
use crate::{
    config::SuiteConfig,
    dists::{IndexName, PackageEntry, PackagesIndex},
    names::{Architecture, Component},
    pool::PoolPath,
    store::Content,
};

/// What a suite's content is to become.
#[derive(Default)]
pub struct SuiteEdit {
    /// Packages that are to be there.
    pub add: Vec<NewPackage>,
    /// Whether a version is refused that is older than the newest one of that name, which clients would prefer.
    pub if_newer: bool,
    /// Packages that are not to be there.
    pub remove: Vec<Removal>,
    /// How many versions of every package are to stay, the newest ones.
    pub keep: Option<usize>,
}

/// A package that is to be there.
pub struct NewPackage {
    /// What was read.
    pub incoming: Incoming,
    /// Its component; else its section decides, or the suite's first component.
    pub component: Option<Component>,
}

/// Packages that are not to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Their name.
    pub name: String,
    /// Only this version.
    pub version: Option<String>,
    /// Only this architecture.
    pub architecture: Option<Architecture>,
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
        let mut plan = Plan::default();
        let mut refused = self.apply_removals(published, &mut indices, &mut plan);
        refused.extend(self.apply_additions(published, &shape, &components, &mut indices, &mut plan));
        refused.extend(self.apply_limit(published, config.limit, &mut indices, &mut plan));
        if !refused.is_empty() {
            return Err(Error::Refused(refused));
        }
        let changed = indices.all.into_iter().filter(|(name, _)| indices.changed.contains(name)).collect();
        plan.render(changed, published, config, &shape, now).await?;
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
            let mut listed = release.components().map_err(unreadable)?;
            // `updates/main` is what some call the component whose indices lie in `main` (`FakeComponentPrefix` of
            // reprepro); clients ask for `main`.
            let has_index = |name: &str| indices.iter().any(|index| index.component.as_str() == name);
            listed.retain(|component| {
                let name = component.as_str();
                has_index(name) || !name.rsplit_once('/').is_some_and(|(_, last)| has_index(last))
            });
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
                    || !self.remove.is_empty()
                    || self.keep.is_some();
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
        for name in indices.changed.clone().into_iter().filter(|name| !there.contains(name)) {
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
                removal.version.as_ref().is_none_or(|version| entry.version() == version)
                    && removal.architecture.as_ref().is_none_or(|arch| entry.architecture() == arch.as_str())
            };
            let mut found = BTreeSet::new();
            let mut others = BTreeSet::new();
            for (name, index) in &mut indices.all {
                for entry in index.named(&removal.name) {
                    if fits(&entry) {
                        found.insert(Change::of(&entry, &name.component));
                    } else {
                        others.insert(format!("{} {}", entry.version(), entry.architecture()));
                    }
                }
                if index.remove(&removal.name, fits) > 0 {
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
                        if self.if_newer {
                            refuse(Reason::NotNewer { package: describe(&entry), newest });
                            continue;
                        }
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

    /// Keeps only the newest versions: of each name that was added, or of all.
    fn apply_limit(
        &self,
        published: &PublishedSuite,
        limit: Option<usize>,
        indices: &mut Indices,
        plan: &mut Plan,
    ) -> Vec<Refusal> {
        let Some(limit) = self.keep.or(limit) else { return Vec::new() };
        let added = plan.added.iter().map(|change| change.name.clone());
        let all = indices.all.values().filter(|_| self.keep.is_some()).flat_map(PackagesIndex::entries);
        let names: BTreeSet<String> = added.chain(all.map(|entry| entry.name().to_owned())).collect();
        let mut gone = BTreeSet::new();
        for (index_name, index) in &mut indices.all {
            for name in &names {
                let versions = index.named(name);
                let old = versions.iter().take(versions.len().saturating_sub(limit));
                let surplus: BTreeSet<Change> =
                    old.map(|entry| Change::of(entry, &index_name.component)).collect();
                if surplus.is_empty() {
                    continue;
                }
                index.remove(name, |entry| surplus.contains(&Change::of(entry, &index_name.component)));
                indices.changed.insert(index_name.clone());
                gone.extend(surplus);
            }
        }
        let mut refused = Vec::new();
        for new in plan.added.iter().filter(|new| gone.contains(new)) {
            let newest = indices.all.values().find_map(|index| index.named(&new.name).pop());
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
    let mut there: Option<PackageEntry> = None;
    for target in targets {
        let index = indices.all.get(target);
        let Some(published) = index.and_then(|index| index.find(entry)) else {
            let twin = index.into_iter().flat_map(|index| index.named(entry.name()));
            if let Some(twin) = twin.into_iter().find(|twin| twin.filename() == Some(path.as_str())) {
                let (package, other, path) = (shown, describe(&twin), path.as_str().to_owned());
                return Err(Reason::SameFile { package, other, path });
            }
            lacking.push((target.clone(), entry.clone()));
            continue;
        };
        if !same_bytes(&published, incoming) {
            let (published, new) = (digest_of(&published), sha256(incoming));
            return Err(Reason::OtherContents { package: shown, published, new });
        }
        there = Some(published);
    }
    let elsewhere =
        indices.all.iter().find(|(name, index)| name.component != *component && index.find(entry).is_some());
    if let Some((name, _)) = elsewhere {
        return Err(Reason::OtherComponent { package: shown, component: name.component.clone() });
    }
    if let Some(published) = &there {
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
    let published = targets.iter().filter_map(|target| indices.all.get(target)?.named(entry.name()).pop());
    let newest = published.max_by(PackageEntry::order_of_versions)?;
    newest.order_of_versions(entry).is_gt().then(|| newest.version().to_owned())
}

fn all_packages(index: &PackagesIndex) -> Vec<PackageEntry> {
    index.entries().into_iter().filter(|entry| entry.architecture() == "all").collect()
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
