//! The result of a prune: which objects were deleted, and which stay for which reason.

/// The result of a prune.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Pruned {
    /// Whether this was a dry run, which deletes nothing.
    pub dry_run: bool,
    /// The objects that were deleted (or would be), with the reasons.
    pub deleted: Vec<Swept>,
    /// The unreferenced objects that stay for now, with the reasons.
    pub spared: Vec<Swept>,
    /// The objects that only retained earlier generations reference.
    pub retained: Retained,
    /// Whether every file is younger than the grace period, as after a fresh checkout or a restore.
    pub all_recent: bool,
}

/// The objects that only retained earlier generations reference.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retained {
    /// The number of these generations.
    pub generations: usize,
    /// The number of objects.
    pub objects: usize,
    /// Their size.
    pub bytes: u64,
}

/// An object that no kept generation references.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Swept {
    /// Its path.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The reason why it is deleted or stays.
    pub why: String,
}
