//! `sync`: makes another store serve this archive, or another archive of the same format.
//!
//! What has to be carried follows from the pointers and indices of both sides. It is written in the order of a commit:
//! pool files and indices by their digests first, then the pointer, whose swap shows the new suite to clients, then what
//! clients of old read. Cut off anywhere, the destination serves what it served before, or the new suite; the next run
//! goes on where this one ended.

mod difference;
mod root;
mod verify;
mod run;
mod carry;
pub(crate) mod report;
pub(crate) mod options;

use std::time::Duration;

use crate::{
    commit::{
        derived::{files_of, write_derived},
        uploaded::{Swapped, Uploaded},
    },
    digest::{Digests, Sha256Digest},
    dists::{layout::TREES, media_type},
    gc::{pins::GRACE, prune::Prune},
    names::Suite,
    operations::written::Written,
    store::{self, Content, Limit, Store},
    suite::{
        archive::{Archive, KEY_FILE},
        error::Error,
        event::Event,
        generations::{self, Keep},
        published::PublishedSuite,
        trust::Trust,
    },
};

use carry::Carrier;
use difference::{Difference, Sides};
use options::Sync;
use report::{Synced, SyncedSuite};
use run::Run;

/// What the memory of files is called that a destination was sent, or was found to have.
const SENT: &str = "sent";

/// How often a suite is compared anew because somebody published meanwhile.
const TRIES: u32 = 10;

impl Archive {
    /// Carries suites to another store.
    ///
    /// What becomes of one suite is independent of the others: what went wrong with some of them stands beside what was
    /// done, in [`Synced::failed`] and [`Synced::errors`]: [`Error::Older`] and [`Error::NoLongerSigned`], if the
    /// destination would lose by it, among them.
    ///
    /// # Errors
    /// Nothing was done: what is to be included may not be carried.
    pub async fn sync(&self, destination: &Store, how: &Sync<'_>) -> Result<Synced, Error> {
        let destination = destination.clone().with_content_type(media_type::of).with_linked_folders(&TREES);
        let mut run = Run {
            archive: self,
            destination: &destination,
            how,
            carrier: Carrier::new(&self.store, &destination, how),
            synced: Synced { dry_run: how.dry_run, ..Synced::default() },
            seen: None,
            believed: false,
        };
        let root = root::files(&self.store, how.include).await?;
        // The keys first: a client that sees a suite must be able to check it.
        let keys = vec![KEY_FILE.to_owned()];
        let done = run.root_files(keys.clone()).await;
        run.note(done);
        for suite in how.suites {
            let done = run.suite(suite).await;
            // A store that fails for one suite fails for all.
            let is_over = matches!(done, Err(Error::Store(_)));
            let done = done.map(|suite| run.synced.suites.push(suite));
            run.note(done);
            if is_over {
                break;
            }
        }
        if run.is_well() {
            // Where a suite was not there yet, the destination may have lost what it was sent before.
            let doubts = run.believed && run.synced.suites.iter().any(|suite| suite.first);
            let done = run.root_files(if doubts { [keys, root].concat() } else { root }).await;
            run.note(done);
        }
        if how.verify && run.is_well() {
            let done = run.verify(how.suites).await;
            run.note(done);
        }
        if let Some(keep) = how.delete
            && run.is_well()
        {
            let done = run.prune(keep).await;
            run.note(done);
        }
        if !how.dry_run {
            let done = destination.flush().await;
            run.note(done.map_err(Error::from));
        }
        let Run { carrier, mut synced, .. } = run;
        let tally = carrier.into_tally();
        synced.sent.extend(tally.sent);
        synced.there += tally.was_there.len();
        Ok(synced)
    }
}

impl Run<'_> {
    /// Keeps what went wrong, to be told beside what was done.
    fn note(&mut self, done: Result<(), Error>) {
        match done {
            Ok(()) => {}
            Err(Error::NotCarried(failed)) => self.synced.failed.extend(failed),
            Err(error) => self.synced.errors.push(error),
        }
    }

    fn is_well(&self) -> bool {
        self.synced.failed.is_empty() && self.synced.errors.is_empty()
    }

    async fn suite(&mut self, suite: &Suite) -> Result<SyncedSuite, Error> {
        for times in 1..=TRIES {
            match self.try_suite(suite).await {
                // Somebody published, at the destination or at the source: compare once more.
                Err(Error::Store(store::Error::Conflict { .. })) => {
                    (self.how.events)(Event::LostRace { times });
                }
                Err(
                    Error::Mismatch { .. }
                    | Error::Longer { .. }
                    | Error::Missing { .. }
                    | Error::NotCarried(_),
                ) if times < TRIES && self.has_moved(suite).await? => {}
                done => return done,
            }
            tokio::time::sleep(Duration::from_millis(50 * u64::from(times))).await;
        }
        Err(Error::RaceLost { suite: suite.clone(), times: TRIES })
    }

    /// Whether the source has published since its pointer was read: a suite without by-hash is then read in two states.
    async fn has_moved(&self, suite: &Suite) -> Result<bool, Error> {
        // Tools without by-hash write the indices first, and the pointer a moment later.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = PublishedSuite::look(&self.archive.store, suite, &self.archive.trust).await?;
        Ok(now.pointer().map(|pointer| &pointer.bytes) != self.seen.as_ref())
    }

    async fn try_suite(&mut self, suite: &Suite) -> Result<SyncedSuite, Error> {
        let (source_store, destination) = (&self.archive.store, self.destination);
        let source = PublishedSuite::look(source_store, suite, &self.archive.trust).await?;
        let Some(pointer) = source.pointer() else {
            return Err(Error::NotPublished { suite: suite.clone() });
        };
        self.seen = Some(pointer.bytes.clone());
        let there = self.open_there(suite).await?;
        let sides = Sides { source: &source, there: &there, source_store, destination };
        self.refuse_loss(&sides)?;
        if there.pointer().is_none() {
            self.carrier.begins_anew();
        }
        let difference = Difference::between(&sides).await?;
        let words = pointer.release.field("Components").unwrap_or_default().split_whitespace();
        let outcome = SyncedSuite {
            suite: suite.clone(),
            published: difference.swaps && !self.how.dry_run,
            first: there.pointer().is_none(),
            components: words.map(ToOwned::to_owned).collect(),
            signed: pointer.signed,
        };
        self.synced.there += difference.known;
        if self.how.dry_run {
            self.plan(&difference, &source.path(pointer.file()), pointer.bytes.len());
            return Ok(outcome);
        }
        destination.check_space(difference.written()).await?;
        let carrier = &self.carrier;
        for loads in [&difference.pool, &difference.by_hash, &difference.aliases] {
            carrier.announce(loads);
        }
        let phase = |what: &'static str, loads: &[carry::Load]| {
            let bytes = loads.iter().map(|load| load.expected.size).sum();
            if !loads.is_empty() {
                (self.how.events)(Event::Phase { what, suite: suite.clone(), files: loads.len(), bytes });
            }
        };

        // Cut off after any of these: files that nothing refers to, which the next run finds.
        phase("pool files", &difference.pool);
        carrier.carry(&difference.pool).await?;
        phase("indices", &difference.by_hash);
        let (smallest, others) = difference.by_hash.split_at(difference.by_hash.len().min(1));
        carrier.carry(smallest).await?;
        carrier.carry(others).await?;
        for (path, content) in &difference.generation {
            carrier.put_new(path, content).await?;
        }
        if difference.swaps {
            // What was there before is not deleted before a pointer leads to it again.
            let path = source.path(pointer.file());
            let uploaded = Uploaded {
                store: destination,
                base: there,
                files: difference.files.clone(),
                release: pointer.release.clone(),
                generation: difference.name.clone(),
                hold: carrier.hold().await?,
            };
            // THE COMMIT: clients of the destination see the new suite, or `Conflict` and nothing.
            if let Swapped::Crossed(_) = uploaded.publish().await? {
                // A suite that was not signed changed there, and is signed now: compare once more.
                return Err(store::Error::Conflict { path }.into());
            }
            carrier.wrote(&path, pointer.bytes.len() as u64);
            self.synced.changed.push(path);
        }
        if !difference.swaps && !difference.forms.is_empty() {
            generations::mark_published(destination, &source, &difference.name).await?;
        }
        // For clients without by-hash. Cut off here: they may see a mismatch until the next run.
        phase("names for clients of old", &difference.aliases);
        self.synced.changed.extend(difference.aliases.iter().map(|load| load.to.clone()));
        if let Err(Error::NotCarried(failed)) = carrier.carry(&difference.aliases).await {
            // Published all the same; the last of the names, which says that all are written, is not.
            self.synced.failed.extend(failed);
            return Ok(outcome);
        }
        let names_change = !difference.aliases.is_empty() || !difference.forms.is_empty();
        for (path, form) in difference.forms {
            match form {
                Some(bytes) => carrier.replace(&path, bytes).await?,
                None => destination.delete(&path).await?,
            }
            self.synced.changed.push(path);
        }
        if names_change {
            self.leave_names_of(&source).await?;
        }
        difference::remember_to_have_finished(destination, suite, &pointer.bytes);
        Ok(outcome)
    }

    /// Somebody else may have published while the names for clients of old were written: whoever ends last leaves those of
    /// the pointer that is there.
    async fn leave_names_of(&mut self, source: &PublishedSuite) -> Result<(), Error> {
        let Some(pointer) = source.pointer() else { return Ok(()) };
        if self.destination.holds(&source.path(pointer.file()), &pointer.bytes).await? {
            return Ok(());
        }
        let there = self.open_there(source.name()).await?;
        if let Some(release) = there.release() {
            let (store, suite) = (self.destination, source.name());
            let files = files_of(store, &there).await?;
            let derived = write_derived(store, suite, &files, release).await?;
            self.synced.changed.extend(derived);
        }
        Ok(())
    }

    /// Deletes what no kept state of any suite of the destination leads to.
    async fn prune(&mut self, keep: Keep) -> Result<(), Error> {
        let how = Prune {
            keep: std::collections::BTreeMap::new(),
            otherwise: Some(keep),
            grace: GRACE,
            now: self.how.now,
            dry_run: self.how.dry_run,
            events: self.how.events,
        };
        let there = Archive::new(self.destination.clone(), self.archive.trust.clone());
        let pruned = there.prune(&how).await?;
        let deleted =
            pruned.deleted.into_iter().map(|swept| Written { path: swept.path, bytes: swept.bytes });
        self.synced.deleted.extend(deleted);
        Ok(())
    }

    /// The suite as the destination has it. A pointer there that cannot be read is taken away where that was asked for.
    async fn open_there(&self, suite: &Suite) -> Result<PublishedSuite, Error> {
        let open = async || PublishedSuite::look(self.destination, suite, &Trust::unverified()).await;
        match open().await {
            Err(Error::Pointer { path, .. } | Error::Untrusted { path, .. })
                if self.how.verify && !self.how.dry_run =>
            {
                (self.how.events)(Event::Warning(format!("`{path}` was damaged there, and is written anew")));
                self.destination.delete(&path).await?;
                open().await
            }
            opened => opened,
        }
    }

    /// Refuses what a release manager would not want: an older state over a newer one, an unsigned one over a signed one.
    fn refuse_loss(&self, sides: &Sides<'_>) -> Result<(), Error> {
        let (Some(ours), Some(theirs)) = (sides.source.pointer(), sides.there.pointer()) else {
            return Ok(());
        };
        if theirs.is_in_release() && !ours.is_in_release() {
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

    fn plan_loads(&mut self, loads: &[carry::Load]) {
        let written = loads.iter().map(|load| Written { path: load.to.clone(), bytes: load.expected.size });
        self.synced.sent.extend(written);
    }

    fn plan(&mut self, difference: &Difference, pointer: &str, size: usize) {
        let written = difference.written().into_iter().map(|(path, bytes)| Written { path, bytes });
        self.synced.sent.extend(written);
        if difference.swaps {
            self.synced.sent.push(Written { path: pointer.to_owned(), bytes: size as u64 });
        }
    }

    /// Carries what stands beside `dists/` and `pool/`: the public keys, and what was asked for.
    async fn root_files(&mut self, paths: Vec<String>) -> Result<(), Error> {
        for path in paths {
            let Some(loaded) = root::load(&self.archive.store, &path).await? else { continue };
            let Digests { size, sha256, .. } = *loaded.content.digests();
            // As of any file: what was sent is looked at again with `--verify`, and where all begins anew.
            let believes = !self.how.verify && !self.synced.suites.iter().any(|suite| suite.first);
            if believes && self.remembers_to_have_sent(&path, &sha256) {
                self.synced.there += 1;
                self.believed = true;
                continue;
            }
            let same = match &loaded.content {
                Content::Bytes(bytes, _) => self.destination.holds(&path, bytes).await?,
                Content::File { digests, .. } => {
                    self.destination.size(&path).await? == Some(size)
                        && self
                            .destination
                            .digests(&path, Limit::bytes(size))
                            .await?
                            .is_some_and(|there| there == *digests)
                }
            };
            if same {
                self.remember_to_have_sent(&path, &sha256);
                self.synced.there += 1;
                continue;
            }
            if self.how.dry_run {
                self.synced.sent.push(Written { path, bytes: size });
                continue;
            }
            self.destination.replace_with(&path, &loaded.content).await?;
            self.remember_to_have_sent(&path, &sha256);
            self.carrier.wrote(&path, size);
            self.synced.changed.push(path);
        }
        Ok(())
    }

    fn remembers_to_have_sent(&self, path: &str, sha256: &Sha256Digest) -> bool {
        let cache = self.destination.cache().filter(|_| !self.destination.is_local());
        let sent =
            cache.and_then(|cache| cache.recall(SENT, &format!("{} {path}", self.destination.location())));
        sent.is_some_and(|(sent, _)| sent == sha256.to_string())
    }

    fn remember_to_have_sent(&self, path: &str, sha256: &Sha256Digest) {
        if let Some(cache) = self.destination.cache().filter(|_| !self.destination.is_local()) {
            cache.remember(SENT, &format!("{} {path}", self.destination.location()), &sha256.to_string());
        }
    }
}
