//! A lease: serializes swaps of an object on stores without conditional writes.
//!
//! Swift has no conditional writes, and some other servers ignore the condition ([`super::ConditionalWrites`]).
//! There, a writer first creates a *claim* beside the object: `.publish/claims/PATH/NAME`, under a random name that
//! is never reused. It waits for the settling time and lists the claims. If its own claim is the only one, the writer
//! holds the lease: it compares, writes, reads back, and deletes its claim. If there are several, the one with the
//! lowest name stays and waits for the others; they delete theirs and try again later.
//!
//! Two writers never hold it at once: the claim of a holder exists before the holder lists, and until it is done. Of
//! two writers, one claimed later, and listed later than that by the settling time; so it saw the other claim and did
//! not get the lease.
//!
//! A claim left over from a crash expires when another is younger by [`LeaseTimes::length`]. Both times are the
//! server's, so the clocks of clients do not matter. A live writer is done long before: it begins to write within a
//! quarter of that after it wrote its claim, and times out after another half. It measures that with a monotonic
//! clock. While it waits for others it renews its claim in time; if that took too long, it gives the claim up.
//!
//! # Guarantees, and how they are weaker than a conditional write
//!
//! A swap succeeds only if the object did not change since it was read, as long as listings show every write and
//! delete within the settling time, servers agree on the time to within a quarter of the length (30 seconds), and a
//! writer is not suspended at the moment of its write. If one of these does not hold:
//!
//! - **A listing that lags for longer than the settling time** may let two writers hold the lease. (Swift updates
//!   listings before it responds, unless its servers are overloaded.) Each reads back after its write; one that finds
//!   other bytes reports a lost race. But a writer that reads back before the other writes is overwritten although it
//!   reported success.
//! - **A process that is suspended after its last check of the clock**, or whose request is delayed in the network
//!   for longer than three quarters of the length after its claim, may overwrite a newer write. Fencing is
//!   impossible: a store that ignores conditions accepts every write. A write with unknown outcome therefore leaves
//!   its claim in place until it expires.
//! - **A claim that cannot be deleted**, or whose owner was killed, only makes others wait for the length.
//!
//! A writer that waits for longer than [`LeaseTimes::max_wait`] reports a lost race.

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::PutMode;
use tokio::time::{Instant, sleep, timeout};

use super::{
    clock::Clock,
    error::Error,
    handle::Store,
    lease_times::LeaseTimes,
    object::{Object, Revision, StoredObject, parse},
    swap::limit_for,
};

/// The folder of the claims.
const CLAIMS: &str = ".publish/claims";

/// A claim that was written.
struct Claim {
    path: String,
    /// Just before the last write; the server's time of the write is not earlier.
    written: Instant,
}

/// The claims of all writers of one object, as one swap sees them.
struct Claims<'a> {
    store: &'a Store,
    times: LeaseTimes,
    object: &'a str,
    began: Instant,
    /// The claims of this swap, which it does not wait for.
    own: Vec<String>,
    /// The server's time, from the times of the listed claims.
    server: Clock,
}

/// A listing of the claims.
struct Snapshot {
    /// The server's time of the own claim; `None` if it is not listed.
    own: Option<SystemTime>,
    others: Vec<StoredObject>,
}

/// The outcome of a write under the lease.
enum WriteOutcome {
    /// It was carried out, or certainly never will be.
    Known(Result<(), Error>),
    /// It may still be carried out.
    Unknown(Error),
    /// It was not begun: the claim is too old.
    Expired,
}

impl Store {
    /// Sets the durations of a lease, for stores that need one.
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
        let mut claims = Claims::new(self, path);
        loop {
            if let Some(claim) = claims.claim().await? {
                match self.write_under(&claim, path, bytes, expected).await {
                    WriteOutcome::Known(result) => {
                        claims.release(&claim).await;
                        return result;
                    }
                    WriteOutcome::Unknown(error) => return Err(error),
                    WriteOutcome::Expired => claims.release(&claim).await,
                }
            }
            if !claims.wait_until_free().await? {
                return Err(Error::Conflict { path: path.to_owned() });
            }
            // The previous lease holder may already have written the value.
            if let Some(decided) =
                decided(path, bytes, expected, self.read_newest(path, limit_for(bytes)).await?.as_ref())
            {
                return decided;
            }
        }
    }

    /// Compares, writes and reads back, while holding the lease.
    async fn write_under(
        &self,
        claim: &Claim,
        path: &str,
        bytes: &Bytes,
        expected: Option<&Revision>,
    ) -> WriteOutcome {
        let length = self.lease.times.length;
        let current = match self.read_newest(path, limit_for(bytes)).await {
            Ok(current) => current,
            Err(error) => return WriteOutcome::Known(Err(error)),
        };
        if let Some(decided) = decided(path, bytes, expected, current.as_ref()) {
            return WriteOutcome::Known(decided);
        }
        let at = match parse(path) {
            Ok(at) => at,
            Err(error) => return WriteOutcome::Known(Err(error)),
        };
        let put = self.put(&at, bytes.clone(), PutMode::Overwrite, || self.headers.of_mutable(path));
        if claim.written.elapsed() > length / 4 {
            return WriteOutcome::Expired;
        }
        match timeout(length / 2, put).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
                let refused =
                    matches!(error, PermissionDenied { .. } | Unauthenticated { .. } | NotFound { .. });
                let error = self.failed("write", path, error);
                return if refused { WriteOutcome::Known(Err(error)) } else { WriteOutcome::Unknown(error) };
            }
            Err(late) => {
                let (path, source) = (path.to_owned(), Box::new(late));
                return WriteOutcome::Unknown(Error::Failed { action: "write", path, source });
            }
        }
        WriteOutcome::Known(match self.read_newest(path, limit_for(bytes)).await {
            Ok(Some(current)) if current.bytes == *bytes => Ok(()),
            Ok(_) => Err(Error::Conflict { path: path.to_owned() }),
            Err(error) => Err(error),
        })
    }
}

/// Returns the outcome if the current object determines it: the new bytes are already written, or the revision
/// differs.
fn decided(
    path: &str,
    bytes: &Bytes,
    expected: Option<&Revision>,
    current: Option<&Object>,
) -> Option<Result<(), Error>> {
    match current {
        Some(current) if current.bytes == *bytes => Some(Ok(())),
        current if current.map(|current| &current.revision) == expected => None,
        _ => Some(Err(Error::Conflict { path: path.to_owned() })),
    }
}

impl<'a> Claims<'a> {
    fn new(store: &'a Store, object: &'a str) -> Self {
        let (times, began) = (store.lease.times, Instant::now());
        Self { store, times, object, began, own: Vec::new(), server: Clock::default() }
    }

    fn folder(&self) -> String {
        format!("{CLAIMS}/{}", self.object)
    }

    /// Claims the lease; `None` if other claims have priority, or on timeout.
    async fn claim(&mut self) -> Result<Option<Claim>, Error> {
        let random = self.store.lease.random;
        let path = format!("{}/{:016x}{:016x}", self.folder(), random(), random());
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
        while self.began.elapsed() < self.times.max_wait {
            let seen = self.list(Some(claim)).await?;
            if let Some(own) = seen.own {
                self.server.observe(own);
                let (void, alive): (Vec<_>, Vec<_>) =
                    seen.others.into_iter().partition(|other| other.modified + length < own);
                for other in void {
                    // Best effort: another writer may have deleted it.
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
                // Others may already treat the claim as expired: it must not be used any more.
                return Ok(false);
            }
            self.pause(self.times.settling / 2).await;
        }
        Ok(false)
    }

    /// Renews a claim before others can treat it as expired; `false` if that took too long.
    async fn renew(&self, claim: &mut Claim) -> Result<bool, Error> {
        let (before, again) = (claim.written, Instant::now());
        self.write(claim).await?;
        claim.written = again;
        Ok(before.elapsed() < self.times.length / 2)
    }

    async fn write(&self, claim: &Claim) -> Result<(), Error> {
        let name = rustix::system::uname();
        let text = format!(
            "publish on {} (process {}) is about to write {}; if it is no longer running, this claim expires {} seconds later.\n",
            name.nodename().to_string_lossy(),
            std::process::id(),
            self.object,
            self.times.length.as_secs()
        );
        self.store.replace(&claim.path, text.into()).await
    }

    /// Deletes a claim, best effort: it expires otherwise.
    async fn release(&self, claim: &Claim) {
        let _ = self.store.delete(&claim.path).await;
    }

    /// Waits until no other live writer claims the lease; `false` on timeout.
    async fn wait_until_free(&self) -> Result<bool, Error> {
        while self.began.elapsed() < self.times.max_wait {
            self.pause(self.times.settling).await;
            let others = self.list(None).await?.others;
            // Without a time of the server, ages are unknown: the next claim provides one.
            let now = self.server.now();
            if !others.iter().any(|other| now.is_some_and(|now| now <= other.modified + self.times.length)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn list(&self, claim: Option<&Claim>) -> Result<Snapshot, Error> {
        let found: Vec<StoredObject> = self.store.walk(&self.folder()).try_collect().await?;
        let own = claim.and_then(|claim| found.iter().find(|found| found.path == claim.path));
        let own = own.map(|found| found.modified);
        let others = found.into_iter().filter(|found| !self.own.contains(&found.path)).collect();
        Ok(Snapshot { own, others })
    }

    /// Waits for half to one and a half of a duration, with jitter, so that two writers do not collide again.
    async fn pause(&self, about: Duration) {
        let share = u32::try_from((self.store.lease.random)() % 1024).unwrap_or_default();
        sleep(about / 2 + about / 1024 * share).await;
    }
}
