//! The report of a sync.

use crate::{
    names::{Architecture, Suite},
    operations::written::Written,
    suite::{error::Error, failed::Failed},
};

/// The result of a sync.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Synced {
    /// Whether this was a dry run: nothing was written.
    pub dry_run: bool,
    /// The result of each suite.
    pub suites: Vec<SyncedSuite>,
    /// The objects that were sent (or would be), with their sizes.
    pub sent: Vec<Written>,
    /// The objects that were deleted (or would be), with their sizes.
    pub deleted: Vec<Written>,
    /// How many objects were known or found to exist already.
    pub there: usize,
    /// The paths whose content changed and may still be in caches.
    pub changed: Vec<String>,
    /// Files that the source lists and does not have, which were left out on request.
    pub missing: Vec<String>,
    /// Files that could not be copied; a suite that references one was left unchanged.
    pub failed: Vec<Failed>,
    /// Why suites were left unchanged, other than single files.
    pub errors: Vec<Error>,
}

/// The result of one suite.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "independent results")]
pub struct SyncedSuite {
    /// The suite.
    pub suite: Suite,
    /// Whether clients of the destination see a change.
    pub published: bool,
    /// Whether another part of the same generation was copied than before, such as a further architecture.
    pub part_changes: bool,
    /// Whether the suite is new at the destination.
    pub first: bool,
    /// The components that were copied.
    pub components: Vec<String>,
    /// The architectures to which the copy was restricted.
    pub architectures: Vec<Architecture>,
    /// Whether it is signed.
    pub signed: bool,
    /// Whether a known key verified its signature.
    pub verified: bool,
    /// Whether the destination had it as another name of a suite, as far as its release file shows.
    pub has_other_name: bool,
    /// Whether it has source packages.
    pub has_sources: bool,
    /// Its other names at the destination that were published with it.
    pub names: Vec<Suite>,
}

impl SyncedSuite {
    /// Whether the files that describe the suite to clients and to people have changed.
    pub(super) fn is_described_anew(&self) -> bool {
        self.published || self.part_changes
    }
}
