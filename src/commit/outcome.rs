//! What came of an edit.

use super::options::CommitOptions;
use crate::{
    names::Suite,
    operations::{
        plan::{Change, Phased, Plan},
        written::Written,
    },
    suite::published::PublishedSuite,
};

/// What came of an edit.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, told to scripts as they are")]
#[non_exhaustive]
pub struct CommitReport {
    /// The suite.
    pub suite: Suite,
    /// Nothing was written, because it was not asked for.
    pub dry_run: bool,
    /// Whether clients see something else now.
    pub published: bool,
    /// Whether the suite was not there before.
    pub first: bool,
    /// Packages that came.
    pub added: Vec<Change>,
    /// Packages that were there already, with the same bytes.
    pub present: Vec<Change>,
    /// Packages that took the place of others of the same version.
    pub replaced: Vec<Change>,
    /// Packages that were there, and are offered to another share of machines now.
    pub phased: Vec<Phased>,
    /// Packages that went.
    pub removed: Vec<Change>,
    /// Those of them that went to another suite.
    pub moved: Option<Moved>,
    /// The objects that were written (or would be), with their sizes.
    pub written: Vec<Written>,
    /// What a user should know.
    pub notes: Vec<String>,
    /// The name of the new generation.
    pub generation: Option<String>,
    /// The name of the earlier generation whose content it has.
    pub based_on: Option<String>,
    /// The components that the suite has now.
    pub components: Vec<String>,
    /// The architectures that the suite has now.
    pub architectures: Vec<String>,
    /// Whether the suite is signed.
    pub signed: bool,
    /// How long clients take this state for current, if it expires.
    pub valid_until: Option<String>,
}

/// Surplus versions that went to another suite.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Moved {
    /// What left this suite.
    pub packages: Vec<Change>,
    /// What came of it in the other one.
    pub to: Box<CommitReport>,
}

impl CommitReport {
    pub(super) fn of(plan: &Plan, published: &PublishedSuite, how: &CommitOptions<'_>) -> Self {
        let release = plan.release.as_ref().or(published.release());
        let words = |field| {
            let value = release.and_then(|release| release.field(field)).unwrap_or_default();
            value.split_whitespace().map(ToOwned::to_owned).collect()
        };
        Self {
            suite: published.name().clone(),
            dry_run: how.dry_run,
            published: false,
            first: published.pointer().is_none(),
            added: plan.added.clone(),
            present: plan.present.clone(),
            replaced: plan.replaced.clone(),
            phased: plan.phased.clone(),
            removed: plan.removed.clone(),
            moved: None,
            written: Vec::new(),
            notes: plan.notes.clone(),
            generation: None,
            based_on: plan.based_on.clone(),
            components: words("Components"),
            architectures: words("Architectures"),
            signed: how.keys.is_some(),
            valid_until: release
                .and_then(|release| release.valid_until().ok().flatten())
                .map(|until| until.to_string()),
        }
    }
}
