//! How long to go on with a server that fails.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::Instant;

/// How long to go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryPolicy {
    /// How often a request is sent at most.
    pub(super) tries: u32,
    /// The first pause; each next one is twice as long.
    pub(super) pause: Duration,
    /// The longest pause, whatever the server asks for.
    pub(super) longest: Duration,
    /// No repetition begins later than this.
    pub(super) whole: Duration,
    /// A connection on which nothing moves for so long is given up.
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
    /// How long to wait after the n-th try; `None` to give up.
    pub(super) fn wait(&self, tries: u32, since: Instant, asked: Option<Duration>) -> Option<Duration> {
        if tries >= self.tries {
            return None;
        }
        let pause = self.pause.saturating_mul(1 << (tries - 1).min(16)).min(self.longest);
        // Between a half and the whole of it: who failed together shall not come back together.
        let pause = rand::random_range(pause / 2..=pause);
        let pause = pause.max(asked.unwrap_or_default().min(self.longest));
        (since.elapsed() + pause < self.whole).then_some(pause)
    }
}

/// Whether the same request may succeed a little later.
pub(super) fn passes(status: StatusCode) -> bool {
    // 498 is how Cloud Files says that too many requests came; 501 and 507 will be said again.
    matches!(status.as_u16(), 408 | 429 | 498)
        || status.is_server_error() && !matches!(status.as_u16(), 501 | 507)
}
