//! Applies the configured keys to the archive: the keyring package, and the signatures of suites and snapshots.
//!
//! The operation is idempotent, so that a repeated call completes an interrupted one.

use super::{package::Delivery, rotation_state::RotationState};
use crate::{
    archive::{CommitReport, Refresh},
    cli::{change_args::ChangeArgs, failure::Failure, session::Session},
    config::SuiteConfig,
    names::Suite,
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
    session: &Session<'_>,
    suites: &[SuiteConfig],
    package: Option<&Delivery>,
    asked: &ChangeArgs,
) -> Result<Renewed, Failure> {
    let mut renewed = Renewed::default();
    if let Some(Delivery { wanted, made, suites }) = package {
        let suites = as_configured(session, suites);
        renewed.outcomes = made.publish(session, wanted, &suites, asked).await?;
    }
    // A new generation is signed by the configured keys, also a planned one.
    let anew = |suite: &Suite, renewed: &Renewed| {
        renewed.outcomes.iter().any(|outcome| outcome.suite == *suite && outcome.generation.is_some())
    };
    let trust = tokio::task::block_in_place(|| session.trust_to_read());
    let (trusted, archive) = (trust.keys().clone(), session.archive(trust));
    for config in &as_configured(session, suites) {
        let state = RotationState::read(config, session, &archive, &trusted).await?;
        for signed in &state.published {
            if signed.is_by(&state.keys) || anew(&signed.suite, &renewed) {
                continue;
            }
            let config = if signed.suite == config.codename {
                config.clone()
            } else {
                config.snapshot(signed.suite.clone())
            };
            let keys = session.keys_to_publish(&config).await?;
            let outcome = session.refresh(&config, keys, Refresh::Always, asked).await?;
            outcome.notes.iter().for_each(|note| session.ui.warn(note));
            let verb = if outcome.dry_run { "Would re-sign" } else { "Re-signed" };
            session.ui.say(&format!("{verb} suite `{}`", outcome.suite));
            renewed.outcomes.push(outcome);
        }
    }
    if !asked.dry_run && renewed.is_nothing() {
        write_client_keys(session, suites).await?;
    }
    Ok(renewed)
}

/// Returns the suites as they are configured now.
fn as_configured(session: &Session<'_>, suites: &[SuiteConfig]) -> Vec<SuiteConfig> {
    suites.iter().filter_map(|suite| session.config.find(suite.codename.as_str()).cloned()).collect()
}

/// Returns the suites that are published.
pub(super) async fn published(
    session: &Session<'_>,
    suites: &[SuiteConfig],
) -> Result<Vec<SuiteConfig>, Failure> {
    let archive = session.archive(crate::archive::Trust::unverified());
    let mut found = Vec::new();
    for suite in suites {
        if archive.suite(&suite.codename).await?.pointer().is_some() {
            found.push(suite.clone());
        }
    }
    Ok(found)
}

/// Writes `archive-key.asc`, which a run that was killed after its last commit did not write.
async fn write_client_keys(session: &Session<'_>, suites: &[SuiteConfig]) -> Result<(), Failure> {
    for suite in published(session, suites).await?.iter().take(1) {
        let keys = session.keys_to_publish(suite).await?;
        session.archive(keys.trust.clone()).write_client_keys(keys.signing.as_ref()).await?;
    }
    Ok(())
}
