//! Bytes at paths, in a folder or (later) a bucket; knows no Debian word.
//!
//! Three verbs write, for three kinds of file: [`Store::put_new`] for what never changes (already there with the same
//! bytes is success), [`Store::replace`] and [`Store::copy`] for what may lag behind, and [`Store::swap`] for the one file
//! whose change is the commit. Everything goes through an [`ObjectStore`], so that a test can put itself in between.

mod content;
mod environment;
mod folder;
mod load;
mod location;

pub(crate) use content::blocking;
pub use content::{Content, FileStamp};
pub use environment::Environment;
pub use folder::Folder;
pub use load::Loaded;
pub use location::Location;

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::{
    GetResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion, path::Path,
};

use crate::digest::{Digests, Hasher};

/// Files from this size on are sent in parts, so that memory stays constant.
const PART: usize = 8 << 20;

/// An archive's storage.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Set where the store is a folder: what a bucket does by itself (durability, a limit of space) is asked of it.
    folder: Option<Folder>,
    location: Location,
}

/// The state in which an object was read; [`Store::swap`] succeeds only if the object still is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    e_tag: Option<String>,
    version: Option<String>,
}

/// An object that was read whole.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its bytes.
    pub bytes: Bytes,
    /// What [`Store::swap`] compares.
    pub revision: Revision,
}

/// What [`Store::put_new`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object was not there and is now.
    Created,
    /// The same bytes were there already.
    Present,
}

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object changed since it was read: somebody else won the race.
    #[error("`{path}` was changed by somebody else meanwhile")]
    Conflict {
        /// The object that was to be swapped.
        path: String,
    },
    /// A path that never changes holds other bytes.
    #[error("`{path}` holds other bytes already: {}, the new file has {}", brief(there), brief(new))]
    Occupied {
        /// The path of the object.
        path: String,
        /// What the store holds.
        there: Box<Digests>,
        /// What was to be written.
        new: Box<Digests>,
    },
    /// Not enough space for what is to be written.
    #[error("{} are needed in `{location}`, {} are free", bytes(*needed), bytes(*free))]
    Full {
        /// The store.
        location: String,
        /// Bytes that would be written.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A local file that is no longer what it was when it was read first.
    #[error("`{path}` changed while it was being read")]
    Changed {
        /// The local file.
        path: String,
    },
    /// A local file that cannot be read.
    #[error("cannot read `{path}`")]
    Source {
        /// The local file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A text that cannot be the path of an object.
    #[error("`{}` cannot be the path of an object", path.escape_debug())]
    BadPath {
        /// The text.
        path: String,
    },
    /// The store refused or failed.
    #[error("cannot {action} `{path}`")]
    Failed {
        /// What was being done.
        action: &'static str,
        /// The object.
        path: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Conflict { .. } => Some("run the same command again".into()),
            Self::Occupied { .. } => Some(
                "a published file never changes; build it as a new version, such as one with `+1` added, or take the file away if nothing lists it"
                    .into(),
            ),
            Self::Full { .. } => {
                Some("make room, or put the archive on a larger disk; nothing was written".into())
            }
            Self::Changed { .. } => {
                Some("wait until the file is complete, then run the same command again".into())
            }
            Self::Failed { source, .. } => {
                let kind = source.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
                (kind == Some(std::io::ErrorKind::PermissionDenied)).then(|| {
                    "run `publish` as a user who may write there, or correct the owner of the folder".into()
                })
            }
            Self::Source { .. } | Self::BadPath { .. } => None,
        }
    }

    /// Whether a read failed because nothing is there.
    fn failed(action: &'static str, path: &str, error: object_store::Error) -> Self {
        Self::Failed { action, path: path.to_owned(), source: root_cause(error) }
    }
}

/// The input/output error inside an error of the object store where there is one: it alone says something to a user.
fn root_cause(error: object_store::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let Some(io) = io_cause(&error) else { return Box::new(error) };
    Box::new(
        io.raw_os_error().map_or_else(
            || std::io::Error::new(io.kind(), io.to_string()),
            std::io::Error::from_raw_os_error,
        ),
    )
}

fn io_cause(error: &object_store::Error) -> Option<&std::io::Error> {
    let mut inner: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = inner {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        inner = cause.source();
    }
    None
}

fn brief(digests: &Digests) -> String {
    format!("{} bytes with SHA256 {}", digests.size, digests.sha256)
}

/// A number of bytes for people.
#[must_use]
pub fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

impl Store {
    /// Opens the store at a location; nothing is read or written yet.
    ///
    /// # Errors
    /// What the environment says of credentials and endpoints cannot be used.
    pub fn open(location: &Location, _environment: &Environment) -> Result<Self, Error> {
        Ok(match location {
            Location::Folder(path) => {
                let folder = Folder::new(path);
                Self { objects: Arc::new(folder.clone()), folder: Some(folder), location: location.clone() }
            }
            Location::Memory => Self {
                objects: Arc::new(object_store::memory::InMemory::new()),
                folder: None,
                location: location.clone(),
            },
        })
    }

    /// Puts something between this store and its objects; what tests make faults and races with.
    #[must_use]
    pub fn wrapped(self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        Self { objects: wrap(self.objects), ..self }
    }

    /// Where the store is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The objects themselves, for what only reads and streams.
    #[must_use]
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects)
    }

    /// Reads an object whole; `None` where there is none.
    pub async fn read(&self, path: &str) -> Result<Option<Object>, Error> {
        let failed = |error| Error::failed("read", path, error);
        let Some(result) = self.get(path).await? else { return Ok(None) };
        let revision = Revision { e_tag: result.meta.e_tag.clone(), version: result.meta.version.clone() };
        Ok(Some(Object { bytes: result.bytes().await.map_err(failed)?, revision }))
    }

    async fn get(&self, path: &str) -> Result<Option<GetResult>, Error> {
        match self.objects.get(&parse(path)?).await {
            Ok(result) => Ok(Some(result)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(Error::failed("read", path, error)),
        }
    }

    /// The size of an object; `None` where there is none.
    pub async fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        match self.objects.head(&parse(path)?).await {
            Ok(object) => Ok(Some(object.size)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(Error::failed("read", path, error)),
        }
    }

    /// Reads an object piece by piece for its digests; `None` where there is none.
    pub async fn digests(&self, path: &str) -> Result<Option<Digests>, Error> {
        let failed = |error| Error::failed("read", path, error);
        let Some(result) = self.get(path).await? else { return Ok(None) };
        let mut hasher = Hasher::default();
        let mut stream = result.into_stream();
        while let Some(piece) = stream.try_next().await.map_err(failed)? {
            hasher.update(&piece);
        }
        Ok(Some(hasher.finish()))
    }

    /// The names directly below a folder: folders, then objects.
    pub async fn list(&self, folder: &str) -> Result<(Vec<String>, Vec<String>), Error> {
        let path = parse(folder)?;
        let found = match self.objects.list_with_delimiter(Some(&path)).await {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok((Vec::new(), Vec::new())),
            Err(error) => return Err(Error::failed("list", folder, error)),
        };
        let name = |path: &Path| path.filename().map(ToOwned::to_owned);
        let mut folders: Vec<String> = found.common_prefixes.iter().filter_map(name).collect();
        let mut objects: Vec<String> =
            found.objects.iter().filter_map(|object| name(&object.location)).collect();
        folders.sort_unstable();
        objects.sort_unstable();
        Ok((folders, objects))
    }

    /// Writes an object that will never change.
    ///
    /// The same bytes at that path already are success; other bytes are [`Error::Occupied`].
    pub async fn put_new(&self, path: &str, content: &Content) -> Result<Put, Error> {
        let at = parse(path)?;
        let written = match content {
            Content::Bytes(bytes, _) => self.put(&at, bytes.clone(), PutMode::Create).await,
            Content::File { file, stamp, .. } if self.folder.is_some() => {
                // A folder copies it better than we can.
                let mut options = PutOptions::from(PutMode::Create);
                options.extensions.insert(folder::LocalFile { file: file.clone(), stamp: *stamp });
                self.objects.put_opts(&at, PutPayload::new(), options).await.map(drop)
            }
            Content::File { file, digests, stamp } if digests.size < PART as u64 => {
                let bytes = content::read_file(file, *stamp).await?;
                self.put(&at, bytes, PutMode::Create).await
            }
            Content::File { file, stamp, .. } => {
                // No store can create in parts only where nothing is; but what is written here is the same for all.
                match self.size(path).await? {
                    Some(_) => {
                        Err(object_store::Error::AlreadyExists { path: path.into(), source: "".into() })
                    }
                    None => self.put_parts(&at, file, *stamp).await?,
                }
            }
        };
        match written {
            Ok(()) => Ok(Put::Created),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                self.same(path, content.digests()).await
            }
            Err(error) => {
                Err(content_error(error).unwrap_or_else(|error| Error::failed("write", path, error)))
            }
        }
    }

    /// Whether the object at a path is what was to be written there; the size first, then all bytes.
    async fn same(&self, path: &str, new: &Digests) -> Result<Put, Error> {
        match self.digests(path).await? {
            Some(there) if there == *new => Ok(Put::Present),
            Some(there) => {
                Err(Error::Occupied { path: path.into(), there: Box::new(there), new: Box::new(*new) })
            }
            None => Err(Error::Failed {
                action: "write",
                path: path.into(),
                source: "something that is no file is in its place".into(),
            }),
        }
    }

    /// Finds out whether [`Store::put_new`] would succeed, without writing: `None` where nothing is there.
    pub async fn would_put(&self, path: &str, new: &Digests) -> Result<Option<Put>, Error> {
        match self.size(path).await? {
            None => Ok(None),
            Some(_) => self.same(path, new).await.map(Some),
        }
    }

    /// Writes an object that may lag behind the commit.
    pub async fn replace(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let written = self.put(&parse(path)?, bytes, PutMode::Overwrite).await;
        written.map_err(|error| Error::failed("write", path, error))
    }

    /// Writes any content over an object that may lag behind the commit.
    pub async fn replace_with(&self, path: &str, content: &Content) -> Result<(), Error> {
        match content {
            Content::Bytes(bytes, _) => self.replace(path, bytes.clone()).await,
            Content::File { file, stamp, .. } => {
                let bytes = content::read_file(file, *stamp).await?;
                self.replace(path, bytes).await
            }
        }
    }

    /// Copies one object over another, in the store itself.
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let copied = self.objects.copy(&parse(from)?, &parse(to)?).await;
        copied.map_err(|error| Error::failed("write", to, error))
    }

    /// Writes an object if it still is in the state `expected` (`None`: if there still is none).
    ///
    /// All that was written before survives a power cut before this is visible.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the race was lost; nothing is changed then.
    pub async fn swap(&self, path: &str, bytes: Bytes, expected: Option<&Revision>) -> Result<(), Error> {
        self.settle().await?;
        let mode = match expected {
            None => PutMode::Create,
            Some(Revision { e_tag, version }) => {
                PutMode::Update(UpdateVersion { e_tag: e_tag.clone(), version: version.clone() })
            }
        };
        match self.put(&parse(path)?, bytes.clone(), mode).await {
            Ok(()) => self.settle().await,
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. }
                | object_store::Error::NotFound { .. },
            ) => {
                // The first answer may have been lost on its way, and this the refusal of a repetition.
                match self.read(path).await? {
                    Some(object) if object.bytes == bytes => Ok(()),
                    _ => Err(Error::Conflict { path: path.to_owned() }),
                }
            }
            Err(error) => Err(Error::failed("write", path, error)),
        }
    }

    /// Removes an object; that there is none is fine.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        match self.objects.delete(&parse(path)?).await {
            Err(error) if !is_absent(&error) => Err(Error::failed("delete", path, error)),
            _ => Ok(()),
        }
    }

    /// Returns when everything written so far survives a power cut.
    pub async fn settle(&self) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        folder.settle().await.map_err(|source| Error::Failed {
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

    async fn put(&self, path: &Path, bytes: Bytes, mode: PutMode) -> object_store::Result<()> {
        self.objects.put_opts(path, PutPayload::from(bytes), PutOptions::from(mode)).await.map(drop)
    }

    /// Sends a large local file piece by piece; memory holds one piece.
    async fn put_parts(
        &self,
        path: &Path,
        file: &std::path::Path,
        stamp: FileStamp,
    ) -> Result<object_store::Result<()>, Error> {
        let mut upload = match self.objects.put_multipart(path).await {
            Ok(upload) => upload,
            Err(error) => return Ok(Err(error)),
        };
        let mut parts = content::parts(file, stamp, PART);
        while let Some(part) = parts.next().await {
            let sent = match part {
                Ok(part) => upload.put_part(part.into()).await.map_err(Ok),
                Err(error) => Err(Err(error)),
            };
            if let Err(error) = sent {
                // The first error is the one to tell; what was begun is given up.
                let _ = upload.abort().await;
                return error.map(Err);
            }
        }
        Ok(upload.complete().await.map(drop))
    }
}

fn parse(path: &str) -> Result<Path, Error> {
    // Not `Path::from`: it would encode `~`, and apt would ask for a name that is not there.
    Path::parse(path).map_err(|_| Error::BadPath { path: path.to_owned() })
}

/// What was wrong with the local file, where a folder was told to copy it.
fn content_error(error: object_store::Error) -> Result<Error, object_store::Error> {
    match error {
        object_store::Error::Generic { store, source } => match source.downcast::<Error>() {
            Ok(error) => Ok(*error),
            Err(source) => Err(object_store::Error::Generic { store, source }),
        },
        error => Err(error),
    }
}

/// Whether nothing is there: also where a part of the path is a file, or the whole of it is a folder.
fn is_absent(error: &object_store::Error) -> bool {
    use std::io::ErrorKind::{IsADirectory, NotADirectory};
    matches!(error, object_store::Error::NotFound { .. })
        || io_cause(error).is_some_and(|io| matches!(io.kind(), NotADirectory | IsADirectory))
}
