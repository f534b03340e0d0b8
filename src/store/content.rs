//! The content of an immutable object: bytes in memory, or a local file that must not have changed since it was read.

use std::{
    fs::{File, Metadata},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::{Stream, stream};

use super::{
    error::Error,
    offload::{INLINE, blocking},
};
use crate::digest::Digests;

/// The content of an immutable object, with its digests.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Content {
    /// Bytes in memory.
    Bytes(Bytes, Digests),
    /// A local file that was read before. Shared, since a commit keeps several lists of its files.
    File(Arc<LocalFile>),
}

/// A local file that was read before.
#[derive(Debug)]
pub struct LocalFile {
    /// The path of the file.
    pub(crate) file: PathBuf,
    /// The digests of its content.
    pub(crate) digests: Digests,
    /// Its stamp when it was read.
    pub(super) stamp: FileStamp,
}

impl Content {
    /// Returns the content of a local file that was read before.
    #[must_use]
    pub fn file(file: PathBuf, digests: Digests, stamp: FileStamp) -> Self {
        Self::File(Arc::new(LocalFile { file, digests, stamp }))
    }

    /// The digests of the content.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        match self {
            Self::Bytes(_, digests) => digests,
            Self::File(local) => &local.digests,
        }
    }
}

/// Detects changes of a file: identity, size, and the times that every write updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    /// Returns the size of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the stamp of an open file.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A file opened for a second read.
pub(super) struct Reopened<'a> {
    path: &'a Path,
    file: File,
    stamp: FileStamp,
}

impl<'a> Reopened<'a> {
    pub(super) fn open(path: &'a Path, stamp: FileStamp) -> Result<Self, Error> {
        let file = crate::regular::open(path).map_err(|source| unreadable(path, source))?;
        let reopened = Self { path, file, stamp };
        reopened.unchanged()?;
        Ok(reopened)
    }

    pub(super) fn whole(mut self) -> Result<Bytes, Error> {
        self.piece(usize::try_from(self.stamp.size).unwrap_or(usize::MAX).saturating_add(1))
    }

    /// Fails if the file changed since it was first read.
    pub(super) fn unchanged(&self) -> Result<(), Error> {
        let now = self.file.metadata().map_err(|source| unreadable(self.path, source))?;
        if FileStamp::of(&now) == self.stamp {
            Ok(())
        } else {
            Err(Error::Changed { path: self.path.display().to_string() })
        }
    }

    /// Copies the whole file; the kernel does it, and shares blocks where the file system supports that.
    pub(super) fn copy_to(&mut self, to: &mut File) -> std::io::Result<u64> {
        std::io::copy(&mut self.file, to)
    }

    /// Reads up to `limit` bytes; fewer only at the end of the file, where the stamp is checked again.
    fn piece(&mut self, limit: usize) -> Result<Bytes, Error> {
        let left = usize::try_from(self.stamp.size).unwrap_or(limit);
        let mut buffer = Vec::with_capacity(limit.min(left));
        let mut piece = (&mut self.file).take(limit as u64);
        piece.read_to_end(&mut buffer).map_err(|source| unreadable(self.path, source))?;
        if buffer.len() < limit {
            self.unchanged()?;
        }
        Ok(buffer.into())
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    Error::Source { path: path.display().to_string(), source }
}

/// Reads a small file whole.
pub(super) async fn read_file(path: &Path, stamp: FileStamp) -> Result<Bytes, Error> {
    if stamp.size <= INLINE {
        return Reopened::open(path, stamp)?.whole();
    }
    let path = path.to_owned();
    blocking(move || Reopened::open(&path, stamp)?.whole()).await
}

/// Reads a large file in parts of the same size.
pub(super) fn parts(
    path: &Path,
    stamp: FileStamp,
    size: usize,
) -> impl Stream<Item = Result<Bytes, Error>> + Unpin {
    enum State {
        Start(PathBuf),
        Reading(PathBuf, File),
        End,
    }
    let next = move |state: State| async move {
        let (path, file) = match state {
            State::Start(path) => (path, None),
            State::Reading(path, file) => (path, Some(file)),
            State::End => return None,
        };
        let read = blocking(move || {
            let mut reopened = match file {
                None => Reopened::open(&path, stamp)?,
                Some(file) => Reopened { path: &path, file, stamp },
            };
            let piece = reopened.piece(size)?;
            let Reopened { file, .. } = reopened;
            Ok((piece, path, file))
        });
        match read.await {
            Ok((piece, _, _)) if piece.is_empty() => None,
            Ok((piece, _, _)) if piece.len() < size => Some((Ok(piece), State::End)),
            Ok((piece, path, file)) => Some((Ok(piece), State::Reading(path, file))),
            Err(error) => Some((Err(error), State::End)),
        }
    };
    Box::pin(stream::unfold(State::Start(path.to_owned()), next))
}
