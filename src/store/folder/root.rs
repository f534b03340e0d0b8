//! The folder itself: its root, its lock, and the files that are not flushed yet.

use std::{
    fmt,
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::UNIX_EPOCH,
};

use object_store::{ObjectMeta, Result, local::LocalFileSystem, path::Path as ObjectPath};
use rustix::fs::OFlags;

use super::flush::flush;
use crate::store::offload::blocking;

/// The name prefix of temporary files.
pub(super) const TEMP_PREFIX: &str = ".publish-";
/// The lock file at the folder's root that guards compare-and-swap.
const LOCK: &str = ".publish-lock";

/// A folder as an [`ObjectStore`](object_store::ObjectStore).
#[derive(Clone)]
pub struct Folder(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) root: PathBuf,
    /// The folders at the root that may be links to another disk.
    pub(super) links: OnceLock<&'static [&'static str]>,
    /// Reads and lists; created once the folder exists.
    reader: OnceLock<LocalFileSystem>,
    /// The files written since the last [`Folder::flush`].
    unflushed: Mutex<Vec<PathBuf>>,
}

impl Folder {
    /// Opens the folder at a path, which need not exist before the first write.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        let inner = Inner {
            root: root.to_owned(),
            links: OnceLock::new(),
            reader: OnceLock::new(),
            unflushed: Mutex::default(),
        };
        Self(Arc::new(inner))
    }

    /// Flushes everything written so far to disk, so that it survives a power failure.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        let files = std::mem::take(&mut *self.0.unflushed.lock().unwrap_or_else(PoisonError::into_inner));
        if files.is_empty() {
            return Ok(());
        }
        let root = self.0.root.clone();
        blocking(move || flush(&root, &files)).await
    }

    pub(super) fn reader(&self) -> Result<Option<&LocalFileSystem>> {
        if let Some(reader) = self.0.reader.get() {
            return Ok(Some(reader));
        }
        match self.0.root.try_exists() {
            Ok(true) => {
                // A folder is removed with its last file.
                let reader = LocalFileSystem::new_with_prefix(&self.0.root)?.with_automatic_cleanup(true);
                Ok(Some(self.0.reader.get_or_init(|| reader)))
            }
            Ok(false) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    pub(super) fn path(&self, location: &ObjectPath) -> PathBuf {
        self.0.root.join(location.as_ref())
    }

    /// Records a file for the next [`Folder::flush`].
    pub(super) fn record_unflushed(&self, path: PathBuf) {
        self.0.unflushed.lock().unwrap_or_else(PoisonError::into_inner).push(path);
    }

    /// Takes the queue lock, if no other process on this machine holds it; the system releases it when the process
    /// ends.
    pub(crate) fn try_queue_lock(&self) -> Option<File> {
        let folder = File::open(&self.0.root).ok()?;
        folder.try_lock().ok()?;
        Some(folder)
    }

    /// Waits for the lock of the folder; the system releases it when the process ends, however it ends.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.0.root.join(LOCK);
        // Without these flags, opening a named pipe waits for a reader, and a link may lead anywhere.
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits()).unwrap_or_default();
        let mut options = File::options();
        options.create(true).write(true).truncate(false).custom_flags(flags);
        let not_a_lock = || {
            let why = format!("the lock file `{}` is not a regular file: delete it", path.display());
            failed(io::Error::other(why))
        };
        let file = match options.open(&path) {
            Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => file,
            Ok(_) => return Err(not_a_lock()),
            Err(_) if fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_file()) => {
                return Err(not_a_lock());
            }
            Err(error) => return Err(failed(error)),
        };
        file.lock().map_err(failed)?;
        Ok(file)
    }
}

/// Returns the metadata of an object.
pub(super) fn meta(location: ObjectPath, metadata: &fs::Metadata) -> Result<ObjectMeta> {
    Ok(ObjectMeta {
        location,
        last_modified: metadata.modified().map_err(failed)?.into(),
        size: metadata.len(),
        e_tag: Some(e_tag(metadata)),
        version: None,
    })
}

/// Returns the `ETag` of a file; the same text as [`LocalFileSystem`] computes.
pub(super) fn e_tag(metadata: &fs::Metadata) -> String {
    let modified =
        metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("\"{:x}-{:x}-{:x}\"", metadata.ino(), modified.as_micros(), metadata.len())
}

pub(super) fn failed(error: io::Error) -> object_store::Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            object_store::Error::NotFound { path: String::new(), source: error.into() }
        }
        _ => object_store::Error::Generic { store: "folder", source: error.into() },
    }
}

pub(super) fn absent(location: &ObjectPath) -> object_store::Error {
    object_store::Error::NotFound { path: location.to_string(), source: "no such file".into() }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "folder {}", self.0.root.display())
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
