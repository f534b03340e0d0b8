//! Which versions of packages stay: the newest ones, always, and what has not been there for long where that counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use futures::{StreamExt, stream};
use wildmatch::WildMatch;

use super::{
    addition::Addition,
    copied_package::CopiedPackage,
    edit::{Retention, SuiteEdit},
    edited_indices::Indices,
    plan::{Change, Plan},
};
use crate::{
    config::SuiteConfig,
    dists::{PackageEntry, PackagesIndex, PackagesKey},
    pool::PoolPath,
    store::Store,
    suite::{
        error::Error,
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

/// How many files are asked for their age at once.
const AT_ONCE: usize = 16;

/// What is to leave each index.
type Surplus = BTreeMap<PackagesKey, Vec<PackageEntry>>;

impl SuiteEdit {
    /// Takes surplus versions out: of each name that was added, by `Limit`; or of all, where that is asked for.
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
                let mut surplus = surplus(indices, &asked.names_in(indices), asked.versions);
                if let Some(since) = asked.since {
                    spare_the_young(&mut surplus, published.store(), since).await?;
                }
                surplus
            }
            (None, Some(limit)) => {
                let added: BTreeSet<String> = plan.added.iter().map(|change| change.name.clone()).collect();
                surplus(indices, &added, limit)
            }
            (None, None) => return Ok(Vec::new()),
        };
        let mut gone = BTreeMap::new();
        for (name, entries) in surplus {
            let index = indices.index(&name);
            for entry in entries {
                index.remove(entry.name(), |other| other.is_same_package(&entry));
                // A package for all architectures leaves several indices.
                gone.insert(Change::of(&entry, &name.component), (name.clone(), entry));
            }
            indices.changed.insert(name);
        }
        let mut refused = Vec::new();
        for addition in additions {
            let new = Change::of(&addition.entry, &addition.component);
            if !gone.contains_key(&new) || !plan.added.contains(&new) {
                continue;
            }
            if addition.is_surplus() {
                // Neither here is it one of the newest: it goes on to where surplus versions of this suite go.
                plan.added.retain(|added| *added != new);
                continue;
            }
            let newest = indices.all.values().find_map(|index| index.named(&new.name).pop());
            let newest = newest.map(|entry| entry.version().to_owned()).unwrap_or_default();
            let reason = Reason::BelowLimit { limit: config.limit.unwrap_or_default(), newest };
            refused.push(addition.refusal(published, reason));
        }
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
    /// The names of packages that it is about.
    fn names_in(&self, indices: &Indices) -> BTreeSet<String> {
        let patterns: Vec<WildMatch> = self.names.iter().map(|name| WildMatch::new(name)).collect();
        let entries = indices.all.values().flat_map(PackagesIndex::entries);
        let names = entries.map(|entry| entry.name().to_owned()).collect::<BTreeSet<_>>();
        let is_meant =
            |name: &String| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name));
        names.into_iter().filter(is_meant).collect()
    }
}

/// All but the newest versions of some packages, index by index.
fn surplus(indices: &Indices, names: &BTreeSet<String>, keep: usize) -> Surplus {
    let mut surplus = Surplus::new();
    for (index_name, index) in &indices.all {
        for name in names {
            let mut versions = index.named(name);
            versions.truncate(versions.len().saturating_sub(keep.max(1)));
            if !versions.is_empty() {
                surplus.entry(index_name.clone()).or_default().extend(versions);
            }
        }
    }
    surplus
}

/// Takes out what came into the pool after a time, and what is not there: of that nobody knows how old it is.
async fn spare_the_young(surplus: &mut Surplus, store: &Store, since: SystemTime) -> Result<(), Error> {
    // Of another tool it may be `./pool/…`, which is no path in a store.
    let file = |entry: &PackageEntry| PoolPath::parse(entry.filename()?).ok();
    let files: BTreeSet<PoolPath> = surplus.values().flatten().filter_map(file).collect();
    let looked_at = stream::iter(files).map(|file| async move {
        let found = store.found(file.as_str()).await;
        found.map(|found| found.is_some_and(|found| found.modified < since).then_some(file))
    });
    let mut looked_at = looked_at.buffer_unordered(AT_ONCE);
    let mut old = BTreeSet::new();
    while let Some(file) = looked_at.next().await {
        old.extend(file?);
    }
    for entries in surplus.values_mut() {
        entries.retain(|entry| file(entry).is_some_and(|file| old.contains(&file)));
    }
    surplus.retain(|_, entries| !entries.is_empty());
    Ok(())
}
