//! Looking at an archive: what is wrong with it, what it was, how two states differ. Nothing here writes.

pub(crate) mod check;
pub(crate) mod log;
pub(crate) mod compare;
pub(crate) mod diff;
