//! Reads an object for a copy to another store: small ones into memory, large ones as a local file, always with
//! digests.

use std::{
    fs::File,
    io::{
        ErrorKind::{IsADirectory, NotADirectory, NotFound},
        Read as _, Write as _,
    },
    path::Path,
};

use futures::TryStreamExt as _;
use object_store::GetOptions;
use tempfile::TempPath;

use super::{
    content::{Content, FileStamp},
    error::Error,
    handle::Store,
    limit::{Limit, Meter},
    object::parse,
    offload::blocking,
};
use crate::digest::{Digests, Hasher};

/// The buffer size for reads of a local file.
const PIECE: usize = 256 << 10;

/// An object that was read whole and can be written elsewhere.
pub struct Loaded {
    /// Its content: bytes in memory, or a local file.
    pub content: Content,
    /// Deletes the temporary file when it is dropped.
    _spool: Option<TempPath>,
}

impl Store {
    /// Reads an object with its digests; one of more than `in_memory` bytes is never held in memory. `None` if it
    /// does not exist.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if it has more bytes than the limit.
    pub async fn load(&self, path: &str, in_memory: u64, limit: Limit) -> Result<Option<Loaded>, Error> {
        let failed = |error| self.failed("read", path, error);
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
            return Ok(Some(Loaded { content, _spool: None }));
        }
        let result = self.get_within(path, GetOptions::default(), limit).await?;
        let Some(result) = result else { return Ok(None) };
        if result.meta.size <= in_memory {
            let bytes = self.bytes_within(path, result, limit).await?;
            let hashed = bytes.clone();
            let digests = blocking(move || Digests::of(&hashed)).await;
            return Ok(Some(Loaded { content: Content::Bytes(bytes, digests), _spool: None }));
        }
        let unwritable = |source: std::io::Error| Error::Failed {
            action: "keep a copy of",
            path: path.to_owned(),
            source: Box::new(source),
        };
        let mut spool = tempfile::Builder::new().prefix("publish-").tempfile().map_err(unwritable)?;
        let (mut hasher, mut meter) = (Hasher::default(), Meter::new(path, limit));
        let mut stream = result.into_stream();
        while let Some(piece) = stream.try_next().await.map_err(failed)? {
            meter.count(&piece)?;
            hasher.update(&piece);
            spool.write_all(&piece).map_err(unwritable)?;
        }
        let stamp = FileStamp::of(&spool.as_file().metadata().map_err(unwritable)?);
        let file = spool.path().to_owned();
        let content = Content::file(file, hasher.finish(), stamp);
        Ok(Some(Loaded { content, _spool: Some(spool.into_temp_path()) }))
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
