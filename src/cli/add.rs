//! `publish add`: .debs into a suite.

use std::{path::PathBuf, process::ExitCode};

use super::{
    Failure,
    session::Session,
    sources,
    ui::{Ui, count},
};
use crate::{
    archive::{Change, Commit, NewPackage, Outcome, SuiteEdit, find_files, read_packages},
    names::Component,
    store::bytes,
};

/// So many packages are told one by one without `--verbose`.
const FEW: usize = 10;

/// Adds packages to a suite: all of them in one step, or none
///
/// Reads each .deb once, puts it into the pool, and publishes the new indices. A package that is published already with
/// the same bytes is left as it is; one with other bytes is refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// .deb files, or folders with such files
    #[arg(required = true, value_name = "FILE|FOLDER")]
    files: Vec<PathBuf>,

    /// The suite [default: the only one there is, else `stable`]
    #[arg(short, long)]
    suite: Option<String>,

    /// The component [default: by the section of the package, else the first of the suite]
    #[arg(short, long)]
    component: Option<Component>,

    /// Tells what would be done, and does nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(super) async fn run(args: Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suite = session.suite_to_change(args.suite.as_deref()).await?;
    let keys = session.keys_to_publish(&suite).await?;
    let files = find_files(&args.files)?;
    let events = session.events();
    let read = tokio::task::block_in_place(|| read_packages(files, &events))?;
    let component = |incoming| NewPackage { incoming, component: args.component.clone() };
    let edit = SuiteEdit { add: read.into_iter().map(component).collect(), remove: Vec::new() };
    let how = Commit {
        config: &suite,
        keys: keys.signing.as_ref(),
        now: session.now,
        dry_run: args.dry_run,
        events: &events,
    };
    let client_keys = keys.trust.clients.keyring.clone();
    let outcome = session.archive(keys.trust).commit(&edit, &how).await?;
    tell(&outcome, session.ui);
    if outcome.first && outcome.published && !session.ui.json() {
        session.ui.say(
            "\nClients read it with this in /etc/apt/sources.list.d/, as a file that ends in `.sources`:\n",
        );
        session.ui.data(sources::stanza(&session.location, &outcome, &client_keys)?.as_bytes());
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells what came of an edit.
pub(super) fn tell(outcome: &Outcome, ui: &Ui) {
    for note in &outcome.notes {
        ui.warn(note);
    }
    if ui.json() {
        ui.object(outcome);
        return;
    }
    let suite = &outcome.suite;
    let (would_add, would_remove) =
        if outcome.dry_run { ("Would add", "Would remove") } else { ("Added", "Removed") };
    changes(ui, would_add, '+', &outcome.added, &format!("to suite `{suite}`"));
    changes(ui, would_remove, '-', &outcome.removed, &format!("from suite `{suite}`"));
    match &outcome.present[..] {
        [] => {}
        [only] => {
            ui.say(&format!("{} is published in suite `{suite}` already, with the same bytes", line(only)));
        }
        all => ui.say(&format!(
            "{} are published in suite `{suite}` already, with the same bytes",
            count(all.len(), "package")
        )),
    }
    let size = bytes(outcome.written.iter().map(|written| written.bytes).sum());
    let objects = count(outcome.written.len(), "object");
    match (outcome.dry_run, outcome.published) {
        (true, _) if outcome.generation.is_some() => {
            ui.say(&format!("Would write {objects}, {size}; nothing was written"));
            for written in &outcome.written {
                ui.detail(&format!("  {} ({})", written.path, bytes(written.bytes)));
            }
        }
        (_, true) => {
            let generation = outcome.generation.as_deref().unwrap_or_default();
            ui.say(&format!("Published suite `{suite}`: {objects}, {size}"));
            ui.detail(&format!("The pointer is kept in dists/{suite}/{generation}"));
        }
        (_, false) if !outcome.written.is_empty() => {
            let would = if outcome.dry_run { "Would put back" } else { "Put back" };
            ui.say(&format!(
                "{would} {}, {size}, which the pool had lost",
                count(outcome.written.len(), "file")
            ));
        }
        _ => ui.say("Nothing to do"),
    }
}

fn changes(ui: &Ui, verb: &str, sign: char, changes: &[Change], place: &str) {
    if changes.is_empty() {
        return;
    }
    ui.say(&format!("{verb} {} {place}", count(changes.len(), "package")));
    for change in changes {
        let text = format!("  {sign} {} ({})", line(change), change.component);
        if changes.len() <= FEW {
            ui.say(&text);
        } else {
            ui.detail(&text);
        }
    }
}

fn line(change: &Change) -> String {
    format!("{} {} {}", change.name, change.version, change.architecture)
}
