//! Compare-and-swap: the one write whose success is the commit.
//!
//! With native conditional writes ([`super::ConditionalWrites`]), it is one conditional write; otherwise
//! [`super::lease`] guards it.

use bytes::Bytes;
use object_store::{GetOptions, PutMode, UpdateVersion, path::Path};

use super::{
    capabilities::ConditionalWrites,
    diagnose,
    error::Error,
    handle::Store,
    limit::Limit,
    location::Service,
    object::{Revision, parse},
};

/// A swapped object is small: it is read whole to find out which writer wrote it.
const LARGEST: u64 = 16 << 20;

/// Returns the read limit for an object that may have the bytes to be written.
pub(super) fn limit_for(bytes: &Bytes) -> Limit {
    Limit::bytes(LARGEST.max(bytes.len() as u64))
}

impl Store {
    /// Returns the revision of an object of any size; `None` if it does not exist.
    pub async fn revision(&self, path: &str) -> Result<Option<Revision>, Error> {
        let head = GetOptions { head: true, ..GetOptions::default() };
        Ok(self.get_with(path, head).await?.map(|found| Revision::of(&found.meta)))
    }

    /// Deletes an object if it still has this revision. No bucket deletes on a condition in a way that all services
    /// share, so there the revision is compared immediately before.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it was changed; nothing is deleted then.
    pub(crate) async fn delete_revision(&self, path: &str, seen: &Revision) -> Result<(), Error> {
        let at = parse(path)?;
        self.writable("delete", path)?;
        let is_same = match &self.folder {
            Some(folder) => {
                let deleted = folder.delete_revision(&at, seen.state.e_tag.as_deref()).await;
                deleted.map_err(|error| self.failed("delete", path, error))?
            }
            None if self.revision(path).await?.as_ref() == Some(seen) => {
                self.delete(path).await?;
                true
            }
            None => false,
        };
        if is_same { Ok(()) } else { Err(Error::Conflict { path: path.to_owned() }) }
    }

    /// Writes an object if it still has the revision `expected` (`None`: if it still does not exist).
    ///
    /// Everything written before is flushed to disk before the new object is visible.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the race was lost; nothing is changed then.
    pub async fn swap(&self, path: &str, bytes: Bytes, expected: Option<&Revision>) -> Result<(), Error> {
        let at = parse(path)?;
        self.writable("write", path)?;
        self.flush().await?;
        if let Some(revision) = expected {
            self.wait_for_another_second(revision).await;
        }
        match self.conditional_writes().await? {
            ConditionalWrites::Native => self.swap_natively(path, &at, bytes, expected).await,
            ConditionalWrites::Lease => self.swap_by_lease(path, &bytes, expected).await,
        }
    }

    async fn swap_natively(
        &self,
        path: &str,
        at: &Path,
        bytes: Bytes,
        expected: Option<&Revision>,
    ) -> Result<(), Error> {
        for mode in self.modes(expected.map(|revision| &revision.state)) {
            let refused =
                match self.put_durably(at, bytes.clone(), mode, || self.headers.of_mutable(path)).await {
                    Ok(()) => return self.flush().await,
                    Err(error) => error,
                };
            let lost = matches!(
                refused,
                object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. }
                    | object_store::Error::NotFound { .. }
            );
            if !lost || diagnose::no_bucket(&refused) {
                return Err(self.failed("write", path, refused));
            }
            match self.read(path, limit_for(&bytes)).await? {
                // The first response may have been lost, and this is the rejection of a retry.
                Some(object) if object.bytes == bytes => return Ok(()),
                // The object is unchanged: the server did not recognize the ETag in this form.
                Some(object) if Some(&object.revision) == expected => {}
                _ => break,
            }
        }
        Err(Error::Conflict { path: path.to_owned() })
    }

    /// Returns the forms of the condition that an object has a revision, to be tried in this order.
    pub(super) fn modes(&self, expected: Option<&UpdateVersion>) -> Vec<PutMode> {
        let Some(UpdateVersion { e_tag, version }) = expected else { return vec![PutMode::Create] };
        let mode = |e_tag| PutMode::Update(UpdateVersion { e_tag, version: version.clone() });
        let bare = e_tag.as_deref().map(|tag| tag.trim_matches('"').to_owned());
        // Ceph's gateway (16), and services built on it, never match a quoted ETag; others may require quotes.
        if self.service() == Some(Service::S3) && bare != *e_tag {
            return vec![mode(bare), mode(e_tag.clone())];
        }
        vec![mode(e_tag.clone())]
    }
}
