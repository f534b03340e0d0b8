//! `Sync`: what is carried, and how.

use std::time::SystemTime;

use crate::{
    names::Suite,
    suite::{
        event::{Events, UNHEARD},
        generations::Keep,
    },
};

/// How many objects are sent at once, if nothing else is asked for.
const AT_ONCE: usize = 16;

/// How an archive is carried to another store.
#[non_exhaustive]
pub struct Sync<'a> {
    /// The suites.
    pub suites: &'a [Suite],
    /// More files than those that the suites lead to: names or patterns with `*` and `?`.
    pub include: &'a [String],
    /// Compare everything with a listing of the destination, and send again what was damaged or lost there.
    pub verify: bool,
    /// Then prune the destination.
    pub delete: Option<Keep>,
    /// Carry a suite even if the destination has a newer one.
    pub allow_older: bool,
    /// The time.
    pub now: SystemTime,
    /// How many objects are sent at once.
    pub at_once: usize,
    /// Plan only.
    pub dry_run: bool,
    /// Who is told.
    pub events: Events<'a>,
}

impl<'a> Sync<'a> {
    /// Carries suites, and deletes nothing.
    #[must_use]
    pub fn new(suites: &'a [Suite], now: SystemTime) -> Self {
        Self {
            suites,
            include: &[],
            verify: false,
            delete: None,
            allow_older: false,
            now,
            at_once: AT_ONCE,
            dry_run: false,
            events: UNHEARD,
        }
    }
}
