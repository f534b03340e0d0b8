//! Read-only commands: faults of an archive, its history, differences between generations. Nothing here writes.

pub(crate) mod check;
pub(crate) mod log;
pub(crate) mod compare;
pub(crate) mod diff;
