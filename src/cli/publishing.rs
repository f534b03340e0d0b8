//! Commits operations with the keys, the clock and the headers of the session, and with the target of `Archive:`.

use std::time::SystemTime;

use super::{
    change_args::ChangeArgs,
    failure::Failure,
    session::{Keys, Session},
};
use crate::{
    archive::{Archive, ArchiveTarget, CommitOptions, CommitReport, Error, Events, Refresh, SuiteEdit},
    config::SuiteConfig,
    names::Suite,
    store::Headers,
};

impl Session<'_> {
    /// Commits an edit of a suite and prints the report.
    pub(super) async fn commit(
        &self,
        suite: &SuiteConfig,
        keys: Keys,
        edit: &SuiteEdit,
        asked: &ChangeArgs,
    ) -> Result<CommitReport, Failure> {
        let outcome = self.publish(suite, keys, edit, asked).await?;
        self.ui.outcome(&outcome);
        Ok(outcome)
    }

    /// Commits an edit of a suite.
    pub(super) async fn publish(
        &self,
        suite: &SuiteConfig,
        keys: Keys,
        edit: &SuiteEdit,
        asked: &ChangeArgs,
    ) -> Result<CommitReport, Failure> {
        // A job that only removes packages does not need the keys of the suite in `Archive:`.
        let brings = !edit.add.is_empty() || edit.copy.is_some();
        let may_be_surplus = edit.retention.is_some() || (brings && suite.limit.is_some());
        let surplus = if may_be_surplus { self.surplus_of(suite).await? } else { None };
        let events = self.events();
        let how = CommitOptions { surplus: surplus.as_deref(), ..self.how(suite, &keys, asked, &events) };
        self.reported(self.archive_of(suite, &keys).commit(edit, &how).await)
    }

    /// Returns the chain of `Archive:` targets of a suite.
    async fn surplus_of(&self, suite: &SuiteConfig) -> Result<Option<Box<ArchiveTarget>>, Failure> {
        let chain: Vec<_> = self.config.archives_of(suite).collect();
        let mut surplus = None;
        for config in chain.into_iter().rev() {
            let keys = self.keys_to_publish(config).await?;
            let archive = self.archive_of(config, &keys);
            surplus = Some(Box::new(ArchiveTarget {
                archive,
                config: config.clone(),
                keys: keys.signing,
                next: surplus,
            }));
        }
        Ok(surplus)
    }

    /// Re-signs a suite if it is due.
    pub(super) async fn refresh(
        &self,
        suite: &SuiteConfig,
        keys: Keys,
        when: Refresh,
        asked: &ChangeArgs,
    ) -> Result<CommitReport, Failure> {
        let events = self.events();
        let how = self.how(suite, &keys, asked, &events);
        self.reported(self.archive_of(suite, &keys).refresh(when, &how).await)
    }

    /// Publishes the content of an earlier generation.
    pub(super) async fn roll_back(
        &self,
        suite: &SuiteConfig,
        keys: Keys,
        to: Option<&str>,
        asked: &ChangeArgs,
    ) -> Result<CommitReport, Failure> {
        let events = self.events();
        let how = self.how(suite, &keys, asked, &events);
        self.reported(self.archive_of(suite, &keys).roll_back(to, &how).await)
    }

    /// Publishes the current content of a suite as a snapshot.
    pub(super) async fn snapshot(
        &self,
        snapshot: &SuiteConfig,
        of: &Suite,
        keys: Keys,
        asked: &ChangeArgs,
    ) -> Result<CommitReport, Failure> {
        let events = self.events();
        let how = self.how(snapshot, &keys, asked, &events);
        self.reported(self.archive_of(snapshot, &keys).snapshot(of, &how).await)
    }

    /// Warns of a suite that a time named with `--date` has made to expire before now.
    fn reported(&self, done: Result<CommitReport, Error>) -> Result<CommitReport, Failure> {
        let report = done?;
        let until = report.valid_until.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let is_past = until.is_some_and(|until| SystemTime::from(until) < self.clock);
        if is_past && self.now < self.clock && report.generation.is_some() {
            let (suite, until) = (&report.suite, report.valid_until.as_deref().unwrap_or_default());
            self.ui.warn(&format!(
                "suite `{suite}` is valid until {until}, which has passed: clients refuse it, because `--date` or \
                 PUBLISH_DATE names an earlier time"
            ));
        }
        Ok(report)
    }

    fn how<'b>(
        &self,
        suite: &'b SuiteConfig,
        keys: &'b Keys,
        asked: &ChangeArgs,
        events: Events<'b>,
    ) -> CommitOptions<'b> {
        let allow_releaseinfo_change = self.allow_releaseinfo_change;
        CommitOptions {
            config: suite,
            keys: keys.signing.as_ref(),
            now: self.now,
            note: asked.note(&self.environment),
            surplus: None,
            dry_run: asked.dry_run,
            allow_releaseinfo_change,
            events,
        }
    }

    /// The archive, for changing a suite.
    fn archive_of(&self, suite: &SuiteConfig, keys: &Keys) -> Archive {
        Archive::new(self.store.clone().with_headers(headers(suite)), keys.trust.clone())
    }
}

/// Returns the cache policy for the files of a suite.
fn headers(suite: &SuiteConfig) -> Headers {
    let defaults = Headers::default();
    Headers {
        immutable: suite.pool_cache_control.clone().unwrap_or(defaults.immutable),
        mutable: suite.index_cache_control.clone().unwrap_or(defaults.mutable),
        ..defaults
    }
}
