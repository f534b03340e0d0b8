//! `remove`: removes packages by name, version and architecture.

use std::collections::BTreeSet;

use super::{
    edit::SuiteEdit,
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
            plan.resolved.extend(found.iter().map(|gone| format!("remove {gone}")));
            plan.removed.extend(found);
        }
        refused
    }
}
