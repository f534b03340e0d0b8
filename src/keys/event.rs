//! The progress of a key rotation and of the delivery of keys, which the library reports instead of printing.

use std::path::PathBuf;

use super::error::Early;
use crate::{
    commit::outcome::CommitReport,
    names::{PackageName, Suite},
};

/// One step.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyEvent<'a> {
    /// A new key was stored, or is already there.
    NewKey(&'a NewKeyReport),
    /// `SignWith:` of a suite was written, or would be; `NEW` is a key that does not exist yet.
    SignWith {
        /// The suite.
        suite: &'a Suite,
        /// The words of the field.
        words: Vec<String>,
        /// Whether it only would be written.
        dry_run: bool,
    },
    /// The published `Signed-By` excludes the new key.
    NotAdmitted {
        /// The suite.
        suite: &'a Suite,
        /// The fingerprint of the new key.
        key: String,
    },
    /// Another package holds the keys too, and is not updated.
    OtherPackage {
        /// The suite.
        suite: &'a Suite,
        /// That package.
        other: &'a PackageName,
        /// The package that is updated.
        name: &'a PackageName,
    },
    /// The rotation is finished although clients had little time to get the new key.
    Early(&'a Early),
    /// The keyring package was published in a suite, or would be.
    Published(&'a CommitReport),
    /// A suite was re-signed, or would be.
    Resigned(&'a CommitReport),
}

/// The new key of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewKeyReport {
    /// Its word in `SignWith:`.
    pub word: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// The file of a generated key.
    pub file: Option<PathBuf>,
    /// The day on which it expires.
    pub expires: Option<String>,
    /// Whether it only would be generated.
    pub is_planned: bool,
}

/// Receives events, from any thread.
pub type KeyEvents<'a> = &'a (dyn Fn(KeyEvent<'_>) + Send + Sync);
