//! Reads of whole objects, up to a limit.
//!
//! Memory is allocated as the bytes arrive, whatever size the other side announces.

use std::{fs::File, io::Read as _};

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use object_store::{GetOptions, GetResult, GetResultPayload};

use super::{
    error::Error,
    handle::Store,
    limit::{Limit, Meter, unless_larger},
    location::Location,
    offload::blocking,
};

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
            GetResultPayload::Stream(_) => self.pieces(path, result),
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

    /// Treats an object that a web server refuses as absent, where the object is optional: a bucket on the web without a
    /// public listing answers 403 for a missing object.
    pub(crate) fn unless_refused<T>(&self, read: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
        match read {
            Err(error) if self.may_be_missing(&error) => Ok(None),
            read => read,
        }
    }

    /// Returns whether an error may mean that the object does not exist.
    pub(crate) fn may_be_missing(&self, error: &Error) -> bool {
        matches!(self.location, Location::Web(_)) && error.is_refusal()
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
    usize::try_from(announced.min(limit.get()).min(MOST)).unwrap_or(0) + 1
}

/// Reads a file up to one byte more than the limit.
fn read_file(file: File, limit: Limit) -> std::io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(capacity_for(file.metadata()?.len(), limit));
    file.take(limit.get().saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Environment;

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
