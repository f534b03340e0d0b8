//! Brings what is published to what the configuration says of keys: the keyring package, and the signature of every suite and
//! snapshot. What is so already is left alone, so whoever was killed in between does the rest by the same call.

use super::{package::Delivery, standing::Standing};
use crate::{
    archive::{CommitReport, Refresh},
    cli::{change_args::ChangeArgs, failure::Failure, session::Session},
    config::SuiteConfig,
    names::Suite,
};

/// What came of it.
#[derive(Default)]
pub(super) struct Renewed {
    /// What was published (or would be).
    pub(super) outcomes: Vec<CommitReport>,
}

impl Renewed {
    /// Whether anything is, or would be, other than before.
    pub(super) fn is_nothing(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.generation.is_none())
    }
}

/// Publishes the package where it lacks, and signs what is not signed by the configured keys and no other.
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
    // A new state is signed by the configured keys; also one that is only planned.
    let anew = |suite: &Suite, renewed: &Renewed| {
        renewed.outcomes.iter().any(|outcome| outcome.suite == *suite && outcome.generation.is_some())
    };
    let trust = tokio::task::block_in_place(|| session.trust_to_read());
    let (believed, archive) = (trust.keys().clone(), session.archive(trust));
    for config in &as_configured(session, suites) {
        let standing = Standing::read(config, session, &archive, &believed).await?;
        for signed in &standing.published {
            if signed.is_by(&standing.keys) || anew(&signed.suite, &renewed) {
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
            let verb = if outcome.dry_run { "Would sign" } else { "Signed" };
            session.ui.say(&format!("{verb} suite `{}` anew", outcome.suite));
            renewed.outcomes.push(outcome);
        }
    }
    if !asked.dry_run && renewed.is_nothing() {
        write_client_keys(session, suites).await?;
    }
    Ok(renewed)
}

/// The same suites as a configuration has them, which has perhaps changed since.
fn as_configured(session: &Session<'_>, suites: &[SuiteConfig]) -> Vec<SuiteConfig> {
    suites.iter().filter_map(|suite| session.config.find(suite.codename.as_str()).cloned()).collect()
}

/// The suites that are there.
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

/// Whoever was killed after the last commit has not written them.
async fn write_client_keys(session: &Session<'_>, suites: &[SuiteConfig]) -> Result<(), Failure> {
    for suite in published(session, suites).await?.iter().take(1) {
        let keys = session.keys_to_publish(suite).await?;
        session.archive(keys.trust.clone()).write_client_keys(keys.signing.as_ref()).await?;
    }
    Ok(())
}
