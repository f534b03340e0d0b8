//! `publish drop`: takes a suite out of the archive.

use std::process::ExitCode;

use super::{
    class::Kind,
    failure::Failure,
    json,
    session::{Session, parse_suite},
    ui::count,
};
use crate::{
    archive::{Dropped, Error, PageUpdate, Trust},
    names::Suite,
    size::bytes,
    store::Location,
};

/// Remove a suite from the archive
///
/// Delete its release file in one atomic step, then its indices. The packages stay in the pool; `publish prune` deletes
/// those that no other suite references once they are two days old. Suites and snapshots below it stay. On a terminal, the
/// command asks for confirmation.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish drop testing --dry-run\n\
\x20 publish drop testing --yes")]
pub(super) struct Args {
    /// Suite to drop, by its codename
    #[arg(value_name = "SUITE", required_unless_present = "suite_option")]
    suite: Option<String>,

    /// Suite to drop, instead of the argument
    #[arg(short, long = "suite", value_name = "SUITE", conflicts_with = "suite")]
    suite_option: Option<String>,

    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,

    /// Print the plan and delete nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    // The plan of a dry run needs no write access.
    session.refuse_web()?;
    let named = args.suite.as_ref().or(args.suite_option.as_ref());
    let suite = parse_suite(named.map_or("", String::as_str))?;
    let archive = session.archive(Trust::unverified());
    refuse(&suite, session)?;
    let plan = archive.drop_suite(&suite, true).await?;
    let dropped = if args.dry_run {
        plan
    } else {
        let objects = count(plan.deleted.len(), "object");
        let question = format!("Drop suite `{suite}` of {}, {objects}?", session.location);
        if !args.yes && !session.ui.confirms(&question) {
            return Err(Failure::text(format!("suite `{suite}` was not dropped"), None).kind(Kind::Refused));
        }
        let dropped = archive.drop_suite(&suite, false).await?;
        let clients = session.site();
        archive.write_client_files(&clients, None).await?;
        archive.write_page(&PageUpdate::new(&suite, None, &clients, session.now)).await?;
        dropped
    };
    if session.ui.json() {
        session.ui.object(&json::Dropped::from(&dropped));
    } else {
        print_report(&dropped, session);
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses a read-only suite, and a link to another suite, whose files would be deleted.
fn refuse(suite: &Suite, session: &Session<'_>) -> Result<(), Failure> {
    let configured = session.config.suites.iter().find(|configured| configured.codename == *suite);
    if configured.is_some_and(|configured| configured.read_only) {
        return Err(Error::ReadOnly { suite: suite.clone() }.into());
    }
    let Some(archive) = session.location.folder() else { return Ok(()) };
    let mut folder = archive.join("dists");
    for part in suite.as_str().split('/') {
        folder.push(part);
        if folder.is_symlink() {
            let text = format!("`{}` is a link to another suite", folder.display());
            let hint = format!("delete the link itself: `rm {}`", folder.display());
            return Err(Failure::text(text, Some(hint)).kind(Kind::Refused));
        }
    }
    Ok(())
}

fn print_report(dropped: &Dropped, session: &Session<'_>) {
    let ui = session.ui;
    let size = bytes(dropped.deleted.iter().map(|file| file.bytes).sum());
    let verb = if dropped.dry_run { "Would drop" } else { "Dropped" };
    let objects = count(dropped.deleted.len(), "object");
    ui.say(&format!("{verb} suite `{}`: {objects}, {size}", dropped.suite));
    for file in &dropped.deleted {
        ui.detail(&format!("  {} ({})", file.path, bytes(file.bytes)));
    }
    if !dropped.below.is_empty() {
        let below: Vec<String> = dropped.below.iter().map(|name| format!("`{name}`")).collect();
        ui.say(&format!("Suites below it stay: {}", below.join(", ")));
    }
    if dropped.dry_run {
        if matches!(session.location, Location::Web(_)) {
            ui.say(
                "A web server has no list of files: the plan has those that the current release file lists",
            );
        }
        return;
    }
    if let Some(path) = &session.config_path
        && session.config.suites.iter().any(|suite| suite.codename == dropped.suite)
    {
        ui.say(&format!(
            "It is still configured: remove its stanza from {}, or `publish export` publishes it again",
            path.display()
        ));
    }
    ui.say("`publish prune` deletes the files that no other suite references");
}
