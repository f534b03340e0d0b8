//! `remove`: removes packages by name or source, version and architecture.

use std::collections::BTreeSet;

use super::{
    copy::Wanted,
    edit::{Removal, SuiteEdit},
    edited_indices::Indices,
    plan::{Change, Plan},
};
use crate::{
    dists::PackageEntry,
    suite::{
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

impl SuiteEdit {
    /// Removes the requested packages from the indices; refuses names without a match.
    pub(crate) fn apply_removals(
        &self,
        published: &PublishedSuite,
        indices: &mut Indices,
        plan: &mut Plan,
    ) -> Vec<Refusal> {
        let mut refused = Vec::new();
        for removal in &self.remove {
            let Removal { named, version, .. } = removal;
            let fits = |entry: &PackageEntry| {
                version.as_ref().is_none_or(|version| named.version_of(entry) == version)
                    && removal
                        .architecture
                        .as_ref()
                        .is_none_or(|arch| entry.index_architecture() == arch.as_str())
            };
            let mut found = BTreeSet::new();
            let mut others = BTreeSet::new();
            for (name, index) in &mut indices.all {
                for entry in named.of(index) {
                    if !fits(&entry) {
                        others.insert(named.shown(&entry));
                        continue;
                    }
                    found.insert(Change::of(&entry, &name.component));
                    index.remove(entry.name(), |other| other.is_same_package(&entry));
                    indices.changed.insert(name.clone());
                }
            }
            if found.is_empty() {
                let subject = Wanted { named: named.clone(), version: version.clone() }.to_string();
                let near = named.near(indices.all.values());
                let source = Reason::NotPublished { others: others.into_iter().collect(), near };
                let suite = Some(published.name().clone());
                refused.push(Refusal { action: "remove", preposition: "from", subject, suite, source });
            }
            plan.resolved.extend(found.iter().map(|gone| format!("remove {gone}")));
            plan.removed.extend(found);
        }
        for selection in &self.remove_selected {
            let mut found = BTreeSet::new();
            for (name, index) in &mut indices.all {
                let entries = selection.of_index(name, index);
                if entries.is_empty() {
                    continue;
                }
                index.remove_all(&entries);
                found.extend(entries.iter().map(|entry| Change::of(entry, &name.component)));
                indices.changed.insert(name.clone());
            }
            plan.resolved.extend(found.iter().map(|gone| format!("remove {gone}")));
            plan.removed.extend(found);
        }
        refused
    }
}
