//! Publishes the public keys for clients at the root of the archive: one file for all suites.

use bytes::Bytes;

use super::{backoff::jitter, options::CommitOptions};
use crate::{
    signing::{Keyring, SigningKeys},
    store,
    suite::{
        archive::{Archive, KEY_FILE},
        error::Error,
        event::Event,
        limits,
        trust::ClientKeys,
    },
};

/// The number of tries to write the keys against concurrent writers.
const TRIES: u32 = 20;

impl Archive {
    /// Writes the keys of a commit, and warns of removed keys.
    pub(super) async fn publish_client_keys(&self, how: &CommitOptions<'_>) -> Result<(), Error> {
        for key in self.write_client_keys(how.keys).await? {
            (how.events)(Event::Warning(format!(
                "removed key {key} from `{KEY_FILE}`: it signs no suite of this archive"
            )));
        }
        Ok(())
    }

    /// Publishes the public keys of all suites in one file: those of [`Trust::clients`](crate::suite::trust::Trust) and
    /// the public parts of `keys`.
    ///
    /// Returns the fingerprints of removed keys, which are not keys of this archive: anyone with write access to the
    /// store may have added them.
    pub async fn write_client_keys(&self, keys: Option<&SigningKeys>) -> Result<Vec<String>, Error> {
        let ClientKeys { keyring, complete } = &self.trust.clients;
        let mut ours = keyring.clone();
        if let Some(keys) = keys {
            ours.merge(keys.certificates());
        }
        if ours.is_empty() {
            return Ok(Vec::new());
        }
        for times in 1..=TRIES {
            let there = self.store.read(KEY_FILE, limits::KEYS).await?;
            let mut before = Keyring::new();
            if let Some(there) = &there {
                // A file that does not parse is useless to clients as well.
                let _ = before.add_bytes(KEY_FILE, &there.bytes);
            }
            let mut gone = before.fingerprints();
            gone.retain(|key| *complete && !ours.fingerprints().contains(key));
            let mut keyring = if *complete { Keyring::new() } else { before };
            keyring.merge(&ours);
            let armored = Bytes::from(keyring.armored().map_err(|source| Error::Keys { source })?);
            if there.as_ref().is_some_and(|there| there.bytes == armored) {
                return Ok(gone);
            }
            // Another job may be adding the key of another suite.
            match self.store.swap(KEY_FILE, armored, there.as_ref().map(|there| &there.revision)).await {
                Err(store::Error::Conflict { .. }) => tokio::time::sleep(jitter(times)).await,
                done => return Ok(done.map(|()| gone)?),
            }
        }
        Err(store::Error::Conflict { path: KEY_FILE.to_owned() }.into())
    }
}
