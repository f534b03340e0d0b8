//! The time of the server, estimated from its responses.
//!
//! Every response has a `Date` header, which was true a moment ago, to the second. Each is a lower bound of the
//! current server time; after a few responses the largest bound is less than a second behind. It advances with the
//! monotonic clock, so a wrong system clock does no harm.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use reqwest::header::{DATE, HeaderMap};
use tokio::time::{Instant, sleep};

/// The resolution of `Last-Modified` and `If-Modified-Since`.
const SECOND: Duration = Duration::from_secs(1);

/// A lower bound of the server's time; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<(SystemTime, Instant)>>>);

impl Clock {
    /// Updates the bound from the headers of a response that was just received.
    pub(super) fn observe_headers(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        if let Some(date) = date.and_then(|text| httpdate::parse_http_date(text).ok()) {
            self.observe(date);
        }
    }

    /// Updates the bound: this time is in the past on the server.
    pub(super) fn observe(&self, time: SystemTime) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if known.is_none_or(|(past, at)| past + (now - at) < time) {
            *known = Some((time, now));
        }
    }

    /// Returns the lower bound of the current server time.
    pub(super) fn now(&self) -> Option<SystemTime> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.map(|(past, at)| past + at.elapsed())
    }

    /// Waits until the second in which a revision was modified has passed on the server; `read` is when it was read.
    /// At most a second.
    pub(super) async fn after_second_of(&self, modified: SystemTime, read: Instant) {
        // The revision was modified before it was read, whatever any clock says.
        let now = self.now().unwrap_or(modified).max(modified + read.elapsed());
        sleep((modified + SECOND).duration_since(now).unwrap_or_default()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_secs_f64(seconds)
    }

    fn date(seconds: f64) -> HeaderMap {
        HeaderMap::from_iter([(DATE, httpdate::fmt_http_date(at(seconds)).parse().unwrap())])
    }

    async fn pass(seconds: f64) {
        tokio::time::advance(Duration::from_secs_f64(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_largest_bound_counts() {
        let clock = Clock::default();
        assert_eq!(clock.now(), None);
        clock.observe_headers(&HeaderMap::new());
        clock.observe_headers(&HeaderMap::from_iter([(DATE, "soon".parse().unwrap())]));
        assert_eq!(clock.now(), None);
        // The server time is 10.9, and the response says 10.
        clock.observe_headers(&date(10.9));
        assert_eq!(clock.now(), Some(at(10.)));
        // 11.1: the bound is now almost exact.
        pass(0.2).await;
        clock.observe_headers(&date(11.1));
        assert_eq!(clock.now(), Some(at(11.)));
        // 11.8: the response says less than the bound, and one from a cache may be old.
        pass(0.7).await;
        clock.observe_headers(&date(11.8));
        clock.observe_headers(&date(3.));
        assert_eq!(clock.now(), Some(at(11.7)));
    }

    /// Returns how long the wait for the end of a second takes.
    async fn waits(clock: &Clock, modified: f64, read: Instant) -> f64 {
        let began = Instant::now();
        clock.after_second_of(at(modified), read).await;
        began.elapsed().as_secs_f64()
    }

    fn about(waited: f64, expected: f64) {
        assert!((waited - expected).abs() < 0.01, "{waited} instead of {expected}");
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_rest_of_the_second_is_waited_for() {
        let clock = Clock::default();
        clock.observe_headers(&date(10.));
        about(waits(&clock, 9., Instant::now()).await, 0.);
        // The wait took no time: the server time is still 10.
        about(waits(&clock, 10., Instant::now()).await, 1.);
        pass(0.25).await;
        about(waits(&clock, 11., Instant::now()).await, 0.75);
        // Far ahead of the server's own clock.
        about(waits(&clock, 100., Instant::now()).await, 1.);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_date_a_second_after_the_read_is_enough() {
        let clock = Clock::default();
        let read = Instant::now();
        about(waits(&clock, 10., read).await, 1.);
        let read = Instant::now();
        pass(0.6).await;
        about(waits(&clock, 10., read).await, 0.4);
        pass(5.).await;
        about(waits(&clock, 10., read).await, 0.);
    }
}
