//! Compare-and-swap: the one write whose success is the commit.
//!
//! Where the store decides between two writers ([`super::ConditionalWrites`]), it is one conditional write; elsewhere
//! [`super::lease`] guards it.

use bytes::Bytes;
use object_store::{GetOptions, PutMode, UpdateVersion, path::Path};

use super::{
    Revision, Store, diagnose, error::Error, limit::Limit, location::Service, parse, probe::ConditionalWrites,
};

/// What is swapped is small: it is read whole to see whose write it was.
const LARGEST: u64 = 16 << 20;

/// How much is read of an object that may be what was to be written.
pub(super) fn limit_for(bytes: &Bytes) -> Limit {
    Limit::bytes(LARGEST.max(bytes.len() as u64))
}

impl Store {
    /// The state of an object, however large it is; `None` where there is none.
    pub async fn revision(&self, path: &str) -> Result<Option<Revision>, Error> {
        let head = GetOptions { head: true, ..GetOptions::default() };
        Ok(self.get_with(path, head).await?.map(|found| Revision::of(&found.meta)))
    }

    /// Writes an object if it still is in the state `expected` (`None`: if there still is none).
    ///
    /// All that was written before survives a power cut before this is visible.
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
                // The first answer may have been lost on its way, and this the refusal of a repetition.
                Some(object) if object.bytes == bytes => return Ok(()),
                // Nobody has changed it: the server did not know the tag in this form.
                Some(object) if Some(&object.revision) == expected => {}
                _ => break,
            }
        }
        Err(Error::Conflict { path: path.to_owned() })
    }

    /// The ways to say that an object must still be in a state, to be tried in turn.
    pub(super) fn modes(&self, expected: Option<&UpdateVersion>) -> Vec<PutMode> {
        let Some(UpdateVersion { e_tag, version }) = expected else { return vec![PutMode::Create] };
        let mode = |e_tag| PutMode::Update(UpdateVersion { e_tag, version: version.clone() });
        let bare = e_tag.as_deref().map(|tag| tag.trim_matches('"').to_owned());
        // Ceph's gateway (16), and what is built on it, never knows a tag in quotes; others may want them.
        if self.service() == Some(Service::S3) && bare != *e_tag {
            return vec![mode(bare), mode(e_tag.clone())];
        }
        vec![mode(e_tag.clone())]
    }
}
