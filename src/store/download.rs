//! Downloads of files whose digest is known: a large one that was interrupted goes on where it was, in this run or the
//! next one. The digest decides in the end: a file that was put together and differs is fetched once more, as a whole.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use object_store::{GetOptions, GetResult};
use tempfile::TempPath;

use super::{
    content::{Content, FileStamp},
    error::Error,
    handle::Store,
    limit::{Limit, Meter},
    load::{Awaited, Loaded},
    offload::blocking,
    partial::Partial,
};
use crate::digest::{Digests, Hasher};

/// The part of a larger file is kept.
const LARGE: u64 = 4 << 20;
/// How often a file is requested, and the pause before the second time.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);
/// The buffer size for reads of a local file.
const PIECE: usize = 256 << 10;

/// Why a download ended.
enum Ended {
    /// The connection broke, and could not be resumed.
    Broken(Error),
    /// The file cannot be stored.
    Unwritable(Error),
    /// Any other reason: the same request would fail again.
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A file that has arrived, and whether a part of it came from an earlier request.
struct Downloaded {
    loaded: Loaded,
    is_resumed: bool,
}

/// Where a large file is stored while it arrives.
enum Spool {
    Kept(Partial),
    Temporary(tempfile::NamedTempFile),
}

impl Spool {
    fn file(&mut self) -> &mut File {
        match self {
            Self::Kept(partial) => &mut partial.file,
            Self::Temporary(file) => file.as_file_mut(),
        }
    }

    /// The path of the complete file, which is deleted with the first of the second pair; the lock is released after.
    fn finish(self) -> io::Result<(PathBuf, TempPath, Option<File>)> {
        match self {
            Self::Kept(Partial { path, file, .. }) => {
                Ok((path.clone(), TempPath::try_from_path(path)?, Some(file)))
            }
            Self::Temporary(file) => Ok((file.path().to_owned(), file.into_temp_path(), None)),
        }
    }
}

impl Store {
    /// Reads an object of a remote store, as [`Store::load`] does.
    pub(super) async fn download(
        &self,
        path: &str,
        in_memory: u64,
        awaited: Awaited<'_>,
    ) -> Result<Option<Loaded>, Error> {
        // An index has been read before it is copied.
        if let Some(sha256) = awaited.sha256
            && let Some(bytes) = self.known(sha256).await.filter(|bytes| bytes.len() as u64 == awaited.size)
        {
            let hashed = bytes.clone();
            let digests = blocking(move || Digests::of(&hashed)).await;
            return Ok(Some(Loaded::new(Content::Bytes(bytes, digests), None)));
        }
        let (mut tries, mut keeps) = (0, true);
        loop {
            tries += 1;
            match self.try_download(path, in_memory, awaited, keeps).await {
                Ok(None) => return Ok(None),
                Ok(Some(Downloaded { loaded, is_resumed })) => {
                    let found = loaded.content.digests().sha256;
                    if !is_resumed || awaited.sha256.is_none_or(|sha256| sha256 == found) {
                        return Ok(Some(loaded));
                    }
                    // The parts were of different files. The next request is for all of it, since the file is deleted now.
                }
                Err(Ended::Broken(_)) if tries < TRIES => tokio::time::sleep(PAUSE * tries).await,
                // The folder for temporary files may have more room than the cache.
                Err(Ended::Unwritable(_)) if keeps => keeps = false,
                Err(Ended::Broken(error) | Ended::Unwritable(error) | Ended::Failed(error)) => {
                    return Err(error);
                }
            }
        }
    }

    async fn try_download(
        &self,
        path: &str,
        in_memory: u64,
        awaited: Awaited<'_>,
        keeps: bool,
    ) -> Result<Option<Downloaded>, Ended> {
        let mut partial = self.part_of(&awaited).await.filter(|_| keeps);
        let mut request = None;
        let mut hasher = Hasher::default();
        if let Some(Partial { file, length, .. }) = &mut partial
            && *length > 0
        {
            let (part, size) = (file.try_clone(), *length);
            hasher = blocking(move || hash(part?, size)).await.map_err(|error| unwritable(path, error))?;
            if *length < awaited.size {
                let rest = self.rest(path, *length, None).await?;
                request = rest.filter(|rest| rest.meta.size == awaited.size && rest.range.start == *length);
                if request.is_none() {
                    file.set_len(0).map_err(|error| unwritable(path, error))?;
                    (*length, hasher) = (0, Hasher::default());
                }
            }
            file.seek(SeekFrom::Start(*length)).map_err(|error| unwritable(path, error))?;
        }
        let has = partial.as_ref().map_or(0, |partial| partial.length);
        let is_resumed = has > 0;
        if request.is_none() && (has == 0 || has < awaited.size) {
            request = self.get_within(path, GetOptions::default(), Limit::bytes(awaited.size)).await?;
            if request.is_none() {
                if let Some(Partial { path, .. }) = partial {
                    let _ = std::fs::remove_file(path);
                }
                return Ok(None);
            }
        }
        let size = request.as_ref().map_or(has, |request| request.meta.size);
        let spool = match partial {
            Some(partial) => Spool::Kept(partial),
            None if size <= in_memory => {
                let (bytes, digests) = match request {
                    Some(request) => self.receive_in_memory(path, request, awaited).await?,
                    None => return Ok(None),
                };
                let content = Content::Bytes(bytes, digests);
                return Ok(Some(Downloaded { loaded: Loaded::new(content, None), is_resumed }));
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("publish-").tempfile();
                Spool::Temporary(temporary.map_err(|error| unwritable(path, error))?)
            }
        };
        let loaded = self.receive_in_file(path, request, awaited, (has, hasher), spool).await?;
        Ok(Some(Downloaded { loaded, is_resumed }))
    }

    /// The part of a file that has arrived already, if it is large enough to be kept.
    async fn part_of(&self, awaited: &Awaited<'_>) -> Option<Partial> {
        let (cache, sha256, size) = (self.cache.clone()?, awaited.sha256?, awaited.size);
        if size <= LARGE {
            return None;
        }
        blocking(move || cache.partial(&sha256, size)).await
    }

    async fn receive_in_memory(
        &self,
        path: &str,
        request: GetResult,
        awaited: Awaited<'_>,
    ) -> Result<(Bytes, Digests), Ended> {
        let mut meter = Meter::new(path, Limit::bytes(awaited.size));
        let room = usize::try_from(request.meta.size.min(awaited.size)).unwrap_or_default();
        let mut stream = self.pieces(path, request);
        let first = stream.try_next().await.map_err(Ended::Broken)?.unwrap_or_default();
        (awaited.arrived)(meter.count(&first)?);
        let mut whole: Option<BytesMut> = None;
        while let Some(piece) = stream.try_next().await.map_err(Ended::Broken)? {
            (awaited.arrived)(meter.count(&piece)?);
            let whole = whole.get_or_insert_with(|| {
                let mut whole = BytesMut::with_capacity(room);
                whole.extend_from_slice(&first);
                whole
            });
            whole.extend_from_slice(&piece);
        }
        let bytes = whole.map_or(first, BytesMut::freeze);
        let hashed = bytes.clone();
        let digests = blocking(move || Digests::of(&hashed)).await;
        Ok((bytes, digests))
    }

    async fn receive_in_file(
        &self,
        path: &str,
        request: Option<GetResult>,
        awaited: Awaited<'_>,
        (has, mut hasher): (u64, Hasher),
        mut spool: Spool,
    ) -> Result<Loaded, Ended> {
        if let Some(request) = request {
            let mut meter = Meter::new(path, Limit::bytes(awaited.size.saturating_sub(has)));
            let mut stream = self.pieces(path, request);
            while let Some(piece) = stream.try_next().await.map_err(Ended::Broken)? {
                let arrived = meter.count(&piece)?;
                hasher.update(&piece);
                spool.file().write_all(&piece).map_err(|error| {
                    // No longer complete: the next run begins anew.
                    let _ = spool.file().set_len(0);
                    unwritable(path, error)
                })?;
                (awaited.arrived)(has + arrived);
            }
        }
        let stamp = spool.file().metadata().map(|metadata| FileStamp::of(&metadata));
        let stamp = stamp.map_err(|error| unwritable(path, error))?;
        let (file, temporary, lock) = spool.finish().map_err(|error| unwritable(path, error))?;
        let content = Content::file(file, hasher.finish(), stamp);
        Ok(Loaded::new(content, Some((temporary, lock))))
    }
}

fn unwritable(path: &str, source: io::Error) -> Ended {
    let (action, path) = ("keep a copy of", path.to_owned());
    Ended::Unwritable(Error::Failed { action, path, source: Box::new(source) })
}

/// Hashes the beginning of a file.
fn hash(mut file: File, length: u64) -> io::Result<Hasher> {
    file.rewind()?;
    let mut file = file.take(length);
    let mut hasher = Hasher::default();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher),
            count => hasher.update(&piece[..count]),
        }
    }
}
