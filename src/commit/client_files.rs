//! Files at the root for clients, beside the public keys: `NAME.sources` for sources.list.d, and the keys in binary.
//!
//! Derived outputs: written after the release file, repeatable, and repaired by the next command. A commit reads
//! `NAME.sources` and writes it only if the suite is not in it as published; then all suites are read.

use bytes::Bytes;

use super::{backoff::until_won, options::CommitOptions};
use crate::{
    digest::Digests,
    signing::Keyring,
    site::{self, ClientSuite, Site},
    store::{self, Limit},
    suite::{
        archive::{Archive, KEY_FILE},
        damage,
        error::Error,
        event::Event,
        limits, public_files,
        published::PublishedSuite,
        snapshots::snapshot_of,
        trust::Trust,
    },
};

/// The number of tries to write a file against concurrent writers.
const TRIES: u32 = 20;

/// The largest `NAME.sources` that is read; a larger one was not written by `publish`.
const SOURCES: Limit = Limit::mebibytes(1);

impl Archive {
    /// Writes the files for clients that a commit of this suite changes.
    pub(super) async fn publish_client_files(
        &self,
        how: &CommitOptions<'_>,
        suite: &ClientSuite,
    ) -> Result<(), Error> {
        // Clients that want a snapshot name it themselves.
        if snapshot_of(&suite.suite).is_some() {
            return Ok(());
        }
        let written = self.write_client_files(&how.site, Some(suite)).await?;
        for path in written.foreign {
            (how.events)(Event::Warning(format!(
                "`{path}` was not written by publish and is left as it is: move it away, or choose another name with `Label:`"
            )));
        }
        Ok(())
    }

    /// Writes `NAME.sources` and the binary public keys, if the URL for clients is known and they are not up to date;
    /// with a suite, `NAME.sources` only if it does not have the suite as it is now.
    pub async fn write_client_files(
        &self,
        site: &Site,
        changed: Option<&ClientSuite>,
    ) -> Result<ClientFiles, Error> {
        let mut written = ClientFiles::default();
        let Some((url, name)) = site.named() else { return Ok(written) };
        // Another job may be adding another suite.
        match until_won(TRIES, || self.try_sources(url, &name, changed)).await? {
            FileWritten::Not => {}
            FileWritten::Written => written.written.push(site::sources_file(&name)),
            FileWritten::Foreign => written.foreign.push(site::sources_file(&name)),
        }
        self.write_binary_keys(&name, &mut written).await?;
        Ok(written)
    }

    /// Writes `NAME.sources`, if it is not up to date.
    async fn try_sources(
        &self,
        url: &str,
        name: &str,
        changed: Option<&ClientSuite>,
    ) -> Result<FileWritten, Error> {
        let (path, key) = (site::sources_file(name), site::installed_key(name));
        let there = match self.store.read(&path, SOURCES).await {
            Err(error) if damage::is_damaged_object(&self.store, &error) => return Ok(FileWritten::Foreign),
            there => there?,
        };
        if let Some(there) = &there {
            if !site::is_ours(&there.bytes) {
                return Ok(FileWritten::Foreign);
            }
            if changed.is_some_and(|suite| site::lists(&there.bytes, url, suite, &key)) {
                return Ok(FileWritten::Not);
            }
        }
        let Some(suites) = self.client_suites().await? else { return Ok(FileWritten::Not) };
        let text = Bytes::from(site::render_file(url, &suites, &key));
        if there.as_ref().is_some_and(|there| there.bytes == text) {
            return Ok(FileWritten::Not);
        }
        self.store.swap(&path, text, there.as_ref().map(|there| &there.revision)).await?;
        Ok(FileWritten::Written)
    }

    /// Returns the suites for clients; `None` if one is damaged, which must not be taken from the list.
    async fn client_suites(&self) -> Result<Option<Vec<ClientSuite>>, Error> {
        let mut suites = Vec::new();
        for suite in self.suites().await? {
            let published = match PublishedSuite::look(&self.store, &suite, &Trust::unverified()).await {
                Err(error) if damage::is_damage(&self.store, &error) => return Ok(None),
                published => published?,
            };
            let Some(pointer) = published.pointer() else { continue };
            let carried = published.carried().await?;
            suites.push(ClientSuite::of_part(&suite, &pointer.release, pointer.signed, &carried));
        }
        Ok(Some(suites))
    }

    /// Writes the public keys in binary, for tools that read no armour.
    async fn write_binary_keys(&self, name: &str, written: &mut ClientFiles) -> Result<(), Error> {
        let Some(armored) = self.store.read(KEY_FILE, limits::KEYS).await? else { return Ok(()) };
        let mut keys = Keyring::new();
        // `check` reports a damaged file, and the next commit replaces it.
        if keys.add_bytes(KEY_FILE, &armored.bytes).is_err() {
            return Ok(());
        }
        let binary = Bytes::from(keys.binary().map_err(|source| Error::Keys { source })?);
        let path = site::keyring_file(name);
        if damage::holds(&self.store, &path, &binary).await? {
            return Ok(());
        }
        let there = damage::unless_damaged(&self.store, self.store.read(&path, limits::KEYS).await)?;
        if there.is_some_and(|there| !public_files::is_whole_key(&there.bytes)) {
            written.foreign.push(path);
            return Ok(());
        }
        self.store.replace_with(&path, &store::Content::Bytes(binary.clone(), Digests::of(&binary))).await?;
        written.written.push(path);
        Ok(())
    }
}

/// The result of a write of one file.
enum FileWritten {
    /// It was up to date.
    Not,
    Written,
    /// Another file is there, which is left alone.
    Foreign,
}

/// The files for clients that were written.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ClientFiles {
    /// Their paths.
    pub written: Vec<String>,
    /// Files of the same names that `publish` did not write, and that were left alone.
    pub foreign: Vec<String>,
}
