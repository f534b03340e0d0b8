//! `publish export`: publishes suites as they are configured.

use std::process::ExitCode;

use super::{change_args::ChangeArgs, failure::Failure, json::Publications, session::Session, sources};
use crate::{
    archive::{CommitReport, SuiteEdit},
    config::SuiteConfig,
};

/// Publish suites as they are configured: fields, components, architectures, keys, indices
///
/// Run this after a change of conf/distributions, or to publish a suite that has no packages yet. Packages do not change. A
/// component or an architecture that is no longer configured is removed if it has no packages.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish export\n\
\x20 publish export stable --dry-run\n\
\x20 publish export stable --contents")]
pub(super) struct Args {
    /// Suites to publish [default: all configured suites except those with `ReadOnly:`]
    #[arg(value_name = "SUITE")]
    suites: Vec<String>,

    /// Suite to publish, instead of the arguments; repeatable
    #[arg(short, long = "suite", value_name = "SUITE", conflicts_with = "suites")]
    suite: Vec<String>,

    /// Also publish indices of the files in packages (Contents), for apt-file; a suite that has them keeps them
    #[arg(long)]
    contents: bool,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suites =
        session.suites_to_export(if args.suite.is_empty() { &args.suites } else { &args.suite }).await?;
    let mut report = Publications { suites: Vec::new() };
    let mut failures = Vec::new();
    for suite in &suites {
        // Suites are independent: one that cannot be published must not stop the others.
        match export(suite, args, session).await {
            Ok(outcome) => report.suites.push((&outcome).into()),
            Err(failure) => failures.push(failure),
        }
    }
    if let Some(failure) = failures.into_iter().reduce(Failure::and) {
        return Err(failure);
    }
    if session.ui.json() {
        session.ui.object(&report);
    } else if suites.is_empty() {
        session.ui.say("Nothing to do: every suite is `ReadOnly: yes`");
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(suite: &SuiteConfig, args: &Args, session: &Session<'_>) -> Result<CommitReport, Failure> {
    let keys = session.keys_to_publish(suite).await?;
    let client_keys = keys.trust.client_keys().keyring.clone();
    let edit = SuiteEdit { contents: args.contents, ..SuiteEdit::exporting() };
    let outcome = session.publish(suite, keys, &edit, &args.change).await?;
    print_report(&outcome, session);
    if !session.ui.json() {
        sources::print_first(session, [&outcome], &client_keys)?;
    }
    Ok(outcome)
}

fn print_report(outcome: &CommitReport, session: &Session<'_>) {
    for note in &outcome.notes {
        session.ui.warn(note);
    }
    let suite = &outcome.suite;
    session.ui.say(&match (outcome.generation.is_some(), outcome.dry_run) {
        (false, _) => format!("Suite `{suite}` is published as configured: nothing to do"),
        (true, true) => format!("Would publish suite `{suite}` as configured"),
        (true, false) => format!("Published suite `{suite}` as configured"),
    });
    for change in &outcome.changes {
        session.ui.say(&format!("  {change}"));
    }
}
