//! Request counters.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::clock::Clock;

/// The number of requests since the store was opened.
///
/// Counts every HTTP request actually sent, retries and logins included; for a folder and memory, every call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requests {
    /// All requests.
    pub total: u64,
    /// Requests that list names.
    pub listings: u64,
}

/// The observers of a store's traffic; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    pub(super) counter: Counter,
    pub(super) clock: Clock,
}

/// A request counter; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    total: AtomicU64,
    listings: AtomicU64,
}

impl Counter {
    /// Counts one request.
    pub(super) fn count(&self, listing: bool) {
        self.0.total.fetch_add(1, Relaxed);
        if listing {
            self.0.listings.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn so_far(&self) -> Requests {
        Requests { total: self.0.total.load(Relaxed), listings: self.0.listings.load(Relaxed) }
    }
}
