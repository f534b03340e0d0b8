//! Commits operations with the keys, the clock and the options of the session.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{change_args::ChangeArgs, failure::Failure, session::Session, sources, text::shell_word};
use crate::{
    archive::{CommitReport, Error, Events, KeyError, Publisher, Refresh, SuiteEdit, SuiteKeys},
    config::SuiteConfig,
    names::Suite,
};

/// The time that a `Date` may be ahead of the clock of a client (`Acquire::Max-FutureTime` of apt).
const ACCEPTED_AHEAD: Duration = Duration::from_secs(10);

impl Session<'_> {
    /// The publisher for a change with these options.
    pub(super) fn publisher<'b>(
        &self,
        change: &ChangeArgs,
        events: Events<'b>,
    ) -> Result<Publisher<'b>, Failure> {
        let publisher = self.publisher_without_note(events)?;
        Ok(Publisher { note: change.note(&self.environment), dry_run: change.dry_run, ..publisher })
    }

    fn publisher_without_note<'b>(&self, events: Events<'b>) -> Result<Publisher<'b>, Failure> {
        let keychain = Arc::new(if self.plans { self.keychain_to_plan() } else { self.keychain()? });
        Ok(Publisher {
            dry_run: self.plans,
            clock: (!self.allow_expired).then_some(self.clock),
            allow_releaseinfo_change: self.allow_releaseinfo_change,
            public_url: self.public_url.clone(),
            ..Publisher::new(self.store.clone(), keychain, events)
        })
    }

    /// Opens the keys of a suite to change, with the public keys for clients.
    pub(super) async fn keys_to_publish(&self, suite: &SuiteConfig) -> Result<SuiteKeys, Failure> {
        let events = self.events();
        Ok(self.publisher_without_note(&events)?.keys(suite).await?)
    }

    /// Commits an edit of a suite and prints the report.
    pub(super) async fn commit(
        &self,
        suite: &SuiteConfig,
        keys: SuiteKeys,
        edit: &SuiteEdit,
        change: &ChangeArgs,
    ) -> Result<CommitReport, Failure> {
        let outcome = self.publish(suite, keys, edit, change).await?;
        self.ui.outcome(&outcome);
        Ok(outcome)
    }

    /// Commits packages, prints the report, and the stanza for clients if the suite is new.
    pub(super) async fn commit_packages(
        &self,
        suite: &SuiteConfig,
        keys: SuiteKeys,
        edit: &SuiteEdit,
        change: &ChangeArgs,
    ) -> Result<(), Failure> {
        let client_keys = keys.trust.client_keys().keyring.clone();
        let outcome = self.commit(suite, keys, edit, change).await?;
        sources::print_first(self, [&outcome], &client_keys)
    }

    /// Commits an edit of a suite.
    pub(super) async fn publish(
        &self,
        suite: &SuiteConfig,
        keys: SuiteKeys,
        edit: &SuiteEdit,
        change: &ChangeArgs,
    ) -> Result<CommitReport, Failure> {
        let events = self.events();
        let outcome = self.reported(self.publisher(change, &events)?.commit(suite, &keys, edit).await)?;
        if outcome.first
            && outcome.generation.is_some()
            && !outcome.signed
            && !suite.unsigned
            && !self.ui.quiet()
        {
            self.ui.warn(&format!(
                "suite `{}` has no signature, so apt accepts it only with `Trusted: yes`: name a key with `--sign-with KEY`, \
                 PUBLISH_SIGNING_KEY or `SignWith:` in conf/distributions, or write `SignWith: no` there",
                outcome.suite
            ));
        }
        Ok(outcome)
    }

    /// Re-signs a suite if it is due.
    pub(super) async fn refresh(
        &self,
        suite: &SuiteConfig,
        keys: SuiteKeys,
        when: Refresh,
        change: &ChangeArgs,
    ) -> Result<CommitReport, Failure> {
        let events = self.events();
        self.reported(self.publisher(change, &events)?.refresh(suite, &keys, when).await)
    }

    /// Publishes the content of an earlier generation.
    pub(super) async fn roll_back(
        &self,
        suite: &SuiteConfig,
        keys: SuiteKeys,
        to: Option<&str>,
        change: &ChangeArgs,
    ) -> Result<CommitReport, Failure> {
        let events = self.events();
        self.reported(self.publisher(change, &events)?.roll_back(suite, &keys, to).await)
    }

    /// Publishes the current content of a suite, or that of a generation, as a snapshot.
    pub(super) async fn snapshot(
        &self,
        snapshot: &SuiteConfig,
        of: (&Suite, Option<&str>),
        keys: SuiteKeys,
        change: &ChangeArgs,
    ) -> Result<CommitReport, Failure> {
        let events = self.events();
        self.reported(self.publisher(change, &events)?.snapshot(snapshot, of, &keys).await)
    }

    /// The failure of an operation, with a hint for an archive that has lost its suites.
    pub(super) fn failure(&self, error: impl Into<KeyError>) -> Failure {
        let error = error.into();
        let KeyError::Archive(Error::PoolWithoutSuites { location, suite, .. }) = &error else {
            return error.into();
        };
        let config = self.config_path.as_deref().filter(|_| self.config_is_named);
        let is_there = |path: &Path| {
            self.location.folder().is_some_and(|folder| path == folder.join("conf").join("distributions"))
        };
        let config = config.filter(|path| !is_there(path)).map(|path| path.display().to_string());
        let hint = lost_suites(location, suite.as_ref(), config.as_deref());
        Failure::from(error).with_hint(&hint)
    }

    /// Warns of a suite that a time named with `--date` has made to expire before now.
    fn reported(&self, done: Result<CommitReport, KeyError>) -> Result<CommitReport, Failure> {
        let report = done.map_err(|error| self.failure(error))?;
        let until = report.valid_until.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let is_past = until.is_some_and(|until| SystemTime::from(until) < self.clock);
        if is_past && self.now < self.clock && report.generation.is_some() {
            let (suite, until) = (&report.suite, report.valid_until.as_deref().unwrap_or_default());
            self.ui.warn(&format!(
                "suite `{suite}` is valid until {until}, which has passed: clients refuse it, because `--date` or \
                 PUBLISH_DATE names an earlier time"
            ));
        }
        let ahead = self.now.duration_since(self.clock).unwrap_or_default();
        if ahead > ACCEPTED_AHEAD && report.generation.is_some() {
            let date = jiff::Timestamp::try_from(self.now).map(|date| date.to_string()).unwrap_or_default();
            self.ui.warn(&format!(
                "suite `{}` is dated {date}, which is in the future: clients refuse it until then, because `--date` or \
                 PUBLISH_DATE names that time",
                report.suite
            ));
        }
        Ok(report)
    }
}

/// Returns the hint for an archive whose release files are lost; `config` is the configuration, if it is not in its place.
fn lost_suites(location: &str, suite: Option<&Suite>, config: Option<&str>) -> String {
    let archive = shell_word(location);
    // Only a folder has paths.
    let pool = if location.contains("://") {
        "FOLDER".to_owned()
    } else {
        shell_word(&format!("{}/pool", location.trim_end_matches('/')))
    };
    let config = config.map(|path| format!(" --config {}", shell_word(path))).unwrap_or_default();
    let suite = suite.map_or("SUITE", Suite::as_str);
    format!(
        "nothing was changed: restore `dists/` from a backup, or publish the packages of each suite again, such as all of \
         them with `publish --archive {archive}{config} add --suite {suite} {pool}`; if no package is needed any more, \
         delete `pool/`"
    )
}
