//! What a sync reports.

use crate::{
    names::Suite,
    operations::written::Written,
    suite::{error::Error, failed::Failed},
};

/// What came of it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Synced {
    /// Nothing was written, because it was not asked for.
    pub dry_run: bool,
    /// What came of each suite.
    pub suites: Vec<SyncedSuite>,
    /// The objects that were sent (or would be), with their sizes.
    pub sent: Vec<Written>,
    /// The objects that were deleted (or would be), with their sizes.
    pub deleted: Vec<Written>,
    /// How many objects were known or found to be there already.
    pub there: usize,
    /// The paths whose content may have been kept by caches and is another now.
    pub changed: Vec<String>,
    /// What could not be carried; a suite that leads to it was left as it was.
    pub failed: Vec<Failed>,
    /// Why suites were left as they were, where it was not for single files.
    pub errors: Vec<Error>,
}

/// What came of one suite.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SyncedSuite {
    /// The suite.
    pub suite: Suite,
    /// Whether clients of the destination see something else now.
    pub published: bool,
    /// Whether the destination did not have it before.
    pub first: bool,
    /// Its components.
    pub components: Vec<String>,
    /// Whether it is signed.
    pub signed: bool,
}
