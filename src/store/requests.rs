//! How often a store was asked.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::clock::Clock;

/// How often a store was asked since it was opened.
///
/// Every HTTP request that was really sent, repetitions and logins included; of a folder and of memory, every call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requests {
    /// All of them.
    pub total: u64,
    /// Those that list names.
    pub listings: u64,
}

/// What is noticed of the traffic with a store; clones notice together.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    pub(super) counter: Counter,
    pub(super) clock: Clock,
}

/// Counts; clones count together.
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
