//! What time it is on the server, as far as its answers tell.
//!
//! Every answer has a `Date`, which was true a moment ago, and to the second. So from each follows what time it is there
//! at least, and the largest of all that follow is less than a second behind after a few answers. It is carried on by
//! the clock that only counts, so nothing here trusts what time this machine believes it is.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use reqwest::header::{DATE, HeaderMap};
use tokio::time::{Instant, sleep};

use super::{Revision, Store};

/// `Last-Modified` and `If-Modified-Since` know nothing shorter.
const SECOND: Duration = Duration::from_secs(1);
/// A difference between two clocks that is worth a word.
const NOTABLE: Duration = Duration::from_secs(5);

/// What time it is on a server at least; clones know the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<(SystemTime, Instant)>>>);

impl Clock {
    /// Learns from the headers of an answer that was just received.
    pub(super) fn heard(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        if let Some(date) = date.and_then(|text| httpdate::parse_http_date(text).ok()) {
            self.is_past(date);
        }
    }

    /// Learns that a time is past there.
    pub(super) fn is_past(&self, time: SystemTime) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if known.is_none_or(|(past, at)| past + (now - at) < time) {
            *known = Some((time, now));
        }
    }

    /// A time that is past there; it may be a little later.
    pub(super) fn now(&self) -> Option<SystemTime> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.map(|(past, at)| past + at.elapsed())
    }

    /// Returns when the second in which something was modified, which was read at `read`, is over there: within one.
    async fn after_second_of(&self, modified: SystemTime, read: Instant) {
        // What could be read had been modified before, whatever any clock says.
        let now = self.now().unwrap_or(modified).max(modified + read.elapsed());
        sleep((modified + SECOND).duration_since(now).unwrap_or_default()).await;
    }
}

impl Store {
    /// By how much the clock of this machine, which shows `now`, is ahead of the server's; `None` where that is not known,
    /// or not worth a word. It may be a second less.
    #[must_use]
    pub fn clock_ahead(&self, now: SystemTime) -> Option<Duration> {
        let ahead = now.duration_since(self.watch.clock.now()?).ok()?;
        Some(ahead).filter(|ahead| *ahead > NOTABLE)
    }

    /// Returns when a new revision will have a `Last-Modified` of another second than this one: apt asks
    /// `If-Modified-Since` to the second, and would be told for ever that nothing changed.
    ///
    /// A folder sees to it by itself, and nobody asks a memory.
    pub(super) async fn wait_for_another_second(&self, revision: &Revision) {
        if !self.is_local() {
            self.watch.clock.after_second_of(revision.modified, revision.read).await;
        }
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
    async fn the_best_of_all_answers_counts() {
        let clock = Clock::default();
        assert_eq!(clock.now(), None);
        clock.heard(&HeaderMap::new());
        clock.heard(&HeaderMap::from_iter([(DATE, "soon".parse().unwrap())]));
        assert_eq!(clock.now(), None);
        // It is 10.9 there, and the answer says 10.
        clock.heard(&date(10.9));
        assert_eq!(clock.now(), Some(at(10.)));
        // 11.1, and now nearly all is known.
        pass(0.2).await;
        clock.heard(&date(11.1));
        assert_eq!(clock.now(), Some(at(11.)));
        // 11.8: the answer says less than is known. And one from a cache may be old.
        pass(0.7).await;
        clock.heard(&date(11.8));
        clock.heard(&date(3.));
        assert_eq!(clock.now(), Some(at(11.7)));
    }

    /// How long it takes until the second of something is over.
    async fn waits(clock: &Clock, modified: f64, read: Instant) -> f64 {
        let began = Instant::now();
        clock.after_second_of(at(modified), read).await;
        began.elapsed().as_secs_f64()
    }

    fn about(waited: f64, expected: f64) {
        assert!((waited - expected).abs() < 0.01, "{waited} instead of {expected}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_is_waited_for_as_far_as_it_is_not_over() {
        let clock = Clock::default();
        clock.heard(&date(10.));
        about(waits(&clock, 9., Instant::now()).await, 0.);
        // Which took no time: it still is 10.
        about(waits(&clock, 10., Instant::now()).await, 1.);
        pass(0.25).await;
        about(waits(&clock, 11., Instant::now()).await, 0.75);
        // Far ahead of the server's own clock.
        about(waits(&clock, 100., Instant::now()).await, 1.);
    }

    #[tokio::test(start_paused = true)]
    async fn without_any_date_a_second_since_it_was_read_is_enough() {
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
