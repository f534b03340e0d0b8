//! `publish refresh`: what nears its end is signed anew.

use std::{process::ExitCode, time::Duration};

use super::{change_args::ChangeArgs, failure::Failure, json::Publications, session::Session};
use crate::{
    archive::{CommitReport, Refresh},
    config::parse_span,
};

/// Signs suites anew that near their `Valid-Until`, for a daily job: nothing else changes
///
/// A suite with `ValidFor:` is due once half of that time is over, or if `ValidFor:` is another than the published state
/// has. One that does not expire is never due. The states that are kept stay as they are.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this suite; may be repeated [default: all that are published, but those with `ReadOnly:`]
    #[arg(short, long)]
    suite: Vec<String>,

    /// Signs anew what expires within this time, such as `2d`
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    within: Option<Duration>,

    /// Signs anew in any case, such as after a change of keys
    #[arg(long, conflicts_with = "within")]
    force: bool,

    #[command(flatten)]
    asked: ChangeArgs,
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
        let outcome = session.refresh(suite, keys, when, &args.asked).await?;
        tell(&outcome, session);
        report.suites.push((&outcome).into());
    }
    if session.ui.json() {
        session.ui.object(&report);
    } else if suites.is_empty() {
        session.ui.say("Nothing to do: every suite is `ReadOnly: yes`");
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(outcome: &CommitReport, session: &Session<'_>) {
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
        (true, true) => format!("Would sign suite `{suite}` anew: then it {valid}"),
        (true, false) => format!("Signed suite `{suite}` anew: it {valid}"),
    });
}
