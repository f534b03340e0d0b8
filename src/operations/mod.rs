//! The operations: what a command can change in a suite, one file each, planned on a verified base.
//!
//! A plan knows every byte of the new state and has written none. [`commit`](crate::commit) publishes it, and plans the same
//! operation again if another publisher was faster.

pub(crate) mod rollback;
pub(crate) mod refresh;
mod add;
mod remove;
mod retain;
mod layout;
mod resolve;
mod edited_indices;
pub(crate) mod edit;
mod addition;
pub(crate) mod copy;
pub(crate) mod read_debs;
pub(crate) mod overflow;
pub(crate) mod snapshot;
pub(crate) mod plan;
pub(crate) mod snapshot_source;
pub(crate) mod copied_package;
pub(crate) mod adopt;
pub(crate) mod dates;
pub(crate) mod written;
