//! Garbage collection: `prune` marks every file that a published or kept state references, and sweeps the others.
//!
//! Uploads that no state references yet are pinned, so that a collection at the same moment leaves them.

pub(crate) mod prune;
pub(crate) mod pins;
pub(crate) mod live_set;
