//! The clock of this machine.

use std::time::SystemTime;

/// Returns the time of the clock.
///
/// `SOURCE_DATE_EPOCH` is not used: build jobs export the time of their source, and a suite of that `Date` may have expired
/// before any client reads it.
pub(super) fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
    SystemTime::now()
}
