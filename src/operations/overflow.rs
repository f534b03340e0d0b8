//! Where surplus versions go: into the suite that `Archive` names, before they leave their own.
//!
//! Two suites are two commits, and the order decides what a crash leaves. A version is published in the other suite first,
//! then it leaves this one: killed in between, it is in both, and the next command that finds it surplus goes on there.

use crate::{config::SuiteConfig, signing::SigningKeys, suite::archive::Archive};

/// The suite that surplus versions of another one go to, and what it takes to publish there.
#[non_exhaustive]
pub struct ArchiveTarget {
    /// The archive, as far as this suite is trusted.
    pub archive: Archive,
    /// What the suite is to be.
    pub config: SuiteConfig,
    /// What signs it.
    pub keys: Option<SigningKeys>,
    /// Where its own surplus versions go.
    pub next: Option<Box<ArchiveTarget>>,
}

impl ArchiveTarget {
    /// A suite that is not signed, and that gives nothing on.
    #[must_use]
    pub fn new(archive: Archive, config: SuiteConfig) -> Self {
        Self { archive, config, keys: None, next: None }
    }
}
