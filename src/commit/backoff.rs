//! Backoff and retry after a lost race.

use std::time::Duration;

use tokio::time::sleep;

use crate::{store, suite::error::Error};

/// Returns a random backoff that grows with each lost race, so that concurrent publishers do not collide repeatedly.
pub(super) fn jitter(times: u32) -> Duration {
    Duration::from_millis(rand::random_range(0..20 << times.min(8)))
}

/// Runs a read and the conditional write that follows from it, until no other publisher wins the race.
///
/// # Errors
/// [`store::Error::Conflict`] if others won every race.
pub(crate) async fn until_won<T, F>(tries: u32, one_try: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for times in 1..tries {
        match one_try().await {
            Err(Error::Store(store::Error::Conflict { .. })) => sleep(jitter(times)).await,
            done => return done,
        }
    }
    one_try().await
}
