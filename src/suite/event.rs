//! Progress and warnings, which the library reports instead of printing.

use crate::names::Suite;

/// Progress or a warning.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A .deb was read.
    Read {
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// A warning for the user; the operation continues.
    Warning(String),
    /// The operation begins a new archive where there was none.
    NewArchive {
        /// Its location.
        location: String,
    },
    /// An object was written or copied.
    Written {
        /// Its path.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// A batch of files is about to be sent.
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
    /// A part of the bytes was written.
    Stored {
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A part of the objects was deleted.
    Deleted {
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// Another publisher won the race; the operation is planned again on the new base.
    LostRace {
        /// The number of lost races of this operation.
        times: u32,
    },
}

/// Receives events, from any thread.
pub type Events<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// Ignores all events.
pub(crate) const NO_EVENTS: Events<'static> = &|_| ();
