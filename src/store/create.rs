//! Creation of immutable objects, whose path is derived from their content.
//!
//! With native conditional writes, only one of two concurrent writers creates the object. Without
//! ([`super::ConditionalWrites`]), the writer checks before and after the write: bytes that already exist are never
//! overwritten. If two writers write different bytes concurrently, the one that is overwritten before its second
//! check gets an error. One that is overwritten later does not; readers then detect a digest mismatch.

use object_store::PutMode;

use super::{
    capabilities::ConditionalWrites,
    content::Content,
    diagnose,
    error::Error,
    handle::Store,
    limit::Limit,
    location::Service,
    object::{Put, parse},
    parts,
};
use crate::digest::Digests;
use parts::Failure;

impl Store {
    /// Writes an immutable object.
    ///
    /// Succeeds if the same bytes already exist at that path; other bytes are [`Error::Occupied`].
    pub async fn put_new(&self, path: &str, content: &Content) -> Result<Put, Error> {
        let at = parse(path)?;
        self.writable("write", path)?;
        let new = content.digests();
        let in_parts =
            self.folder.is_none() && matches!(content, Content::File(_)) && parts::is_large(new.size);
        let decides = self.conditional_writes().await?;
        // Swift rejects a write over an object that has existed for a while.
        let creates = decides == ConditionalWrites::Native || self.service() == Some(Service::Swift);
        // No store has a conditional multipart upload; but all writers of this path write the same bytes.
        if (in_parts || !creates)
            && let Some(put) = self.check_put(path, new).await?
        {
            return Ok(put);
        }
        let mode = if creates { PutMode::Create } else { PutMode::Overwrite };
        match self.write(&at, content, mode, || self.headers.of_immutable(path)).await {
            Ok(()) if decides == ConditionalWrites::Lease => self.verify_written(path, new).await,
            Ok(()) => Ok(Put::Created),
            Err(Failure::Store(
                object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. },
            )) => match self.check_put(path, new).await? {
                Some(put) => Ok(put),
                None if self.folder.is_some() => {
                    // Deleted since, or not a regular file.
                    match self.write(&at, content, PutMode::Create, || self.headers.of_immutable(path)).await
                    {
                        Ok(()) => Ok(Put::Created),
                        Err(_) => Err(Error::Failed {
                            action: "write",
                            path: path.into(),
                            source: "it exists and is not a regular file".into(),
                        }),
                    }
                }
                // Deleted since, or not yet visible while another writer creates it.
                None => Err(Error::Conflict { path: path.to_owned() }),
            },
            Err(Failure::Store(error @ object_store::Error::NotFound { .. }))
                if in_parts && !diagnose::no_bucket(&error) =>
            {
                // The upload no longer exists once it is completed: the first response was lost.
                self.check_put(path, new).await?.ok_or_else(|| self.failed("write", path, error))
            }
            Err(failure) => Err(self.unwritten(path, failure)),
        }
    }

    /// Returns whether the object has the written bytes, and not those of a concurrent writer.
    async fn verify_written(&self, path: &str, new: &Digests) -> Result<Put, Error> {
        match self.head(path).await? {
            // A large file is not read again for this check.
            Some(there) if parts::is_large(new.size) && there.size == new.size => {}
            Some(there) if !there.matches_checksum(new) => {
                self.same(path, new, there.size).await?;
            }
            // Or it is not visible yet.
            _ => {}
        }
        Ok(Put::Created)
    }

    /// Returns whether the object at a path has exactly the bytes to be written; reads it only if its size is the same.
    async fn same(&self, path: &str, new: &Digests, size: u64) -> Result<Option<Put>, Error> {
        let occupied = |size, there: Option<Digests>| Error::Occupied {
            path: path.into(),
            size,
            there: there.map(Box::new),
            new: Box::new(*new),
        };
        if size != new.size {
            return Err(occupied(size, None));
        }
        match self.digests(path, Limit::bytes(size)).await? {
            Some(there) if there == *new => Ok(Some(Put::Present)),
            Some(there) => Err(occupied(there.size, Some(there))),
            // Deleted since it was found.
            None => Ok(None),
        }
    }

    /// Checks whether [`Store::put_new`] would succeed, without writing; `None` if there is no object.
    pub async fn check_put(&self, path: &str, new: &Digests) -> Result<Option<Put>, Error> {
        match self.head(path).await? {
            None => Ok(None),
            Some(found) if found.matches_checksum(new) => Ok(Some(Put::Present)),
            // A different MD5 proves nothing: an object uploaded in parts or encrypted has another kind of ETag.
            Some(found) => self.same(path, new, found.size).await,
        }
    }
}
