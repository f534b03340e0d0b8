//! Size limits of reads, independent of the size that the other side announces.
//!
//! A server may announce any length and send another, and a folder may contain a sparse file of any size. So the
//! announced size is checked first, then the bytes are counted as they arrive, and memory is allocated as they
//! arrive.

use std::{fs::File, io::Read as _};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{GetOptions, GetResult, GetResultPayload};

use super::{Store, content::blocking, error::Error, pace::Pace};

/// The most bytes that a read accepts: a size from an index, or a named constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(u64);

impl Limit {
    /// A number of bytes.
    #[must_use]
    pub const fn bytes(count: u64) -> Self {
        Self(count)
    }

    /// A number of mebibytes.
    #[must_use]
    pub const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }

    /// Returns the number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Rejects an object by its announced size.
    pub(super) fn admit(self, path: &str, announced: u64) -> Result<(), Error> {
        if announced <= self.0 { Ok(()) } else { Err(self.exceeded(path, Some(announced))) }
    }

    pub(super) fn exceeded(self, path: &str, announced: Option<u64>) -> Error {
        Error::TooLarge { path: path.to_owned(), limit: self.0, announced }
    }
}

/// Counts the bytes of an object as they arrive.
pub(super) struct Meter<'a> {
    path: &'a str,
    limit: Limit,
    pace: Pace,
}

impl<'a> Meter<'a> {
    pub(super) fn new(path: &'a str, limit: Limit) -> Self {
        Self { path, limit, pace: Pace::begin() }
    }

    /// Counts one piece; fails also if the stream is too slow.
    pub(super) fn count(&mut self, piece: &[u8]) -> Result<(), Error> {
        let seen = self.pace.count(piece.len() as u64).map_err(|source| Error::Failed {
            action: "read",
            path: self.path.to_owned(),
            source: Box::new(source),
        })?;
        if seen <= self.limit.0 { Ok(()) } else { Err(self.limit.exceeded(self.path, None)) }
    }
}

/// Treats an object above its limit as absent: it cannot be the expected one.
pub fn unless_larger<T>(read: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match read {
        Err(Error::TooLarge { .. }) => Ok(None),
        read => read,
    }
}

impl Store {
    /// Requests an object with a limit on the bytes to read.
    pub(super) async fn get_within(
        &self,
        path: &str,
        mut options: GetOptions,
        limit: Limit,
    ) -> Result<Option<GetResult>, Error> {
        // Without a Content-Length, the web client reads up to this limit.
        options.extensions.insert(limit);
        let Some(result) = self.get_with(path, options).await? else { return Ok(None) };
        limit.admit(path, result.meta.size)?;
        Ok(Some(result))
    }

    /// Reads the bytes of a requested object.
    pub(super) async fn bytes_within(
        &self,
        path: &str,
        result: GetResult,
        limit: Limit,
    ) -> Result<Bytes, Error> {
        let mut meter = Meter::new(path, limit);
        let room = capacity_for(result.meta.size, limit);
        let mut stream = match result.payload {
            GetResultPayload::File(file, _) => {
                let read = blocking(move || read_file(file, limit)).await;
                let bytes = read.map_err(|source| Error::Failed {
                    action: "read",
                    path: path.to_owned(),
                    source: Box::new(source),
                })?;
                meter.count(&bytes)?;
                return Ok(bytes);
            }
            GetResultPayload::Stream(stream) => {
                stream.map_err(|error| self.failed("read", path, error)).boxed()
            }
        };
        // Most objects arrive in one piece, which needs no copy.
        let first = stream.try_next().await?.unwrap_or_default();
        meter.count(&first)?;
        let mut whole: Option<BytesMut> = None;
        while let Some(piece) = stream.try_next().await? {
            meter.count(&piece)?;
            let whole = whole.get_or_insert_with(|| {
                let mut whole = BytesMut::with_capacity(room);
                whole.extend_from_slice(&first);
                whole
            });
            whole.extend_from_slice(&piece);
        }
        Ok(whole.map_or(first, BytesMut::freeze))
    }

    /// Returns whether an object exists with exactly these bytes.
    pub async fn holds(&self, path: &str, bytes: &[u8]) -> Result<bool, Error> {
        let there = unless_larger(self.read(path, Limit::bytes(bytes.len() as u64)).await)?;
        Ok(there.is_some_and(|there| there.bytes == bytes))
    }
}

/// Returns the initial buffer capacity for an announced size: at most the limit, and small enough that a false
/// announcement cannot exhaust the memory. Growing in steps would take up to twice as much.
fn capacity_for(announced: u64, limit: Limit) -> usize {
    const MOST: u64 = 128 << 20;
    usize::try_from(announced.min(limit.0).min(MOST)).unwrap_or(0) + 1
}

/// Reads a file up to one byte more than the limit.
fn read_file(file: File, limit: Limit) -> std::io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(capacity_for(file.metadata()?.len(), limit));
    file.take(limit.0.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Environment, Location};

    #[tokio::test]
    async fn an_object_above_its_limit_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        // A sparse file, larger than any memory.
        let sparse = File::create(folder.path().join("sparse")).unwrap();
        sparse.set_len(1 << 42).unwrap();
        for location in [Location::Memory, Location::Folder(folder.path().to_owned())] {
            let store = Store::open(&location, &Environment::default()).unwrap();
            store.replace("four", Bytes::from_static(b"four")).await.unwrap();
            let fits = store.read("four", Limit::bytes(4)).await.unwrap();
            assert_eq!(fits.unwrap().bytes, "four");
            let error = store.read("four", Limit::bytes(3)).await.unwrap_err();
            assert_eq!(
                error.to_string(),
                "`four` is larger than expected: at most 3 bytes are read, it has 4 bytes"
            );
            assert!(store.digests("four", Limit::bytes(3)).await.is_err());
            assert!(store.load("four", 1, Limit::bytes(3)).await.is_err());
            assert!(
                store.holds("four", b"four").await.unwrap() && !store.holds("four", b"fou").await.unwrap()
            );
        }
        let store =
            Store::open(&Location::Folder(folder.path().to_owned()), &Environment::default()).unwrap();
        let error = store.read("sparse", Limit::mebibytes(10)).await.unwrap_err();
        assert!(error.to_string().contains("`sparse`"), "{error}");
        assert!(store.load("sparse", 1 << 20, Limit::mebibytes(10)).await.is_err());
    }
}
