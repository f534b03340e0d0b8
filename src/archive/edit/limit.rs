//! How many versions of a package stay.

use std::collections::BTreeSet;

use super::{SuiteEdit, arrival::Arrival, indices::Indices};
use crate::{
    archive::{Change, PublishedSuite, Reason, Refusal, plan::Plan},
    dists::PackagesIndex,
};

impl SuiteEdit {
    /// Keeps only the newest versions: of each name that was added, or of all.
    pub(super) fn apply_limit(
        &self,
        published: &PublishedSuite,
        arrivals: &[Arrival],
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
            let mut arrivals = arrivals.iter();
            let arrival = arrivals.find(|arrival| Change::of(&arrival.entry, &arrival.component) == *new);
            let reason = Reason::BelowLimit { limit, newest };
            refused.extend(arrival.map(|arrival| arrival.refusal(published, reason)));
        }
        plan.removed.extend(gone);
        refused
    }
}
