//! `retain`: removes surplus versions. The newest ones always stay, and with an age limit also recent ones.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::SystemTime,
};

use futures::{StreamExt, stream};

use super::{
    addition::Addition,
    copied_package::CopiedPackage,
    edit::{Retention, SuiteEdit},
    edited_indices::Indices,
    lookup::main_path,
    plan::{Change, Plan},
};
use crate::{
    config::SuiteConfig,
    dists::{PackageEntry, PackagesIndex, PackagesKey},
    glob::Glob,
    package_type::PackageType,
    pool::PoolPath,
    store::Store,
    suite::{
        error::Error,
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

/// The number of files whose age is read concurrently.
const AT_ONCE: usize = 16;

/// The entries to remove, by index.
type Surplus = BTreeMap<PackagesKey, Vec<PackageEntry>>;

impl SuiteEdit {
    /// Removes surplus versions: of all packages by the requested retention, otherwise of the added names by `Limit`.
    pub(crate) async fn apply_retention(
        &self,
        published: &PublishedSuite,
        config: &SuiteConfig,
        additions: &[Addition],
        indices: &mut Indices,
        plan: &mut Plan,
    ) -> Result<Vec<Refusal>, Error> {
        let surplus = match (&self.retention, config.limit) {
            (Some(asked), _) => {
                let names = asked.names_in(indices);
                let mut surplus = surplus(indices, |_| &names, asked.versions);
                if let Some(since) = asked.since {
                    spare_the_young(&mut surplus, published.store(), since).await?;
                }
                surplus
            }
            (None, Some(limit)) => {
                // A source and a binary package may have the same name.
                let mut added: BTreeMap<PackageType, BTreeSet<String>> = BTreeMap::new();
                for change in &plan.added {
                    added.entry(change.package_type).or_default().insert(change.name.clone());
                }
                let none = BTreeSet::new();
                let copied: BTreeSet<[&str; 3]> = if self.downgrade {
                    additions.iter().filter(|new| new.given.is_none()).map(identity).collect()
                } else {
                    BTreeSet::new()
                };
                let wins = |entry: &PackageEntry| {
                    copied.contains(&[entry.name(), entry.version(), entry.architecture()])
                };
                surplus_but(indices, |key| added.get(&key.package_type).unwrap_or(&none), limit, wins)
            }
            (None, None) => return Ok(Vec::new()),
        };
        let mut gone = BTreeMap::new();
        for (name, entries) in surplus {
            indices.index(&name).remove_all(&entries);
            for entry in entries {
                // A package for all architectures is removed from several indices.
                gone.insert(Change::of(&entry, &name.component), (name.clone(), entry));
            }
            indices.changed.insert(name);
        }
        let mut refused = Vec::new();
        let (added, newest_given) = (plan.added.iter().cloned().collect::<BTreeSet<_>>(), newest(additions));
        let (mut not_added, mut not_stored) = (BTreeSet::new(), BTreeSet::new());
        for addition in additions {
            let new = Change::of(&addition.entry, &addition.component);
            if !gone.contains_key(&new) || !added.contains(&new) {
                continue;
            }
            if addition.is_surplus() {
                // It is surplus in this suite as well, and moves on to the next archive suite.
                not_added.insert(new);
                continue;
            }
            // One of a pile of builds: the newer ones are given as well, or it was not named.
            let is_older = newest_given
                .get(&(addition.entry.package_type(), addition.entry.name()))
                .is_some_and(|newest| newest.order_of_versions(&addition.entry).is_gt());
            if self.given(addition).is_some_and(|given| given.found || is_older) {
                gone.remove(&new);
                not_added.insert(new.clone());
                not_stored.extend(addition.files().map(|(path, _)| path.clone()));
                plan.skipped.push(new);
                continue;
            }
            let of_kind = indices.all.iter().filter(|(key, _)| key.package_type == new.package_type);
            let newest = of_kind.into_iter().find_map(|(_, index)| index.named(&new.name).pop());
            let newest = newest.map(|entry| entry.version().to_owned()).unwrap_or_default();
            let reason = Reason::BelowLimit { limit: config.limit.unwrap_or_default(), newest };
            refused.push(addition.refusal(published, reason));
        }
        plan.added.retain(|added| !not_added.contains(added));
        // Versions of one source share the tarball of their upstream version.
        let stored = additions.iter().filter(|new| {
            not_added.is_empty() || !not_added.contains(&Change::of(&new.entry, &new.component))
        });
        let shared: BTreeSet<&PoolPath> = stored.flat_map(Addition::files).map(|(path, _)| path).collect();
        plan.pool.retain(|(path, _)| !not_stored.contains(path) || shared.contains(path));
        for (change, (name, entry)) in gone {
            if config.archive.is_some() {
                let selected = CopiedPackage::of(entry, &name, published)?;
                plan.surplus.push((change.clone(), selected));
            }
            plan.removed.push(change);
        }
        Ok(refused)
    }
}

impl Retention {
    /// Returns the package names that match the patterns.
    fn names_in(&self, indices: &Indices) -> BTreeSet<String> {
        let patterns: Vec<Glob> = self.names.iter().map(|name| Glob::new(name)).collect();
        let entries = indices.all.values().flat_map(PackagesIndex::entries);
        let names = entries.map(|entry| entry.name().to_owned()).collect::<BTreeSet<_>>();
        let is_meant =
            |name: &String| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name));
        names.into_iter().filter(is_meant).collect()
    }
}

/// Returns the newest version of each name to add, among packages of its type.
fn newest(additions: &[Addition]) -> HashMap<(PackageType, &str), &PackageEntry> {
    let mut newest: HashMap<(PackageType, &str), &PackageEntry> = HashMap::new();
    for Addition { entry, .. } in additions {
        let known = newest.entry((entry.package_type(), entry.name())).or_insert(entry);
        if known.order_of_versions(entry).is_lt() {
            *known = entry;
        }
    }
    newest
}

fn identity(addition: &Addition) -> [&str; 3] {
    let entry = &addition.entry;
    [entry.name(), entry.version(), entry.architecture()]
}

/// Returns all but the newest versions of the packages named for each index.
fn surplus<'a>(
    indices: &Indices,
    names: impl Fn(&PackagesKey) -> &'a BTreeSet<String>,
    keep: usize,
) -> Surplus {
    surplus_but(indices, names, keep, |_| false)
}

/// The same, but packages that win stay before newer versions.
fn surplus_but<'a>(
    indices: &Indices,
    names: impl Fn(&PackagesKey) -> &'a BTreeSet<String>,
    keep: usize,
    wins: impl Fn(&PackageEntry) -> bool,
) -> Surplus {
    let mut surplus = Surplus::new();
    for (index_name, index) in &indices.all {
        for name in names(index_name) {
            let mut versions = index.named(name);
            // Stable: the versions stay in their order otherwise.
            versions.sort_by_key(&wins);
            versions.truncate(versions.len().saturating_sub(keep.max(1)));
            if !versions.is_empty() {
                surplus.entry(index_name.clone()).or_default().extend(versions);
            }
        }
    }
    surplus
}

/// Spares versions that were added to the pool after a time, and versions without a pool file, whose age is unknown.
async fn spare_the_young(surplus: &mut Surplus, store: &Store, since: SystemTime) -> Result<(), Error> {
    // Other tools may list `./pool/…`, which is not a path in a store.
    let file = main_path;
    let files: BTreeSet<PoolPath> = surplus.values().flatten().filter_map(file).collect();
    let checks = stream::iter(files).map(|file| async move {
        let found = store.head(file.as_str()).await;
        found.map(|found| found.is_some_and(|found| found.modified < since).then_some(file))
    });
    let mut checks = checks.buffer_unordered(AT_ONCE);
    let mut old = BTreeSet::new();
    while let Some(file) = checks.next().await {
        old.extend(file?);
    }
    for entries in surplus.values_mut() {
        entries.retain(|entry| file(entry).is_some_and(|file| old.contains(&file)));
    }
    surplus.retain(|_, entries| !entries.is_empty());
    Ok(())
}
