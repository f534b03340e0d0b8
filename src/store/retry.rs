//! The retry policy for a failing server.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;

/// When to retry, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryPolicy {
    /// The maximum number of attempts.
    pub(super) tries: u32,
    /// The first backoff; it doubles with each attempt.
    pub(super) pause: Duration,
    /// The maximum backoff, whatever the server requests.
    pub(super) longest: Duration,
    /// No retry begins later than this.
    pub(super) whole: Duration,
    /// The timeout of a connection without progress.
    pub(super) silence: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            tries: 6,
            pause: Duration::from_millis(300),
            longest: Duration::from_secs(20),
            whole: Duration::from_secs(60),
            silence: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// Returns the backoff after the n-th attempt; `None` to give up.
    pub(super) fn wait(&self, tries: u32, since: Instant, requested: Option<Duration>) -> Option<Duration> {
        if tries >= self.tries {
            return None;
        }
        let pause = self.pause.saturating_mul(1 << (tries - 1).min(16)).min(self.longest);
        // With jitter of up to a half, so that clients that failed together do not retry together.
        let pause = rand::random_range(pause / 2..=pause);
        let pause = pause.max(requested.unwrap_or_default().min(self.longest));
        (since.elapsed() + pause < self.whole).then_some(pause)
    }
}

/// Returns whether the same request may succeed a little later.
pub(super) fn is_retryable(status: StatusCode) -> bool {
    // 498 is Cloud Files' status for rate limiting; 501 and 507 are permanent.
    matches!(status.as_u16(), 408 | 429 | 498)
        || status.is_server_error() && !matches!(status.as_u16(), 501 | 507)
}
