//! `publish rollback`: publishes an earlier generation again.

use std::process::ExitCode;

use super::{
    change_args::ChangeArgs,
    failure::Failure,
    session::{Session, parse_suite},
    state,
};
use crate::archive::{Trust, Which};

/// Publish the content of an earlier generation of a suite
///
/// The content becomes a new generation, and the one it replaces is retained: a second `rollback` undoes the first. Clients
/// do not downgrade packages that they have already installed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish rollback --dry-run\n\
\x20 publish rollback stable@20250601T000100Z\n\
\x20 publish rollback stable --to 1")]
pub(super) struct Args {
    /// Suite to change, and the generation to publish again [default: the only suite, and its previous generation whose
    /// content differs]
    #[arg(value_name = "SUITE[@STATE]")]
    suite: Option<String>,

    /// Suite to change, instead of the argument
    #[arg(short, long = "suite", value_name = "SUITE[@STATE]", conflicts_with = "suite")]
    suite_option: Option<String>,

    /// Generation to publish again, instead of STATE: its name as `publish log` prints it, with or without `SUITE@`, a unique
    /// prefix, or a number, such as 1 for the generation before the current one
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
    let (named, which) = match named {
        Some(text) => state::split(text).map(|(suite, which)| (Some(suite), which))?,
        None => (None, None),
    };
    let state = which.map(|which| which.to_string());
    if let (Some(state), Some(_)) = (&state, &args.to) {
        let text =
            format!("`@{state}` and `--to` both name the generation to publish again: leave one of them out");
        return Err(Failure::usage(text));
    }
    let to = to.or(state.as_deref());
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
    let counted = match to.map(str::parse) {
        Some(Ok(which @ Which::Back(_))) => {
            let archive = session.archive(Trust::unverified());
            Some(archive.generation_name(&suite.codename, &which).await?)
        }
        _ => None,
    };
    let keys = session.keys_to_publish(&suite).await?;
    let outcome = session.roll_back(&suite, keys, counted.as_deref().or(to), &args.change).await?;
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
