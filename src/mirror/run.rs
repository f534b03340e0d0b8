//! The state of one run of `sync`.

use bytes::Bytes;

use super::{carry::Carrier, options::Sync, report::Synced};
use crate::{store::Store, suite::archive::Archive};

/// One run of `sync`.
pub(super) struct Run<'a> {
    pub(super) archive: &'a Archive,
    pub(super) destination: &'a Store,
    pub(super) how: &'a Sync<'a>,
    pub(super) carrier: Carrier<'a>,
    pub(super) synced: Synced,
    /// The pointer of the source that is being carried.
    pub(super) seen: Option<Bytes>,
    /// Whether a file at the root was not looked for, because it was sent before.
    pub(super) believed: bool,
}
