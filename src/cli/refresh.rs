//! `publish refresh`: re-signs suites that expire soon.

use std::{process::ExitCode, time::Duration};

use super::{change_args::ChangeArgs, failure::Failure, json::Publications, session::Session};
use crate::{
    archive::{CommitReport, Refresh},
    config::parse_span,
};

/// Re-sign suites whose Valid-Until is near
///
/// Run this from a daily job; the packages do not change. A suite with `ValidFor:` is due once half of that time has passed,
/// or if `ValidFor:` changed. A suite that does not expire is never due. Retained generations are not re-signed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish refresh\n\
\x20 publish refresh --suite stable --within 2d")]
pub(super) struct Args {
    /// Re-sign only this suite; repeatable [default: all published suites except those with `ReadOnly:`]
    #[arg(short, long)]
    suite: Vec<String>,

    /// Re-sign suites that expire within TIME, such as 2d
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    within: Option<Duration>,

    /// Re-sign even if nothing is due, such as after a change of keys
    #[arg(long, conflicts_with = "within")]
    force: bool,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let when = match args.within {
        Some(within) => Refresh::Within(within),
        None if args.force => Refresh::Always,
        None => Refresh::HalfOver,
    };
    let mut suites = session.suites_as_configured(&args.suite).await?;
    suites.retain(|suite| !suite.read_only || !args.suite.is_empty());
    let mut report = Publications { suites: Vec::new() };
    for suite in &suites {
        let keys = session.keys_to_publish(suite).await?;
        let outcome = session.refresh(suite, keys, when, &args.change).await?;
        print_report(&outcome, session);
        report.suites.push((&outcome).into());
    }
    if session.ui.json() {
        session.ui.object(&report);
    } else if suites.is_empty() {
        session.ui.say("Nothing to do: every suite is `ReadOnly: yes`");
    }
    Ok(ExitCode::SUCCESS)
}

fn print_report(outcome: &CommitReport, session: &Session<'_>) {
    for note in &outcome.notes {
        session.ui.warn(note);
    }
    let suite = &outcome.suite;
    let valid = match &outcome.valid_until {
        Some(until) => format!("is valid until {until}"),
        None => "does not expire".to_owned(),
    };
    session.ui.say(&match (outcome.generation.is_some(), outcome.dry_run) {
        (false, _) => format!("Suite `{suite}` {valid}: nothing is due"),
        (true, true) => format!("Would re-sign suite `{suite}`: it then {valid}"),
        (true, false) => format!("Re-signed suite `{suite}`: it {valid}"),
    });
}
