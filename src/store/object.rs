//! Objects as a store returns them: path, metadata, revision, bytes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use bytes::Bytes;
use object_store::{ObjectMeta, UpdateVersion, path::Path};
use tokio::time::Instant;

use super::{error::Error, location::Service, response_headers::ResponseHeaders};
use crate::digest::{Digests, Md5Digest};

/// The revision of an object that was read; [`Store::swap`](crate::store::Store::swap) succeeds only if the object still has it.
#[derive(Debug, Clone)]
pub struct Revision {
    pub(super) state: UpdateVersion,
    /// The time of the write, as the store reports it.
    pub(super) modified: SystemTime,
    /// The time of the read.
    pub(super) read: Instant,
}

impl Revision {
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        let state = UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() };
        Self { state, modified: meta.last_modified.into(), read: Instant::now() }
    }
}

impl PartialEq for Revision {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
    }
}

impl Eq for Revision {}

/// An object that was read whole.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Object {
    /// The bytes of the object.
    pub bytes: Bytes,
    /// The revision to pass to [`Store::swap`](crate::store::Store::swap).
    pub revision: Revision,
    /// The caching headers of a web server's response.
    pub served: Option<ResponseHeaders>,
}

/// Objects that were just read, by their paths.
pub(super) type HandedOver = Arc<Mutex<BTreeMap<String, Object>>>;

/// The metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredObject {
    /// The path of the object.
    pub path: String,
    /// The size in bytes.
    pub size: u64,
    /// The MD5 of the bytes, if the store reports it; no store does for an object uploaded in parts, nor Azure in a
    /// listing.
    pub md5: Option<Md5Digest>,
    /// The time of the last write.
    pub modified: SystemTime,
}

impl StoredObject {
    /// Returns whether the store's own checksum proves that the object has these digests; `false` proves nothing.
    #[must_use]
    pub fn matches_checksum(&self, digests: &Digests) -> bool {
        self.size == digests.size && self.md5 == Some(digests.md5)
    }
}

/// The outcome of [`Store::put_new`](crate::store::Store::put_new).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object was created.
    Created,
    /// The same bytes already existed.
    Present,
}

/// Returns the metadata of an object.
pub(super) fn stored_object(object: &ObjectMeta, service: Option<Service>) -> StoredObject {
    // The ETag of an object uploaded in one piece is its MD5, unless it is encrypted.
    let tag = object.e_tag.as_deref().map(|tag| tag.trim_matches('"'));
    let tagged = matches!(service, Some(Service::S3 | Service::Gcs | Service::Swift));
    StoredObject {
        path: object.location.to_string(),
        size: object.size,
        md5: tag.filter(|_| tagged).and_then(|tag| tag.parse().ok()),
        modified: object.last_modified.into(),
    }
}

/// Checks the path of an object.
pub(super) fn parse(path: &str) -> Result<Path, Error> {
    // Not `Path::from`: it would encode `~`, and apt would request a name that does not exist.
    Path::parse(path).map_err(|_| Error::BadPath { path: path.to_owned() })
}
