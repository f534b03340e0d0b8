//! `Failed`: a file that could not be carried to another store.

use crate::store;

/// A file that could not be carried.
#[derive(Debug, thiserror::Error)]
#[error("cannot carry `{path}`")]
#[non_exhaustive]
pub struct Failed {
    /// The file.
    pub path: String,
    /// Why.
    pub source: FailedBecause,
}

/// Why a file could not be carried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FailedBecause {
    /// A store failed or refused.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The source does not have it.
    #[error("the source does not have it, although an index names it")]
    Absent,
    /// The source has other bytes.
    #[error("the source has other bytes than its index says: listed are {listed} bytes{}, found {} bytes with SHA256 {}",
        sha256.map(|sha256| format!(" with SHA256 {sha256}")).unwrap_or_default(), found.size, found.sha256)]
    Differs {
        /// The size that is listed.
        listed: u64,
        /// The digest that is listed.
        sha256: Option<crate::digest::Sha256Digest>,
        /// What is there.
        found: Box<crate::digest::Digests>,
    },
}
