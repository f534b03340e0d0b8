//! Applies the configured keys to the archive: the keyring package, and the signatures of suites and snapshots.
//!
//! The operation is idempotent, so that a repeated call completes an interrupted one.

use std::time::Duration;

use super::{
    delivery::Delivery,
    error::Error,
    event::{KeyEvent, KeyEvents},
    publisher::Publisher,
    rotation_state::RotationState,
};
use crate::{
    commit::outcome::CommitReport, config::SuiteConfig, names::Suite, operations::dates::Refresh,
    suite::trust::Trust,
};

/// The result of a renewal.
#[derive(Default)]
pub(super) struct Renewed {
    /// The published suites, or the planned ones.
    pub(super) outcomes: Vec<CommitReport>,
}

impl Renewed {
    /// Whether nothing changed.
    pub(super) fn is_nothing(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.generation.is_none())
    }
}

/// Publishes the package where it is missing, and re-signs suites that are not signed by exactly the configured keys.
pub(super) async fn renew(
    publisher: &Publisher<'_>,
    suites: &[SuiteConfig],
    package: Option<&Delivery>,
    events: KeyEvents<'_>,
) -> Result<Renewed, Error> {
    let mut renewed = Renewed::default();
    if let Some(package) = package {
        let suites = as_configured(publisher, &package.suites);
        renewed.outcomes = package.publish(publisher, &suites, events).await?;
    }
    // A new generation is signed by the configured keys, also a planned one.
    let anew = |suite: &Suite, renewed: &Renewed| {
        renewed.outcomes.iter().any(|outcome| outcome.suite == *suite && outcome.generation.is_some())
    };
    let archive = publisher.archive(publisher.trust_to_read().await);
    for config in &as_configured(publisher, suites) {
        let state = RotationState::read(config, publisher, &archive).await?;
        for signed in &state.published {
            if anew(&signed.suite, &renewed) {
                continue;
            }
            let is_done = signed.is_by(&state.keys);
            if is_done && (publisher.dry_run || config.read_only) {
                continue;
            }
            let config = if signed.suite == config.codename {
                config.clone()
            } else {
                config.snapshot(signed.suite.clone())
            };
            let keys = publisher.keys(&config).await?;
            if is_done {
                // A run that was killed after the commit has not written the outputs that follow from it.
                publisher.refresh(&config, &keys, Refresh::Within(Duration::ZERO)).await?;
                continue;
            }
            let outcome = publisher.refresh(&config, &keys, Refresh::Always).await?;
            events(KeyEvent::Resigned(&outcome));
            renewed.outcomes.push(outcome);
        }
    }
    if !publisher.dry_run && renewed.is_nothing() {
        write_client_keys(publisher, suites).await?;
    }
    Ok(renewed)
}

/// Returns the suites as they are configured now.
fn as_configured(publisher: &Publisher<'_>, suites: &[SuiteConfig]) -> Vec<SuiteConfig> {
    suites.iter().filter_map(|suite| publisher.config().find(suite.codename.as_str()).cloned()).collect()
}

/// Returns the suites that are published.
pub(super) async fn published(
    publisher: &Publisher<'_>,
    suites: &[SuiteConfig],
) -> Result<Vec<SuiteConfig>, Error> {
    let archive = publisher.archive(Trust::unverified());
    let mut found = Vec::new();
    for suite in suites {
        if archive.suite(&suite.codename).await?.pointer().is_some() {
            found.push(suite.clone());
        }
    }
    Ok(found)
}

/// Writes `archive-key.asc`, which a run that was killed after its last commit did not write.
async fn write_client_keys(publisher: &Publisher<'_>, suites: &[SuiteConfig]) -> Result<(), Error> {
    for suite in published(publisher, suites).await?.iter().take(1) {
        let keys = publisher.keys(suite).await?;
        publisher.archive(keys.trust.clone()).write_client_keys(keys.signing.as_ref()).await?;
    }
    Ok(())
}
