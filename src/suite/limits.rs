//! How large the files of an archive may be whose size nothing lists.

use crate::store::Limit;

/// A release file: apt reads no more of one either (`Acquire::MaxReleaseFileSize`).
pub(crate) const RELEASE: Limit = Limit::mebibytes(10);
/// The text of an index of which the release file lists no plain form; the largest of Debian has half of it.
pub(crate) const UNLISTED_TEXT: Limit = Limit::mebibytes(128);
/// A listed file that is held in memory, whatever size the release file lists; no index of Debian has half of it.
const INDEX: Limit = Limit::mebibytes(1024);

/// A listed file that is held in memory.
pub(crate) const fn listed(size: u64) -> Limit {
    if size < INDEX.get() { Limit::bytes(size) } else { INDEX }
}

/// A detached signature, of however many keys.
pub(crate) const SIGNATURE: Limit = Limit::mebibytes(1);
/// The public keys that clients are given.
pub(crate) const KEYS: Limit = Limit::mebibytes(4);
/// The note of a generation.
pub(crate) const NOTE: Limit = Limit::mebibytes(1);
/// The paths of one edit in flight: about a million of them.
pub(crate) const HOLD: Limit = Limit::mebibytes(128);
/// A file of one line by which publishers know of each other.
pub(crate) const MARKER: Limit = Limit::bytes(64 << 10);
/// A file at the root of an archive that `sync` is asked to carry; it is spooled, never held in memory.
pub(crate) const ROOT_FILE: Limit = Limit::mebibytes(1024);
/// A listed file of which `check` tells the digest and the headers where it has a little more than it should, such as
/// one that a server has packed once more.
pub(crate) const fn compared(listed: u64) -> Limit {
    Limit::bytes(listed.saturating_add(64 << 10))
}

/// A file of which only the presence matters.
pub(crate) const LOOK: Limit = Limit::mebibytes(64);
