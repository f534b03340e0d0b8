//! Tries what a store can do, with an object of its own that is removed again.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{Attribute, GetOptions};

use super::{
    capabilities::ConditionalWrites,
    error::Error,
    handle::Store,
    limit::Limit,
    location::{Location, Service},
    object::{StoredObject, parse},
    probe,
};

/// The answers of a store to a test object.
#[derive(Debug)]
#[non_exhaustive]
pub struct Examination {
    /// How concurrent writes are ordered.
    pub conditional_writes: ConditionalWrites,
    /// Whether the object was read as it was written.
    pub reads: bool,
    /// The `Cache-Control` that was asked for, and the one that the object has; `None` where objects have no headers of
    /// their own.
    pub cache_control: Option<(String, Option<String>)>,
    /// Whether a listing has the object, or why there is none.
    pub lists: Result<bool, Error>,
    /// Whether the object is gone after its deletion.
    pub deletes: bool,
}

/// The folder of the objects.
const FOLDER: &str = ".publish";
const TEXT: &str = "`publish doctor` tries here what this store can do. This object may be deleted.\n";
const LIMIT: Limit = Limit::bytes(1 << 16);

impl Store {
    /// Writes an object, reads, lists and deletes it, and tests conditional writes anew.
    ///
    /// # Errors
    /// The object cannot be written, read or deleted.
    pub async fn examine(&self) -> Result<Examination, Error> {
        let path = format!("{FOLDER}/doctor-{:016x}", rand::random::<u64>());
        self.replace(&path, Bytes::from_static(TEXT.as_bytes())).await?;
        let seen = self.look_at(&path).await;
        // It is removed whatever was seen.
        self.delete(&path).await?;
        let mut seen = seen?;
        // Without permission to list, a missing object is refused.
        seen.deletes = !matches!(self.head(&path).await, Ok(Some(_)));
        Ok(seen)
    }

    async fn look_at(&self, path: &str) -> Result<Examination, Error> {
        let read = self.read(path, LIMIT).await?;
        let listed: Result<Vec<StoredObject>, Error> = self.walk(FOLDER).try_collect().await;
        Ok(Examination {
            reads: read.is_some_and(|object| object.bytes == TEXT),
            cache_control: self.cache_control(path).await?,
            lists: listed.map(|objects| objects.iter().any(|object| object.path == path)),
            conditional_writes: self.conditional_writes_anew().await?,
            deletes: false,
        })
    }

    async fn cache_control(&self, path: &str) -> Result<Option<(String, Option<String>)>, Error> {
        let has_headers =
            matches!(&self.location, Location::Bucket(bucket) if bucket.service != Service::Swift);
        if !has_headers {
            return Ok(None);
        }
        let response = self.request(false).get_opts(&parse(path)?, GetOptions::default()).await;
        let response = response.map_err(|error| self.failed("read", path, error))?;
        let stored = response.attributes.get(&Attribute::CacheControl).map(|value| value.as_ref().to_owned());
        Ok(Some((self.headers.mutable.clone(), stored)))
    }

    /// Tests conditional writes whatever the cache says, and leaves no object that was not there.
    async fn conditional_writes_anew(&self) -> Result<ConditionalWrites, Error> {
        let is_known = match &self.location {
            Location::Bucket(bucket) => bucket.service == Service::Swift,
            _ => true,
        };
        if is_known {
            return self.conditional_writes().await;
        }
        let was_there = !matches!(self.head(probe::PROBE).await, Ok(None));
        let found = self.probe_now().await;
        if !was_there {
            self.delete(probe::PROBE).await?;
        }
        found
    }
}
