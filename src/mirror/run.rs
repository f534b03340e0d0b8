//! The state of one run of `sync`.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{copy::Copier, options::Sync, report::Synced};
use crate::{
    names::Suite,
    signing::Keyring,
    store::Store,
    suite::{archive::Archive, published::PublishedSuite},
};

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
    /// Suites of the source that are verified, until they are copied.
    pub(super) opened: BTreeMap<Suite, PublishedSuite>,
    /// The keys that the destination publishes, once they are read.
    pub(super) destination_keys: Option<Keyring>,
    /// The suites that are copied completely, with the digests of their release files.
    pub(super) finished: Vec<(Suite, String)>,
    /// The keys that the source and the destination publish, once they are read.
    pub(super) published_keys: Option<PublishedKeys>,
}

/// The keys that both sides publish for clients.
#[derive(Clone)]
pub(super) struct PublishedKeys {
    pub(super) source: Keyring,
    pub(super) destination: Keyring,
}
