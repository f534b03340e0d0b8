//! `Sync`: the options of a sync.

use std::time::SystemTime;

use tokio::sync::Notify;

use crate::{
    dists::subset::Subset,
    names::Suite,
    site::Site,
    suite::{
        event::{Events, NO_EVENTS},
        generations::Keep,
    },
};

/// The default number of objects that are sent concurrently.
const AT_ONCE: usize = 16;

/// The options of a sync to another store.
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "independent options")]
pub struct Sync<'a> {
    /// The suites.
    pub suites: &'a [Suite],
    /// Further files to copy: names, or [globs](crate::glob::Glob).
    pub include: &'a [String],
    /// Compare all files with a listing of the destination, and send damaged or missing ones again.
    pub verify: bool,
    /// Prune the destination afterwards.
    pub delete: Option<Keep>,
    /// Copy a suite even if the destination has a newer one.
    pub allow_older: bool,
    /// The part of each suite to copy.
    pub subset: Subset,
    /// Go on without package files and indices that the source lists and does not have.
    pub ignore_missing: bool,
    /// The current time.
    pub now: SystemTime,
    /// How many objects are sent concurrently.
    pub at_once: usize,
    /// How the files for clients are written at the destination.
    pub site: Site,
    /// Only plan.
    pub dry_run: bool,
    /// Receives events.
    pub events: Events<'a>,
    /// Ends a prune early when notified.
    pub stop: Option<&'a Notify>,
}

impl<'a> Sync<'a> {
    /// Copies suites, and deletes nothing.
    #[must_use]
    pub fn new(suites: &'a [Suite], now: SystemTime) -> Self {
        Self {
            suites,
            include: &[],
            verify: false,
            delete: None,
            allow_older: false,
            subset: Subset::default(),
            ignore_missing: false,
            now,
            at_once: AT_ONCE,
            site: Site::default(),
            dry_run: false,
            events: NO_EVENTS,
            stop: None,
        }
    }
}
