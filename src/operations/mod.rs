//! The operations on a suite, one file each: requirements and plans on a verified base. Nothing here writes to the
//! store.
//!
//! A plan contains every byte that is new. [`commit`](crate::commit) publishes it, and plans the same operation again
//! on the new base after a lost race.

pub(crate) mod rollback;
pub(crate) mod refresh;
pub(crate) mod upload;
mod attach;
mod add;
mod remove;
mod reoverride;
mod export;
mod retain;
mod layout;
mod left_out;
mod components;
mod resolve;
mod lookup;
mod leaving;
mod edited_indices;
pub(crate) mod edit;
pub(crate) mod attachment;
mod addition;
pub(crate) mod copy;
mod closure;
mod flat;
pub(crate) mod upstream;
pub(crate) mod rebuilt;
pub(crate) mod new_package;
pub(crate) mod read_debs;
pub(crate) mod overflow;
pub(crate) mod snapshot;
pub(crate) mod drop;
mod derived_from_packages;
mod index_releases;
pub(crate) mod plan;
mod suite_layout;
pub(crate) mod listing;
mod contents;
mod translations;
mod commands;
pub(crate) mod patches;
mod edited_packages;
pub(crate) mod snapshot_source;
pub(crate) mod copied_package;
pub(crate) mod remote;
pub(crate) mod upgrade;
pub(crate) mod selection;
pub(crate) mod adopt;
mod unreadable;
pub(crate) mod dates;
pub(crate) mod written;
