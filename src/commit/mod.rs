//! The commit: one transaction protocol for every operation, on folders and buckets.
//!
//! ```text
//! operation on a VerifiedBase
//!   -> Prepared      every change known, nothing written; a dry run ends here
//!   -> Uploaded      pool, by-hash indices, generation: immutable files that nothing references yet
//!   -> Published     THE swap: a conditional write that replaces exactly the release file of the base
//!   -> derived       outputs derived from the new release file; the next command repairs them
//! ```
//!
//! Everything that the new release file references is written before it, under content-addressed names. Then the
//! release file is replaced by a conditional write, which fails if it is no longer the revision that the operation was
//! planned on. The loser of that race plans the same operation again on the new base. `sync` publishes through
//! [`Uploaded`](uploaded::Uploaded) as well.

pub(crate) mod repair;
mod prepared;
mod other_names;
pub(crate) mod uploaded;
mod unsign;
mod upload;
mod fetch;
mod listing;
mod compat_names;
pub(crate) mod derived;
pub(crate) mod release_file;
pub(crate) mod outcome;
mod client_keys;
pub(crate) mod client_files;
pub(crate) mod page;
mod operation;
mod meaning;
pub(crate) mod options;
pub(crate) mod backoff;

use bytes::Bytes;

use crate::{
    dists::layout::can_be_suite,
    names::Suite,
    operations::{dates::Refresh, edit::SuiteEdit},
    signing,
    site::ClientSuite,
    store,
    suite::{
        archive::Archive,
        base::VerifiedBase,
        error::Error,
        error_text::package_files,
        event::Event,
        first_signing, flat, generations,
        other_names::{OtherNames, linked},
        published::{PublishedSuite, other_name},
        snapshots,
    },
};
use backoff::jitter;
use meaning::Meaning;
use operation::Operation;
use options::CommitOptions;
use outcome::CommitReport;
use page::{PageEdit, PageUpdate, PageWritten};
use prepared::Prepared;
use upload::Upload;
use uploaded::Swapped;

/// The number of tries before an operation gives up.
const TRIES: u32 = 100;

impl Archive {
    /// Publishes an edit of one suite atomically.
    ///
    /// # Errors
    /// [`Error::Refused`] if the edit would change something published; [`Error::RaceLost`] if other publishers won
    /// every race, and [`Error::Overtaken`] if the edit would now make other changes: retrying may succeed. After
    /// [`Error::Unfinished`] the edit is published.
    pub async fn commit(&self, edit: &SuiteEdit, how: &CommitOptions<'_>) -> Result<CommitReport, Error> {
        self.publish(&Operation::Edit(edit), how).await
    }

    /// Publishes the content of a suite under a new `Date`, if that is due.
    ///
    /// # Errors
    /// Those of [`Archive::commit`].
    pub async fn refresh(&self, when: Refresh, how: &CommitOptions<'_>) -> Result<CommitReport, Error> {
        self.publish(&Operation::Refresh(when), how).await
    }

    /// Publishes the content of an earlier generation as a new one: the generation with this name or prefix, otherwise
    /// the newest one with different content.
    ///
    /// # Errors
    /// [`Error::IncompleteGeneration`] if files that it references are missing, and those of [`Archive::commit`].
    pub async fn roll_back(&self, to: Option<&str>, how: &CommitOptions<'_>) -> Result<CommitReport, Error> {
        self.publish(&Operation::RollBack(to), how).await
    }

    /// Publishes the current content of a suite as an immutable suite of its own.
    ///
    /// # Errors
    /// [`Error::SnapshotThere`] if a snapshot of that name has different content, and those of [`Archive::commit`].
    pub async fn snapshot(&self, of: &Suite, how: &CommitOptions<'_>) -> Result<CommitReport, Error> {
        self.snapshot_of(of, None, how).await
    }

    /// As [`Archive::snapshot`], of a retained generation by its full name, if one is given.
    ///
    /// # Errors
    /// As [`Archive::snapshot`].
    pub async fn snapshot_of(
        &self,
        of: &Suite,
        generation: Option<&str>,
        how: &CommitOptions<'_>,
    ) -> Result<CommitReport, Error> {
        self.publish(&Operation::Snapshot { of, generation, source: Box::default() }, how).await
    }

    /// Plans and commits an operation, and retries after a lost race.
    async fn publish(
        &self,
        operation: &Operation<'_>,
        how: &CommitOptions<'_>,
    ) -> Result<CommitReport, Error> {
        let suite = &how.config.codename;
        if !can_be_suite(suite.as_str()) {
            return Err(Error::Hidden { suite: suite.clone() });
        }
        if how.config.read_only {
            return Err(Error::ReadOnly { suite: suite.clone() });
        }
        if !operation.keeps_content() && snapshots::snapshot_of(suite).is_some() {
            return Err(Error::Snapshot { suite: suite.clone() });
        }
        let mut tries = Tries { upload: Upload::new(&self.store, how.events), meant: None, crossed: None };
        let mut queue_lock = None;
        for times in 1..=TRIES {
            // Boxed: the future of a whole commit is large, and every command holds it.
            match Box::pin(self.attempt(operation, how, &mut tries)).await {
                Err(Error::Store(store::Error::Conflict { .. })) => {
                    (how.events)(Event::LostRace { times });
                    // A job that moves surplus versions may already hold the lock, for the suite that they leave.
                    if queue_lock.is_none() && !matches!(operation, Operation::Surplus(_)) {
                        queue_lock = self.store.queue_after_lost_race().await;
                    }
                    if queue_lock.is_none() {
                        tokio::time::sleep(jitter(times)).await;
                    }
                }
                Err(Error::Missing { path }) => {
                    return Err(Box::pin(self.explain_missing(suite, path)).await?);
                }
                done => return done,
            }
        }
        Err(Error::RaceLost { suite: suite.clone(), times: TRIES })
    }

    /// Returns why a listed index is missing: a mirror leaves it out, or the archive is damaged.
    async fn explain_missing(&self, suite: &Suite, path: String) -> Result<Error, Error> {
        let published = self.suite(suite).await?;
        let carried = published.carried().await?;
        let of_suite = path.strip_prefix("dists/").and_then(|path| path.strip_prefix(suite.as_str()));
        Ok(match of_suite.and_then(|path| path.strip_prefix('/')) {
            Some(file) if !carried.holds(file) => {
                Error::PartOfMirror { suite: suite.clone(), part: carried.subset().describe(), path }
            }
            _ => Error::Missing { path },
        })
    }

    /// Runs the protocol once. Fails with [`store::Error::Conflict`], without a change, if the race is lost.
    async fn attempt(
        &self,
        operation: &Operation<'_>,
        how: &CommitOptions<'_>,
        tries: &mut Tries<'_>,
    ) -> Result<CommitReport, Error> {
        let Tries { upload, meant, crossed } = tries;
        let suite = &how.config.codename;
        (how.events)(Event::Step("Reading the suite"));
        let base = match crossed {
            Some(own) => {
                VerifiedBase::open_behind(&self.store, &how.config.codename, &self.trust, own).await?
            }
            None => self.open_base(how).await?,
        };
        if let Some(of) = &base.other_names().of {
            return Err(Error::OtherName { suite: suite.clone(), of: of.clone() });
        }
        let names = base.other_names().names.clone();
        let (is_first, is_new) = (meant.is_none(), base.pointer().is_none());
        (how.events)(Event::Step("Preparing the new indices"));
        let prepared = Prepared::new(self, operation, how, base, upload).await?;
        prepared.require_meaning(meant)?;
        if is_first && is_new && prepared.changes_something() {
            if self.is_empty().await? {
                flat::refuse(&self.store).await?;
                (how.events)(Event::NewArchive { location: self.store.location().to_string() });
            }
            self.refuse_lost_suites(operation, how, &prepared).await?;
        }
        if how.dry_run {
            return prepared.report().await;
        }
        if !prepared.changes_something() {
            let outcome = prepared.finish_earlier().await?;
            self.publish_other_names((suite, None), &names, how.events).await?;
            return Ok(outcome);
        }
        // A crash here leaves unreferenced files, which `prune` deletes.
        let (uploaded, mut outcome, by_hash) = prepared.upload().await?;
        if upload.is_stale() {
            // `prune` may delete files of the first tries by now.
            let conflict = uploaded.give_up().await;
            upload.forget();
            return Err(conflict);
        }
        let client = ClientSuite::of(&how.config.codename, &uploaded.release, how.signs());
        let (files, signed) = (&uploaded.files, how.signs());
        let edit = PageEdit::of(&uploaded.base, &uploaded.release, files.bytes(), signed);
        // THE COMMIT: every client with by-hash sees the new suite; on `Conflict` nothing has changed.
        let published = match uploaded.publish(how.events).await? {
            Swapped::Crossed(_) if !self.trust.adopts() => {
                // The changes of the other publisher must not get signed unseen.
                let suite = how.config.codename.clone();
                let written = self.publish_client_keys(how).await;
                let crossed = Error::Crossed { suite: suite.clone() };
                return Err(Error::unfinished(&suite, written.err().unwrap_or(crossed)));
            }
            Swapped::Crossed(own) => {
                *crossed = Some(own);
                return Err(store::Error::Conflict { path: format!("dists/{}", how.config.codename) }.into());
            }
            Swapped::Published(published) => published,
        };
        // A crash here leaves stale outputs: clients without by-hash see a mismatch until the next command on this
        // suite.
        (how.events)(Event::Step("Writing files for clients"));
        let derived = async {
            compat_names::clear(&self.store, suite, published.release()).await?;
            published.derive(&self.trust, &by_hash).await?;
            self.publish_other_names((suite, None), &names, how.events).await?;
            compat_names::write(&self.store, how.config, published.release()).await?;
            self.publish_client_keys(how).await?;
            self.publish_client_files(how, &client).await?;
            self.publish_page(how, Some(edit.with_listings(&outcome.listings))).await?;
            Ok(self.store.flush().await?)
        };
        derived.await.map_err(|source| Error::unfinished(&how.config.codename, source))?;
        outcome.published = true;
        Ok(outcome)
    }
}

impl Archive {
    /// Writes the page after a commit, or after one that was not finished.
    async fn publish_page(&self, how: &CommitOptions<'_>, edit: Option<PageEdit<'_>>) -> Result<(), Error> {
        let config = how.config;
        let update = PageUpdate::new(&config.codename, config.web_page, &how.site, how.now);
        if self.write_page(&PageUpdate { edit, ..update }).await? == PageWritten::Foreign {
            (how.events)(Event::Warning(
                "`index.html` was not written by publish and is left as it is: move it away, or write `WebPage: no`".to_owned(),
            ));
        }
        Ok(())
    }

    /// Refuses to begin an archive with an empty suite where the pool has packages: `prune` would delete them. A commit
    /// that brings packages may be the one that was interrupted.
    async fn refuse_lost_suites(
        &self,
        operation: &Operation<'_>,
        how: &CommitOptions<'_>,
        prepared: &Prepared<'_>,
    ) -> Result<(), Error> {
        let mut found = self.pool_without_suites().await?;
        let packages = found.len();
        let location = self.store.location().to_string();
        if packages > 0 && !operation.brings_packages() {
            let suite = Some(how.config.codename.clone());
            return Err(Error::PoolWithoutSuites { location, packages, suite });
        }
        let listed = prepared.pool_paths();
        found.retain(|path| !listed.contains(path.as_str()));
        if !found.is_empty() {
            (how.events)(Event::Warning(format!(
                "`{location}` has {} in `pool/` that no suite lists: if `dists/` was lost, restore it from a backup, or add \
                 these files again before the next prune",
                package_files(found.len())
            )));
        }
        Ok(())
    }

    /// Opens the base of an operation; first finishes the commit of a signer that was killed before it was signed.
    async fn open_base(&self, how: &CommitOptions<'_>) -> Result<VerifiedBase, Error> {
        let suite = &how.config.codename;
        // A policy that accepts an unsigned suite must not hide the commit of a killed signer.
        let opened = match VerifiedBase::open(&self.store, suite, &self.trust.verifying()).await {
            Err(Error::NoPublicKey { .. }) if self.trust.builds_on_unverified() => {
                VerifiedBase::open(&self.store, suite, &self.trust).await
            }
            Err(Error::NotSigned { .. } | Error::Untrusted { .. }) => {
                if !how.dry_run {
                    self.finish_first_signing(suite).await?;
                }
                // Its signer may also have ended meanwhile.
                VerifiedBase::open(&self.store, suite, &self.trust).await
            }
            opened => opened,
        };
        // The release file of another name has the name of the suite.
        let has_another = match &opened {
            Ok(base) => base.release().is_some_and(|release| other_name(suite, release).is_some()),
            Err(error) => matches!(error, Error::OtherSuite { .. }),
        };
        if has_another {
            self.refuse_other_name(suite).await?;
        }
        opened
    }

    /// Refuses a name that a link or a record makes another name of a suite: a commit would rename that suite.
    async fn refuse_other_name(&self, suite: &Suite) -> Result<(), Error> {
        let of = match linked(&self.store, suite).await? {
            None => OtherNames::read(&self.store, suite).await?.of,
            linked => linked,
        };
        of.map_or(Ok(()), |of| Err(Error::OtherName { suite: suite.clone(), of }))
    }

    /// Publishes the `InRelease` of a signer that was killed between its two conditional writes. Returns its path.
    async fn finish_first_signing(&self, suite: &Suite) -> Result<Option<String>, Error> {
        let Some((name, kept)) = first_signing::interrupted(&self.store, suite, &self.trust).await? else {
            return Ok(None);
        };
        let text = signing::unverified_text(&kept.bytes).unwrap_or_default();
        let path = format!("dists/{suite}/{}", kept.file());
        self.store.swap(&path, kept.bytes.clone(), None).await?;
        let state = PublishedSuite::with_pointer(&self.store, suite, kept);
        if !first_signing::is_overtaken(&self.store, &state, &text).await? {
            generations::mark_published(&self.store, &state, &name).await?;
        }
        Ok(Some(path))
    }
}

/// The state of an operation over all its tries.
struct Tries<'a> {
    /// The immutable files, each written once.
    upload: Upload<'a>,
    /// The meaning of the operation on its first base.
    meant: Option<Meaning>,
    /// The published `InRelease` of this operation, if an unsigned `Release` was published beside it concurrently.
    crossed: Option<Bytes>,
}
