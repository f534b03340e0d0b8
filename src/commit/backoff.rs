//! The wait after a lost race.

use std::time::Duration;

/// A random wait that grows with each lost race, so that many publishers do not meet again and again.
pub(super) fn jitter(times: u32) -> Duration {
    Duration::from_millis(rand::random_range(0..20 << times.min(8)))
}
