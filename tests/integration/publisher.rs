//! A publisher inside the test process: it does the same as `publish add`, on any store.
//!
//! It signs with `fixtures/keys/test.asc` and uses the clock of the sandbox, so that it and the program can alternate.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use publish::{
    archive::{
        Archive, ArchiveTarget, Check, CommitOptions, CommitReport, Copies, Error, Event, Events, Fault,
        Keep, Named, Prune, Pruned, Removal, SuiteEdit, Sync, Synced, Trust, Wanted, name_of_snapshot,
        read_packages,
    },
    compression::Compression,
    config::{Patches, SuiteConfig},
    names::Suite,
    signing::{KeySource, Keyring, SigningKeys},
    store::{Environment, Location, Store},
};

use crate::sandbox::{CLOCK, Sandbox, age, fixture};

static KEYS: LazyLock<SigningKeys> = LazyLock::new(keys);

fn keys() -> SigningKeys {
    let key = fixture("keys/test.asc");
    let source = KeySource::parse(key.to_str().unwrap(), Path::new("/"), Path::new("/")).unwrap();
    SigningKeys::open(&[source], None, clock()).unwrap()
}

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(CLOCK.parse().unwrap())
}

fn trust(now: SystemTime) -> Trust {
    Trust::keyring(KEYS.certificates().clone(), now)
}

/// A publisher of suite `stable`, unless set otherwise.
pub(crate) struct Publisher {
    archive: Archive,
    config: SuiteConfig,
    surplus: Option<ArchiveTarget>,
    now: SystemTime,
    lost: AtomicU32,
    keys: Option<&'static SigningKeys>,
}

impl Publisher {
    pub(crate) fn on(store: Store) -> Self {
        Self::at(store, clock())
    }

    fn at(store: Store, now: SystemTime) -> Self {
        let config = SuiteConfig::unconfigured(Suite::parse("stable").unwrap());
        let archive = Archive::new(store, trust(now));
        Self { archive, config, surplus: None, now, lost: AtomicU32::new(0), keys: Some(&KEYS) }
    }

    /// The same publisher with its clock this many seconds ahead.
    pub(crate) fn later(self, seconds: u64) -> Self {
        Self::at(self.archive.store().clone(), self.now + Duration::from_secs(seconds))
    }

    /// The same publisher without a key.
    pub(crate) fn unsigned(mut self) -> Self {
        let trust = Trust::keyring(Keyring::new(), self.now).allow_unsigned();
        (self.archive, self.keys) = (Archive::new(self.archive.store().clone(), trust), None);
        self
    }

    /// The same publisher, which adopts the existing suite.
    pub(crate) fn adopting(mut self) -> Self {
        let trust = trust(self.now).adopt_existing();
        self.archive = Archive::new(self.archive.store().clone(), trust);
        self
    }

    /// The same publisher for another suite.
    pub(crate) fn of(mut self, suite: &str) -> Self {
        self.config = SuiteConfig::unconfigured(Suite::parse(suite).unwrap());
        self
    }

    /// The same publisher, whose suite keeps one version of a package and moves older ones to another suite.
    pub(crate) fn giving_to(mut self, suite: &str) -> Self {
        let suite = Suite::parse(suite).unwrap();
        let archive = Archive::new(self.archive.store().clone(), trust(self.now));
        let mut surplus = ArchiveTarget::new(archive, SuiteConfig::unconfigured(suite.clone()));
        surplus.keys = Some(keys());
        self.surplus = Some(surplus);
        (self.config.limit, self.config.archive) = (Some(1), Some(suite));
        self
    }

    /// The same publisher, which writes only two of the three forms of an index.
    pub(crate) fn without_xz(mut self) -> Self {
        self.config.compressions.retain(|form| *form != Compression::Xz);
        self
    }

    /// The same publisher, which writes patches of all indices.
    pub(crate) fn with_patches(mut self) -> Self {
        self.config.patches = Patches::Always;
        self
    }

    /// The same publisher, which writes one more form of an index.
    pub(crate) fn with_zst(mut self) -> Self {
        self.config.compressions.push(Compression::Zstd);
        self
    }

    pub(crate) async fn add(&self, files: &[PathBuf]) -> Result<CommitReport, Error> {
        let read = read_packages(files.to_vec(), &|_| ())?;
        self.commit(SuiteEdit::adding(read)).await
    }

    pub(crate) async fn remove(&self, name: &str) -> Result<CommitReport, Error> {
        let removal = Removal { named: Named::Package(name.to_owned()), version: None, architecture: None };
        self.commit(SuiteEdit::removing([removal])).await
    }

    /// Copies the newest version of a package from another suite.
    pub(crate) async fn copy(&self, from: &str, name: &str) -> Result<CommitReport, Error> {
        let mut copies = Copies::new(Suite::parse(from).unwrap(), trust(self.now));
        copies.wanted = vec![Wanted { named: Named::Package(name.to_owned()), version: None }];
        self.commit(SuiteEdit::copying(copies)).await
    }

    async fn commit(&self, edit: SuiteEdit) -> Result<CommitReport, Error> {
        let events = |event| {
            if let Event::LostRace { .. } = event {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        };
        self.archive.commit(&edit, &self.how(&events)).await
    }

    /// Runs the equivalent of `publish rollback`.
    pub(crate) async fn roll_back(&self) -> Result<CommitReport, Error> {
        self.archive.roll_back(None, &self.how(&|_| ())).await
    }

    /// Runs the equivalent of `publish snapshot`.
    pub(crate) async fn snapshot(&self, name: &str) -> Result<CommitReport, Error> {
        let config = self.config.snapshot(name_of_snapshot(&self.config.codename, name).unwrap());
        let mut how = self.how(&|_| ());
        how.config = &config;
        self.archive.snapshot(&self.config.codename, &how).await
    }

    fn how<'a>(&'a self, events: Events<'a>) -> CommitOptions<'a> {
        let mut how = CommitOptions::new(&self.config, self.now).events(events);
        (how.keys, how.surplus) = (self.keys, self.surplus.as_ref());
        how
    }

    /// Runs the equivalent of `publish sync`, on any store.
    pub(crate) async fn sync(&self, destination: &Store) -> Result<Synced, Error> {
        self.sync_how(destination, false).await
    }

    /// Runs the equivalent of `publish sync --verify`.
    pub(crate) async fn sync_verified(&self, destination: &Store) -> Result<Synced, Error> {
        self.sync_how(destination, true).await
    }

    async fn sync_how(&self, destination: &Store, verify: bool) -> Result<Synced, Error> {
        let suites = self.archive.suites().await?;
        let mut how = Sync::new(&suites, self.now);
        (how.at_once, how.verify) = (4, verify);
        Box::pin(self.archive.sync(destination, &how)).await
    }

    /// Runs the equivalent of `publish prune`, with another grace period.
    pub(crate) async fn prune(&self, keep: Keep, grace: Duration) -> Result<Pruned, Error> {
        self.prune_by(BTreeMap::new(), keep, grace).await
    }

    /// The same, but keeps only the current generation of this suite.
    pub(crate) async fn prune_all_of_this(&self, keep: Keep, grace: Duration) -> Result<Pruned, Error> {
        let nothing = Keep { generations: 1, span: Duration::ZERO };
        self.prune_by(BTreeMap::from([(self.config.codename.clone(), nothing)]), keep, grace).await
    }

    async fn prune_by(
        &self,
        suites: BTreeMap<Suite, Keep>,
        keep: Keep,
        grace: Duration,
    ) -> Result<Pruned, Error> {
        let mut how = Prune::new(self.now);
        (how.keep, how.otherwise, how.grace) = (suites, Some(keep), grace);
        self.archive.prune(&how).await
    }

    /// The number of lost races so far.
    pub(crate) fn lost(&self) -> u32 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The faults that `publish check` finds.
    pub(crate) async fn faults(&self) -> Vec<Fault> {
        let mut suites = self.archive.suites().await.unwrap();
        let snapshots = self.archive.snapshots(&self.config.codename).await.unwrap();
        suites.extend(snapshots.iter().map(|snapshot| snapshot.name().clone()));
        self.archive.check(&Check::new(&suites), &|_| ()).await.unwrap().faults
    }

    /// Every package of the suite: `NAME VERSION ARCHITECTURE of INDEX`, sorted; `None` if the suite does not exist.
    pub(crate) async fn packages(&self) -> Option<Vec<String>> {
        let suite = match self.archive.suite(&self.config.codename).await {
            // A first commit that was interrupted before it was signed; no client accepts it.
            Err(Error::NotSigned { .. }) => return None,
            suite => suite.unwrap(),
        };
        suite.pointer()?;
        let mut packages = Vec::new();
        for name in suite.packages_keys() {
            for entry in suite.index(&name).await.unwrap().entries() {
                let (package, version) = (entry.name(), entry.version());
                packages.push(format!(
                    "{package} {version} {} of {}",
                    entry.architecture(),
                    name.architecture
                ));
            }
        }
        packages.sort();
        Some(packages)
    }
}

/// The store in a folder.
pub(crate) fn folder(path: impl Into<PathBuf>) -> Store {
    Store::open(&Location::Folder(path.into()), &Environment::default()).unwrap()
}

/// A new store in memory; clones share it.
pub(crate) fn memory() -> Store {
    Store::open(&Location::Memory, &Environment::default()).unwrap()
}

/// A folder, a month old, with the packages `one` and `two`, which the sandbox already has.
pub(crate) async fn a_month_ago(sandbox: &Sandbox) -> Store {
    let store = one_and_two(sandbox).await;
    age(&sandbox.archive(""), 30);
    store
}

/// The same, with `one` removed at that time: its file and the index with it can be deleted.
pub(crate) async fn left_over(sandbox: &Sandbox) -> Store {
    let store = one_and_two(sandbox).await;
    Publisher::on(store.clone()).later(10).remove("one").await.unwrap();
    age(&sandbox.archive(""), 30);
    store
}

async fn one_and_two(sandbox: &Sandbox) -> Store {
    let _ = fs::remove_dir_all(sandbox.archive(""));
    let store = folder(sandbox.archive(""));
    let files = ["one", "two"].map(|name| sandbox.incoming().join(format!("{name}_1.0_amd64.deb")));
    Publisher::on(store.clone()).add(&files).await.unwrap();
    store
}
