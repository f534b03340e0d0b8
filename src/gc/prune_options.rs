//! `Prune`: the options of a prune.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use tokio::sync::Notify;

use super::pins::GRACE;
use crate::{
    names::Suite,
    suite::{
        event::{Events, NO_EVENTS},
        generations::Keep,
    },
};

/// The options of a prune.
#[non_exhaustive]
pub struct Prune<'a> {
    /// The retention of generations of these suites.
    pub keep: BTreeMap<Suite, Keep>,
    /// The retention of generations of all other suites; `None` keeps all.
    pub otherwise: Option<Keep>,
    /// Younger files are not deleted: [`GRACE`](crate::gc::pins::GRACE), unless no operation can be in progress.
    pub grace: Duration,
    /// The time for a dry run; a real run uses the clock of the store.
    pub now: SystemTime,
    /// Only report the files that would be deleted.
    pub dry_run: bool,
    /// Only these files are deleted, besides expired generations, which may reference them; `None` for all that nothing
    /// references.
    pub only: Option<&'a BTreeSet<String>>,
    /// Receives progress.
    pub events: Events<'a>,
    /// Ends the prune early when notified, with [`Error::Interrupted`](crate::archive::Error::Interrupted); operations
    /// then need not wait for it.
    pub stop: Option<&'a Notify>,
}

impl Prune<'_> {
    /// Returns the retention of a suite that also has other names, which are links: that of any name with one of its
    /// own, the longest of several.
    pub(super) fn keep_of<'a>(&self, names: impl Iterator<Item = &'a Suite>) -> Option<Keep> {
        let own = names.filter_map(|name| self.keep.get(name)).copied();
        let longest = own.reduce(|one, other| Keep {
            generations: one.generations.max(other.generations),
            span: one.span.max(other.span),
        });
        longest.or(self.otherwise)
    }

    /// Prunes all suites, and keeps the generations that clients may still use.
    #[must_use]
    pub fn new(now: SystemTime) -> Self {
        Self {
            keep: BTreeMap::new(),
            otherwise: Some(Keep::default()),
            grace: GRACE,
            now,
            dry_run: false,
            only: None,
            events: NO_EVENTS,
            stop: None,
        }
    }
}
