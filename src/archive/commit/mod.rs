//! The commit: one protocol that carries every operation out, for folder and bucket.
//!
//! ```text
//! operation on a VerifiedBase
//!   -> Prepared      every change known, nothing written; a dry run ends here
//!   -> Uploaded      pool, by-hash indices, generation: files that never change and that nothing refers to yet
//!   -> Published     THE swap: the release file was exactly that of the base
//!   -> derived       outputs that follow from the new state; the next command repairs them
//! ```
//!
//! Everything that the new release file leads to is written before it, under names that fix the content; then the release
//! file is swapped, if it still is the revision that the operation was planned on. The loser of that race plans the same
//! operation again on the winner's state. [`sync`](super::sync) publishes through [`Uploaded`] as well.

mod client_keys;
mod derived;
mod meaning;
mod operation;
mod outcome;
mod plan;
mod prepared;
mod release_file;
mod upload;
mod uploaded;

pub use outcome::{Moved, Outcome, Written};
pub use plan::{Change, Phased};

pub(super) use derived::{files_of, write_derived};
pub(super) use meaning::Meaning;
pub(super) use plan::{Copied, Plan, Shape};
pub(super) use release_file::ReadyRelease;
pub(super) use uploaded::{Swapped, Uploaded};

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Archive, Error, Event, Events, Note, Refresh, SuiteEdit, Surplus, VerifiedBase, event::UNHEARD, snapshot,
};
use crate::{config::SuiteConfig, names::Suite, signing::SigningKeys, store};
use operation::Operation;
use prepared::Prepared;
use upload::Upload;

/// How often an operation is planned again before it gives up.
const TRIES: u32 = 100;

/// How an operation is to be published.
#[non_exhaustive]
pub struct Commit<'a> {
    /// What the suite is to be.
    pub config: &'a SuiteConfig,
    /// What signs; nothing signs a suite that is not signed.
    pub keys: Option<&'a SigningKeys>,
    /// The time, for `Date`.
    pub now: SystemTime,
    /// Who makes the new state and why, for `log`.
    pub note: Note,
    /// Where surplus versions go; without it they leave the suite, and that is all.
    pub surplus: Option<&'a Surplus>,
    /// Plan only.
    pub dry_run: bool,
    /// Publish also what makes apt stop on every client until its user agrees.
    pub allow_releaseinfo_change: bool,
    /// Receives progress and warnings.
    pub events: Events<'a>,
}

impl<'a> Commit<'a> {
    /// Publishes a suite unsigned, at this time; the other methods ask for more.
    #[must_use]
    pub fn new(config: &'a SuiteConfig, now: SystemTime) -> Self {
        Self {
            config,
            keys: None,
            now,
            note: Note::default(),
            surplus: None,
            dry_run: false,
            allow_releaseinfo_change: false,
            events: UNHEARD,
        }
    }

    /// Signs with these keys.
    #[must_use]
    pub fn keys(self, keys: &'a SigningKeys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Keeps this with the new state.
    #[must_use]
    pub fn note(self, note: Note) -> Self {
        Self { note, ..self }
    }

    /// Publishes surplus versions there.
    #[must_use]
    pub fn surplus(self, surplus: &'a Surplus) -> Self {
        Self { surplus: Some(surplus), ..self }
    }

    /// Plans, and writes nothing.
    #[must_use]
    pub fn dry_run(self) -> Self {
        Self { dry_run: true, ..self }
    }

    /// Also publishes what makes apt stop on every client until its user agrees.
    #[must_use]
    pub fn allow_releaseinfo_change(self) -> Self {
        Self { allow_releaseinfo_change: true, ..self }
    }

    /// Reports progress and warnings there.
    #[must_use]
    pub fn events(self, events: Events<'a>) -> Self {
        Self { events, ..self }
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::try_from(self.now).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl Archive {
    /// Publishes an edit of one suite: all of it in one step, or nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] if the edit would change something published; [`Error::RaceLost`] if others published in
    /// between again and again, and [`Error::Overtaken`] if the edit would now be another one: the same call may succeed
    /// later. After [`Error::Unfinished`] the edit is published.
    pub async fn commit(&self, edit: &SuiteEdit, how: &Commit<'_>) -> Result<Outcome, Error> {
        self.publish(&Operation::Edit(edit), how).await
    }

    /// Publishes the state of a suite under a new `Date`, where that is due; nothing else changes.
    ///
    /// # Errors
    /// As those of [`Archive::commit`].
    pub async fn refresh(&self, when: Refresh, how: &Commit<'_>) -> Result<Outcome, Error> {
        self.publish(&Operation::Refresh(when), how).await
    }

    /// Publishes the content of an earlier state as a new one: that of the generation whose name begins so, else the
    /// newest one with another content.
    ///
    /// # Errors
    /// [`Error::Lacks`] if files are gone that it needs; else as those of [`Archive::commit`].
    pub async fn roll_back(&self, to: Option<&str>, how: &Commit<'_>) -> Result<Outcome, Error> {
        self.publish(&Operation::RollBack(to), how).await
    }

    /// Publishes the state that a suite has now as a suite of its own, which stays as it is.
    ///
    /// # Errors
    /// [`Error::SnapshotThere`] if there is one of that name with another content; else as those of [`Archive::commit`].
    pub async fn snapshot(&self, of: &Suite, how: &Commit<'_>) -> Result<Outcome, Error> {
        self.publish(&Operation::Snapshot { of, source: Box::default() }, how).await
    }

    /// Carries an operation out: plans it, and plans it again as long as another publisher is faster.
    async fn publish(&self, operation: &Operation<'_>, how: &Commit<'_>) -> Result<Outcome, Error> {
        let suite = &how.config.codename;
        if how.config.read_only {
            return Err(Error::ReadOnly { suite: suite.clone() });
        }
        if !operation.keeps_content() && snapshot::snapshot_of(suite).is_some() {
            return Err(Error::Snapshot { suite: suite.clone() });
        }
        let mut tries = Tries { upload: Upload::new(&self.store, how.events), meant: None, crossed: None };
        let mut turn = None;
        for times in 1..=TRIES {
            // Boxed: the future of a whole commit is large, and every command holds it.
            match Box::pin(self.attempt(operation, how, &mut tries)).await {
                Err(Error::Store(store::Error::Conflict { .. })) => {
                    (how.events)(Event::LostRace { times });
                    // A job that moves surplus versions may hold the turn already, for the suite that they leave.
                    if turn.is_none() && !matches!(operation, Operation::Surplus(_)) {
                        turn = self.store.turn().await;
                    }
                    if turn.is_none() {
                        tokio::time::sleep(jitter(times)).await;
                    }
                }
                done => return done,
            }
        }
        Err(Error::RaceLost { suite: suite.clone(), times: TRIES })
    }

    /// One try of the protocol; [`store::Error::Conflict`] if another publisher was faster, and nothing is changed then.
    async fn attempt(
        &self,
        operation: &Operation<'_>,
        how: &Commit<'_>,
        tries: &mut Tries<'_>,
    ) -> Result<Outcome, Error> {
        let Tries { upload, meant, crossed } = tries;
        let base = match crossed {
            Some(own) => {
                VerifiedBase::open_behind(&self.store, &how.config.codename, &self.trust, own).await?
            }
            None => VerifiedBase::open(&self.store, &how.config.codename, &self.trust).await?,
        };
        let prepared = Prepared::new(self, operation, how, base, upload).await?;
        prepared.means_what_was_meant(meant)?;
        if how.dry_run {
            return prepared.report().await;
        }
        if !prepared.changes_something() {
            return prepared.finish_earlier().await;
        }
        // Die in here: files that nothing refers to, which `prune` finds.
        let (uploaded, mut outcome, by_hash) = prepared.upload().await?;
        if upload.is_stale() {
            // Files of the first tries may be old enough by now for `prune` to delete them.
            let conflict = uploaded.give_up().await;
            upload.forget();
            return Err(conflict);
        }
        // THE COMMIT: the new suite for every client that knows by-hash, or `Conflict` and nothing.
        let published = match uploaded.publish().await? {
            Swapped::Crossed(own) => {
                *crossed = Some(own);
                return Err(store::Error::Conflict { path: format!("dists/{}", how.config.codename) }.into());
            }
            Swapped::Published(published) => published,
        };
        // Die in here: clients without by-hash may see a mismatch until the next command on this suite.
        let derived = async {
            published.derive(&by_hash).await?;
            self.give_keys(how).await?;
            Ok(self.store.settle().await?)
        };
        derived.await.map_err(|source| Error::unfinished(&how.config.codename, source))?;
        outcome.published = true;
        Ok(outcome)
    }
}

/// The state of an operation over all its tries.
struct Tries<'a> {
    /// Files that never change, each written once.
    upload: Upload<'a>,
    /// The meaning of the operation, as it was resolved on the first base.
    meant: Option<Meaning>,
    /// An `InRelease` of this operation that is published, while an unsigned `Release` was published beside it.
    crossed: Option<Bytes>,
}

/// A random wait that grows with each lost race, so that many publishers do not meet again and again.
fn jitter(times: u32) -> Duration {
    Duration::from_millis(rand::random_range(0..20 << times.min(8)))
}
