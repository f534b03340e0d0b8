//! A folder as an object store with the features of a bucket: create-only writes, compare-and-swap, atomic
//! replacement.
//!
//! Every object is written to a hidden temporary file beside its path and then renamed, so a reader never sees a
//! partial file, and a crash leaves at most a hidden file. Compare-and-swap is a comparison and a rename under an
//! operating system lock, which a killed process cannot leave behind.
//!
//! Files are flushed together ([`Folder::flush`]) instead of one by one: nothing is referenced before the release
//! file is swapped, and [`super::Store::swap`] flushes everything that it references first.

mod flush;
mod links;
mod free_space;
mod walk;

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use object_store::{
    Attributes, CopyMode, CopyOptions, Extensions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, local::LocalFileSystem, path::Path as ObjectPath,
};
use tempfile::NamedTempFile;

use super::content::{FileStamp, INLINE, Reopened, blocking};
use flush::flush;

/// The name prefix of temporary files.
const TEMP_PREFIX: &str = ".publish-";
/// The lock file at the folder's root that guards compare-and-swap.
const LOCK: &str = ".publish-lock";

/// Put option, in the extensions of a put without payload: [`Folder`] copies this file.
#[derive(Debug, Clone)]
pub(super) struct LocalFile {
    pub(super) file: PathBuf,
    pub(super) stamp: FileStamp,
}

/// Put option: the file is flushed to disk before it gets its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Durable;

/// A folder as an [`ObjectStore`].
#[derive(Clone)]
pub struct Folder(Arc<Inner>);

struct Inner {
    root: PathBuf,
    /// The folders at the root that may be links to another disk.
    links: OnceLock<&'static [&'static str]>,
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
    pub(super) async fn flush(&self) -> io::Result<()> {
        let files = std::mem::take(&mut *self.0.unflushed.lock().unwrap_or_else(PoisonError::into_inner));
        if files.is_empty() {
            return Ok(());
        }
        let root = self.0.root.clone();
        blocking(move || flush(&root, &files)).await
    }

    fn reader(&self) -> Result<Option<&LocalFileSystem>> {
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

    /// Reads the metadata on the current thread, without opening the file: a handover to another thread takes ten
    /// times as long.
    fn head(&self, location: &ObjectPath, options: &GetOptions) -> Result<GetResult> {
        let metadata = fs::metadata(self.readable(location)?).map_err(failed)?;
        if metadata.is_dir() {
            return Err(absent(location));
        }
        let meta = meta(location.clone(), &metadata)?;
        options.check_preconditions(&meta)?;
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::empty().boxed()),
            range: 0..meta.size,
            meta,
            attributes: Attributes::default(),
            extensions: Extensions::default(),
        })
    }

    fn path(&self, location: &ObjectPath) -> PathBuf {
        self.0.root.join(location.as_ref())
    }

    /// Records a file for the next [`Folder::flush`].
    fn record_unflushed(&self, path: PathBuf) {
        self.0.unflushed.lock().unwrap_or_else(PoisonError::into_inner).push(path);
    }

    fn put(
        &self,
        path: &Path,
        payload: &PutPayload,
        local: Option<&LocalFile>,
        mode: PutMode,
        durable: bool,
    ) -> Result<()> {
        let mut file = temp_file(path)?;
        payload.iter().try_for_each(|piece| file.write_all(piece)).map_err(failed)?;
        if let Some(LocalFile { file: from, stamp }) = local {
            let bad = |error| object_store::Error::Generic { store: "folder", source: Box::new(error) };
            let mut from = Reopened::open(from, *stamp).map_err(bad)?;
            if stamp.size() <= INLINE {
                file.write_all(&from.whole().map_err(bad)?).map_err(failed)?;
            } else {
                from.copy_to(file.as_file_mut()).map_err(failed)?;
                from.unchanged().map_err(bad)?;
            }
        }
        // Readers may see the file as soon as it has its name.
        if durable {
            file.as_file().sync_all().map_err(failed)?;
        }
        match mode {
            PutMode::Overwrite => persist(file, path, false)?,
            PutMode::Create => persist(file, path, true)?,
            PutMode::Update(expected) => {
                // Before the lock is taken, because a flush may take long.
                if !durable {
                    file.as_file().sync_all().map_err(failed)?;
                }
                let _lock = self.lock()?;
                let current = fs::metadata(path).map_err(failed)?;
                if Some(e_tag(&current)) != expected.e_tag {
                    let (path, source) = (path.display().to_string(), "changed".into());
                    return Err(object_store::Error::Precondition { path, source });
                }
                // apt sends `If-Modified-Since` with a resolution of a second, so no two revisions may share one; and
                // the time is part of the ETag, which tells revisions apart even if the inode number and the size are
                // the same.
                let next = u64::try_from(current.mtime()).unwrap_or_default() + 1;
                let new = file.as_file().metadata().map_err(failed)?;
                if u64::try_from(new.mtime()).unwrap_or_default() < next {
                    file.as_file().set_modified(UNIX_EPOCH + Duration::from_secs(next)).map_err(failed)?;
                }
                persist(file, path, false)?;
            }
        }
        self.record_unflushed(path.to_owned());
        Ok(())
    }

    /// Takes the queue lock, if no other process on this machine holds it; the system releases it when the process
    /// ends.
    pub(super) fn try_queue_lock(&self) -> Option<File> {
        let folder = File::open(&self.0.root).ok()?;
        folder.try_lock().ok()?;
        Some(folder)
    }

    /// Waits for the lock of the folder; the system releases it when the process ends, however it ends.
    fn lock(&self) -> Result<File> {
        let path = self.0.root.join(LOCK);
        let file = File::options().create(true).write(true).truncate(false).open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }
}

/// Creates a hidden temporary file beside `path`, and the folder if it does not exist.
fn temp_file(path: &Path) -> Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let make = || {
        // Readable by the web server, as far as the umask allows.
        let mode = fs::Permissions::from_mode(0o666);
        tempfile::Builder::new().prefix(TEMP_PREFIX).suffix(".tmp").permissions(mode).tempfile_in(folder)
    };
    let mut tries = 0;
    loop {
        match make() {
            // A concurrent delete of the last other file in the folder may remove it again.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < 9 => {
                tries += 1;
                fs::create_dir_all(folder).map_err(failed)?;
            }
            file => return file.map_err(failed),
        }
    }
}

/// Renames a finished temporary file to its final path atomically.
fn persist(file: NamedTempFile, path: &Path, create_only: bool) -> Result<()> {
    let named = if create_only { file.persist_noclobber(path) } else { file.persist(path) };
    match named {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(object_store::Error::AlreadyExists {
                path: path.display().to_string(),
                source: error.error.into(),
            })
        }
        Err(error) => Err(failed(error.error)),
    }
}

/// Returns the metadata of an object.
fn meta(location: ObjectPath, metadata: &fs::Metadata) -> Result<ObjectMeta> {
    Ok(ObjectMeta {
        location,
        last_modified: metadata.modified().map_err(failed)?.into(),
        size: metadata.len(),
        e_tag: Some(e_tag(metadata)),
        version: None,
    })
}

/// Returns the ETag of a file; the same text as [`LocalFileSystem`] computes.
fn e_tag(metadata: &fs::Metadata) -> String {
    let modified =
        metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("\"{:x}-{:x}-{:x}\"", metadata.ino(), modified.as_micros(), metadata.len())
}

fn failed(error: io::Error) -> object_store::Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            object_store::Error::NotFound { path: String::new(), source: error.into() }
        }
        _ => object_store::Error::Generic { store: "folder", source: error.into() },
    }
}

fn absent(location: &ObjectPath) -> object_store::Error {
    object_store::Error::NotFound { path: location.to_string(), source: "no such file".into() }
}

/// No caller uses the revision that a write returns.
fn no_revision() -> PutResult {
    PutResult { e_tag: None, version: None, extensions: Extensions::default() }
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

#[async_trait::async_trait]
impl ObjectStore for Folder {
    async fn put_opts(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        // A folder stores no attributes: the web server sets the headers.
        let (folder, path) = (self.clone(), self.place(location)?);
        let local = options.extensions.get::<LocalFile>().cloned();
        let size = payload.content_length() as u64 + local.as_ref().map_or(0, |local| local.stamp.size());
        let takes_lock = matches!(options.mode, PutMode::Update(_));
        let durable = options.extensions.get::<Durable>().is_some();
        let put = move || folder.put(&path, &payload, local.as_ref(), options.mode, durable);
        // A swap waits for a lock.
        if takes_lock || size > INLINE {
            blocking(put).await?;
        } else {
            put()?;
        }
        Ok(no_revision())
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        // Local files are copied whole, and no other large content is written to a folder.
        let operation = format!("writing `{location}` in parts");
        Err(object_store::Error::NotImplemented { operation, implementer: self.to_string() })
    }

    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        if options.head {
            return self.head(location, &options);
        }
        let path = self.readable(location)?;
        // Opened here without blocking: `LocalFileSystem` would wait for the writer of a named pipe.
        match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                crate::regular::open(&path).map_err(failed)?;
            }
            _ => {}
        }
        match self.reader()? {
            Some(reader) => reader.get_opts(location, options).await,
            None => Err(absent(location)),
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<ObjectPath>>,
    ) -> BoxStream<'static, Result<ObjectPath>> {
        let folder = self.clone();
        let delete = move |location: Result<ObjectPath>| {
            let folder = folder.clone();
            async move {
                let location = location?;
                folder.place(&location)?;
                match folder.reader()? {
                    Some(reader) => reader.delete(&location).await.map(|()| location),
                    None => Err(absent(&location)),
                }
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.walk(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        let (folder, prefix) = (self.clone(), prefix.cloned());
        blocking(move || folder.list_folder(prefix.as_ref())).await
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> Result<()> {
        let (folder, from, to) = (self.clone(), self.readable(from)?, self.place(to)?);
        blocking(move || {
            let mut source = crate::regular::open(&from).map_err(failed)?;
            let mut file = temp_file(&to)?;
            // The kernel copies, and shares blocks where the file system supports that.
            io::copy(&mut source, file.as_file_mut()).map_err(failed)?;
            persist(file, &to, options.mode == CopyMode::Create)?;
            folder.record_unflushed(to);
            Ok(())
        })
        .await
    }
}
