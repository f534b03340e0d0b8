//! What the library reports instead of printing.

use crate::names::Suite;

/// Something that happened on the way.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// So many of so many .debs have been read.
    Read {
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// Something that a user should know, though the work goes on.
    Warning(String),
    /// An object was written or copied.
    Written {
        /// Its path.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// Files are going to be sent.
    Phase {
        /// What they are.
        what: &'static str,
        /// The suite that needs them.
        suite: Suite,
        /// How many there are.
        files: usize,
        /// Their size.
        bytes: u64,
    },
    /// So many of so many bytes for the pool have been written.
    Stored {
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// So many of so many objects have been deleted.
    Deleted {
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// Somebody else published first; the edit is made again on what he published.
    LostRace {
        /// How often that happened to this edit.
        times: u32,
    },
}

/// Takes events as they come, from any thread.
pub type Events<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// Takes events and does nothing with them.
pub(crate) const UNHEARD: Events<'static> = &|_| ();
