//! The state of an archive as it is published: its suites, what they list, the states that are kept, and whose signatures
//! are believed. Nothing here decides what a suite becomes.
//!
//! [`published`] reads one suite to look at it; [`base`] verifies one for an operation to build on.

pub(crate) mod history;
pub(crate) mod base;
pub(crate) mod freshness;
pub(crate) mod note;
pub(crate) mod discovery;
pub(crate) mod generations;
pub(crate) mod archive;
pub(crate) mod published;
pub(crate) mod trust;
pub(crate) mod package_file;
pub(crate) mod references;
pub(crate) mod snapshots;
pub(crate) mod public_files;
pub(crate) mod error;
pub(crate) mod failed;
pub(crate) mod refusal;
pub(crate) mod release_info;
pub(crate) mod event;
pub(crate) mod limits;
