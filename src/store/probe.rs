//! Capability detection: tests whether a store has conditional writes before relying on them.
//!
//! Some servers accept the headers of a conditional write, ignore them, overwrite and report success (Garage, older
//! gateways), and some reject such headers. So a bucket is tested before the first write that depends on it: with an
//! object of its own, whose bytes are always the same, so that any number of processes may test concurrently and no
//! other object is touched. The result is cached on this machine for a week.

use std::time::Duration;

use bytes::Bytes;
use object_store::{PutMode, UpdateVersion};

use super::{
    capabilities::ConditionalWrites, diagnose, error::Error, handle::Store, location::Service, object::parse,
    offload::blocking,
};

/// The path of the test object.
pub(super) const PROBE: &str = ".publish/probe";
/// Its content, which explains it to readers.
const TEXT: &str = "publish tests here whether this store supports conditional writes. \
                    This object may be deleted; it is created again when needed.\n";
/// The kind of fact in the cache, and its maximum age: a server may be replaced by another.
const KIND: &str = "conditions";
const BELIEVED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Store {
    /// Returns how concurrent writes are ordered; tests an unknown bucket with three or four small writes.
    pub async fn conditional_writes(&self) -> Result<ConditionalWrites, Error> {
        self.capabilities.known.get_or_try_init(|| self.find_out()).await.copied()
    }

    async fn find_out(&self) -> Result<ConditionalWrites, Error> {
        if let Some(decides) = self.recall(KIND).await.as_deref().and_then(ConditionalWrites::parse) {
            return Ok(decides);
        }
        self.probe_now().await
    }

    /// Tests the bucket, and caches the result.
    pub(super) async fn probe_now(&self) -> Result<ConditionalWrites, Error> {
        let decides = self.probe().await?;
        self.remember(KIND, decides.name()).await;
        Ok(decides)
    }

    /// Reads a fact about this store from the cache, unless it is too old.
    pub(super) async fn recall(&self, kind: &'static str) -> Option<String> {
        let (cache, subject) = self.cache().cloned().zip(self.capabilities.subject.clone())?;
        let known = blocking(move || cache.recall(kind, &subject)).await;
        known.filter(|(_, age)| *age < BELIEVED).map(|(text, _)| text)
    }

    /// Caches a fact about this store.
    pub(super) async fn remember(&self, kind: &'static str, text: &'static str) {
        if let Some((cache, subject)) = self.cache().cloned().zip(self.capabilities.subject.clone()) {
            blocking(move || cache.remember(kind, &subject, text)).await;
        }
    }

    async fn probe(&self) -> Result<ConditionalWrites, Error> {
        // The object is left over from an earlier test, or exists now. A concurrent process may delete it, which is
        // no fault of the server: hence three tries.
        let mut honoured = false;
        for _ in 0..3 {
            honoured = self.refuses(PutMode::Create).await?;
            if honoured {
                break;
            }
        }
        if !honoured {
            return Ok(ConditionalWrites::Lease);
        }
        for mode in self.modes(Some(&self.never())) {
            if !self.refuses(mode).await? {
                return Ok(ConditionalWrites::Lease);
            }
        }
        Ok(ConditionalWrites::Native)
    }

    /// Returns whether the server rejects conditional writes; an error about unknown conditions counts as ignoring
    /// them.
    async fn refuses(&self, mode: PutMode) -> Result<bool, Error> {
        let (at, bytes) = (parse(PROBE)?, Bytes::from_static(TEXT.as_bytes()));
        let put = self.put(&at, bytes, mode, || self.headers.of_mutable(PROBE));
        match put.await {
            Err(error) if diagnose::no_bucket(&error) => Err(self.failed("write", PROBE, error)),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. }
                // Some servers respond so if there is nothing to compare with.
                | object_store::Error::NotFound { .. },
            ) => Ok(true),
            Ok(()) | Err(object_store::Error::NotImplemented { .. }) => Ok(false),
            Err(error) if diagnose::status(&error) == Some(501) => Ok(false),
            Err(error) => Err(self.failed("write", PROBE, error)),
        }
    }

    /// Returns a revision that no object ever had, well-formed for the service.
    fn never(&self) -> UpdateVersion {
        let (e_tag, version) = match self.service() {
            Some(Service::Gcs) => (None, Some("1")),
            Some(Service::Azure) => (Some("\"0x8000000000000000\""), None),
            _ => (Some("\"00000000000000000000000000000000\""), None),
        };
        UpdateVersion { e_tag: e_tag.map(ToOwned::to_owned), version: version.map(ToOwned::to_owned) }
    }
}
