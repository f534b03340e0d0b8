//! Publishes the public keys for clients at the root of the archive: one file for all suites.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{backoff::until_won, options::CommitOptions};
use crate::{
    signing::{Keyring, SigningKeys},
    store::{Object, Revision},
    suite::{
        archive::{Archive, KEY_FILE},
        damage,
        error::Error,
        event::Event,
        limits, public_files,
        published::PublishedSuite,
        trust::{ClientKeys, Trust},
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
        // Another job may be adding the key of another suite.
        until_won(TRIES, || self.try_client_keys(&ours, *complete)).await
    }

    async fn try_client_keys(&self, ours: &Keyring, complete: bool) -> Result<Vec<String>, Error> {
        let there = self.read_client_keys().await?;
        let mut before = Keyring::new();
        if let Some(there) = &there {
            // A file that does not parse is useless to clients as well.
            let _ = before.add_bytes(KEY_FILE, &there.bytes);
        }
        let mut gone = before.fingerprints();
        gone.retain(|key| complete && !ours.fingerprints().contains(key));
        if !gone.is_empty() {
            // Another job may sign another suite with a key that this job does not know.
            let signers = self.signers(&before.only(&gone)).await?;
            gone.retain(|key| !signers.contains(key));
        }
        let mut kept = before.fingerprints();
        kept.retain(|key| !gone.contains(key));
        let mut keyring = before.only(&kept);
        keyring.merge(ours);
        let armored = Bytes::from(keyring.armored().map_err(|source| Error::Keys { source })?);
        if there.as_ref().is_none_or(|there| there.bytes != armored) {
            self.store.swap(KEY_FILE, armored, there.as_ref().map(|there| &there.revision)).await?;
        }
        Ok(gone)
    }

    /// Reads the published keys; a file that cannot be read is replaced like one that does not parse.
    async fn read_client_keys(&self) -> Result<Option<Published>, Error> {
        match self.store.read(KEY_FILE, limits::KEYS).await {
            Err(error) if damage::is_damaged_object(&self.store, &error) => {
                let revision = self.store.revision(KEY_FILE).await?;
                Ok(revision.map(|revision| Published { bytes: Bytes::new(), revision }))
            }
            read => Ok(read?.map(|Object { bytes, revision, .. }| Published { bytes, revision })),
        }
    }

    /// Publishes the keys for clients again if the file is missing or damaged, or is without a key that signs a suite:
    /// of the known keys, those that signed the suites. Returns whether it was written.
    pub async fn repair_client_keys(&self) -> Result<bool, Error> {
        if !self.trust.demands_signatures() || self.trust.keyring.is_empty() {
            return Ok(false);
        }
        let there = self.read_client_keys().await?;
        let mut published = Keyring::new();
        let is_whole = there.as_ref().is_some_and(|there| public_files::is_whole_key(&there.bytes))
            && there.as_ref().is_some_and(|there| published.add_bytes(KEY_FILE, &there.bytes).is_ok());
        let mut signers = Vec::new();
        for suite in self.suites_to_check().await? {
            // A suite that cannot be read or verified names no key.
            if let Ok(suite) = PublishedSuite::look(&self.store, &suite, &self.trust).await {
                signers.extend(suite.pointer().into_iter().flat_map(|pointer| pointer.signers.clone()));
            }
        }
        let known = published.fingerprints();
        if is_whole && signers.iter().all(|signer| known.contains(signer)) {
            return Ok(false);
        }
        let mut ours = if is_whole { published } else { Keyring::new() };
        ours.merge(&self.trust.keyring.only(&signers));
        if ours.is_empty() {
            return Ok(false);
        }
        let armored = Bytes::from(ours.armored().map_err(|source| Error::Keys { source })?);
        self.store.swap(KEY_FILE, armored, there.as_ref().map(|there| &there.revision)).await?;
        Ok(true)
    }

    /// Returns which of these keys sign a published suite or snapshot.
    async fn signers(&self, keys: &Keyring) -> Result<BTreeSet<String>, Error> {
        let mut signers = BTreeSet::new();
        let Some(now) = self.trust.now else { return Ok(signers) };
        let trust = Trust::keyring(keys.clone(), now).read_unverified().adopt_existing();
        for suite in self.suite_folders().await? {
            // A damaged suite must not stop the commit of another one.
            if let Ok(published) = PublishedSuite::look(&self.store, &suite, &trust).await {
                signers.extend(published.pointer().into_iter().flat_map(|pointer| pointer.signers.clone()));
            }
        }
        Ok(signers)
    }
}

/// The published keys.
struct Published {
    bytes: Bytes,
    revision: Revision,
}
