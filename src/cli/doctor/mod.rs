//! `publish doctor`: looks at everything that publishing needs, and says what to do about what is wrong.

mod web;
mod suites;
mod store;
mod keys;
mod configuration;
mod published;
mod finding;
mod args;

pub(super) use args::Args;

use std::{fmt::Write as _, process::ExitCode};

use super::{
    class::Kind,
    failure::{self, Failure},
    session::Session,
    text::plain,
    ui::{Ui, count},
};
use finding::{Findings, Level};

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let mut findings = Findings::default();
    // Without a configuration the published suites are what can be signed, and without an `Origin` they name the keyring
    // package. A bucket may be out of reach, which takes a while: it is tried first.
    let reads_first = !published::has_origin(session) && session.location.folder().is_none();
    if !reads_first {
        look_here(args, session, &mut findings).await;
    }
    session.ui.step("Trying the store");
    let can_read = store::look(args, session, &mut findings).await;
    if reads_first {
        look_here(args, session, &mut findings).await;
    }
    if can_read {
        session.ui.step("Reading the suites");
        let published = suites::look(args, session, &mut findings).await;
        session.ui.step("Reading the archive at its URL");
        web::look(&published, session, &mut findings).await;
    }
    Ok(print(&findings, session.ui))
}

/// Looks at the configuration and the keys of this machine.
async fn look_here(args: &Args, session: &Session<'_>, findings: &mut Findings) {
    let unconfigured =
        if session.config.suites.is_empty() { published::unconfigured(session).await } else { Vec::new() };
    configuration::look(session, &unconfigured, findings);
    // A folder that is not there has no suites to sign.
    if session.location.folder().is_none_or(std::path::Path::is_dir) {
        let name = published::package_name(session).await;
        let replacement = session.replacement(name.as_deref());
        tokio::task::block_in_place(|| keys::look(args, session, &unconfigured, &replacement, findings));
    }
}

/// Reports why the archive cannot be opened: a wrong configuration is a finding.
pub(super) fn unopened(failure: Failure, ui: &Ui) -> Result<ExitCode, Failure> {
    if failure.code == failure::USAGE {
        return Err(failure);
    }
    let is_config = failure.errors.iter().any(|problem| problem.class.kind == Kind::Config);
    let topic = if is_config { "configuration" } else { "credentials" };
    let mut findings = Findings::default();
    findings.failure(topic, failure, "see `publish help distributions`");
    Ok(print(&findings, ui))
}

fn print(findings: &Findings, ui: &Ui) -> ExitCode {
    if ui.json() {
        ui.object(&findings.document());
    } else {
        let mut text = String::new();
        for finding in &findings.all {
            let (level, topic) = (finding.level.name(), finding.topic);
            let _ = writeln!(text, "{level}: {topic}: {}", plain(&finding.text));
            for line in finding.fix.iter().flat_map(|fix| fix.lines()) {
                let _ = writeln!(text, "  fix: {}", plain(line));
            }
        }
        ui.text(&text);
        let (faults, warnings) = (findings.count(Level::Fault), findings.count(Level::Warning));
        ui.say(&format!("{}, {}", count(faults, "fault"), count(warnings, "warning")));
    }
    let is_well = findings.count(Level::Fault) == 0;
    if is_well { ExitCode::SUCCESS } else { ExitCode::from(failure::DAMAGE) }
}
