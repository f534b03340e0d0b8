//! A lease: what decides between two writers where the store itself does not.
//!
//! Swift has no conditional write, and other servers take the condition and ignore it ([`super::ConditionalWrites`]). There,
//! whoever swaps an object first puts a *claim* beside it: `.publish/claims/PATH/NAME`, an object of his own under a name
//! that nobody ever uses again. Then he waits until listings have settled, and lists the claims. Whoever finds no claim
//! but his own holds the lease: he compares, writes, reads back, and takes his claim away. Of several, the one with the
//! least name keeps his claim and waits for the others to go; they withdraw theirs and come back when all is quiet.
//!
//! Why two never hold it at once: the claim of a holder was there before he listed, and stays until he is done. Of two,
//! one claimed later; he listed later than that by the settling time, so he saw the other's claim, and did not hold.
//!
//! A claim whose owner died is void when another is younger than it by [`LeaseTimes::length`]. Both times are the
//! server's, so no clock of a client matters. A living owner is done long before: he begins to write within a quarter of
//! that after his claim was written, and gives up after half of it more. He measures that by a clock that only counts. While
//! he waits for others he writes his claim anew in time; where that took too long, he gives it up.
//!
//! # What is guaranteed, and how much less it is than a conditional write
//!
//! As long as listings show within the settling time what was written and deleted, servers agree on the time to within a
//! quarter of the length (30 seconds), and a writer is not suspended in the very moment of writing, a swap succeeds only
//! if nobody else changed the object since it was read, as everywhere. When one of these does not hold:
//!
//! - **A listing that lags for longer than the settling time** may let two hold the lease. (Swift lists what was written
//!   before it answers, unless its servers are overloaded.) Each reads back what is there after his write; who finds
//!   something else has lost, and knows. But who read before the other wrote has been overwritten, and believes that he
//!   won.
//! - **A process that is suspended after its last look at the clock**, or whose request is held up somewhere on its way and is
//!   carried out later than three quarters of the length after its claim, may overwrite what somebody wrote meanwhile.
//!   Nothing can fence it off: a store that ignores conditions takes every write. A write whose outcome is not known
//!   therefore leaves its claim in place, until it is void by itself.
//! - **A claim that cannot be deleted**, or whose owner was killed, keeps others waiting for the length, and nothing worse.
//!
//! Whoever waits for longer than [`LeaseTimes::patience`] is told that he lost the race, as if he had.

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::PutMode;
use tokio::time::{Instant, sleep, timeout};

use super::swap::limit_for;
use super::{Error, Found, Object, Revision, Store, clock::Clock, parse};

/// Where claims lie.
const CLAIMS: &str = ".publish/claims";

/// How long the parts of a lease take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// So long after it was written or deleted an object is in every listing, or in none. Much less than `length`.
    pub settling: Duration,
    /// So much older than another a claim is void: who left it is dead.
    pub length: Duration,
    /// So long anybody waits for the lease: longer than `length`, or one dead publisher defeats the next.
    pub patience: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        let length = Duration::from_secs(120);
        Self { settling: Duration::from_secs(1), length, patience: length + Duration::from_secs(60) }
    }
}

/// What the parts of a lease are made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseConfig {
    times: LeaseTimes,
    /// Where names and pauses come from.
    draw: fn() -> u64,
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self { times: LeaseTimes::default(), draw: rand::random }
    }
}

/// A claim that was written.
struct Claim {
    path: String,
    /// Just before it was written last; on the server it is not older.
    written: Instant,
}

/// All who want to swap one object.
struct Claims<'a> {
    store: &'a Store,
    times: LeaseTimes,
    object: &'a str,
    began: Instant,
    /// Claims of this very swap, which nobody need wait for.
    own: Vec<String>,
    /// What time it is on the server, by the claims that were seen there.
    server: Clock,
}

/// What a listing of the claims shows.
struct Seen {
    /// When the own claim was written, by the server; `None` where it is not shown.
    own: Option<SystemTime>,
    others: Vec<Found>,
}

/// How a write under the lease ended.
enum Written {
    /// It was carried out, or surely will not be.
    Known(Result<(), Error>),
    /// It may still be carried out.
    Unknown(Error),
    /// It was too late to begin.
    Expired,
}

impl Store {
    /// Says how long the parts of a lease take, where the store needs one.
    #[must_use]
    pub fn with_lease_times(mut self, times: LeaseTimes) -> Self {
        self.lease.times = times;
        self
    }

    pub(super) async fn swap_by_lease(
        &self,
        path: &str,
        bytes: &Bytes,
        expected: Option<&Revision>,
    ) -> Result<(), Error> {
        let mut claims = Claims::on(self, path);
        loop {
            if let Some(claim) = claims.claim().await? {
                match self.write_under(&claim, path, bytes, expected).await {
                    Written::Known(result) => {
                        claims.release(&claim).await;
                        return result;
                    }
                    Written::Unknown(error) => return Err(error),
                    Written::Expired => claims.release(&claim).await,
                }
            }
            if !claims.quiet().await? {
                return Err(Error::Conflict { path: path.to_owned() });
            }
            // Whoever was first may have decided it.
            if let Some(decided) =
                decided(path, bytes, expected, self.read_newest(path, limit_for(bytes)).await?.as_ref())
            {
                return decided;
            }
        }
    }

    /// Compares, writes and reads back, as whoever holds the lease.
    async fn write_under(
        &self,
        claim: &Claim,
        path: &str,
        bytes: &Bytes,
        expected: Option<&Revision>,
    ) -> Written {
        let length = self.lease.times.length;
        let there = match self.read_newest(path, limit_for(bytes)).await {
            Ok(there) => there,
            Err(error) => return Written::Known(Err(error)),
        };
        if let Some(decided) = decided(path, bytes, expected, there.as_ref()) {
            return Written::Known(decided);
        }
        let at = match parse(path) {
            Ok(at) => at,
            Err(error) => return Written::Known(Err(error)),
        };
        let put = self.put(&at, bytes.clone(), PutMode::Overwrite, || self.headers.of_mutable(path));
        if claim.written.elapsed() > length / 4 {
            return Written::Expired;
        }
        match timeout(length / 2, put).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
                let refused =
                    matches!(error, PermissionDenied { .. } | Unauthenticated { .. } | NotFound { .. });
                let error = self.failed("write", path, error);
                return if refused { Written::Known(Err(error)) } else { Written::Unknown(error) };
            }
            Err(late) => {
                let (path, source) = (path.to_owned(), Box::new(late));
                return Written::Unknown(Error::Failed { action: "write", path, source });
            }
        }
        Written::Known(match self.read_newest(path, limit_for(bytes)).await {
            Ok(Some(there)) if there.bytes == *bytes => Ok(()),
            Ok(_) => Err(Error::Conflict { path: path.to_owned() }),
            Err(error) => Err(error),
        })
    }
}

/// Whether what is there decides a swap already: it is what was to be written, or not what it was to replace.
fn decided(
    path: &str,
    bytes: &Bytes,
    expected: Option<&Revision>,
    there: Option<&Object>,
) -> Option<Result<(), Error>> {
    match there {
        Some(there) if there.bytes == *bytes => Some(Ok(())),
        there if there.map(|there| &there.revision) == expected => None,
        _ => Some(Err(Error::Conflict { path: path.to_owned() })),
    }
}

impl<'a> Claims<'a> {
    fn on(store: &'a Store, object: &'a str) -> Self {
        let (times, began) = (store.lease.times, Instant::now());
        Self { store, times, object, began, own: Vec::new(), server: Clock::default() }
    }

    fn folder(&self) -> String {
        format!("{CLAIMS}/{}", self.object)
    }

    /// Claims the lease; `None` where others were there who go first, or where it took too long.
    async fn claim(&mut self) -> Result<Option<Claim>, Error> {
        let draw = self.store.lease.draw;
        let path = format!("{}/{:016x}{:016x}", self.folder(), draw(), draw());
        self.own.push(path.clone());
        let mut claim = Claim { path, written: Instant::now() };
        let held = self.hold(&mut claim).await;
        if !matches!(held, Ok(true)) {
            self.release(&claim).await;
        }
        Ok(held?.then_some(claim))
    }

    /// Writes a claim and waits until it is the only one.
    async fn hold(&mut self, claim: &mut Claim) -> Result<bool, Error> {
        let length = self.times.length;
        self.write(claim).await?;
        sleep(self.times.settling).await;
        while self.began.elapsed() < self.times.patience {
            let seen = self.list(Some(claim)).await?;
            if let Some(own) = seen.own {
                self.server.is_past(own);
                let (void, alive): (Vec<_>, Vec<_>) =
                    seen.others.into_iter().partition(|other| other.modified + length < own);
                for other in void {
                    // Or somebody else does it.
                    let _ = self.store.delete(&other.path).await;
                }
                if alive.is_empty() {
                    return Ok(true);
                }
                if alive.iter().any(|other| other.path < claim.path) {
                    return Ok(false);
                }
                if claim.written.elapsed() > length / 8 && !self.renew(claim).await? {
                    return Ok(false);
                }
            } else if claim.written.elapsed() > length / 4 {
                // Taken for the claim of a dead, perhaps: it must not come back to life.
                return Ok(false);
            }
            self.pause(self.times.settling / 2).await;
        }
        Ok(false)
    }

    /// Writes a claim anew, before anybody can think that its owner died; `false` where that took too long.
    async fn renew(&self, claim: &mut Claim) -> Result<bool, Error> {
        let (before, again) = (claim.written, Instant::now());
        self.write(claim).await?;
        claim.written = again;
        Ok(before.elapsed() < self.times.length / 2)
    }

    async fn write(&self, claim: &Claim) -> Result<(), Error> {
        let name = rustix::system::uname();
        let text = format!(
            "publish on {} (process {}) is about to write {}; if it is no longer running, this is void {} seconds later.\n",
            name.nodename().to_string_lossy(),
            std::process::id(),
            self.object,
            self.times.length.as_secs()
        );
        self.store.replace(&claim.path, text.into()).await
    }

    /// Takes a claim away; one that stays is void in time.
    async fn release(&self, claim: &Claim) {
        let _ = self.store.delete(&claim.path).await;
    }

    /// Returns when nobody else who lives seems to want the lease; `false` where patience has ended.
    async fn quiet(&self) -> Result<bool, Error> {
        while self.began.elapsed() < self.times.patience {
            self.pause(self.times.settling).await;
            let others = self.list(None).await?.others;
            // Without a time of the server there is nothing to judge by: the next claim brings one.
            let now = self.server.now();
            if !others.iter().any(|other| now.is_some_and(|now| now <= other.modified + self.times.length)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn list(&self, claim: Option<&Claim>) -> Result<Seen, Error> {
        let found: Vec<Found> = self.store.walk(&self.folder()).try_collect().await?;
        let own = claim.and_then(|claim| found.iter().find(|found| found.path == claim.path));
        let own = own.map(|found| found.modified);
        let others = found.into_iter().filter(|found| !self.own.contains(&found.path)).collect();
        Ok(Seen { own, others })
    }

    /// Waits for a half of a time to the whole and a half of it: who met shall not meet again.
    async fn pause(&self, about: Duration) {
        let share = u32::try_from((self.store.lease.draw)() % 1024).unwrap_or_default();
        sleep(about / 2 + about / 1024 * share).await;
    }
}
