//! Hints: what a user of the command can do about an error of the library, which knows no commands and no options.

pub(super) mod archive;
pub(super) mod refusal;
pub(super) mod signing;
pub(super) mod store;

use crate::{
    archive::{Failed, FailedBecause},
    store::Error,
};

/// What to do about a file that could not be carried.
pub(super) fn of_failed(failed: &Failed) -> Option<String> {
    match &failed.source {
        // Sent by another job, or left over: the destination's own states decide.
        FailedBecause::Store(Error::Occupied { .. }) => Some(
            "the destination has another file there: `publish check --archive DESTINATION` says whether one of its suites needs it; if no state there lists it, `publish prune --archive DESTINATION` deletes it once it is two days old".into(),
        ),
        FailedBecause::Store(error) => store::hint(error),
        FailedBecause::Absent | FailedBecause::Differs { .. } => Some(
            "the source is damaged: `publish check` tells all that is wrong with it; put the file back, or publish the package anew".into(),
        ),
    }
}
