//! The signing keys, as a command that publishes would use them.

use super::{args::Args, finding::Findings, published::Published};
use crate::{
    cli::{
        failure::Failure,
        hints,
        key::key_reports,
        replacement::Replacement,
        session::{DEFAULT_SUITE, Session},
    },
    config::SuiteConfig,
    names::Suite,
    signing::{KeyReport, Level},
    store::Location,
};

const TOPIC: &str = "keys";

/// A key that ends sooner needs its successor now: clients get it with their next updates.
const SOON: i64 = 60;

/// `unconfigured` are the published suites of an archive without a configuration.
pub(super) fn look(
    args: &Args,
    session: &Session<'_>,
    unconfigured: &[Published],
    replacement: &Replacement,
    findings: &mut Findings,
) {
    if let Location::Web(_) = session.location {
        return;
    }
    let mut signs = false;
    for suite in suites(args, session, unconfigured) {
        let is_signed =
            unconfigured.iter().any(|published| published.name == suite.codename && published.signed);
        signs |= open(&suite, is_signed, session, replacement, findings);
    }
    if !signs {
        return;
    }
    match key_reports(session) {
        Ok(reports) => reports.iter().for_each(|report| judge(report, replacement, findings)),
        Err(failure) => {
            // The public part of a key that a command uses is not known here.
            let text = failure.errors.into_iter().next().map(|problem| problem.message).unwrap_or_default();
            findings.warning(TOPIC, text, "name the public key in `TrustedKeys:`, so that it can be judged");
        }
    }
}

/// The configured suites that are published here; without a configuration the published ones, and in a new archive one as it
/// would be published.
fn suites(args: &Args, session: &Session<'_>, unconfigured: &[Published]) -> Vec<SuiteConfig> {
    let is_named = |suite: &Suite| args.names(suite, session);
    let is_meant = |suite: &&SuiteConfig| !suite.read_only && is_named(&suite.codename);
    let configured: Vec<SuiteConfig> = session.config.suites.iter().filter(is_meant).cloned().collect();
    if !session.config.suites.is_empty() {
        return configured;
    }
    let published = unconfigured.iter().map(|published| published.name.clone());
    let names: Vec<Suite> = match unconfigured {
        [] => Suite::parse(DEFAULT_SUITE).into_iter().collect(),
        _ => published.filter(is_named).collect(),
    };
    names.into_iter().map(SuiteConfig::unconfigured).collect()
}

/// Opens the keys of a suite that is published with a signature or not; returns whether it can be signed.
fn open(
    suite: &SuiteConfig,
    is_signed: bool,
    session: &Session<'_>,
    replacement: &Replacement,
    findings: &mut Findings,
) -> bool {
    let keychain = if session.plans { Ok(session.keychain_to_plan()) } else { session.keychain() };
    let opened = keychain.and_then(|keychain| keychain.open(suite).map_err(Failure::from));
    let name = &suite.codename;
    match opened {
        Ok(keys) => {
            for warning in &keys.warnings {
                let replace = || replacement.lines();
                let fix = hints::signing::of_warning(warning, replace).unwrap_or_else(replace);
                findings.warning(TOPIC, warning.to_string(), fix);
            }
            if keys.signing.is_none() && is_signed {
                findings.warning(
                    TOPIC,
                    format!("suite `{name}` is signed, and no key to sign its next change with is named here"),
                    "name its key with `--sign-with KEY`, in PUBLISH_SIGNING_KEY, or in `SignWith:` of conf/distributions",
                );
                return false;
            }
            if keys.signing.is_none() {
                findings.warning(
                    TOPIC,
                    format!("suite `{name}` is not signed: apt accepts it only with `Trusted: yes`"),
                    session.command(&format!("key generate --suite {name}")),
                );
                return false;
            }
            findings.ok(TOPIC, format!("suite `{name}` can be signed"));
            true
        }
        Err(failure) => {
            let failure = failure.while_doing(format!("suite `{name}` cannot be signed"));
            findings.failure(TOPIC, failure, "see `publish help keys`");
            false
        }
    }
}

/// Judges a key as apt does.
fn judge(report: &KeyReport, replacement: &Replacement, findings: &mut Findings) {
    let name = report.user_ids.first().map(|name| format!(" ({name})")).unwrap_or_default();
    let end = match (&report.expires, report.days_left) {
        (Some(day), Some(left)) if left < 0 => format!("expired on {day}"),
        (Some(day), Some(left)) => format!("expires on {day}, in {left} days"),
        _ => "does not expire".to_owned(),
    };
    let now = report.verdicts.iter().filter(|verdict| verdict.when == "now");
    let verdicts: Vec<String> = now.map(|verdict| format!("{} {}", verdict.reader, verdict.text)).collect();
    let (fingerprint, algorithm) = (&report.fingerprint, &report.algorithm);
    let text = format!("{algorithm} {fingerprint}{name} {end}: {}", verdicts.join(", "));
    let rotate = replacement.lines();
    if report.level() >= Level::Unknown || report.revoked.is_some() {
        findings.fault(TOPIC, text, rotate);
    } else if report.level() == Level::Warn || report.days_left.is_some_and(|left| left < SOON) {
        findings.warning(TOPIC, text, rotate);
    } else {
        findings.ok(TOPIC, text);
    }
}
