//! The durations of a lease.

use std::time::Duration;

/// The durations of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// The time after a write or delete until every listing shows it. Must be much shorter than `length`.
    pub settling: Duration,
    /// The age difference to a newer claim at which a claim has expired: its owner crashed.
    pub length: Duration,
    /// How long a writer waits for the lease: longer than `length`, or one crashed publisher makes the next one fail.
    pub max_wait: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        let length = Duration::from_secs(120);
        Self { settling: Duration::from_secs(1), length, max_wait: length + Duration::from_secs(60) }
    }
}

/// The configuration of a lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseConfig {
    pub(super) times: LeaseTimes,
    /// The source of random numbers for names and pauses.
    pub(super) random: fn() -> u64,
}

impl Default for LeaseConfig {
    fn default() -> Self {
        Self { times: LeaseTimes::default(), random: rand::random }
    }
}
