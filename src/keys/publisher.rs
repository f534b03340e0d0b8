//! `Publisher`: commits operations, signed by the configured keys, with the headers and the `Archive:` of each suite.

use std::{sync::Arc, time::SystemTime};

use super::{
    error::Error,
    keychain::{Keychain, SuiteKeys},
};
use crate::{
    commit::{options::CommitOptions, outcome::CommitReport},
    config::{Config, SuiteConfig},
    names::Suite,
    operations::{dates::Refresh, edit::SuiteEdit, overflow::ArchiveTarget},
    signing::Keyring,
    site::Site,
    store::{Headers, Store},
    suite::{
        archive::{Archive, KEY_FILE},
        error::Error as ArchiveError,
        event::{Event, Events},
        limits,
        note::Note,
        snapshots::snapshot_of,
        trust::Trust,
    },
};

/// Commits operations with the configured keys.
#[derive(Clone)]
#[non_exhaustive]
pub struct Publisher<'a> {
    /// The store of the archive.
    pub store: Store,
    /// The keys and the configuration.
    pub keychain: Arc<Keychain>,
    /// The note of each new generation.
    pub note: Note,
    /// Plan, and write nothing.
    pub dry_run: bool,
    /// The time of the clock, if a suite whose `Valid-Until` has passed by then must not be published.
    pub clock: Option<SystemTime>,
    /// Publish changes that make `apt update` stop on every client until its user accepts them.
    pub allow_releaseinfo_change: bool,
    /// The URL under which clients read the archive, if it is not the configured one.
    pub public_url: Option<String>,
    /// Receives progress and warnings.
    pub events: Events<'a>,
}

impl<'a> Publisher<'a> {
    /// Commits to this store with these keys.
    #[must_use]
    pub fn new(store: Store, keychain: Arc<Keychain>, events: Events<'a>) -> Self {
        let note = Note::default();
        Self {
            store,
            keychain,
            note,
            dry_run: false,
            clock: None,
            allow_releaseinfo_change: false,
            public_url: None,
            events,
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.keychain.config
    }

    /// The same publisher with another configuration.
    pub(super) fn with_config(&self, config: Config) -> Self {
        Self { keychain: Arc::new(self.keychain.with_config(config)), ..self.clone() }
    }

    /// The archive, for reading with this policy.
    pub(super) fn archive(&self, trust: Trust) -> Archive {
        Archive::new(self.store.clone(), trust)
    }

    /// Runs work that blocks, such as gpg, outside the async threads.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keychain) -> T + Send + 'static,
    ) -> T {
        let keychain = Arc::clone(&self.keychain);
        crate::store::blocking(move || work(&keychain)).await
    }

    /// Returns the trust policy for reading all suites; warns of keys that cannot be read.
    pub(super) async fn trust_to_read(&self) -> Trust {
        let (trust, problems) = self.blocking(Keychain::trust_to_read).await;
        for problem in problems {
            (self.events)(Event::UnreadableKeys(problem));
        }
        trust
    }

    /// Opens the keys of a suite to change.
    pub async fn keys(&self, suite: &SuiteConfig) -> Result<SuiteKeys, Error> {
        let (config, dry_run) = (suite.clone(), self.dry_run);
        let open = move |keychain: &Keychain| match keychain.open_to_publish(&config) {
            Err(Error::Signing(error)) if dry_run && error.is_missing_key() => keychain.plan(&config),
            keys => keys,
        };
        let mut keys = self.blocking(open).await?;
        if self.dry_run && keys.signing.is_none() {
            self.plan_without_key(suite, &mut keys).await?;
        }
        for warning in keys.warnings.drain(..) {
            (self.events)(Event::Key(warning));
        }
        Ok(keys)
    }

    /// Completes the keys for a dry run without a signing key: a signed suite stays signed, and is verified with the keys
    /// that are known, else with the key that the archive offers to clients.
    async fn plan_without_key(&self, suite: &SuiteConfig, keys: &mut SuiteKeys) -> Result<(), Error> {
        let archive = self.archive(Trust::unverified());
        let mut published = archive.suite(&suite.codename).await?;
        // A new snapshot is signed like its suite.
        if published.pointer().is_none()
            && let Some(of) = snapshot_of(&suite.codename)
        {
            published = archive.suite(&of).await?;
        }
        let is_signed = published.pointer().is_some_and(|pointer| pointer.signed);
        if !is_signed && !keys.plan_signed {
            return Ok(());
        }
        keys.plan_signed = true;
        let mut keyring = keys.trust.keys().clone();
        let unverified = is_signed && keyring.is_empty();
        if unverified {
            keyring.merge(&self.offered_keys().await?);
        }
        let adopts = keys.trust.adopts() || keyring.is_empty();
        let trust = Trust::keyring(keyring, self.keychain.now);
        keys.trust = if adopts { trust.adopt_existing() } else { trust };
        (self.events)(Event::PlannedWithoutKey { suite: suite.codename.clone(), unverified });
        Ok(())
    }

    /// Returns the keys that the archive offers to its clients; a file that holds no key offers none.
    pub(super) async fn offered_keys(&self) -> Result<Keyring, Error> {
        let mut keyring = Keyring::new();
        if let Some(file) = self.store.read(KEY_FILE, limits::KEYS).await.map_err(ArchiveError::from)? {
            let _ = keyring.add_bytes(KEY_FILE, &file.bytes);
        }
        Ok(keyring)
    }

    /// Plans with the same keys, and takes public parts that are not here from the archive.
    pub(super) async fn with_offered_keys(&self) -> Result<Self, Error> {
        let offered = self.offered_keys().await?;
        let keychain = Keychain { offered, ..(*self.keychain).clone() };
        Ok(Self { keychain: Arc::new(keychain), ..self.clone() })
    }

    /// Commits an edit of a suite.
    pub async fn commit(
        &self,
        suite: &SuiteConfig,
        keys: &SuiteKeys,
        edit: &SuiteEdit,
    ) -> Result<CommitReport, Error> {
        // A job that only removes packages does not need the keys of the suite in `Archive:`.
        let brings = !edit.add.is_empty() || edit.copy.is_some() || !edit.taken.is_empty();
        let may_be_surplus = edit.retention.is_some() || (brings && suite.limit.is_some());
        let surplus = if may_be_surplus { self.surplus_of(suite).await? } else { None };
        let how = CommitOptions { surplus: surplus.as_deref(), ..self.options(suite, keys) };
        Ok(self.archive_of(suite, keys).commit(edit, &how).await?)
    }

    /// Returns the chain of `Archive:` targets of a suite.
    async fn surplus_of(&self, suite: &SuiteConfig) -> Result<Option<Box<ArchiveTarget>>, Error> {
        let chain: Vec<_> = self.config().archives_of(suite).collect();
        let mut surplus = None;
        for config in chain.into_iter().rev() {
            let keys = self.keys(config).await?;
            let archive = self.archive_of(config, &keys);
            surplus = Some(Box::new(ArchiveTarget {
                archive,
                config: config.clone(),
                keys: keys.signing,
                next: surplus,
            }));
        }
        Ok(surplus)
    }

    /// Re-signs a suite if it is due.
    pub async fn refresh(
        &self,
        suite: &SuiteConfig,
        keys: &SuiteKeys,
        when: Refresh,
    ) -> Result<CommitReport, Error> {
        Ok(self.archive_of(suite, keys).refresh(when, &self.options(suite, keys)).await?)
    }

    /// Publishes the content of an earlier generation.
    pub async fn roll_back(
        &self,
        suite: &SuiteConfig,
        keys: &SuiteKeys,
        to: Option<&str>,
    ) -> Result<CommitReport, Error> {
        Ok(self.archive_of(suite, keys).roll_back(to, &self.options(suite, keys)).await?)
    }

    /// Publishes the current content of a suite, or that of a generation by its full name, as a snapshot.
    pub async fn snapshot(
        &self,
        snapshot: &SuiteConfig,
        of: (&Suite, Option<&str>),
        keys: &SuiteKeys,
    ) -> Result<CommitReport, Error> {
        let archive = self.archive_of(snapshot, keys);
        Ok(archive.snapshot_of(of.0, of.1, &self.options(snapshot, keys)).await?)
    }

    fn options<'b>(&'b self, suite: &'b SuiteConfig, keys: &'b SuiteKeys) -> CommitOptions<'b> {
        CommitOptions {
            plan_signed: keys.plan_signed,
            keys: keys.signing.as_ref(),
            note: self.note.clone(),
            dry_run: self.dry_run,
            clock: self.clock,
            allow_releaseinfo_change: self.allow_releaseinfo_change,
            site: self.site(suite),
            events: self.events,
            ..CommitOptions::new(suite, self.keychain.now)
        }
    }

    /// How the files for clients are written.
    fn site(&self, suite: &SuiteConfig) -> Site {
        let url = self.public_url.clone().or_else(|| suite.public_url.clone());
        Site::new(url, self.config().site_name(suite))
    }

    /// The archive, for changing a suite.
    fn archive_of(&self, suite: &SuiteConfig, keys: &SuiteKeys) -> Archive {
        Archive::new(self.store.clone().with_headers(headers(suite)), keys.trust.clone())
    }
}

/// Returns the cache policy for the files of a suite.
fn headers(suite: &SuiteConfig) -> Headers {
    let defaults = Headers::default();
    Headers {
        immutable: suite.pool_cache_control.clone().unwrap_or(defaults.immutable),
        mutable: suite.index_cache_control.clone().unwrap_or(defaults.mutable),
        ..defaults
    }
}
