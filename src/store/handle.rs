//! An open store: its location, its settings, and plain reads; other modules add the writes.

use std::{sync::Arc, time::Duration};

use futures::TryStreamExt;
use object_store::{GetOptions, GetResult, ObjectStore};

use super::{
    bucket,
    cache::Cache,
    capabilities::Capabilities,
    connections::{self, Connection, Connections},
    diagnose,
    environment::Environment,
    error::{Error, io_cause},
    folder::Folder,
    headers::Headers,
    http,
    lease_times::LeaseConfig,
    limit::{Limit, Meter},
    location::{Location, Service},
    object::{HandedOver, Object, Revision, StoredObject, parse, stored_object},
    requests::{Requests, Watch},
    response_headers::ResponseHeaders,
    swift::{self, Swift},
    web,
};
use crate::digest::{Digests, Hasher};

/// The limits of the wait in the queue: the process at its head may be suspended.
const QUEUE_PAUSE: Duration = Duration::from_millis(20);
const QUEUE_TRIES: u32 = 500;

/// The storage of an archive.
#[derive(Clone)]
pub struct Store {
    pub(super) objects: Arc<dyn ObjectStore>,
    /// Set if the store is a folder: it needs calls for durability and free space, which buckets provide themselves.
    pub(super) folder: Option<Folder>,
    /// Set if the store is a Swift container, which may have its own CDN.
    pub(super) swift: Option<Swift>,
    pub(super) location: Location,
    /// The endpoint of a bucket, unless it is the default one.
    pub(super) endpoint: Option<String>,
    pub(super) headers: Arc<Headers>,
    pub(super) watch: Watch,
    pub(super) capabilities: Capabilities,
    pub(super) lease: LeaseConfig,
    /// The cache for objects of a remote store.
    pub(super) cache: Option<Cache>,
    /// The limit of connections to a web server.
    pub(super) connections: Option<Connections>,
    /// Whether a cached response of a web server is valid until the server says that it has changed.
    pub(super) revalidates: bool,
    /// Objects that were just read, each for the next read of it.
    pub(super) handed_over: HandedOver,
}

/// The head of the queue, until this is dropped or the process ends.
#[derive(Debug)]
pub struct QueueLock {
    _lock: std::fs::File,
}

impl Store {
    /// Opens the store at a location; reads and writes no object.
    ///
    /// # Errors
    /// The credentials or endpoints in the environment are invalid, or the folder is a file.
    pub fn open(location: &Location, environment: &Environment) -> Result<Self, Error> {
        let watch = Watch::default();
        let (mut folder, mut swift, mut endpoint, mut connections) = (None, None, None, None);
        let objects: Arc<dyn ObjectStore> = match location {
            Location::Folder(path) if path.is_file() => {
                let why = "it is a file, not a folder".to_owned();
                return Err(Error::Unusable { location: location.to_string(), why, hint: None });
            }
            Location::Folder(path) => Arc::new(folder.insert(Folder::new(path)).clone()),
            Location::Memory => Arc::new(object_store::memory::InMemory::new()),
            Location::Bucket(bucket) => {
                let opened = bucket::open(bucket, environment, &watch)?;
                (swift, endpoint) = (opened.swift, opened.endpoint);
                opened.objects
            }
            Location::Web(url) => {
                connections = Some(Connections::to(url, environment)?);
                web::open(url, environment, &watch)?
            }
        };
        let (capabilities, headers) = (Capabilities::of(location, endpoint.as_deref()), Arc::default());
        let (location, lease) = (location.clone(), LeaseConfig::default());
        Ok(Self {
            objects,
            folder,
            swift,
            location,
            endpoint,
            headers,
            watch,
            capabilities,
            lease,
            cache: None,
            connections,
            revalidates: false,
            handed_over: HandedOver::default(),
        })
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
    pub(super) fn request(&self, listing: bool) -> &dyn ObjectStore {
        if self.is_local() {
            self.watch.counter.count(listing);
        }
        &*self.objects
    }

    pub(super) fn service(&self) -> Option<Service> {
        self.location.bucket().map(|bucket| bucket.service)
    }

    pub(super) fn failed(&self, action: &'static str, path: &str, error: object_store::Error) -> Error {
        Error::failed(action, path, error, &self.location)
    }

    /// Returns whether a read failed because the object does not exist.
    pub(super) fn is_absent(error: &object_store::Error) -> bool {
        use std::io::ErrorKind::{IsADirectory, NotADirectory};
        match error {
            // If the bucket does not exist, the object is not absent but unknown.
            object_store::Error::NotFound { .. } => !diagnose::no_bucket(error),
            // A part of the path is a file, or the path is a folder.
            _ => io_cause(error).is_some_and(|io| matches!(io.kind(), NotADirectory | IsADirectory)),
        }
    }

    /// Rejects writes to a read-only store.
    pub(super) fn writable(&self, action: &'static str, path: &str) -> Result<(), Error> {
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
        if let Some(object) = self.take_over(path) {
            return Ok(Some(object));
        }
        match self.answers() {
            Some(answers) => self.read_if_changed(path, limit, answers).await,
            None => self.read_with(path, GetOptions::default(), limit).await,
        }
    }

    /// Reads an object whole; `None` if it does not exist. Unlike [`Store::read`], a name that a folder or a link to
    /// nowhere has is an error: a write there would fail.
    pub(crate) async fn read_writable(&self, path: &str, limit: Limit) -> Result<Option<Object>, Error> {
        let read = self.read(path, limit).await?;
        match self.folder.as_ref().filter(|_| read.is_none()).and_then(|folder| folder.occupied(path)) {
            Some(source) => {
                Err(Error::Failed { action: "read", path: path.to_owned(), source: Box::new(source) })
            }
            None => Ok(read),
        }
    }

    /// Reads the newest version of an object: servers with replicas ask all of them.
    pub(crate) async fn read_newest(&self, path: &str, limit: Limit) -> Result<Option<Object>, Error> {
        let mut options = GetOptions::default();
        options.extensions.insert(swift::Newest);
        self.read_with(path, options, limit).await
    }

    pub(super) async fn read_with(
        &self,
        path: &str,
        options: GetOptions,
        limit: Limit,
    ) -> Result<Option<Object>, Error> {
        match self.get_within(path, options, limit).await? {
            Some(result) => self.object_within(path, result, limit).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads a requested object.
    pub(super) async fn object_within(
        &self,
        path: &str,
        result: GetResult,
        limit: Limit,
    ) -> Result<Object, Error> {
        let revision = Revision::of(&result.meta);
        let served = result.extensions.get().cloned();
        let bytes = self.bytes_within(path, result, limit).await?;
        Ok(Object { bytes, revision, served })
    }

    pub(super) async fn get_with(&self, path: &str, options: GetOptions) -> Result<Option<GetResult>, Error> {
        match self.try_get(path, options).await? {
            Ok(result) => Ok(Some(result)),
            Err(error) if Self::is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("read", path, error)),
        }
    }

    /// Requests an object; the inner error is that of the store.
    pub(super) async fn try_get(
        &self,
        path: &str,
        options: GetOptions,
    ) -> Result<object_store::Result<GetResult>, Error> {
        let path = parse(path)?;
        let connection = self.connection().await;
        let result = self.request(false).get_opts(&path, options).await;
        Ok(result.map(|result| connections::hold(result, connection)))
    }

    /// Waits until a connection to a web server is free.
    pub(super) async fn connection(&self) -> Option<Connection> {
        self.connections.as_ref()?.take().await
    }

    /// Returns the metadata of an object; `None` if it does not exist.
    pub async fn head(&self, path: &str) -> Result<Option<StoredObject>, Error> {
        Ok(self.head_with_headers(path).await?.map(|(found, _)| found))
    }

    /// The same, with the caching headers of a web server.
    pub async fn head_with_headers(
        &self,
        path: &str,
    ) -> Result<Option<(StoredObject, Option<ResponseHeaders>)>, Error> {
        let head = GetOptions { head: true, ..GetOptions::default() };
        let _connection = self.connection().await;
        match self.request(false).get_opts(&parse(path)?, head).await {
            Ok(response) => {
                let mut found = stored_object(&response.meta, self.service());
                found.md5 = found.md5.or_else(|| response.extensions.get().map(|http::ContentMd5(md5)| *md5));
                Ok(Some((found, response.extensions.get().cloned())))
            }
            Err(error) if Self::is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("read", path, error)),
        }
    }

    /// Returns the size of an object; `None` if it does not exist.
    pub async fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        Ok(self.head(path).await?.map(|found| found.size))
    }

    /// Computes the digests of an object as a stream; `None` if it does not exist.
    pub async fn digests(&self, path: &str, limit: Limit) -> Result<Option<Digests>, Error> {
        Ok(self.digests_with_headers(path, limit, |_| ()).await?.map(|(digests, _)| digests))
    }

    /// The same, with the caching headers of a web server; `see` gets each piece.
    pub async fn digests_with_headers(
        &self,
        path: &str,
        limit: Limit,
        mut see: impl FnMut(&[u8]),
    ) -> Result<Option<(Digests, Option<ResponseHeaders>)>, Error> {
        let result = self.get_within(path, GetOptions::default(), limit).await?;
        let Some(result) = result else { return Ok(None) };
        let served = result.extensions.get().cloned();
        let (mut hasher, mut meter) = (Hasher::default(), Meter::new(path, limit));
        let mut stream = self.pieces(path, result);
        while let Some(piece) = stream.try_next().await? {
            meter.count(&piece)?;
            hasher.update(&piece);
            see(&piece);
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

    /// Whether the store has links.
    pub(crate) fn has_links(&self) -> bool {
        self.folder.is_some()
    }

    /// Makes each path in a folder a link to its target, a path below the folder of the link, or no link.
    pub(crate) async fn link_all(
        &self,
        links: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        folder.link_all(links.into_iter().collect()).await.map_err(|(path, source)| Error::Failed {
            action: "link",
            path,
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
