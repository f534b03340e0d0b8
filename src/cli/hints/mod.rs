//! Hints: remedies for errors of the library, which knows no commands and no options.

pub(super) mod keys;
pub(super) mod archive;
pub(super) mod refusal;
mod attach;
pub(super) mod signing;
pub(super) mod store;

use crate::{
    archive::{Failed, FailedBecause},
    store::Error,
};

/// Returns the hint for a file that could not be sent.
pub(super) fn of_failed(failed: &Failed) -> Option<String> {
    match &failed.source {
        // Sent by another job, or left over: only the generations of the destination show which.
        FailedBecause::Store(Error::Occupied { .. }) => Some(
            "the destination has a different file at this path: check whether one of its suites needs it with `publish check DESTINATION`; if it is unreferenced, `publish prune --archive DESTINATION` deletes it once it is two days old".into(),
        ),
        FailedBecause::Store(error) => store::hint(error),
        FailedBecause::Absent => Some(
            "the source is not complete: list all faults with `publish check`, then restore the file, or publish the package again".into(),
        ),
        FailedBecause::Package { .. } => Some(
            "the file was damaged before the source listed it: publish the package there again; until then, take other packages by name with `publish pull SUITE --from SOURCE NAME...`".into(),
        ),
        FailedBecause::Local { .. } => None,
        FailedBecause::Differs { .. } => Some(
            "the source is damaged: list all faults with `publish check`, then restore the file, or publish the package again".into(),
        ),
    }
}
