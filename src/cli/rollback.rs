//! `publish rollback`: publishes an earlier generation again.

use std::process::ExitCode;

use super::{
    change_args::ChangeArgs,
    failure::Failure,
    session::{Session, parse_suite},
};

/// Publish the content of an earlier generation of a suite
///
/// The content becomes a new generation, and the one it replaces is retained: a second `rollback` undoes the first. Clients
/// do not downgrade packages that they have already installed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish rollback --dry-run\n\
\x20 publish rollback stable --to 20250601T000100Z")]
pub(super) struct Args {
    /// Suite to change [default: the only suite]
    #[arg(value_name = "SUITE")]
    suite: Option<String>,

    /// Suite to change, instead of the argument
    #[arg(short, long = "suite", value_name = "SUITE", conflicts_with = "suite")]
    suite_option: Option<String>,

    /// Generation to publish again: its name as `publish log` prints it, with or without `SUITE@`, or a unique prefix
    /// [default: the previous one whose content differs]
    #[arg(long, value_name = "GENERATION")]
    to: Option<String>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let (of, to) = match args.to.as_deref().and_then(|to| to.split_once('@')) {
        Some((of, generation)) => (Some(of), Some(generation)),
        None => (None, args.to.as_deref()),
    };
    let named = args.suite.as_deref().or(args.suite_option.as_deref());
    let suite = session.suite_to_change(named.or(of)).await?;
    if let Some(of) = of
        && session.codename(parse_suite(of)?) != suite.codename
    {
        let text = format!(
            "`--to` names a generation of suite `{of}`, and the suite to change is `{}`",
            suite.codename
        );
        return Err(Failure::usage(text));
    }
    let keys = session.keys_to_publish(&suite).await?;
    let outcome = session.roll_back(&suite, keys, to, &args.change).await?;
    session.ui.outcome(&outcome);
    let state = outcome.based_on.as_deref().unwrap_or_default();
    if outcome.generation.is_none() {
        session.ui.say(&format!("Suite `{}` already has the content of generations/{state}", outcome.suite));
        return Ok(ExitCode::SUCCESS);
    }
    let has = if outcome.dry_run { "It would have" } else { "It has" };
    session.ui.say(&format!("{has} the content of generations/{state}"));
    if !outcome.removed.is_empty() {
        session.ui.say(
            "Clients keep a newer version that is installed; downgrade it there with `apt-get install --allow-downgrades \
             NAME=VERSION`",
        );
    }
    Ok(ExitCode::SUCCESS)
}
