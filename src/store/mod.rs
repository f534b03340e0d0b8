//! Bytes at paths, in a folder, a bucket or on the web; knows no Debian word.
//!
//! Three verbs write, for three kinds of file: [`Store::put_new`] for what never changes (already there with the same
//! bytes is success), [`Store::replace`] and [`Store::copy`] for what may lag behind, and [`Store::swap`] for the one file
//! whose change is the commit. Everything goes through an [`ObjectStore`], so that a test can put itself in between.

mod bucket;
mod cache;
mod create;
mod headers;
mod lease;
mod load;
mod swap;
mod probe;
mod copy;
mod walk;
mod web;
mod http;
mod limit;
mod listing;
mod requests;
mod clock;
mod response_headers;
mod spool;
mod write;
mod folder;
mod parts;
mod content;
mod error;
mod diagnose;
mod location;
mod swift;
mod environment;
mod pace;
mod retry;

pub use cache::Cache;
pub(crate) use content::blocking;
pub use content::{Content, FileStamp};
pub use environment::Environment;
pub use error::Error;
pub use folder::Folder;
pub use headers::Headers;
pub use lease::LeaseTimes;
pub use limit::{Limit, unless_larger};
pub use load::Loaded;
pub use location::{Bucket, Location, Service};
pub use probe::ConditionalWrites;
pub use requests::Requests;
pub use response_headers::ResponseHeaders;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{GetOptions, GetResult, ObjectMeta, ObjectStore, UpdateVersion, path::Path};
use tokio::time::Instant;

use crate::digest::{Digests, Hasher, Md5Digest};
use error::io_cause;
use lease::LeaseConfig;
use limit::Meter;
use probe::Capabilities;
use requests::Watch;
use swift::Swift;
use walk::found;

/// The limits of the wait in the queue: the process at its head may be suspended.
const QUEUE_PAUSE: Duration = Duration::from_millis(20);
const QUEUE_TRIES: u32 = 500;

/// The storage of an archive.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Set if the store is a folder: it needs calls for durability and free space, which buckets provide themselves.
    folder: Option<Folder>,
    /// Set if the store is a Swift container, which may have its own CDN.
    swift: Option<Swift>,
    location: Location,
    headers: Arc<Headers>,
    watch: Watch,
    capabilities: Capabilities,
    lease: LeaseConfig,
    /// The cache for objects of a remote store.
    cache: Option<Cache>,
}

/// The revision of an object that was read; [`Store::swap`] succeeds only if the object still has it.
#[derive(Debug, Clone)]
pub struct Revision {
    state: UpdateVersion,
    /// The time of the write, as the store reports it.
    modified: SystemTime,
    /// The time of the read.
    read: Instant,
}

impl Revision {
    fn of(meta: &ObjectMeta) -> Self {
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
    /// The revision to pass to [`Store::swap`].
    pub revision: Revision,
    /// The caching headers of a web server's response.
    pub served: Option<ResponseHeaders>,
}

/// The metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
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

impl Found {
    /// Returns whether the store's own checksum proves that the object has these digests; `false` proves nothing.
    #[must_use]
    pub fn matches_checksum(&self, digests: &Digests) -> bool {
        self.size == digests.size && self.md5 == Some(digests.md5)
    }
}

/// The outcome of [`Store::put_new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object was created.
    Created,
    /// The same bytes already existed.
    Present,
}

/// The head of the queue, until this is dropped or the process ends.
#[derive(Debug)]
pub struct QueueLock {
    _lock: std::fs::File,
}

impl Store {
    /// Opens the store at a location; reads and writes nothing.
    ///
    /// # Errors
    /// The credentials or endpoints in the environment are invalid.
    pub fn open(location: &Location, environment: &Environment) -> Result<Self, Error> {
        let watch = Watch::default();
        let (mut folder, mut swift, mut endpoint) = (None, None, None);
        let objects: Arc<dyn ObjectStore> = match location {
            Location::Folder(path) => Arc::new(folder.insert(Folder::new(path)).clone()),
            Location::Memory => Arc::new(object_store::memory::InMemory::new()),
            Location::Bucket(bucket) => {
                let opened = bucket::open(bucket, environment, &watch)?;
                (swift, endpoint) = (opened.swift, opened.endpoint);
                opened.objects
            }
            Location::Web(url) => web::open(url, environment, &watch)?,
        };
        let (capabilities, headers) = (Capabilities::of(location, endpoint.as_deref()), Arc::default());
        let (location, lease) = (location.clone(), LeaseConfig::default());
        Ok(Self { objects, folder, swift, location, headers, watch, capabilities, lease, cache: None })
    }

    /// Sets the headers that objects are stored with; a folder stores none.
    #[must_use]
    pub fn with_headers(self, headers: Headers) -> Self {
        Self { headers: Arc::new(headers), ..self }
    }

    /// Sets the media types of objects, and keeps the other headers.
    #[must_use]
    pub fn with_content_type(self, content_type: fn(&str) -> &'static str) -> Self {
        let headers = Headers { content_type, ..Headers::clone(&self.headers) };
        self.with_headers(headers)
    }

    /// Permits the folders at the root that may be links to another disk, if the store is a folder; any other link
    /// that leads out of it is not followed.
    #[must_use]
    pub fn with_linked_folders(self, names: &'static [&'static str]) -> Self {
        if let Some(folder) = &self.folder {
            folder.may_link(names);
        }
        self
    }

    /// Returns the number of requests so far, by all clones of this store.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.watch.counter.so_far()
    }

    /// Returns the URL of the store's own CDN, if it has one and was written to.
    #[must_use]
    pub fn public_url(&self) -> Option<String> {
        let addresses = self.swift.as_ref()?.cdn_addresses()?;
        let address = addresses.https.as_ref().or(addresses.http.as_ref())?;
        let prefix = &self.location.bucket()?.prefix;
        Some(format!("{}/{prefix}", address.trim_end_matches('/')).trim_end_matches('/').to_owned())
    }

    /// Wraps the objects of this store; tests inject faults and races with it.
    #[must_use]
    pub fn wrapped(self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        // A wrapper may drop conditions, so capabilities are detected again and not shared.
        let capabilities = Capabilities::unshared(&self.location);
        Self { objects: wrap(self.objects), capabilities, ..self }
    }

    /// Returns the location of the store.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Returns whether the store is on this machine, without a network.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.location, Location::Folder(_) | Location::Memory)
    }

    /// Returns the underlying objects, for streaming reads.
    #[must_use]
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects)
    }

    /// Returns the objects for one request, and counts it; for a bucket, the HTTP client counts.
    fn request(&self, listing: bool) -> &dyn ObjectStore {
        if self.is_local() {
            self.watch.counter.count(listing);
        }
        &*self.objects
    }

    fn service(&self) -> Option<Service> {
        self.location.bucket().map(|bucket| bucket.service)
    }

    fn failed(&self, action: &'static str, path: &str, error: object_store::Error) -> Error {
        Error::failed(action, path, error, &self.location)
    }

    /// Returns whether a read failed because the object does not exist.
    fn is_absent(error: &object_store::Error) -> bool {
        use std::io::ErrorKind::{IsADirectory, NotADirectory};
        match error {
            // If the bucket does not exist, the object is not absent but unknown.
            object_store::Error::NotFound { .. } => !diagnose::no_bucket(error),
            // A part of the path is a file, or the path is a folder.
            _ => io_cause(error).is_some_and(|io| matches!(io.kind(), NotADirectory | IsADirectory)),
        }
    }

    /// Rejects writes to a read-only store.
    fn writable(&self, action: &'static str, path: &str) -> Result<(), Error> {
        match &self.location {
            Location::Web(location) => {
                Err(Error::ReadOnly { action, path: path.to_owned(), location: location.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Reads an object whole; `None` if it does not exist.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if it is larger than the limit.
    pub async fn read(&self, path: &str, limit: Limit) -> Result<Option<Object>, Error> {
        self.read_with(path, GetOptions::default(), limit).await
    }

    /// Reads the newest version of an object: servers with replicas ask all of them.
    pub(crate) async fn read_newest(&self, path: &str, limit: Limit) -> Result<Option<Object>, Error> {
        let mut options = GetOptions::default();
        options.extensions.insert(swift::Newest);
        self.read_with(path, options, limit).await
    }

    async fn read_with(
        &self,
        path: &str,
        options: GetOptions,
        limit: Limit,
    ) -> Result<Option<Object>, Error> {
        let Some(result) = self.get_within(path, options, limit).await? else { return Ok(None) };
        let revision = Revision::of(&result.meta);
        let served = result.extensions.get().cloned();
        let bytes = self.bytes_within(path, result, limit).await?;
        Ok(Some(Object { bytes, revision, served }))
    }

    async fn get_with(&self, path: &str, options: GetOptions) -> Result<Option<GetResult>, Error> {
        match self.request(false).get_opts(&parse(path)?, options).await {
            Ok(result) => Ok(Some(result)),
            Err(error) if Self::is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("read", path, error)),
        }
    }

    /// Returns the metadata of an object; `None` if it does not exist.
    pub async fn found(&self, path: &str) -> Result<Option<Found>, Error> {
        Ok(self.found_served(path).await?.map(|(found, _)| found))
    }

    /// The same, with the caching headers of a web server.
    pub async fn found_served(&self, path: &str) -> Result<Option<(Found, Option<ResponseHeaders>)>, Error> {
        let head = GetOptions { head: true, ..GetOptions::default() };
        match self.request(false).get_opts(&parse(path)?, head).await {
            Ok(told) => {
                let mut found = found(&told.meta, self.service());
                found.md5 = found.md5.or_else(|| told.extensions.get().map(|http::ContentMd5(md5)| *md5));
                Ok(Some((found, told.extensions.get().cloned())))
            }
            Err(error) if Self::is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("read", path, error)),
        }
    }

    /// Returns the size of an object; `None` if it does not exist.
    pub async fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        Ok(self.found(path).await?.map(|found| found.size))
    }

    /// Computes the digests of an object as a stream; `None` if it does not exist.
    pub async fn digests(&self, path: &str, limit: Limit) -> Result<Option<Digests>, Error> {
        Ok(self.digests_served(path, limit).await?.map(|(digests, _)| digests))
    }

    /// The same, with the caching headers of a web server.
    pub async fn digests_served(
        &self,
        path: &str,
        limit: Limit,
    ) -> Result<Option<(Digests, Option<ResponseHeaders>)>, Error> {
        let result = self.get_within(path, GetOptions::default(), limit).await?;
        let Some(result) = result else { return Ok(None) };
        let served = result.extensions.get().cloned();
        let (mut hasher, mut meter) = (Hasher::default(), Meter::new(path, limit));
        let mut stream = result.into_stream();
        while let Some(piece) = stream.try_next().await.map_err(|error| self.failed("read", path, error))? {
            meter.count(&piece)?;
            hasher.update(&piece);
        }
        Ok(Some((hasher.finish(), served)))
    }

    /// Waits in a queue after a lost race for an object of this store, so that the same writers do not collide again
    /// and again. Best effort, and correctness does not depend on it: only a folder has a queue, and the wait has a
    /// timeout.
    pub async fn queue_after_lost_race(&self) -> Option<QueueLock> {
        let folder = self.folder.as_ref()?;
        for _ in 0..QUEUE_TRIES {
            if let Some(lock) = folder.try_queue_lock() {
                return Some(QueueLock { _lock: lock });
            }
            tokio::time::sleep(QUEUE_PAUSE).await;
        }
        None
    }

    /// Flushes everything written so far to disk, so that it survives a power failure.
    pub async fn flush(&self) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        folder.flush().await.map_err(|source| Error::Failed {
            action: "flush",
            path: self.location.to_string(),
            source: Box::new(source),
        })
    }

    /// Fails early if the store has not enough free space, where the store reports it.
    pub async fn check_space(&self, objects: Vec<(String, u64)>) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        match folder.shortage(objects).await {
            Some((needed, free)) => Err(Error::Full { location: self.location.to_string(), needed, free }),
            None => Ok(()),
        }
    }

    /// Returns how many small objects one task writes: a write to a folder is faster than the creation of a task.
    #[must_use]
    pub fn batch_size(&self) -> usize {
        if self.folder.is_some() { 32 } else { 1 }
    }
}

fn parse(path: &str) -> Result<Path, Error> {
    // Not `Path::from`: it would encode `~`, and apt would request a name that does not exist.
    Path::parse(path).map_err(|_| Error::BadPath { path: path.to_owned() })
}
