//! Reads an archive as clients do, and reports everything that is missing or differs.
//!
//! On the web it acts as a client: without credentials and through all caches; an HTTP error for a file is a fault of
//! that file.

mod freshness;
mod history;
mod indices;
mod patches;
mod contents;
mod translations;
mod images;
mod pointer;
mod page;
mod fetch;
mod pool;
mod findings;
mod caches;
pub(crate) mod report;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};

use crate::{
    dists::IndexKey,
    names::Suite,
    signing::Keyring,
    store::{self, Store},
    suite::{
        archive::{Archive, KEY_FILE},
        damage,
        error::{Error, chain},
        event::Events,
        patches::patched_indices,
        published::{PublishedSuite, is_being_dropped, plain_path},
    },
};
use findings::Findings;
use pool::{Pool, name_file};
use report::{Remedy, Report, SuiteReport};

/// How many listed files of a suite are checked concurrently on the web, each under both names.
const LISTED_AT_ONCE: usize = 4;

/// How often a suite is checked again during concurrent publishing.
const LOOKS: u32 = 10;
/// The time after which a local publisher has written the next file.
const MOMENT: Duration = Duration::from_millis(50);

/// The options of a check.
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub struct Check<'a> {
    /// The suites.
    pub suites: &'a [Suite],
    /// Read every pool file completely, where a web server would otherwise only be asked for sizes.
    pub deep: bool,
    /// The keys are those of a client, not those of the publisher.
    pub clients_keys: bool,
    /// The origin of this archive, to compare it with.
    pub origin: Option<&'a Store>,
    /// The largest number of pool files that are compared; all by default.
    pub files: Option<usize>,
}

impl<'a> Check<'a> {
    /// Checks these suites.
    #[must_use]
    pub fn new(suites: &'a [Suite]) -> Self {
        Self { suites, ..Self::default() }
    }
}

impl Archive {
    /// Reads the pointer, every listed index in every form, and every file that an index names.
    pub async fn check(&self, check: &Check<'_>, events: Events<'_>) -> Result<Report, Error> {
        let begun = Instant::now();
        let mut findings = Findings::default();
        let own = self.with_its_own_keys(&mut findings).await?;
        let Self { store, trust } = own.as_ref().unwrap_or(self);
        // An unsigned suite is a finding, not an error.
        let archive = Self { store: store.clone(), trust: trust.clone().read_unverified() };
        let mut pool = Pool::new();
        let mut states = Vec::new();
        for suite in check.suites {
            let (seen, files, found) = archive.look_at(suite, check, begun).await?;
            states.push(seen);
            findings.merge(found);
            for (file, named) in files {
                name_file(&mut pool, file, named, &mut findings);
            }
        }
        archive.check_keys(check.clients_keys, &states, &mut findings).await?;
        archive.check_page(&states, &mut findings).await?;
        if let Some(most) = check.files {
            pool = pool.into_iter().take(most).collect();
        }
        archive.check_pool(pool, check.deep, &mut findings, events).await?;
        let Findings { files, mut faults, remedies, mut notes, caches } = findings;
        notes.extend(caches.notes());
        faults.sort();
        faults.dedup();
        let packages = states.iter().map(|state| state.packages).sum();
        let suites = check.suites.to_vec();
        let remedies = remedies.into_iter().collect();
        Ok(Report { suites, states, packages, files, faults, remedies, notes, own_keys: own.is_some() })
    }

    /// Without a configured key: the archive with the keys that it publishes itself.
    async fn with_its_own_keys(&self, findings: &mut Findings) -> Result<Option<Self>, Error> {
        if !self.trust.keyring.is_empty() {
            return Ok(None);
        }
        let mut keyring = Keyring::new();
        match self.key_file().await {
            Ok(Some(bytes)) if keyring.add_bytes(KEY_FILE, &bytes).is_ok() => {}
            Err(error) if !damage::is_damage(&self.store, &error) => return Err(error),
            _ => return Ok(None),
        }
        findings.note(format!(
            "signatures are checked with the keys of the archive itself (`{KEY_FILE}`), which proves that they match, not who made them"
        ));
        let trust = self.trust.with_keys(keyring);
        Ok(Some(Self { store: self.store.clone(), trust }))
    }

    /// Checks a suite until it has no fault, or the same faults twice in a row: findings during a concurrent publish
    /// mix two generations or describe an incomplete one.
    async fn look_at(
        &self,
        suite: &Suite,
        check: &Check<'_>,
        begun: Instant,
    ) -> Result<(SuiteReport, Pool, Findings), Error> {
        let mut before = None;
        for times in 0..LOOKS {
            if times > 0 {
                tokio::time::sleep(if self.store.is_local() { MOMENT } else { 10 * MOMENT }).await;
            }
            let (mut seen, mut files, mut found) = (SuiteReport::of(suite), Pool::new(), Findings::default());
            // A generation that is published while this command runs is not dated in the future, although the first
            // look found it so.
            let passed = if times == 0 { Duration::ZERO } else { begun.elapsed() };
            let archive = Self { store: self.store.clone(), trust: self.trust.clone().after(passed) };
            archive.check_suite(check, &mut seen, &mut files, &mut found).await?;
            let faulty: BTreeSet<String> = found.faults.iter().map(|fault| fault.path.clone()).collect();
            let now = (seen.date.clone(), faulty);
            if found.faults.is_empty() || before.as_ref() == Some(&now) {
                return Ok((seen, files, found));
            }
            before = Some(now);
        }
        let (seen, mut found) = (SuiteReport::of(suite), Findings::default());
        found.fault(
            format!("dists/{suite}"),
            "it changed during every attempt, each time with other faults; check again when no publish is running",
        );
        Ok((seen, Pool::new(), found))
    }

    async fn check_suite(
        &self,
        check: &Check<'_>,
        seen: &mut SuiteReport,
        pool: &mut Pool,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let suite = seen.suite.clone();
        // A fault of the pointer ends the check of this suite: its indices cannot be trusted.
        let published = match self.suite(&suite).await {
            Ok(published) => published,
            Err(Error::Untrusted { path, source }) => {
                return self.judge_untrusted(&suite, &path, &source, seen, findings).await;
            }
            Err(Error::Store(error)) => {
                let path = match &error {
                    store::Error::Failed { path, .. } | store::Error::TooLarge { path, .. } => path.clone(),
                    _ => format!("dists/{suite}"),
                };
                return self.refused::<()>(&path, error, findings).map(drop);
            }
            Err(error) => {
                findings.fault(format!("dists/{suite}"), chain(&error));
                return Ok(());
            }
        };
        match published.pointer() {
            Some(pointer) => {
                self.check_pointer(&published, pointer, seen, findings).await?;
                let contents = self.check_contents(&published, seen, pool, findings).await;
                self.found(&suite, contents, findings)?;
            }
            None if self.is_on_the_web() => {
                findings.fault(
                    published.path("InRelease"),
                    "it is missing, as is `Release`: clients find no suite",
                );
            }
            None if is_being_dropped(&self.store, &suite).await? => {
                let path = published.path("InRelease");
                let problem = "the suite is being dropped, or its removal was interrupted";
                findings.fault_for(Remedy::Drop(suite.clone()), path, problem);
                return Ok(());
            }
            None => {}
        }
        if let Some(origin) = check.origin {
            self.check_freshness(&published, origin, seen, findings).await?;
        }
        let history = self.check_history(&published, pool, findings).await;
        self.found(&suite, history, findings)
    }

    /// Notes damage of one object as a fault, so that the check goes on.
    fn found(&self, suite: &Suite, looked: Result<(), Error>, findings: &mut Findings) -> Result<(), Error> {
        match looked {
            Err(error) if damage::is_damage(&self.store, &error) => {
                let path =
                    damage::path_of(&error).map_or_else(|| format!("dists/{suite}"), ToOwned::to_owned);
                findings.fault(path, chain(&error));
                Ok(())
            }
            looked => looked,
        }
    }

    /// Reads the files that the pointer lists.
    async fn check_contents(
        &self,
        published: &PublishedSuite,
        seen: &mut SuiteReport,
        pool: &mut Pool,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let Some(release) = published.release() else { return Ok(()) };
        let carried = published.carried().await?;
        let all = || release.files().keys().filter(|path| carried.holds(path));
        let listed: BTreeSet<&str> = all().map(|path| plain_path(path)).collect();
        let is_index = |path: &&String| IndexKey::parse(plain_path(path)).has_entries();
        seen.indices = all().filter(is_index).count();
        if !carried.subset().is_whole() {
            findings.note(format!(
                "suite `{}` is the part of a mirror ({}): {} other listed files are left out",
                published.name(),
                carried.subset().describe(),
                release.files().len() - all().count()
            ));
        }
        let stores_all = published.is_of_our_form();
        let looks = stream::iter(listed).map(|plain| async move {
            let mut found = Findings::default();
            let entries = self.check_listed(published, (plain, stores_all), &mut found).await?;
            Ok::<_, Error>((plain, entries, found))
        });
        let mut looks = looks.buffered(if self.is_on_the_web() { LISTED_AT_ONCE } else { 1 });
        let (mut packages, mut files) = (BTreeSet::new(), Pool::new());
        while let Some(look) = looks.next().await {
            let (plain, entries, found) = look?;
            findings.merge(found);
            if let Some(entries) = entries {
                indices::check(&published.path(plain), &entries, &mut files, &mut packages, findings);
            }
        }
        self.check_contents_of_packages(published, findings).await?;
        self.check_descriptions_of_packages(published, findings).await?;
        for index in patched_indices(release).filter(|index| carried.holds(index)) {
            self.check_patches(published, index, findings).await?;
        }
        seen.packages = packages.len();
        seen.pool_files = files.len();
        self.add_images((published, &carried), &mut files, findings).await?;
        for (file, named) in files {
            name_file(pool, file, named, findings);
        }
        Ok(())
    }
}
