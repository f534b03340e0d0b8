//! Atomic writes: to a temporary file, which is then renamed.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use object_store::{PutMode, PutPayload, Result};
use tempfile::NamedTempFile;

use super::root::{Folder, TEMP_PREFIX, e_tag, failed};
use crate::store::{
    content::{FileStamp, Reopened},
    offload::INLINE,
};

/// Put option, in the extensions of a put without payload: [`Folder`] copies this file.
#[derive(Debug, Clone)]
pub(crate) struct LocalFile {
    pub(crate) file: PathBuf,
    pub(crate) stamp: FileStamp,
}

/// Put option: the file is flushed to disk before it gets its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Durable;

impl Folder {
    pub(super) fn put(
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
}

/// Creates a hidden temporary file beside `path`, and the folder if it does not exist.
pub(super) fn temp_file(path: &Path) -> Result<NamedTempFile> {
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
pub(super) fn persist(file: NamedTempFile, path: &Path, create_only: bool) -> Result<()> {
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
