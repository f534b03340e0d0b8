//! The retry policy for a failing server.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::{Instant, sleep};

/// When to retry, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy {
    /// The maximum number of attempts.
    pub(crate) tries: u32,
    /// The first backoff; it doubles with each attempt.
    pub(crate) pause: Duration,
    /// The maximum backoff, whatever the server requests.
    pub(crate) longest: Duration,
    /// No retry begins later than this.
    pub(crate) whole: Duration,
    /// The timeout of a connection without progress.
    pub(crate) silence: Duration,
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
    /// Runs an attempt until it succeeds, fails permanently, or the attempts are used up. Its inner error is transient.
    pub(super) async fn run<T, E, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<Result<T, E>, E>>,
    {
        let (since, mut tries) = (Instant::now(), 0);
        loop {
            tries += 1;
            let failure = match attempt().await? {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            match self.wait(tries, since, None) {
                Some(pause) => sleep(pause).await,
                None => return Err(failure),
            }
        }
    }

    /// Returns the backoff after the n-th attempt; `None` to give up.
    pub(crate) fn wait(&self, tries: u32, since: Instant, requested: Option<Duration>) -> Option<Duration> {
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
pub(crate) fn is_retryable(status: StatusCode) -> bool {
    // 498 is Cloud Files' status for rate limiting; 501 and 507 are permanent.
    matches!(status.as_u16(), 408 | 429 | 498)
        || status.is_server_error() && !matches!(status.as_u16(), 501 | 507)
}
