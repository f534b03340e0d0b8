//! `reoverride`: applies the overrides of the configuration to published packages. Other fields stay as they are.

use super::{addition::overridden, edit::SuiteEdit, edited_indices::Indices};
use crate::{
    config::Overrides,
    suite::{
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

impl SuiteEdit {
    /// Changes the fields of the selected packages; refuses a change that apt cannot read.
    pub(super) fn apply_overrides(
        &self,
        published: &PublishedSuite,
        overrides: &Overrides,
        indices: &mut Indices,
    ) -> Vec<Refusal> {
        let mut refused = Vec::new();
        let Some(selection) = &self.reoverride else { return refused };
        for (key, index) in &mut indices.all {
            let mut new = Vec::new();
            for entry in selection.of_index(key, index) {
                match overridden(&entry, overrides) {
                    Ok(changed) if changed.stanza() == entry.stanza() => {}
                    Ok(changed) => new.push(changed),
                    Err(source) => refused.push(refusal(published, &entry, source)),
                }
            }
            if !new.is_empty() {
                index.remove_all(&new);
                index.insert(new);
                indices.changed.insert(key.clone());
            }
        }
        refused
    }
}

fn refusal(published: &PublishedSuite, entry: &crate::dists::PackageEntry, source: Reason) -> Refusal {
    let subject = format!("{} {} {}", entry.name(), entry.version(), entry.architecture());
    let suite = Some(published.name().clone());
    Refusal { action: "override", preposition: "in", subject, suite, source }
}
