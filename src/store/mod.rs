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
use probe::Verdict;
use requests::Watch;
use swift::Swift;
use walk::found;

/// How long anybody waits for a turn: somebody may have stopped the process that has it.
const TURN_PAUSE: Duration = Duration::from_millis(20);
const TURN_LOOKS: u32 = 500;

/// An archive's storage.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Set where the store is a folder: what a bucket does by itself (durability, a limit of space) is asked of it.
    folder: Option<Folder>,
    /// Set where the store is a container of Swift, which may have a CDN of its own.
    swift: Option<Swift>,
    location: Location,
    headers: Arc<Headers>,
    watch: Watch,
    verdict: Verdict,
    lease: LeaseConfig,
    /// Where what was read from far away is kept.
    cache: Option<Cache>,
}

/// The state in which an object was read; [`Store::swap`] succeeds only if the object still is in it.
#[derive(Debug, Clone)]
pub struct Revision {
    state: UpdateVersion,
    /// When it was written, as the store tells it.
    modified: SystemTime,
    /// When it was read.
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
    /// Its bytes.
    pub bytes: Bytes,
    /// What [`Store::swap`] compares.
    pub revision: Revision,
    /// What a web server said beside them.
    pub served: Option<ResponseHeaders>,
}

/// What a store tells of an object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Where it is.
    pub path: String,
    /// How many bytes it has.
    pub size: u64,
    /// The MD5 of its bytes, where the store tells it; of an object sent in parts none does, and Azure not in a listing.
    pub md5: Option<Md5Digest>,
    /// When it was written last.
    pub modified: SystemTime,
}

impl Found {
    /// Whether the store itself vouches that these are the bytes; that it does not proves nothing.
    #[must_use]
    pub fn matches_checksum(&self, digests: &Digests) -> bool {
        self.size == digests.size && self.md5 == Some(digests.md5)
    }
}

/// What [`Store::put_new`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object was not there and is now.
    Created,
    /// The same bytes were there already.
    Present,
}

/// A turn that lasts until this is dropped, or its process ends.
#[derive(Debug)]
pub struct Turn {
    _lock: std::fs::File,
}

impl Store {
    /// Opens the store at a location; nothing is read or written yet.
    ///
    /// # Errors
    /// What the environment says of credentials and endpoints cannot be used.
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
        let (verdict, headers) = (Verdict::of(location, endpoint.as_deref()), Arc::default());
        let (location, lease) = (location.clone(), LeaseConfig::default());
        Ok(Self { objects, folder, swift, location, headers, watch, verdict, lease, cache: None })
    }

    /// Says with which headers objects are stored, where the store keeps any; a folder does not.
    #[must_use]
    pub fn with_headers(self, headers: Headers) -> Self {
        Self { headers: Arc::new(headers), ..self }
    }

    /// Says which types the objects have, and leaves the other headers as they are.
    #[must_use]
    pub fn with_content_type(self, content_type: fn(&str) -> &'static str) -> Self {
        let headers = Headers { content_type, ..Headers::clone(&self.headers) };
        self.with_headers(headers)
    }

    /// Names the folders at the root that may be links to another disk, where the store is a folder; a link in any other
    /// place that leads out of it is not followed.
    #[must_use]
    pub fn with_linked_folders(self, names: &'static [&'static str]) -> Self {
        if let Some(folder) = &self.folder {
            folder.may_link(names);
        }
        self
    }

    /// How often the store was asked so far, by all clones of it.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.watch.counter.so_far()
    }

    /// Where the store's own CDN shows it, if it has one and was written to.
    #[must_use]
    pub fn public_url(&self) -> Option<String> {
        let addresses = self.swift.as_ref()?.cdn_addresses()?;
        let address = addresses.https.as_ref().or(addresses.http.as_ref())?;
        let prefix = &self.location.bucket()?.prefix;
        Some(format!("{}/{prefix}", address.trim_end_matches('/')).trim_end_matches('/').to_owned())
    }

    /// Puts something between this store and its objects; what tests make faults and races with.
    #[must_use]
    pub fn wrapped(self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        // What is in between may drop a condition, and what is found out with it holds for it alone.
        let verdict = Verdict::of_its_own(&self.location);
        Self { objects: wrap(self.objects), verdict, ..self }
    }

    /// Where the store is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Whether its bytes are at hand, without a network.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.location, Location::Folder(_) | Location::Memory)
    }

    /// The objects themselves, for what only reads and streams.
    #[must_use]
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects)
    }

    /// The objects, asked for something: of a bucket the HTTP client counts instead.
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

    /// Whether a read failed because nothing is there.
    fn is_absent(error: &object_store::Error) -> bool {
        use std::io::ErrorKind::{IsADirectory, NotADirectory};
        match error {
            // Without its bucket nothing can be said of an object.
            object_store::Error::NotFound { .. } => !diagnose::no_bucket(error),
            // A part of the path is a file, or the whole of it is a folder.
            _ => io_cause(error).is_some_and(|io| matches!(io.kind(), NotADirectory | IsADirectory)),
        }
    }

    /// Refuses what writes to a store that is only read.
    fn writable(&self, action: &'static str, path: &str) -> Result<(), Error> {
        match &self.location {
            Location::Web(location) => {
                Err(Error::ReadOnly { action, path: path.to_owned(), location: location.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Reads an object whole; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if it has more bytes than the limit.
    pub async fn read(&self, path: &str, limit: Limit) -> Result<Option<Object>, Error> {
        self.read_with(path, GetOptions::default(), limit).await
    }

    /// Reads an object whole, as it was written last: servers with several copies ask for all of them.
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

    /// What the store tells of an object; `None` where there is none.
    pub async fn found(&self, path: &str) -> Result<Option<Found>, Error> {
        Ok(self.found_served(path).await?.map(|(found, _)| found))
    }

    /// The same, with what a web server said of it.
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

    /// The size of an object; `None` where there is none.
    pub async fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        Ok(self.found(path).await?.map(|found| found.size))
    }

    /// Reads an object piece by piece for its digests; `None` where there is none.
    pub async fn digests(&self, path: &str, limit: Limit) -> Result<Option<Digests>, Error> {
        Ok(self.digests_served(path, limit).await?.map(|(digests, _)| digests))
    }

    /// The same, with what a web server said beside the bytes.
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

    /// Waits for a turn among those who have lost a race for an object of this store, so that they do not lose against each
    /// other again and again. A courtesy, and nothing is safe by it: only a folder knows who waits, and nobody waits for long.
    pub async fn turn(&self) -> Option<Turn> {
        let folder = self.folder.as_ref()?;
        for _ in 0..TURN_LOOKS {
            if let Some(lock) = folder.turn() {
                return Some(Turn { _lock: lock });
            }
            tokio::time::sleep(TURN_PAUSE).await;
        }
        None
    }

    /// Returns when everything written so far survives a power cut.
    pub async fn flush(&self) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        folder.flush().await.map_err(|source| Error::Failed {
            action: "flush",
            path: self.location.to_string(),
            source: Box::new(source),
        })
    }

    /// Refuses early what would fill the store up, where the store can tell.
    pub async fn room_for(&self, objects: Vec<(String, u64)>) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        match folder.lacks_room(objects).await {
            Some((needed, free)) => Err(Error::Full { location: self.location.to_string(), needed, free }),
            None => Ok(()),
        }
    }

    /// How many small objects one task writes in turn: a folder is done with one before a task could be made for it.
    #[must_use]
    pub fn run(&self) -> usize {
        if self.folder.is_some() { 32 } else { 1 }
    }
}

fn parse(path: &str) -> Result<Path, Error> {
    // Not `Path::from`: it would encode `~`, and apt would ask for a name that is not there.
    Path::parse(path).map_err(|_| Error::BadPath { path: path.to_owned() })
}
