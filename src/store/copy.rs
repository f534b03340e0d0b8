//! Copies: puts an index that is stored by its digest under its canonical name, for clients without by-hash.
//!
//! A server-side copy transfers no bytes. A folder keeps no headers; a bucket must give the copy new headers, because
//! the copy is mutable and caches would keep it for a year with those of the source. The services document that they
//! do; for other servers with the same interface, the first copy is checked. If the server ignores the headers or
//! cannot copy, the object is read and written again.
//!
//! Azure copies the headers too and can set new ones only in a second request: caches could see the wrong ones until
//! then.

use futures::TryStreamExt;
use object_store::{Attributes, CopyOptions, GetOptions, ObjectStoreExt, PutMode, path::Path};

use super::{error::Error, handle::Store, limit::Limit, object::parse, parts, pieces::pieces};
use crate::digest::Sha256Digest;
use parts::Failure;

/// The kind of fact in the cache: whether the server gives copies the requested headers.
const KIND: &str = "copies";
const NEW_HEADERS: &str = "with the headers that it is told";
const SOURCE_HEADERS: &str = "with the headers of the source";

impl Store {
    /// Copies one object over another, which is mutable and may lag behind the commit.
    pub async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        if self.copy_on_server(from, to).await? { Ok(()) } else { self.copy_through(from, to).await }
    }

    /// Copies an object with a known digest: if the server cannot copy, it is written from the cache.
    pub(crate) async fn copy_known(&self, sha256: Sha256Digest, from: &str, to: &str) -> Result<(), Error> {
        if self.copy_on_server(from, to).await? {
            return Ok(());
        }
        match self.known(sha256).await {
            Some(bytes) => self.replace(to, bytes).await,
            None => self.copy_through(from, to).await,
        }
    }

    /// Tries a server-side copy and returns whether it succeeded.
    pub(crate) async fn copy_on_server(&self, from: &str, to: &str) -> Result<bool, Error> {
        self.writable("write", to)?;
        let mut copied = false;
        let can = self.capabilities.copies.get_or_try_init(|| async {
            if let Some(known) = self.recall(KIND).await {
                return Ok(known == NEW_HEADERS);
            }
            if self.request_copy(from, to).await?
                && let Some(obeys) = self.has_own_headers(to).await?
            {
                self.remember(KIND, if obeys { NEW_HEADERS } else { SOURCE_HEADERS }).await;
                copied = obeys;
            }
            Ok(copied)
        });
        let can = *can.await?;
        Ok(copied || can && self.request_copy(from, to).await?)
    }

    async fn request_copy(&self, from: &str, to: &str) -> Result<bool, Error> {
        let mut options = CopyOptions::default();
        if self.folder.is_none() {
            options.extensions.insert::<Attributes>(self.headers.of_mutable(to));
        }
        match self.request(false).copy_opts(&parse(from)?, &parse(to)?, options).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotImplemented { .. }) => Ok(false),
            Err(error @ object_store::Error::NotFound { .. }) => Err(self.failed("read", from, error)),
            Err(error) => Err(self.failed("write", to, error)),
        }
    }

    /// Returns whether a copy has the requested headers; `None` if it no longer exists.
    async fn has_own_headers(&self, path: &str) -> Result<Option<bool>, Error> {
        let head = GetOptions { head: true, ..GetOptions::default() };
        let Some(response) = self.get_with(path, head).await? else { return Ok(None) };
        let wanted = self.headers.of_mutable(path);
        Ok(Some(wanted.iter().all(|(name, value)| response.attributes.get(name) == Some(value))))
    }

    /// Reads an object and writes it again, in parts if it is large.
    async fn copy_through(&self, from: &str, to: &str) -> Result<(), Error> {
        let (source, at): (Path, Path) = (parse(from)?, parse(to)?);
        let read =
            self.request(false).get(&source).await.map_err(|error| self.failed("read", from, error))?;
        let attributes = || self.headers.of_mutable(to);
        let size = read.meta.size;
        let written = if parts::is_large(size) {
            let (path, location) = (from.to_owned(), self.location.clone());
            let pieces = pieces(read).map_err(move |error| Error::failed("read", &path, error, &location));
            let parts = parts::cut(pieces, parts::size_for(size));
            parts::send(self.request(false), &at, attributes(), parts).await
        } else {
            let bytes = self.bytes_within(from, read, Limit::bytes(size)).await?;
            self.put(&at, bytes, PutMode::Overwrite, attributes).await.map_err(Failure::Store)
        };
        written.map_err(|failure| self.unwritten(to, failure))
    }
}
