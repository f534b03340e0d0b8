//! The minimum pace of a response: every wait for a server ends.
//!
//! The read timeout ends a silent connection after a minute. A server that sends a byte per second is never silent,
//! so the total time of a response is limited by its size too.

use std::time::Duration;

use tokio::time::Instant;

/// The time granted to every response.
const GRACE: Duration = Duration::from_secs(60);
/// The minimum rate beyond that, in bytes per second: that of a modem.
const SLOWEST: u64 = 1 << 10;

/// The server sends too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the server sends less than {SLOWEST} bytes a second: {seen} bytes arrived in {} s", after.as_secs())]
pub(super) struct TooSlow {
    seen: u64,
    after: Duration,
}

/// The pace of one response.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    seen: u64,
}

impl Pace {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), seen: 0 }
    }

    /// Counts received bytes and returns the total.
    pub(super) fn count(&mut self, bytes: u64) -> Result<u64, TooSlow> {
        self.seen = self.seen.saturating_add(bytes);
        let after = self.since.elapsed();
        let granted = GRACE + Duration::from_secs(self.seen / SLOWEST);
        if after <= granted { Ok(self.seen) } else { Err(TooSlow { seen: self.seen, after }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_trickle_fails_and_a_slow_line_succeeds() {
        let mut slow = Pace::begin();
        for second in 0..600 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(slow.count(2 * SLOWEST).is_ok(), "{second}");
        }
        let mut trickle = Pace::begin();
        let mut ended = None;
        for second in 1..600 {
            tokio::time::advance(Duration::from_secs(1)).await;
            if let Err(error) = trickle.count(1) {
                ended = Some((second, error.to_string()));
                break;
            }
        }
        let text = "the server sends less than 1024 bytes a second: 61 bytes arrived in 61 s";
        assert_eq!(ended, Some((61, text.to_owned())));
    }
}
