//! The output of the commands with `--json`.
//!
//! These types are separate from the structs of the library, so that a change there does not change the output. A test runs
//! every command and compares each object with the schema below.
//!
#![doc = include_str!("schema.md")]

mod init;
mod serve;
mod check;
mod client;
mod doctor;
mod errors;
mod keys;
mod look;
mod sync;
mod stats;
mod sweep;
mod publication;
mod package;
mod document;

pub(super) use check::Checked;
pub(super) use client::{Client, ClientKey, ClientSuite};
pub(super) use doctor::{Diagnosis, Finding};
pub(super) use document::{Document, render};
pub(super) use errors::Failed;
pub(super) use init::Initialized;
pub(super) use keys::{ExportedKeys, KeyFile, KeyPackage, Keys, NewKey, Rotated};
pub(super) use look::{Diff, Listed, Log, ShownPackage, Side, Snapshots};
pub(super) use package::{File, ListedPackage};
pub(super) use publication::{Publication, Publications};
pub(super) use serve::Serving;
pub(super) use stats::{LeftOut, Stats, StatsRow};
pub(super) use sweep::{Dropped, Pruned, RemovedSnapshot};
pub(super) use sync::{Destination, Synced};
