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

/// Dependencies that no package fulfils, each with a package that has it, and the architectures without one; none of those if
/// it is missing everywhere.
type Missing = BTreeMap<String, (String, BTreeSet<Architecture>)>;

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

    /// The best package that fulfils a dependency; one that fulfils all of the same package before another.
    fn best(&self, dependency: &Dependency, all: &[Vec<Dependency>]) -> Option<&Candidate<'a>> {
        // `x (>= 1), x (<< 3)` are two dependencies on one package.
        let alone = || all.iter().filter(|group| group.len() == 1).map(|group| &group[0]);
        let fits_all = |candidate: &Candidate<'_>| {
            alone().filter(|other| other.name == dependency.name).all(|other| candidate.fits(other))
        };
        let candidates = self.by_name.get(&dependency.name)?.iter();
        // Of the same version, the one of the first source: the last maximum is returned.
        let fitting = candidates.rev().filter(|candidate| candidate.fits(dependency));
        fitting.max_by(|one, other| {
            let by_all = fits_all(one).cmp(&fits_all(other));
            let by_name = by_all.then_with(|| other.is_provided.cmp(&one.is_provided));
            by_name.then_with(|| one.entry.order_of_versions(&other.entry))
        })
    }
}

impl Candidate<'_> {
    fn fits(&self, dependency: &Dependency) -> bool {
        dependency.fits(self.version.as_deref()) && dependency.is_offered_by(self.entry.stanza())
    }
}

/// Returns the dependencies on the same package that only different versions of it fulfil, of which a client installs one.
fn contradictions(required: &[Vec<Dependency>], offers: [&Offer<'_>; 2]) -> Vec<String> {
    let mut by_name: BTreeMap<&str, Vec<&Dependency>> = BTreeMap::new();
    for group in required.iter().filter(|group| group.len() == 1) {
        by_name.entry(&group[0].name).or_default().push(&group[0]);
    }
    by_name.retain(|name, all| {
        let offered = offers.iter().filter_map(|offer| offer.by_name.get(*name)).flatten();
        let fitting: Vec<_> = offered.filter(|found| all.iter().any(|one| found.fits(one))).collect();
        // Packages of other names that provide it can be installed beside it.
        let names: BTreeSet<&str> = fitting.iter().map(|found| found.entry.name()).collect();
        // One that no version fulfils is missing as it is.
        let each = all.iter().all(|one| fitting.iter().any(|found| found.fits(one)));
        let is_fulfilled = fitting.iter().any(|found| all.iter().all(|one| found.fits(one)));
        each && !is_fulfilled && names.len() == 1
    });
    let shown = |all: &Vec<&Dependency>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    by_name.values().map(shown).collect()
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
        let (mut added, mut missing, mut fulfilled) = (BTreeSet::new(), Missing::new(), BTreeSet::new());
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
                let required = Dependency::required(package.stanza());
                for shown in contradictions(&required, [&known, &source]) {
                    let found = missing.entry(shown);
                    let (_, where_missing) =
                        found.or_insert_with(|| (package.name().to_owned(), BTreeSet::new()));
                    where_missing.insert(architecture.clone());
                }
                for alternatives in &required {
                    let shown = || {
                        let all: Vec<String> = alternatives.iter().map(ToString::to_string).collect();
                        all.join(" | ")
                    };
                    if alternatives.iter().any(|one| known.best(one, &required).is_some()) {
                        fulfilled.insert(shown());
                        continue;
                    }
                    let Some(found) = alternatives.iter().find_map(|one| source.best(one, &required)) else {
                        let (_, where_missing) = missing
                            .entry(shown())
                            .or_insert_with(|| (package.name().to_owned(), BTreeSet::new()));
                        where_missing.insert(architecture.clone());
                        continue;
                    };
                    fulfilled.insert(shown());
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
        // A suite without architectures gets those of the packages.
        let taken =
            selected.iter().map(|(_, entry)| entry).chain(closure.packages.iter().map(|(entry, _)| entry));
        let listed: BTreeSet<String> = if architectures.is_empty() {
            taken.map(|entry| entry.index_architecture().to_owned()).collect()
        } else {
            architectures.iter().map(ToString::to_string).collect()
        };
        missing.retain(|dependency, (_, where_missing)| {
            if !fulfilled.contains(dependency) {
                where_missing.clear();
                return true;
            }
            where_missing.retain(|architecture| listed.contains(architecture.as_str()));
            !where_missing.is_empty()
        });
        closure.note(&missing);
        Ok(closure)
    }

    fn note(&mut self, missing: &Missing) {
        let note = |(dependency, (package, architectures)): (&String, &(String, BTreeSet<Architecture>))| {
            let all: Vec<String> = architectures.iter().map(|name| format!("`{name}`")).collect();
            let place = if all.is_empty() { String::new() } else { format!(" for {}", all.join(", ")) };
            format!(
                "`{package}` depends on `{dependency}`, which neither the suite nor the source has{place}"
            )
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
