//! The files of the configuration.

use super::{finding::Findings, published::Published};
use crate::{cli::session::Session, cli::ui::count, store::Location};

const TOPIC: &str = "configuration";

/// `unconfigured` are the published suites of an archive without a configuration.
pub(super) fn look(session: &Session<'_>, unconfigured: &[Published], findings: &mut Findings) {
    match &session.config_path {
        Some(path) => {
            let suites = count(session.config.suites.len(), "suite");
            findings.ok(TOPIC, format!("{} has {suites}", path.display()));
        }
        // An archive that is only read needs none.
        None if matches!(session.location, Location::Web(_)) => {}
        None => findings.warning(
            TOPIC,
            "there is no conf/distributions: fields of the suites are kept as they are published",
            init(session, unconfigured),
        ),
    }
    for warning in &session.config.warnings {
        findings.warning(TOPIC, warning.clone(), "see `publish help distributions`");
    }
    let known = match session.destinations() {
        Ok(known) => known,
        Err(failure) => return findings.failure(TOPIC, failure, "see `publish help destinations`"),
    };
    let mut good = Vec::new();
    for destination in &known.all {
        match Location::parse(&destination.location, &session.current) {
            Ok(location) => good.push(format!("`{}` is {location}", destination.name)),
            Err(error) => findings.fault(
                TOPIC,
                format!("destination `{}`: {error}", destination.name),
                "correct its `Location:` in conf/destinations; see `publish help destinations`",
            ),
        }
    }
    if !good.is_empty() {
        findings.ok(TOPIC, format!("destinations: {}", good.join(", ")));
    }
}

/// The commands that write a configuration of the suites as they are published.
fn init(session: &Session<'_>, published: &[Published]) -> String {
    let file = if session.location.folder().is_some() { "" } else { "--config conf/distributions " };
    if published.is_empty() {
        return session.command(&format!("{file}init"));
    }
    let one = |suite: &Published| {
        let key = match (&suite.signers[..], suite.signed) {
            (_, false) => " --unsigned".to_owned(),
            ([], true) => " --sign-with KEY".to_owned(),
            (signers, true) => format!(" --sign-with {}", signers.join(" --sign-with ")),
        };
        session.command(&format!("{file}init --suite {}{key}", suite.name))
    };
    published.iter().map(one).collect::<Vec<_>>().join("\n")
}
