//! The cache of a store: objects read from it, unless it is local, and facts about it.

use bytes::Bytes;

use super::{cache::Cache, handle::Store, offload::blocking};
use crate::digest::Sha256Digest;

impl Store {
    /// Caches objects read from a remote store; a local store is not cached.
    #[must_use]
    pub fn with_cache(self, cache: Option<Cache>) -> Self {
        Self { cache, ..self }
    }

    /// Returns the cache of facts about this store.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    fn objects_cache(&self) -> Option<Cache> {
        self.cache.clone().filter(|_| !self.is_local())
    }

    /// Reads the bytes with this digest from the cache, without a request to the store.
    pub(crate) async fn known(&self, sha256: Sha256Digest) -> Option<Bytes> {
        let cache = self.objects_cache()?;
        blocking(move || cache.get(&sha256)).await
    }

    /// Reads bytes that were derived from the object with this digest, from the cache alone.
    pub(crate) async fn known_derived(&self, kind: &'static str, of: Sha256Digest) -> Option<Bytes> {
        let cache = self.objects_cache()?;
        blocking(move || cache.get_derived(kind, &of)).await
    }

    /// Caches bytes that were derived from an object.
    pub(crate) async fn keep_derived(&self, kind: &'static str, of: Sha256Digest, bytes: &Bytes) {
        if let Some(cache) = self.objects_cache() {
            let bytes = bytes.clone();
            blocking(move || cache.put_derived(kind, &of, &bytes)).await;
        }
    }

    /// Caches bytes that were read or written.
    pub(crate) async fn keep(&self, sha256: Sha256Digest, bytes: &Bytes) {
        if let Some(cache) = self.objects_cache() {
            let bytes = bytes.clone();
            blocking(move || cache.put(&sha256, &bytes)).await;
        }
    }
}
