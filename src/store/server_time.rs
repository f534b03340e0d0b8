//! Features that depend on the time of the server: the difference to the local clock, and the wait for a later `Last-Modified`.

use std::time::{Duration, SystemTime};

use super::{handle::Store, object::Revision};

impl Store {
    /// Returns the difference of the local clock, which shows `now`, to the server's, and whether it is ahead; `None` if the server
    /// sent no time. Dates of servers have no fractions of a second.
    #[must_use]
    pub fn clock_difference(&self, now: SystemTime) -> Option<(bool, Duration)> {
        let there = self.watch.clock.now()?;
        Some(match now.duration_since(there) {
            Ok(ahead) => (true, ahead),
            Err(behind) => (false, behind.duration()),
        })
    }

    /// Waits until a new revision gets a `Last-Modified` in a later second than this one: apt sends
    /// `If-Modified-Since` with a resolution of a second, and would see 304 for ever.
    ///
    /// A folder sets its own times, and a memory store has no such clients.
    pub(super) async fn wait_for_another_second(&self, revision: &Revision) {
        if !self.is_local() {
            self.watch.clock.after_second_of(revision.modified, revision.read).await;
        }
    }
}
