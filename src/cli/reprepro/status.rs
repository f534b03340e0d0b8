//! The statuses of reprepro, which scripts compare.

use crate::cli::{
    class::Kind,
    failure::{self, Failure},
};

/// An unknown option or command.
pub(super) const USAGE: u8 = 1;
/// Nothing was done, with `--nothingiserror`.
pub(super) const NOTHING: u8 = 1;
/// Any other failure.
pub(super) const FAILED: u8 = 255;
/// A file is missing, or has other bytes than the published one.
pub(super) const FILE: u8 = 254;
/// A configuration has an unknown field.
pub(super) const FIELD: u8 = 248;
/// Something is missing: a distribution, an architecture of an upload, or its file.
pub(super) const UNKNOWN: u8 = 249;
/// The signature of a source is not one of its keys.
pub(super) const UNTRUSTED: u8 = 250;
/// Some uploads of a queue cannot be included.
pub(super) const UPLOADS: u8 = 243;
/// A file is in the place of a link.
pub(super) const NO_LINK: u8 = 234;
/// Others won every race.
pub(super) const LOCKED: u8 = 239;

/// Returns the status of a failure: one that was set here stays.
pub(super) fn of(failure: &Failure) -> u8 {
    if failure.code > failure::OUT_OF_REACH {
        return failure.code;
    }
    let kind = failure.errors.first().map(|problem| problem.class.kind);
    match kind {
        _ if failure.code == failure::RACE => LOCKED,
        Some(Kind::Conflict) => FILE,
        _ => FAILED,
    }
}

/// A failure with this status.
pub(super) fn with(status: u8, failure: Failure) -> Failure {
    Failure { code: status, ..failure }
}

/// A failure with a text, and this status.
pub(super) fn text(status: u8, text: impl Into<String>) -> Failure {
    with(status, Failure::text(text, None))
}
