//! `ArchiveTarget`: the suite that surplus versions are moved to (`Archive` in the configuration).
//!
//! A move is two commits, and their order decides what a crash leaves. A version is first published in the other suite,
//! then removed from this one. After a crash in between it is in both, and the next command that finds it surplus
//! continues.

use crate::{config::SuiteConfig, signing::SigningKeys, suite::archive::Archive};

/// The suite that surplus versions of another suite are moved to, and the options for publishing there.
#[non_exhaustive]
pub struct ArchiveTarget {
    /// The archive, with the trust policy for this suite.
    pub archive: Archive,
    /// The configuration of the suite.
    pub config: SuiteConfig,
    /// Its signing keys.
    pub keys: Option<SigningKeys>,
    /// The suite that its own surplus versions are moved to.
    pub next: Option<Box<ArchiveTarget>>,
}

impl ArchiveTarget {
    /// Returns an unsigned suite without a next one.
    #[must_use]
    pub fn new(archive: Archive, config: SuiteConfig) -> Self {
        Self { archive, config, keys: None, next: None }
    }
}
