//! One compressed block, in the same form for each compression.

use bytes::Bytes;

/// One compressed block as in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) bytes: Bytes,
    /// Its size without padding.
    pub(super) unpadded: u64,
    /// The size of its text.
    pub(super) length: u64,
}
