//! Progress and warnings, which the library reports instead of printing.

use crate::{names::Suite, signing::KeyWarning};

/// Progress or a warning.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A .deb or a .dsc was read.
    Read {
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// The file list of a published package was read, for an index of files.
    Listed {
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// A step begins whose end is not known.
    Step(&'static str),
    /// The release file is signed, for which a program may ask the user.
    Signing,
    /// The operation waits for the end of a prune, or of the marker that a killed one left.
    WaitsForPrune {
        /// How long after its last renewal the marker expires.
        expires: std::time::Duration,
    },
    /// A suite is copied for the first time, and no key verifies it but one that its own archive publishes.
    KeysOfSource {
        /// The suite.
        suite: Suite,
    },
    /// A warning for the user; the operation continues.
    Warning(String),
    /// The operation begins a new archive where there was none.
    NewArchive {
        /// Its location.
        location: String,
    },
    /// A warning for the owner of a signing key.
    Key(KeyWarning),
    /// No signing key is there: the plan of a dry run is the one of a job that has it.
    PlannedWithoutKey {
        /// The suite.
        suite: Suite,
        /// Whether the published suite was verified with the key in the archive itself only, or not at all.
        unverified: bool,
    },
    /// Keys that cannot be read, so that their signatures are not verified.
    UnreadableKeys(String),
    /// An object was written or copied.
    Written {
        /// Its path.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// A batch of files is about to be sent.
    Phase {
        /// Their kind.
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
    /// A step begins or ends that must not be cut short: a caller that drops the future waits for its end first.
    Critical {
        /// Whether it begins.
        begins: bool,
    },
    /// The release file of a suite is about to be replaced.
    Publishing {
        /// The suite.
        suite: Suite,
    },
    /// Clients see the new release file of a suite; its derived outputs are still stale.
    Published {
        /// The suite.
        suite: Suite,
    },
    /// Another publisher won the race; the operation is planned again on the new base.
    LostRace {
        /// The number of lost races of this operation.
        times: u32,
    },
}

/// Receives events, from any thread.
pub type Events<'a> = &'a (dyn Fn(Event) + Send + Sync);

/// Runs a step that must not be cut short.
pub(crate) async fn critical<T>(events: Events<'_>, step: impl Future<Output = T>) -> T {
    events(Event::Critical { begins: true });
    let done = step.await;
    events(Event::Critical { begins: false });
    done
}

/// Ignores all events.
pub(crate) const NO_EVENTS: Events<'static> = &|_| ();
