//! The errors of configured keys and of their rotation.

use std::{io, path::PathBuf};

use crate::{config, deb, names, signing, suite};

/// Why a configured key cannot be used, delivered or replaced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive cannot be read or changed.
    #[error(transparent)]
    Archive(#[from] suite::error::Error),
    /// A key cannot be used.
    #[error(transparent)]
    Signing(#[from] signing::Error),
    /// A file of `TrustedKeys:` cannot be read.
    #[error("cannot read `{}`", path.display())]
    TrustedKeys {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// `SignWith:` cannot be changed in the configuration.
    #[error("cannot change `SignWith:` of the configuration")]
    NotWritten {
        /// The cause.
        source: config::Error,
        /// The words that the field needs; `NEW` is a key that does not exist yet.
        words: Vec<String>,
        /// Whether the new key is stored.
        is_kept: bool,
        /// Whether the rotation was to be finished.
        finish: bool,
    },
    /// A suite that was named is not configured.
    #[error("no suite `{name}` is configured; there are: `{}`", known.join("`, `"))]
    NotConfigured {
        /// The name.
        name: String,
        /// The configured suites.
        known: Vec<String>,
    },
    /// A suite without `SignWith:`.
    #[error("suite `{name}` is not signed: it has no `SignWith:`")]
    NotSigned {
        /// The suite.
        name: String,
    },
    /// No suite has a key that could be replaced.
    #[error("no suite has `SignWith:`, so there is no key to change")]
    NothingSigned,
    /// A command signs the suite.
    #[error("suite `{suite}` is signed by the command `{command}`, which manages its own keys")]
    SignedByCommand {
        /// The suite.
        suite: names::Suite,
        /// The command.
        command: String,
    },
    /// The suite must not be changed.
    #[error("suite `{suite}` cannot be re-signed: it has `ReadOnly: yes`")]
    ReadOnly {
        /// The suite.
        suite: names::Suite,
    },
    /// The published suite has other signers than the configuration.
    #[error("suite `{suite}` is signed by other keys than `SignWith:` names")]
    OtherSigners {
        /// The suite.
        suite: names::Suite,
    },
    /// The key that was given as the new one is the old one.
    #[error("the key {key} already signs")]
    AlreadySigns {
        /// Its fingerprint.
        key: String,
    },
    /// The suite rotates to another key.
    #[error("suite `{suite}` is already rotating to the key {key}")]
    Rotating {
        /// The suite.
        suite: names::Suite,
        /// The fingerprint of that key.
        key: String,
    },
    /// The key to keep is not a key of the suite.
    #[error("suite `{suite}` is not signed with the key {key}")]
    NotASigner {
        /// The suite.
        suite: names::Suite,
        /// The key as it was given.
        key: String,
    },
    /// The last word of `SignWith:` is not the newest key.
    #[error("the last key of suite `{suite}` is not the newest one")]
    NotNewest {
        /// The suite.
        suite: names::Suite,
    },
    /// The new key did not sign the suite yet.
    #[error("suite `{suite}` is not yet signed with the new key {key}")]
    NotYetSigned {
        /// The suite.
        suite: names::Suite,
        /// The fingerprint of the new key.
        key: String,
    },
    /// The published `Signed-By` excludes the new key.
    #[error("`Signed-By` of suite `{suite}` does not list the new key")]
    NotAdmitted {
        /// The suite.
        suite: names::Suite,
        /// The fingerprint of the new key.
        key: String,
    },
    /// Clients had too little time to get the new key.
    #[error("{early}")]
    TooEarly {
        /// Since when they could get it.
        early: Early,
        /// The day on which the rotation can be finished, if the new key is published.
        again: Option<String>,
    },
    /// A command cannot be the new key.
    #[error("a command signs alone: `SignWith:` cannot name it beside another key")]
    CommandBesideKey,
    /// The name of a key contains a space.
    #[error("`{word}` cannot be used in `SignWith:`, which separates keys by spaces")]
    SpaceInName {
        /// The name.
        word: String,
    },
    /// A text is no basis for the name of the keyring package.
    #[error("cannot derive a package name from `{text}`: {source}")]
    PackageName {
        /// The text.
        text: String,
        /// The problem.
        source: names::Error,
    },
    /// The name of the keyring package is not unique.
    #[error("cannot determine the name of the keyring package: {0}")]
    NoPackageName(NoPackageName),
    /// The published keyring package was made by another tool.
    #[error(
        "`{name}` {version} of suite `{suite}` was made by another tool: it installs `/{path}`, which a new version would \
         remove from clients"
    )]
    ForeignPackage {
        /// The package.
        name: names::PackageName,
        /// Its version.
        version: crate::version::Version,
        /// The suite.
        suite: names::Suite,
        /// The path.
        path: String,
    },
    /// The keyring package does not read as a package.
    #[error("cannot make the keyring package")]
    Package {
        /// The cause.
        source: deb::Error,
    },
    /// The keyring package cannot be written to a temporary folder.
    #[error("cannot write the keyring package to a temporary folder")]
    Temporary {
        /// The cause.
        source: io::Error,
    },
}

/// Clients of a suite had little or no time to get the new key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Early {
    /// The suite.
    pub suite: names::Suite,
    /// The day since which its keyring package contains the new key.
    pub since: Option<String>,
}

impl std::fmt::Display for Early {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let suite = &self.suite;
        match &self.since {
            Some(since) => {
                write!(f, "clients of suite `{suite}` have been able to get the new key only since {since}")
            }
            None => write!(f, "no keyring package in suite `{suite}` contains the new key"),
        }
    }
}

/// Why the keyring package has no unique name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPackageName {
    /// No suite has an `Origin`.
    #[error("the suites have no `Origin`")]
    NoOrigin,
    /// The suites have several origins.
    #[error("the suites have several origins: `{}`", .0.join("`, `"))]
    SeveralOrigins(Vec<String>),
    /// Several packages with these keys are published.
    #[error("several packages contain its keys: `{}`", .0.join("`, `"))]
    SeveralPackages(Vec<String>),
}
