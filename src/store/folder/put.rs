//! Atomic writes: to a temporary file, which is then renamed.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Component, Path},
    time::{Duration, UNIX_EPOCH},
};

use object_store::{PutMode, PutPayload, Result, path::Path as ObjectPath};
use tempfile::NamedTempFile;

use super::root::{Folder, TEMP_PREFIX, e_tag, failed};
use crate::store::{
    content::{LocalFile, Reopened},
    offload::{INLINE, blocking},
};

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
        let mut file = self.temp_file(path)?;
        payload.iter().try_for_each(|piece| file.write_all(piece)).map_err(failed)?;
        if let Some(LocalFile { file: from, stamp, .. }) = local {
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

impl Folder {
    /// Creates a hidden temporary file beside `path`, and the folder if it does not exist.
    pub(super) fn temp_file(&self, path: &Path) -> Result<NamedTempFile> {
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
                    self.create_folder(folder).map_err(failed)?;
                }
                Err(error) => return Err(failed(not_a_folder(folder).unwrap_or(error))),
                Ok(file) => return Ok(file),
            }
        }
    }

    /// Creates a folder and those above it. A link to a folder that does not exist keeps its meaning: a folder is
    /// removed with its last file, also one that a link leads to.
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let Err(error) = fs::create_dir_all(folder) else { return Ok(()) };
        let dangles = |path: &&Path| path.is_symlink() && !path.exists();
        let Some(link) = folder.ancestors().take_while(|path| path.starts_with(&self.0.root)).find(dangles)
        else {
            return Err(not_a_folder(folder).unwrap_or(error));
        };
        let target = link.parent().unwrap_or(&self.0.root).join(fs::read_link(link)?);
        let dangling = || io::Error::other(format!("`{}` is a link that leads nowhere", link.display()));
        self.inside(&target).map_err(|_| dangling())?;
        if !target.starts_with(&self.0.root) || target.components().any(|part| part == Component::ParentDir) {
            return Err(dangling());
        }
        fs::create_dir_all(&target)?;
        fs::create_dir_all(folder)
    }
}

impl Folder {
    /// Deletes a file if it has this `ETag`; returns whether it had.
    pub(crate) async fn delete_revision(&self, location: &ObjectPath, seen: Option<&str>) -> Result<bool> {
        let (folder, path, seen) = (self.clone(), self.place(location)?, seen.map(ToOwned::to_owned));
        blocking(move || {
            let _lock = folder.lock()?;
            let is_same = fs::metadata(&path).is_ok_and(|found| seen.as_ref() == Some(&e_tag(&found)));
            if is_same {
                fs::remove_file(&path).map_err(failed)?;
            }
            Ok(is_same)
        })
        .await
    }

    /// Returns the error for a name that no object can have, because a folder or a link to nowhere has it.
    pub(crate) fn occupied(&self, path: &str) -> Option<io::Error> {
        not_a_file(&self.0.root.join(path))
    }
}

/// Returns the error for a folder that cannot be created because a file has its name, or that of a folder above it.
fn not_a_folder(folder: &Path) -> Option<io::Error> {
    let file = folder.ancestors().find(|path| path.exists()).filter(|path| !path.is_dir())?;
    let why = format!("`{}` is not a folder", file.display());
    Some(io::Error::new(io::ErrorKind::AlreadyExists, why))
}

/// Renames a finished temporary file to its final path atomically.
pub(super) fn persist(file: NamedTempFile, path: &Path, create_only: bool) -> Result<()> {
    let named = if create_only { file.persist_noclobber(path) } else { file.persist(path) };
    match named {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            // Nothing can be read there, so the caller would take it for absent and try again for ever.
            if let Some(why) = not_a_file(path) {
                return Err(failed(why));
            }
            Err(object_store::Error::AlreadyExists {
                path: path.display().to_string(),
                source: error.error.into(),
            })
        }
        Err(error) => Err(failed(not_a_file(path).unwrap_or(error.error))),
    }
}

/// Returns the error for an existing name that no file can have, because something else has it.
fn not_a_file(path: &Path) -> Option<io::Error> {
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    let what = if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_symlink() && !path.exists() {
        "a link that leads nowhere"
    } else if kind.is_symlink() && path.is_dir() {
        "a link to a folder"
    } else if kind.is_file() || kind.is_symlink() {
        return None;
    } else {
        "a device or a socket"
    };
    Some(io::Error::other(format!("`{}` is {what}, not a file: move it away", path.display())))
}
