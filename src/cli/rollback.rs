//! `publish rollback`: back to an earlier state.

use std::process::ExitCode;

use super::{change_args::ChangeArgs, failure::Failure, session::Session};

/// Goes back to an earlier state of a suite: publishes its content as a new state
///
/// Nothing is lost: the state that was published until now is kept beside the others, and a second `rollback` goes back to
/// that. A client that has installed a newer version keeps it until it is told to take the earlier one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The suite [default: the only one there is]
    #[arg(value_name = "SUITE")]
    suite: Option<String>,

    /// The state to go back to, by its name, as `publish log` shows it, or the beginning of that [default: the one
    /// before, if its content is another]
    #[arg(long, value_name = "GENERATION")]
    to: Option<String>,

    #[command(flatten)]
    asked: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suite = session.suite_to_change(args.suite.as_deref()).await?;
    let keys = session.keys_to_publish(&suite).await?;
    let outcome = session.roll_back(&suite, keys, args.to.as_deref(), &args.asked).await?;
    session.ui.outcome(&outcome);
    let state = outcome.based_on.as_deref().unwrap_or_default();
    if outcome.generation.is_none() {
        session.ui.say(&format!("Suite `{}` has the content of generations/{state} already", outcome.suite));
        return Ok(ExitCode::SUCCESS);
    }
    let has = if outcome.dry_run { "It would have" } else { "It has" };
    session.ui.say(&format!("{has} the content of generations/{state}"));
    if !outcome.removed.is_empty() {
        session.ui.say(
            "Clients that have a newer version keep it; `apt-get install --allow-downgrades NAME=VERSION` there takes the \
             earlier one",
        );
    }
    Ok(ExitCode::SUCCESS)
}
