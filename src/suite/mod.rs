//! The published archive: its suites, the files that they reference, their kept generations, and the trust policy.
//! Nothing here decides how a suite changes.
//!
//! [`published`] opens a suite read-only; [`base`] verifies one as the base of an operation.

pub(crate) mod history;
pub(crate) mod base;
pub(crate) mod flat;
pub(crate) mod first_signing;
pub(crate) mod freshness;
pub(crate) mod note;
pub(crate) mod partial;
pub(crate) mod discovery;
pub(crate) mod other_names;
pub(crate) mod collisions;
pub(crate) mod generations;
pub(crate) mod archive;
pub(crate) mod images;
pub(crate) mod patches;
pub(crate) mod published;
pub(crate) mod trust;
pub(crate) mod source_keys;
pub(crate) mod file_lists;
pub(crate) mod pool_package;
pub(crate) mod package_file;
pub(crate) mod references;
pub(crate) mod damage;
pub(crate) mod snapshots;
pub(crate) mod public_files;
pub(crate) mod error;
pub(crate) mod error_text;
pub(crate) mod failed;
pub(crate) mod refusal;
pub(crate) mod attach_fault;
pub(crate) mod release_info;
pub(crate) mod arriving;
pub(crate) mod event;
pub(crate) mod limits;
