//! `Failed`: a file that could not be copied to another store.

use crate::store;

/// A file that could not be copied.
#[derive(Debug, thiserror::Error)]
#[error("cannot copy `{path}`")]
#[non_exhaustive]
pub struct Failed {
    /// The file.
    pub path: String,
    /// Why.
    pub source: FailedBecause,
}

/// The reason why a file could not be copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FailedBecause {
    /// A store failed or refused.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The source does not have it.
    #[error("the source does not have it, although an index references it")]
    Absent,
    /// It matches its index, but it is not a package that dpkg can read.
    #[error("the file in `{location}` matches its index, but dpkg cannot read it")]
    Package {
        /// The source.
        location: String,
        /// Why.
        source: crate::deb::Error,
    },
    /// It cannot be written to a local folder.
    #[error("cannot write `{path}`")]
    Local {
        /// The local file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file at the source does not match its index.
    #[error("the file at the source does not match its index: listed are {listed} bytes{}, found {} bytes with SHA256 {}",
        sha256.map(|sha256| format!(" with SHA256 {sha256}")).unwrap_or_default(), found.size, found.sha256)]
    Differs {
        /// The listed size.
        listed: u64,
        /// The listed digest.
        sha256: Option<crate::digest::Sha256Digest>,
        /// The file at the source.
        found: Box<crate::digest::Digests>,
    },
}
