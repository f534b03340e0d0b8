//! `publish snapshot`: keeps the current content of a suite permanently.

use std::process::ExitCode;

use super::{
    change_args::ChangeArgs, failure::Failure, json, session::Session, state, text::columns, ui::count,
};
use crate::archive::{PageUpdate, PublishedSuite, Trust, name_of_snapshot, own_name};

/// Keep the current content of a suite permanently, as SUITE/snapshots/NAME
///
/// Clients use that name in `Suites:`. A snapshot shares the pool, does not expire and is not pruned; its packages
/// never change.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish snapshot 1.0\n\
\x20 publish snapshot 0.9 --suite stable@1\n\
\x20 publish snapshot --list --suite stable\n\
\x20 publish snapshot 1.0 --remove")]
pub(super) struct Args {
    /// Name of the snapshot
    #[arg(value_name = "NAME", required_unless_present = "list")]
    name: Option<String>,

    /// Suite to keep, or one of its generations [default: the only suite]
    #[arg(short, long, value_name = "SUITE[@STATE]")]
    suite: Option<String>,

    /// List the snapshots of the suite: name and date
    #[arg(long, conflicts_with_all = ["name", "remove", "dry_run"])]
    list: bool,

    /// Remove the snapshot; `publish prune` deletes the files that only it referenced
    #[arg(long)]
    remove: bool,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

/// A snapshot.
struct Row {
    name: String,
    date: Option<String>,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let (named, which) = match &args.suite {
        Some(text) => state::split(text).map(|(suite, which)| (Some(suite), which))?,
        None => (None, None),
    };
    if let (Some(text), Some(_), true) = (&args.suite, &which, args.list || args.remove) {
        let text = format!(
            "`{text}` is a generation, and `--list` and `--remove` are about all snapshots of a suite"
        );
        return Err(Failure::usage(text));
    }
    let suite = session.suite_to_change(named).await?;
    let Some(name) = &args.name else {
        let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
        list(&archive.snapshots(&suite.codename).await?, session);
        return Ok(ExitCode::SUCCESS);
    };
    let snapshot =
        name_of_snapshot(&suite.codename, name).map_err(|error| Failure::usage(error.to_string()))?;
    if args.remove {
        let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
        let removed = archive.remove_snapshot(&snapshot, args.change.dry_run).await?;
        if !args.change.dry_run {
            let clients = session.site();
            archive.write_page(&PageUpdate::new(&snapshot, None, &clients, session.now)).await?;
        }
        if session.ui.json() {
            let deleted = removed.iter().map(json::File::from).collect();
            let (dry_run, suite) = (args.change.dry_run, snapshot.to_string());
            session.ui.object(&json::RemovedSnapshot { dry_run, suite, deleted });
        }
        let verb = if args.change.dry_run { "Would remove" } else { "Removed" };
        session.ui.say(&format!("{verb} snapshot `{snapshot}`: {}", count(removed.len(), "object")));
        return Ok(ExitCode::SUCCESS);
    }
    let kept = suite.snapshot(snapshot);
    let keys = session.keys_to_publish(&kept).await?;
    let generation = match &which {
        Some(which) => {
            let archive = session.archive(Trust::unverified());
            Some(archive.generation_name(&suite.codename, which).await?)
        }
        None => None,
    };
    let of = (&suite.codename, generation.as_deref());
    let outcome = session.snapshot(&kept, of, keys, &args.change).await?;
    session.ui.outcome(&outcome);
    if outcome.published {
        session.ui.say(&format!("Clients read it with `Suites: {}`", outcome.suite));
    }
    Ok(ExitCode::SUCCESS)
}

fn list(snapshots: &[PublishedSuite], session: &Session<'_>) {
    let rows: Vec<Row> = snapshots
        .iter()
        .map(|snapshot| Row {
            name: own_name(snapshot.name()).to_owned(),
            date: snapshot.release().and_then(|release| release.date().ok()).map(|date| date.to_string()),
        })
        .collect();
    if session.ui.json() {
        let of = |(row, snapshot): (Row, &PublishedSuite)| (row.name, snapshot.name().to_string(), row.date);
        session.ui.object(&json::Snapshots::new(rows.into_iter().zip(snapshots).map(of)));
        return;
    }
    let cells = |row: Row| [row.name, row.date.unwrap_or_else(|| "?".to_owned())];
    let table: Vec<_> = rows.into_iter().map(cells).collect();
    session.ui.text(&columns(&table, session.ui.aligns()));
}
