//! `CommitOptions`: how an operation is published, the same for every operation.

use std::time::SystemTime;

use jiff::Timestamp;

use crate::{
    config::SuiteConfig,
    operations::overflow::ArchiveTarget,
    signing::SigningKeys,
    suite::{
        event::{Events, NO_EVENTS},
        note::Note,
    },
};

/// How an operation is to be published.
#[non_exhaustive]
pub struct CommitOptions<'a> {
    /// What the suite is to be.
    pub config: &'a SuiteConfig,
    /// What signs; nothing signs a suite that is not signed.
    pub keys: Option<&'a SigningKeys>,
    /// The time, for `Date`.
    pub now: SystemTime,
    /// Who makes the new state and why, for `log`.
    pub note: Note,
    /// Where surplus versions go; without it they leave the suite, and that is all.
    pub surplus: Option<&'a ArchiveTarget>,
    /// Plan only.
    pub dry_run: bool,
    /// Publish also what makes apt stop on every client until its user agrees.
    pub allow_releaseinfo_change: bool,
    /// Receives progress and warnings.
    pub events: Events<'a>,
}

impl<'a> CommitOptions<'a> {
    /// Publishes a suite unsigned, at this time; the other methods ask for more.
    #[must_use]
    pub fn new(config: &'a SuiteConfig, now: SystemTime) -> Self {
        Self {
            config,
            keys: None,
            now,
            note: Note::default(),
            surplus: None,
            dry_run: false,
            allow_releaseinfo_change: false,
            events: NO_EVENTS,
        }
    }

    /// Signs with these keys.
    #[must_use]
    pub fn keys(self, keys: &'a SigningKeys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Keeps this with the new state.
    #[must_use]
    pub fn note(self, note: Note) -> Self {
        Self { note, ..self }
    }

    /// Publishes surplus versions there.
    #[must_use]
    pub fn surplus(self, surplus: &'a ArchiveTarget) -> Self {
        Self { surplus: Some(surplus), ..self }
    }

    /// Plans, and writes nothing.
    #[must_use]
    pub fn dry_run(self) -> Self {
        Self { dry_run: true, ..self }
    }

    /// Also publishes what makes apt stop on every client until its user agrees.
    #[must_use]
    pub fn allow_releaseinfo_change(self) -> Self {
        Self { allow_releaseinfo_change: true, ..self }
    }

    /// Reports progress and warnings there.
    #[must_use]
    pub fn events(self, events: Events<'a>) -> Self {
        Self { events, ..self }
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp::try_from(self.now).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
