//! Reads an object for a copy to another store: small ones into memory, large ones as a local file, always with
//! digests.

use std::{
    fs::File,
    io::{
        ErrorKind::{IsADirectory, NotADirectory, NotFound},
        Read as _,
    },
    path::Path,
};

use tempfile::TempPath;

use super::{
    content::{Content, FileStamp},
    error::Error,
    handle::Store,
    limit::Limit,
    object::parse,
    offload::blocking,
};
use crate::digest::{Digests, Hasher, Sha256Digest};

/// The buffer size for reads of a local file.
const PIECE: usize = 256 << 10;

/// An object that was read whole and can be written elsewhere.
#[non_exhaustive]
pub struct Loaded {
    /// Its content: bytes in memory, or a local file.
    pub content: Content,
    /// Deletes the temporary file when it is dropped, and then releases its lock.
    _spool: Option<(TempPath, Option<File>)>,
}

/// A file that an index describes.
#[derive(Clone, Copy)]
pub(crate) struct Awaited<'a> {
    /// The size, which is also the limit.
    pub(crate) size: u64,
    /// The digest, if it is known.
    pub(crate) sha256: Option<Sha256Digest>,
    /// Gets the number of bytes that have arrived so far; smaller again if the file is fetched once more.
    pub(crate) arrived: &'a (dyn Fn(u64) + Sync),
}

impl Loaded {
    pub(super) fn new(content: Content, spool: Option<(TempPath, Option<File>)>) -> Self {
        Self { content, _spool: spool }
    }
}

impl Store {
    /// Reads an object with its digests; one of more than `in_memory` bytes is never held in memory. `None` if it
    /// does not exist.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if it has more bytes than the limit.
    pub async fn load(&self, path: &str, in_memory: u64, limit: Limit) -> Result<Option<Loaded>, Error> {
        if let Some(folder) = self.location.folder() {
            parse(path)?;
            let file = folder.join(path);
            let opened = match self.open_inside(&file) {
                Ok(opened) => opened,
                Err(error) if matches!(error.kind(), NotFound | NotADirectory | IsADirectory) => {
                    return Ok(None);
                }
                Err(error) => {
                    return Err(Error::Failed {
                        action: "read",
                        path: path.to_owned(),
                        source: Box::new(error),
                    });
                }
            };
            let unreadable = |source| Error::Source { path: file.display().to_string(), source };
            let stamp = FileStamp::of(&opened.metadata().map_err(unreadable)?);
            limit.admit(path, stamp.size())?;
            let content = if stamp.size() <= in_memory {
                let read = blocking(move || read_whole(opened, stamp.size()));
                let (bytes, digests) = read.await.map_err(unreadable)?;
                Content::Bytes(bytes.into(), digests)
            } else {
                let digests = blocking(move || hash_file(opened)).await.map_err(unreadable)?;
                Content::file(file, digests, stamp)
            };
            return Ok(Some(Loaded::new(content, None)));
        }
        let arrived = &|_| ();
        self.download(path, in_memory, Awaited { size: limit.get(), sha256: None, arrived }).await
    }

    /// Reads an object that an index describes, as [`Store::load`] does.
    pub(crate) async fn load_awaited(
        &self,
        path: &str,
        in_memory: u64,
        awaited: Awaited<'_>,
    ) -> Result<Option<Loaded>, Error> {
        if self.is_local() {
            let loaded = self.load(path, in_memory, Limit::bytes(awaited.size)).await?;
            if let Some(loaded) = &loaded {
                (awaited.arrived)(loaded.content.digests().size);
            }
            return Ok(loaded);
        }
        self.download(path, in_memory, awaited).await
    }
}

impl Store {
    /// Opens a file of a folder, unless a link leads out of the folder.
    fn open_inside(&self, file: &Path) -> std::io::Result<File> {
        if let Some(folder) = &self.folder {
            folder.inside(file)?;
        }
        crate::regular::open(file)
    }
}

fn read_whole(file: File, size: u64) -> std::io::Result<(Vec<u8>, Digests)> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    // The file may have grown since.
    file.take(size.saturating_add(1)).read_to_end(&mut bytes)?;
    let digests = Digests::of(&bytes);
    Ok((bytes, digests))
}

fn hash_file(mut file: File) -> std::io::Result<Digests> {
    let mut hasher = Hasher::default();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&piece[..count]),
        }
    }
}
