//! The backoff after a lost race.

use std::time::Duration;

/// Returns a random backoff that grows with each lost race, so that concurrent publishers do not collide repeatedly.
pub(super) fn jitter(times: u32) -> Duration {
    Duration::from_millis(rand::random_range(0..20 << times.min(8)))
}
