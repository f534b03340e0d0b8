//! The result of a key rotation.

use std::path::PathBuf;

use super::event::NewKeyReport;
use crate::{
    commit::outcome::CommitReport,
    config::SuiteConfig,
    names::{PackageName, Suite},
    version::Version,
};

/// The step that a rotation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Both keys sign from now on.
    Begun,
    /// Both keys signed already.
    UnderWay,
    /// The new key signs alone.
    Finished,
    /// No rotation is in progress.
    Nothing,
}

/// The result of a key rotation.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rotated {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// The step.
    pub step: Step,
    /// The old and new keys of each suite.
    pub changes: Vec<KeyChange>,
    /// The files of generated keys, without those that a dry run does not store.
    pub new_keys: Vec<NewKeyReport>,
    /// The changed files of the configuration.
    pub config: Vec<PathBuf>,
    /// The keyring package, and the suites that get it.
    pub package: Option<(PackageName, Version, Vec<SuiteConfig>)>,
    /// The day since which clients can get the new key.
    pub since: Option<String>,
    /// The day from which on the rotation can be finished.
    pub finish: Option<String>,
    /// The suites and snapshots that both keys would sign, if the dry run ends before the commits.
    pub planned: Option<Vec<Suite>>,
    /// Whether a rotated suite has snapshots.
    pub has_snapshots: bool,
    /// Whether steps of an interrupted run were completed, or would be.
    pub completes: bool,
    /// The old keys that no suite uses any more.
    pub dropped: Vec<DroppedKey>,
    /// The commits, in their order.
    pub suites: Vec<CommitReport>,
}

/// The change of the key of one suite.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyChange {
    /// The suite.
    pub suite: Suite,
    /// The fingerprints of the old keys.
    pub old: Vec<String>,
    /// The fingerprints of the new key; none if it only would be generated.
    pub new: Vec<String>,
}

/// An old key that no suite uses any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DroppedKey {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The file of its secret part; `None` for a key of gpg.
    pub file: Option<String>,
}
