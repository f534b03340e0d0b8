//! `sync`: copies suites of this archive to another store.
//!
//! The pointers and indices of both sides determine the files to copy. They are written in the order of a commit: pool
//! files and by-hash indices, then the pointer, whose swap shows the new suite to clients, then the names for clients
//! without by-hash. An interrupted run leaves the destination serving the previous suite or the new one, and the next
//! run resumes.

mod part;
mod unchanged;
mod names;
mod difference;
mod root;
mod verify;
mod source;
mod images;
mod page;
mod run;
mod copy;
pub(crate) mod report;
pub(crate) mod options;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    commit::{
        derived::{files_of, write_derived},
        uploaded::{Swapped, Uploaded},
    },
    digest::{Digests, Sha256Digest},
    dists::{PackagesKey, layout::TREES, media_type},
    gc::{pins::GRACE, prune_options::Prune},
    names::Suite,
    operations::written::Written,
    store::{self, Content, Limit, Store},
    suite::{
        archive::{Archive, KEY_FILE},
        collisions, discovery,
        error::Error,
        event::Event,
        generations::{self, Keep},
        published::PublishedSuite,
        trust::Trust,
    },
};

use copy::Copier;
use difference::{Difference, Sides};
use options::Sync;
use report::{Synced, SyncedSuite};
use run::Run;

/// The name of the local record of files that were sent to a destination or found there.
const SENT: &str = "sent";

/// How often a suite is compared again after a concurrent publish.
const TRIES: u32 = 10;

impl Archive {
    /// Copies every file reachable from the selected suites to another store.
    ///
    /// Suites are independent of each other: [`Synced::failed`] and [`Synced::errors`] report the failures beside the
    /// successes, among them [`Error::Older`] and [`Error::NoLongerSigned`] if the destination would be downgraded.
    ///
    /// # Errors
    /// Nothing was written: an included file may not be copied.
    pub async fn sync(&self, destination: &Store, how: &Sync<'_>) -> Result<Synced, Error> {
        let destination = destination.clone().with_content_type(media_type::of).with_linked_folders(&TREES);
        let mut run = Run {
            archive: self,
            destination: &destination,
            how,
            copier: Copier::new(&self.store, &destination, how),
            synced: Synced { dry_run: how.dry_run, ..Synced::default() },
            seen: None,
            trusted_record: false,
            opened: BTreeMap::new(),
            published_keys: None,
            destination_keys: None,
            finished: Vec::new(),
        };
        let opened = run.open_all().await;
        run.refuse_unknown_parts()?;
        if opened.is_ok() && run.is_unchanged().await? {
            return Ok(run.synced);
        }
        let root = root::files(&self.store, how.include).await?;
        // The keys first: a client that sees a suite must be able to verify it.
        let keys = vec![KEY_FILE.to_owned()];
        let done = match opened {
            Ok(true) => run.root_files(keys.clone()).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error @ Error::Secret { .. }) = done {
            return Err(error);
        }
        run.note(done);
        for suite in how.suites {
            let done = run.suite(suite).await.map_err(|error| match error {
                // The destination keeps its suite; the remedy is an option of this command.
                Error::Missing { path } => Error::NotAtSource { path },
                error => error,
            });
            // A store error for one suite would occur for every suite.
            let is_over = matches!(done, Err(Error::Store(_)));
            let done = done.map(|suite| run.synced.suites.push(suite));
            run.note(done);
            if is_over {
                break;
            }
        }
        if run.has_no_errors() {
            // If a suite is new at the destination, earlier files there may have been lost.
            let is_doubtful = run.trusted_record && run.synced.suites.iter().any(|suite| suite.first);
            let done = run.root_files(if is_doubtful { [keys, root].concat() } else { root }).await;
            run.note(done);
        }
        if run.has_no_errors() {
            let done = run.client_files().await;
            run.note(done);
            let done = run.page().await;
            run.note(done);
        }
        if how.verify && run.has_no_errors() {
            let done = run.verify(how.suites).await;
            run.note(done);
        }
        if let Some(keep) = how.delete
            && run.has_no_errors()
        {
            let done = run.prune(keep).await;
            run.note(done);
        }
        if !how.dry_run {
            let done = destination.flush().await;
            run.note(done.map_err(Error::from));
            run.record_unchanged();
        }
        let Run { copier, mut synced, .. } = run;
        let tally = copier.into_tally();
        synced.sent.extend(tally.sent);
        if how.dry_run {
            // A file of several suites is sent once.
            let mut planned = BTreeSet::new();
            synced.sent.retain(|file| planned.insert(file.path.clone()));
        }
        synced.there += tally.note_existing.len();
        Ok(synced)
    }
}

impl Run<'_> {
    /// Keeps an error, to report it beside the successes.
    fn note(&mut self, done: Result<(), Error>) {
        match done {
            Ok(()) => {}
            Err(Error::NotCarried(failed)) => self.synced.failed.extend(failed),
            Err(error) => self.synced.errors.push(error),
        }
    }

    fn has_no_errors(&self) -> bool {
        self.synced.failed.is_empty() && self.synced.errors.is_empty()
    }

    /// Writes the files for clients at the destination, if a suite has changed.
    async fn client_files(&mut self) -> Result<(), Error> {
        let changed = self.synced.suites.iter().filter(|suite| suite.is_described_anew());
        if self.how.dry_run || changed.count() == 0 {
            return Ok(());
        }
        let archive = Archive { store: self.destination.clone(), trust: Trust::unverified() };
        let files = archive.write_client_files(&self.how.site, None).await?;
        for path in files.written {
            let size = self.destination.size(&path).await?.unwrap_or_default();
            self.copier.wrote(&path, size);
            self.synced.changed.push(path);
        }
        Ok(())
    }

    async fn suite(&mut self, suite: &Suite) -> Result<SyncedSuite, Error> {
        for times in 1..=TRIES {
            match self.try_suite(suite).await {
                // A concurrent publish at the destination or at the source: compare again.
                Err(Error::Store(store::Error::Conflict { .. })) => {
                    (self.how.events)(Event::LostRace { times });
                }
                Err(
                    Error::Mismatch { .. }
                    | Error::Longer { .. }
                    | Error::Missing { .. }
                    | Error::NotCarried(_),
                ) if times < TRIES && self.source_changed(suite).await? => {}
                done => return done,
            }
            tokio::time::sleep(Duration::from_millis(50 * u64::from(times))).await;
        }
        Err(Error::RaceLost { suite: suite.clone(), times: TRIES })
    }

    /// Whether the source has published since its pointer was read: a suite without by-hash may then be read as a mix
    /// of two generations.
    async fn source_changed(&self, suite: &Suite) -> Result<bool, Error> {
        // Tools without by-hash write the indices first, and the pointer a moment later.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = PublishedSuite::look(&self.archive.store, suite, &self.archive.trust).await?;
        Ok(now.pointer().map(|pointer| &pointer.bytes) != self.seen.as_ref())
    }

    async fn try_suite(&mut self, suite: &Suite) -> Result<SyncedSuite, Error> {
        let (source_store, destination) = (&self.archive.store, self.destination);
        let source = self.open_source(suite).await?;
        let Some(pointer) = source.pointer() else {
            return Err(discovery::not_published(source_store, suite).await);
        };
        self.seen = Some(pointer.bytes.clone());
        let there = self.open_destination(suite).await?;
        let carried = self.part_of(&source).await?;
        let partial_there = self.part_there(&there).await?;
        let carried_there = partial_there.subset.of(&there.release().cloned().unwrap_or_default());
        let sides = Sides {
            source: &source,
            there: &there,
            source_store,
            carried: &carried,
            carried_there: &carried_there,
            retried: &partial_there.missing,
            ignore_missing: self.how.ignore_missing,
            trust: &self.archive.trust,
            destination,
        };
        self.refuse_downgrade(&sides)?;
        collisions::refuse(destination, &there, &pointer.release).await?;
        if there.pointer().is_none() {
            self.copier.distrust_earlier_runs();
        }
        let difference = Difference::between(&sides).await?;
        let part_changes = *carried.subset() != partial_there.subset && sides.same_pointer();
        let mut outcome = SyncedSuite { part_changes, ..self.outcome(&sides, &difference) };
        let names = self.other_names(&sides, &difference).await?;
        self.synced.there += difference.known;
        if self.how.dry_run {
            self.synced.missing.extend(difference.missing.iter().cloned());
            self.plan(&difference, &source.path(pointer.file()), pointer.bytes.len());
            return Ok(outcome);
        }
        destination.check_space(difference.written()).await?;
        self.copy_immutable(suite, &difference).await?;
        let is_whole = self.record_part(&sides, &difference.missing, &partial_there).await?;
        let copier = &self.copier;
        if difference.swaps {
            // Existing files are not deleted before a pointer references them again.
            let path = source.path(pointer.file());
            let uploaded = Uploaded {
                store: destination,
                base: there,
                files: difference.files.clone(),
                release: pointer.release.clone(),
                generation: difference.name.clone(),
                pin: copier.pin().await?,
            };
            // THE COMMIT: clients of the destination see the new suite, or the swap fails with `Conflict` and nothing
            // changes.
            if let Swapped::Crossed(_) = uploaded.publish(self.how.events).await? {
                // An unsigned suite changed at the destination, and is signed now: compare again.
                return Err(store::Error::Conflict { path }.into());
            }
            copier.wrote(&path, pointer.bytes.len() as u64);
            self.synced.changed.push(path);
        }
        if !difference.swaps && !difference.forms.is_empty() {
            generations::mark_published(destination, &source, &difference.name).await?;
        }
        // For clients without by-hash. After a crash here they may see a mismatch until the next run.
        self.begin(suite, "names for clients without by-hash", &difference.compat_names);
        self.synced.changed.extend(difference.compat_names.iter().map(|load| load.to.clone()));
        if let Err(Error::NotCarried(failed)) = copier.copy(&difference.compat_names).await {
            // The suite is published all the same; `Release`, which marks it as complete, is not written.
            self.synced.failed.extend(failed);
            return Ok(outcome);
        }
        // Before `Release`, which marks the suite as complete: a run after a crash here finds the names again.
        self.publish_other_names(suite, &difference, &names).await?;
        outcome.names = names;
        let names_change = !difference.compat_names.is_empty() || !difference.forms.is_empty();
        self.write_forms(difference.forms).await?;
        if names_change {
            self.restore_names(&source).await?;
        }
        difference::record_as_finished(destination, suite, &pointer.bytes, is_whole);
        self.finished.push((suite.clone(), Sha256Digest::of(&pointer.bytes).to_string()));
        Ok(outcome)
    }

    /// Copies everything that the new release file references. A crash after any of these leaves unreferenced files, which the
    /// next run finds.
    async fn copy_immutable(&mut self, suite: &Suite, difference: &Difference) -> Result<(), Error> {
        let copier = &self.copier;
        let Difference { pool, images, patches, by_hash, compat_names, .. } = difference;
        for transfers in [pool, images, patches, by_hash, compat_names] {
            copier.announce(transfers);
        }
        self.begin(suite, "pool files", pool);
        copier.copy(pool).await?;
        self.begin(suite, "images of the installer", images);
        copier.copy(images).await?;
        self.synced.changed.extend(images.iter().map(|load| load.to.clone()));
        self.begin(suite, "patches of indices", patches);
        copier.copy(patches).await?;
        self.begin(suite, "indices", by_hash);
        let (smallest, others) = by_hash.split_at(by_hash.len().min(1));
        copier.copy(smallest).await?;
        copier.copy(others).await?;
        for (path, content) in &difference.generation {
            copier.put_new(path, content).await?;
        }
        Ok(())
    }

    /// Reports that a phase begins.
    fn begin(&self, suite: &Suite, what: &'static str, transfers: &[copy::Transfer]) {
        let bytes = transfers.iter().map(|load| load.expected.size).sum();
        if !transfers.is_empty() {
            (self.how.events)(Event::Phase { what, suite: suite.clone(), files: transfers.len(), bytes });
        }
    }

    /// Writes the other forms of a release file.
    async fn write_forms(&mut self, forms: Vec<(String, Option<Bytes>)>) -> Result<(), Error> {
        for (path, form) in forms {
            match form {
                Some(bytes) => self.copier.replace(&path, bytes).await?,
                None => self.destination.delete(&path).await?,
            }
            self.synced.changed.push(path);
        }
        Ok(())
    }

    /// The report of a suite, if its copy succeeds.
    fn outcome(&self, sides: &Sides<'_>, difference: &Difference) -> SyncedSuite {
        let Sides { source, there, carried, .. } = sides;
        let pointer = source.pointer();
        let is_of_sources = |key: &PackagesKey| key.is_of_sources() && carried.holds(&key.path());
        SyncedSuite {
            suite: source.name().clone(),
            published: difference.swaps && !self.how.dry_run,
            part_changes: false,
            first: there.pointer().is_none(),
            components: source.release().map(|release| carried.components(release)).unwrap_or_default(),
            architectures: carried.subset().architectures.clone(),
            signed: pointer.is_some_and(|pointer| pointer.signed),
            verified: pointer.is_some_and(|pointer| !pointer.signers.is_empty()),
            has_other_name: there.release().is_some_and(|release| {
                release.field("Codename").is_some_and(|codename| codename != source.name().as_str())
            }),
            has_sources: source.edited_keys().iter().any(is_of_sources),
            names: Vec::new(),
        }
    }

    /// Another run may have published while the canonical names were written: the run that ends last restores those of
    /// the current pointer.
    async fn restore_names(&mut self, source: &PublishedSuite) -> Result<(), Error> {
        let Some(pointer) = source.pointer() else { return Ok(()) };
        if self.destination.holds(&source.path(pointer.file()), &pointer.bytes).await? {
            return Ok(());
        }
        let there = self.open_destination(source.name()).await?;
        if let Some(release) = there.release() {
            let (store, suite) = (self.destination, source.name());
            let trust = &self.archive.trust;
            let files = files_of(store, &there, trust).await?;
            let derived = write_derived(store, suite, trust, (&files, release)).await?;
            self.synced.changed.extend(derived);
        }
        Ok(())
    }

    /// Deletes every file that no retained generation of any suite of the destination references.
    async fn prune(&mut self, keep: Keep) -> Result<(), Error> {
        let how = Prune {
            keep: std::collections::BTreeMap::new(),
            otherwise: Some(keep),
            grace: GRACE,
            now: self.how.now,
            dry_run: self.how.dry_run,
            only: None,
            events: self.how.events,
            stop: self.how.stop,
        };
        let there = Archive::new(self.destination.clone(), self.archive.trust.clone().read_unverified());
        let pruned = there.prune(&how).await?;
        let deleted =
            pruned.deleted.into_iter().map(|swept| Written { path: swept.path, bytes: swept.bytes });
        self.synced.deleted.extend(deleted);
        Ok(())
    }

    /// Opens the suite at the destination. An unreadable pointer there is deleted if `verify` is set, in the revision
    /// that was read: another publisher may have repaired it meanwhile.
    async fn open_destination(&self, suite: &Suite) -> Result<PublishedSuite, Error> {
        let open = async || PublishedSuite::look(self.destination, suite, &Trust::unverified()).await;
        let damaged = match open().await {
            Err(Error::Pointer { path, .. } | Error::Untrusted { path, .. })
                if self.how.verify && !self.how.dry_run =>
            {
                path
            }
            opened => return opened,
        };
        let seen = self.destination.revision(&damaged).await?;
        match (open().await, seen) {
            (Err(Error::Pointer { path, .. } | Error::Untrusted { path, .. }), Some(seen))
                if path == damaged =>
            {
                (self.how.events)(Event::Warning(format!(
                    "`{path}` is damaged at the destination and is uploaded again"
                )));
                self.destination.delete_revision(&path, &seen).await?;
                open().await
            }
            (opened, _) => opened,
        }
    }

    /// Refuses a downgrade: an older generation over a newer one, an unsigned suite over a signed one.
    fn refuse_downgrade(&self, sides: &Sides<'_>) -> Result<(), Error> {
        let (Some(ours), Some(theirs)) = (sides.source.pointer(), sides.there.pointer()) else {
            return Ok(());
        };
        if theirs.is_in_release() && !ours.is_in_release() || theirs.signed && !ours.signed {
            return Err(Error::NoLongerSigned {
                suite: sides.source.name().clone(),
                destination: self.destination.location().to_string(),
            });
        }
        if let (Ok(here), Ok(there)) = (ours.release.date(), theirs.release.date())
            && here < there
            && !self.how.allow_older
        {
            let (suite, destination) = (sides.source.name().clone(), self.destination.location().to_string());
            return Err(Error::Older { suite, destination, here, there });
        }
        Ok(())
    }

    fn plan_transfers(&mut self, transfers: &[copy::Transfer]) {
        let written =
            transfers.iter().map(|load| Written { path: load.to.clone(), bytes: load.expected.size });
        self.synced.sent.extend(written);
    }

    fn plan(&mut self, difference: &Difference, pointer: &str, size: usize) {
        let written = difference.written().into_iter().map(|(path, bytes)| Written { path, bytes });
        self.synced.sent.extend(written);
        if difference.swaps {
            self.synced.sent.push(Written { path: pointer.to_owned(), bytes: size as u64 });
        }
    }

    /// Copies files beside `dists/` and `pool/`: the public keys and the included files.
    async fn root_files(&mut self, paths: Vec<String>) -> Result<(), Error> {
        for path in paths {
            let Some(loaded) = root::load(&self.archive.store, &path).await? else { continue };
            let Digests { size, sha256, .. } = *loaded.content.digests();
            // As for any file, a recorded one is checked again with `--verify` and where a suite is new at the
            // destination.
            let trusts_record = !self.how.verify && !self.synced.suites.iter().any(|suite| suite.first);
            if trusts_record && self.is_recorded_as_sent(&path, &sha256) {
                self.synced.there += 1;
                self.trusted_record = true;
                continue;
            }
            let same = match &loaded.content {
                Content::Bytes(bytes, _) => self.destination.holds(&path, bytes).await?,
                Content::File(local) => {
                    self.destination.size(&path).await? == Some(size)
                        && self
                            .destination
                            .digests(&path, Limit::bytes(size))
                            .await?
                            .is_some_and(|there| there == local.digests)
                }
            };
            if same {
                self.record_as_sent(&path, &sha256);
                self.synced.there += 1;
                continue;
            }
            if self.how.dry_run {
                self.synced.sent.push(Written { path, bytes: size });
                continue;
            }
            self.destination.replace_with(&path, &loaded.content).await?;
            self.record_as_sent(&path, &sha256);
            self.copier.wrote(&path, size);
            self.synced.changed.push(path);
        }
        Ok(())
    }

    fn is_recorded_as_sent(&self, path: &str, sha256: &Sha256Digest) -> bool {
        let cache = self.destination.cache().filter(|_| !self.destination.is_local());
        let sent =
            cache.and_then(|cache| cache.recall(SENT, &format!("{} {path}", self.destination.location())));
        sent.is_some_and(|(sent, _)| sent == sha256.to_string())
    }

    fn record_as_sent(&self, path: &str, sha256: &Sha256Digest) {
        if let Some(cache) = self.destination.cache().filter(|_| !self.destination.is_local()) {
            cache.remember(SENT, &format!("{} {path}", self.destination.location()), &sha256.to_string());
        }
    }
}
