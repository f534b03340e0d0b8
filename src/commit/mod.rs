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

pub(crate) mod repair;
mod prepared;
pub(crate) mod uploaded;
mod upload;
pub(crate) mod derived;
pub(crate) mod release_file;
pub(crate) mod outcome;
mod client_keys;
mod operation;
mod meaning;
pub(crate) mod options;
mod backoff;

use bytes::Bytes;

use crate::{
    names::Suite,
    operations::{dates::Refresh, edit::SuiteEdit},
    store,
    suite::{archive::Archive, base::VerifiedBase, error::Error, event::Event, snapshots},
};
use backoff::jitter;
use meaning::Meaning;
use operation::Operation;
use options::CommitOptions;
use outcome::CommitReport;
use prepared::Prepared;
use upload::Upload;
use uploaded::Swapped;

/// How often an operation is planned again before it gives up.
const TRIES: u32 = 100;

impl Archive {
    /// Publishes an edit of one suite: all of it in one step, or nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] if the edit would change something published; [`Error::RaceLost`] if others published in
    /// between again and again, and [`Error::Overtaken`] if the edit would now be another one: the same call may succeed
    /// later. After [`Error::Unfinished`] the edit is published.
    pub async fn commit(&self, edit: &SuiteEdit, how: &CommitOptions<'_>) -> Result<CommitReport, Error> {
        self.publish(&Operation::Edit(edit), how).await
    }

    /// Publishes the state of a suite under a new `Date`, where that is due; nothing else changes.
    ///
    /// # Errors
    /// As those of [`Archive::commit`].
    pub async fn refresh(&self, when: Refresh, how: &CommitOptions<'_>) -> Result<CommitReport, Error> {
        self.publish(&Operation::Refresh(when), how).await
    }

    /// Publishes the content of an earlier state as a new one: that of the generation whose name begins so, else the
    /// newest one with another content.
    ///
    /// # Errors
    /// [`Error::Lacks`] if files are gone that it needs; else as those of [`Archive::commit`].
    pub async fn roll_back(&self, to: Option<&str>, how: &CommitOptions<'_>) -> Result<CommitReport, Error> {
        self.publish(&Operation::RollBack(to), how).await
    }

    /// Publishes the state that a suite has now as a suite of its own, which stays as it is.
    ///
    /// # Errors
    /// [`Error::SnapshotThere`] if there is one of that name with another content; else as those of [`Archive::commit`].
    pub async fn snapshot(&self, of: &Suite, how: &CommitOptions<'_>) -> Result<CommitReport, Error> {
        self.publish(&Operation::Snapshot { of, source: Box::default() }, how).await
    }

    /// Carries an operation out: plans it, and plans it again as long as another publisher is faster.
    async fn publish(
        &self,
        operation: &Operation<'_>,
        how: &CommitOptions<'_>,
    ) -> Result<CommitReport, Error> {
        let suite = &how.config.codename;
        if how.config.read_only {
            return Err(Error::ReadOnly { suite: suite.clone() });
        }
        if !operation.keeps_content() && snapshots::snapshot_of(suite).is_some() {
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
                        turn = self.store.queue_after_lost_race().await;
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
        how: &CommitOptions<'_>,
        tries: &mut Tries<'_>,
    ) -> Result<CommitReport, Error> {
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
            Ok(self.store.flush().await?)
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
