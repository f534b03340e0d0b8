//! The state of one run of `sync`.

use bytes::Bytes;

use super::{copy::Copier, options::Sync, report::Synced};
use crate::{store::Store, suite::archive::Archive};

/// One run of `sync`.
pub(super) struct Run<'a> {
    pub(super) archive: &'a Archive,
    pub(super) destination: &'a Store,
    pub(super) how: &'a Sync<'a>,
    pub(super) copier: Copier<'a>,
    pub(super) synced: Synced,
    /// The pointer of the source that is being copied.
    pub(super) seen: Option<Bytes>,
    /// Whether a root file was skipped because an earlier run sent it.
    pub(super) trusted_record: bool,
}
