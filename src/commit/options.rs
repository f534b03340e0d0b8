//! `CommitOptions`: the options of a commit, the same for every operation.

use std::time::SystemTime;

use jiff::Timestamp;

use crate::{
    config::SuiteConfig,
    operations::overflow::ArchiveTarget,
    signing::SigningKeys,
    site::Site,
    suite::{
        event::{Events, NO_EVENTS},
        note::Note,
    },
};

/// The options of a commit.
#[non_exhaustive]
pub struct CommitOptions<'a> {
    /// The configuration of the suite.
    pub config: &'a SuiteConfig,
    /// The signing keys; `None` publishes an unsigned suite.
    pub keys: Option<&'a SigningKeys>,
    /// The current time, for `Date`.
    pub now: SystemTime,
    /// The time of the clock, if a suite whose `Valid-Until` has passed by then must not be published.
    pub clock: Option<SystemTime>,
    /// The author and the message of the new generation, for `log`.
    pub note: Note,
    /// The suite that surplus versions are moved to; without it they are only removed.
    pub surplus: Option<&'a ArchiveTarget>,
    /// Plan, and write nothing.
    pub dry_run: bool,
    /// Plan a signed suite although no key is there.
    pub(crate) plan_signed: bool,
    /// Publish changes that make `apt update` stop on every client until its user accepts them.
    pub allow_releaseinfo_change: bool,
    /// How the files for clients are written.
    pub site: Site,
    /// Receives progress and warnings.
    pub events: Events<'a>,
}

impl<'a> CommitOptions<'a> {
    /// Publishes an unsigned suite at this time; the other methods add options.
    #[must_use]
    pub fn new(config: &'a SuiteConfig, now: SystemTime) -> Self {
        Self {
            config,
            keys: None,
            now,
            clock: None,
            note: Note::default(),
            surplus: None,
            dry_run: false,
            plan_signed: false,
            allow_releaseinfo_change: false,
            site: Site::default(),
            events: NO_EVENTS,
        }
    }

    /// Signs with these keys.
    #[must_use]
    pub fn keys(self, keys: &'a SigningKeys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Stores this note with the new generation.
    #[must_use]
    pub fn note(self, note: Note) -> Self {
        Self { note, ..self }
    }

    /// Moves surplus versions to this suite.
    #[must_use]
    pub fn surplus(self, surplus: &'a ArchiveTarget) -> Self {
        Self { surplus: Some(surplus), ..self }
    }

    /// Plans, and writes nothing.
    #[must_use]
    pub fn dry_run(self) -> Self {
        Self { dry_run: true, ..self }
    }

    /// Also publishes changes that make `apt update` stop on every client until its user accepts them.
    #[must_use]
    pub fn allow_releaseinfo_change(self) -> Self {
        Self { allow_releaseinfo_change: true, ..self }
    }

    /// Writes the files for clients like this.
    #[must_use]
    pub fn site(self, site: Site) -> Self {
        Self { site, ..self }
    }

    /// Reports progress and warnings to this callback.
    #[must_use]
    pub fn events(self, events: Events<'a>) -> Self {
        Self { events, ..self }
    }

    /// Whether the new release file is signed.
    pub(super) fn signs(&self) -> bool {
        self.keys.is_some() || (self.dry_run && self.plan_signed)
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp::try_from(self.now).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
