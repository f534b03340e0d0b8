//! `Closure`: the packages that other packages need, from the same sources.
//!
//! A dependency that the suite or the selected packages fulfil adds nothing. Of alternatives the first one that the source
//! has is taken, in its newest version that fits; a package of that name before one that provides it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    deb::relationship::Dependency,
    dists::{PackageEntry, PackagesIndex, PackagesKey},
    names::Architecture,
    package_type::PackageType,
    suite::{error::Error, published::PublishedSuite},
};

/// How many missing dependencies are named.
const NAMED: usize = 5;

/// A package with its type, and its name, architecture and version.
type Selected = ((PackageType, [String; 3]), PackageEntry);

/// The packages that selected packages need.
pub(super) struct Closure<'a> {
    pub(super) packages: Vec<(PackageEntry, &'a PackagesKey)>,
    /// Notes for the user.
    pub(super) notes: Vec<String>,
}

/// The packages that clients of one architecture can install, by name and by the names that they provide.
#[derive(Default)]
struct Offer<'a> {
    by_name: HashMap<String, Vec<Candidate<'a>>>,
}

/// A package under one of its names.
#[derive(Clone)]
struct Candidate<'a> {
    entry: PackageEntry,
    key: Option<&'a PackagesKey>,
    /// The version under this name.
    version: Option<String>,
    is_provided: bool,
}

impl<'a> Offer<'a> {
    fn add(&mut self, entry: &PackageEntry, key: Option<&'a PackagesKey>) {
        let candidate = |version, is_provided| Candidate { entry: entry.clone(), key, version, is_provided };
        let own = candidate(Some(entry.version().to_owned()), false);
        self.by_name.entry(entry.name().to_owned()).or_default().push(own);
        for (name, version) in Dependency::provided(entry.stanza()) {
            self.by_name.entry(name).or_default().push(candidate(version, true));
        }
    }

    /// The best package that fulfils a dependency.
    fn best(&self, dependency: &Dependency) -> Option<&Candidate<'a>> {
        let all = self.by_name.get(&dependency.name)?.iter();
        // Of the same version, the one of the first source: the last maximum is returned.
        let fitting = all.rev().filter(|candidate| dependency.fits(candidate.version.as_deref()));
        fitting.max_by(|one, other| {
            let by_name = other.is_provided.cmp(&one.is_provided);
            by_name.then_with(|| one.entry.order_of_versions(&other.entry))
        })
    }
}

impl<'a> Closure<'a> {
    /// Finds the packages that the selected ones need, for clients of these architectures, or of all.
    pub(super) async fn of(
        selected: Vec<Selected>,
        indices: &'a [(PackagesKey, PackagesIndex)],
        to: &PublishedSuite,
        architectures: &[Architecture],
    ) -> Result<Self, Error> {
        let is_meant = |architecture: &Architecture| {
            let mut named =
                architectures.iter().filter(|name| !name.is_all() && !name.is_source()).peekable();
            named.peek().is_none() || named.any(|name| name == architecture)
        };
        let keys: BTreeSet<&Architecture> = indices
            .iter()
            .filter(|(key, _)| key.package_type == PackageType::Deb && is_meant(&key.architecture))
            .map(|(key, _)| &key.architecture)
            .collect();
        let mut closure = Self { packages: Vec::new(), notes: Vec::new() };
        let (mut added, mut missing) = (BTreeSet::new(), BTreeMap::new());
        for architecture in keys {
            let mut source = Offer::default();
            for (key, index) in indices.iter().filter(|(key, _)| lists(key, architecture)) {
                index.entries().iter().for_each(|entry| source.add(entry, Some(key)));
            }
            let mut known = Offer::default();
            for key in to.packages_keys().into_iter().filter(|key| lists(key, architecture)) {
                to.index(&key).await?.entries().iter().for_each(|entry| known.add(entry, None));
            }
            let is_here = |entry: &PackageEntry| {
                let own = entry.index_architecture();
                !entry.is_source() && (own == architecture.as_str() || own == Architecture::all().as_str())
            };
            let mut open: Vec<PackageEntry> =
                selected.iter().map(|(_, entry)| entry).filter(|entry| is_here(entry)).cloned().collect();
            for entry in &open {
                known.add(entry, None);
            }
            while let Some(package) = open.pop() {
                for alternatives in Dependency::required(package.stanza()) {
                    if alternatives.iter().any(|one| known.best(one).is_some()) {
                        continue;
                    }
                    let Some(found) = alternatives.iter().find_map(|one| source.best(one)) else {
                        let shown: Vec<String> = alternatives.iter().map(ToString::to_string).collect();
                        missing.entry(shown.join(" | ")).or_insert_with(|| package.name().to_owned());
                        continue;
                    };
                    known.add(&found.entry, None);
                    open.push(found.entry.clone());
                    let entry = &found.entry;
                    let identity =
                        [entry.name(), entry.index_architecture(), entry.version()].map(ToOwned::to_owned);
                    if let Some(key) = found.key.filter(|_| added.insert(identity)) {
                        closure.packages.push((entry.clone(), key));
                    }
                }
            }
        }
        closure.note(&missing);
        Ok(closure)
    }

    fn note(&mut self, missing: &BTreeMap<String, String>) {
        let note = |(dependency, package): (&String, &String)| {
            format!("`{package}` depends on `{dependency}`, which neither the suite nor the source has")
        };
        self.notes.extend(missing.iter().take(NAMED).map(note));
        let more = missing.len().saturating_sub(NAMED);
        if more > 0 {
            self.notes.push(format!("{more} more dependencies are neither in the suite nor in the source"));
        }
    }
}

/// Whether clients of an architecture read an index.
fn lists(key: &PackagesKey, architecture: &Architecture) -> bool {
    key.package_type == PackageType::Deb && (key.architecture == *architecture || key.architecture.is_all())
}
