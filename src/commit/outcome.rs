//! `CommitReport`: the result of a commit.

use std::mem;

use super::options::CommitOptions;
use crate::{
    names::Suite,
    operations::{
        listing::Listing,
        plan::{Change, Phased, Plan},
        written::Written,
    },
    suite::published::PublishedSuite,
};

/// The result of a commit.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, reported to scripts as they are")]
#[non_exhaustive]
pub struct CommitReport {
    /// The suite.
    pub suite: Suite,
    /// Whether this was a dry run, which writes nothing.
    pub dry_run: bool,
    /// Whether a new generation was published.
    pub published: bool,
    /// Whether the suite was published for the first time.
    pub first: bool,
    /// Added packages.
    pub added: Vec<Change>,
    /// Packages that were already published with the same bytes.
    pub present: Vec<Change>,
    /// Packages that were left out, since the suite has or keeps newer versions.
    pub skipped: Vec<Change>,
    /// Packages that replaced others of the same version.
    pub replaced: Vec<Change>,
    /// Published packages whose phase has changed.
    pub phased: Vec<Phased>,
    /// Removed packages.
    pub removed: Vec<Change>,
    /// The changes of each index: a package for all architectures is listed in several.
    pub listings: Vec<Listing>,
    /// The changed indices, by their paths below the suite.
    pub indices: Vec<String>,
    /// The paths of the kept records of an upload, such as its `.changes` file.
    pub records: Vec<String>,
    /// The removed packages that were moved to another suite.
    pub moved: Option<Moved>,
    /// The objects that were written (or would be), with their sizes.
    pub written: Vec<Written>,
    /// Changes of the release file besides packages.
    pub changes: Vec<String>,
    /// Warnings for the user.
    pub notes: Vec<String>,
    /// The name of the new generation.
    pub generation: Option<String>,
    /// The earlier generation whose content was published again.
    pub based_on: Option<String>,
    /// The components of the suite.
    pub components: Vec<String>,
    /// The architectures of the suite.
    pub architectures: Vec<String>,
    /// Whether the suite is signed.
    pub signed: bool,
    /// The `Valid-Until` of the suite, if it expires.
    pub valid_until: Option<String>,
}

/// Surplus versions that were moved to another suite.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Moved {
    /// The packages that were removed from this suite.
    pub packages: Vec<Change>,
    /// The result of the commit to the other suite.
    pub to: Box<CommitReport>,
}

impl CommitReport {
    /// Takes the changes out of a plan.
    pub(super) fn of(plan: &mut Plan, published: &PublishedSuite, how: &CommitOptions<'_>) -> Self {
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
            added: mem::take(&mut plan.added),
            present: mem::take(&mut plan.present),
            skipped: mem::take(&mut plan.skipped),
            replaced: mem::take(&mut plan.replaced),
            phased: mem::take(&mut plan.phased),
            removed: mem::take(&mut plan.removed),
            listings: mem::take(&mut plan.listings),
            indices: plan.indices.iter().chain(&plan.beside).map(|file| file.path().to_owned()).collect(),
            records: mem::take(&mut plan.records),
            moved: None,
            written: Vec::new(),
            changes: plan.changes.clone(),
            notes: plan.notes.clone(),
            generation: None,
            based_on: plan.based_on.clone(),
            components: words("Components"),
            architectures: words("Architectures"),
            signed: how.signs(),
            valid_until: release
                .and_then(|release| release.valid_until().ok().flatten())
                .map(|until| until.to_string()),
        }
    }
}
