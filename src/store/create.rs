//! Writing what never changes: created once, under a name that fixes its content.
//!
//! Where the store decides between two writers, only one of them creates. Where it does not ([`super::ConditionalWrites`]), whoever
//! writes looks before and after: bytes that have been there for a while are never overwritten, and of two who write
//! different bytes at the same moment, the one who is overwritten before he looks again is told. Who is overwritten later
//! is not; the reader's digests tell then.

use object_store::PutMode;

use super::{
    Put, Store, content::Content, diagnose, error::Error, limit::Limit, location::Service, parse, parts,
    probe::ConditionalWrites,
};
use crate::digest::Digests;
use parts::Failure;

impl Store {
    /// Writes an object that will never change.
    ///
    /// The same bytes at that path already are success; other bytes are [`Error::Occupied`].
    pub async fn put_new(&self, path: &str, content: &Content) -> Result<Put, Error> {
        let at = parse(path)?;
        self.writable("write", path)?;
        let new = content.digests();
        let in_parts =
            self.folder.is_none() && matches!(content, Content::File { .. }) && parts::is_large(new.size);
        let decides = self.conditional_writes().await?;
        // Swift refuses to write over what has been there for a while.
        let creates = decides == ConditionalWrites::Native || self.service() == Some(Service::Swift);
        // No store can create in parts only where nothing is; but what is written here is the same for all.
        if (in_parts || !creates)
            && let Some(put) = self.check_put(path, new).await?
        {
            return Ok(put);
        }
        let mode = if creates { PutMode::Create } else { PutMode::Overwrite };
        match self.write(&at, content, mode, || self.headers.of_immutable(path)).await {
            Ok(()) if decides == ConditionalWrites::Lease => self.look_again(path, new).await,
            Ok(()) => Ok(Put::Created),
            Err(Failure::Store(
                object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. },
            )) => match self.check_put(path, new).await? {
                Some(put) => Ok(put),
                None if self.folder.is_some() => {
                    // Taken away since, or no file.
                    match self.write(&at, content, PutMode::Create, || self.headers.of_immutable(path)).await
                    {
                        Ok(()) => Ok(Put::Created),
                        Err(_) => Err(Error::Failed {
                            action: "write",
                            path: path.into(),
                            source: "something that is no file is in its place".into(),
                        }),
                    }
                }
                // Taken away since, or being written and not there yet.
                None => Err(Error::Conflict { path: path.to_owned() }),
            },
            Err(Failure::Store(error @ object_store::Error::NotFound { .. }))
                if in_parts && !diagnose::no_bucket(&error) =>
            {
                // What was sent in parts is no upload any more once it is an object: the first answer was lost.
                self.check_put(path, new).await?.ok_or_else(|| self.failed("write", path, error))
            }
            Err(failure) => Err(self.unwritten(path, failure)),
        }
    }

    /// Whether what was written is there, and not what somebody else wrote at the same moment.
    async fn look_again(&self, path: &str, new: &Digests) -> Result<Put, Error> {
        match self.found(path).await? {
            // Nobody reads a large file again for this.
            Some(there) if parts::is_large(new.size) && there.size == new.size => {}
            Some(there) if !there.matches_checksum(new) => {
                self.same(path, new, there.size).await?;
            }
            // Or it is not in sight yet.
            _ => {}
        }
        Ok(Put::Created)
    }

    /// Whether the object at a path is what was to be written there, by all of its bytes.
    async fn same(&self, path: &str, new: &Digests, size: u64) -> Result<Option<Put>, Error> {
        match self.digests(path, Limit::bytes(size)).await? {
            Some(there) if there == *new => Ok(Some(Put::Present)),
            Some(there) => {
                Err(Error::Occupied { path: path.into(), there: Box::new(there), new: Box::new(*new) })
            }
            // Taken away since it was found.
            None => Ok(None),
        }
    }

    /// Finds out whether [`Store::put_new`] would succeed, without writing: `None` where nothing is there.
    pub async fn check_put(&self, path: &str, new: &Digests) -> Result<Option<Put>, Error> {
        match self.found(path).await? {
            None => Ok(None),
            Some(found) if found.matches_checksum(new) => Ok(Some(Put::Present)),
            // Another MD5 proves nothing: an object that was sent in parts or is encrypted has a tag of another kind.
            Some(found) => self.same(path, new, found.size).await,
        }
    }
}
