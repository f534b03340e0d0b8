//! Size limits for files of an archive, which bound memory where no trusted size is listed.

use crate::store::Limit;

/// A release file: the limit of apt (`Acquire::MaxReleaseFileSize`).
pub(crate) const RELEASE: Limit = Limit::mebibytes(10);
/// The text of an index whose plain form is not listed: twice the largest index of Debian.
pub(crate) const UNLISTED_TEXT: Limit = Limit::mebibytes(128);
/// A listed file that is held in memory, whatever its listed size: more than twice the largest index of Debian.
const INDEX: Limit = Limit::mebibytes(1024);

/// Returns the limit of a listed file that is held in memory.
pub(crate) const fn listed(size: u64) -> Limit {
    if size < INDEX.get() { Limit::bytes(size) } else { INDEX }
}

/// The list of the patches of an index: thousands of them.
pub(crate) const PATCH_LIST: u64 = 1 << 20;
/// A detached signature, which may be by several keys.
pub(crate) const SIGNATURE: Limit = Limit::mebibytes(1);
/// The public keys for clients.
pub(crate) const KEYS: Limit = Limit::mebibytes(4);
/// The page of an archive, and a part of its data.
pub(crate) const PAGE: Limit = Limit::mebibytes(64);
/// The note of a generation.
pub(crate) const NOTE: Limit = Limit::mebibytes(1);
/// The record of a mirror that carries a part of a suite, with the names of missing files.
pub(crate) const PARTIAL: Limit = Limit::mebibytes(16);
/// The pin of one operation: about a million paths.
pub(crate) const HOLD: Limit = Limit::mebibytes(128);
/// A one-line file with which publishers coordinate, such as the garbage collection marker.
pub(crate) const MARKER: Limit = Limit::bytes(64 << 10);
/// A file at the root of an archive that `sync --include` copies; it is spooled to disk, not held in memory.
pub(crate) const ROOT_FILE: Limit = Limit::mebibytes(1024);
/// Returns the limit for a listed file whose digest and headers `check` reports even if it is slightly too long, such
/// as one that a server has compressed again.
pub(crate) const fn compared(listed: u64) -> Limit {
    Limit::bytes(listed.saturating_add(64 << 10))
}

/// A file whose contents do not matter, only that it exists.
pub(crate) const LOOK: Limit = Limit::mebibytes(64);
