//! Garbage collection by mark and sweep: `prune` marks the live set, every file that a published or kept generation
//! references, and sweeps the others.
//!
//! Files that an operation is about to reference are pinned, so that a concurrent collection keeps them.

pub(crate) mod prune;
mod sweep;
mod page_files;
mod unlisted;
pub(crate) mod prune_options;
pub(crate) mod pruned;
pub(crate) mod pins;
pub(crate) mod live_set;
