//! Prints the report of a commit: changes and written objects, in counts.

use super::{
    json::Publication,
    ui::{Ui, count},
};
use crate::{
    archive::{Change, CommitReport, Moved, Phased},
    size::bytes,
};

/// Maximum number of packages that are printed without `--verbose`.
const FEW: usize = 10;

impl Ui {
    /// Prints the report of a commit.
    pub(super) fn outcome(&self, outcome: &CommitReport) {
        let mut all = Some(outcome);
        while let Some(outcome) = all {
            outcome.notes.iter().for_each(|note| self.warn(note));
            all = outcome.moved.as_ref().map(|moved| &*moved.to);
        }
        if self.json() {
            self.object(&Publication::from(outcome));
        } else {
            print_report(outcome, self);
        }
    }
}

fn print_report(outcome: &CommitReport, ui: &Ui) {
    let suite = &outcome.suite;
    let replace = if outcome.dry_run { "Would replace" } else { "Replaced" };
    let [add, shift, remove] = if outcome.dry_run {
        ["Would add", "Would move", "Would remove"]
    } else {
        ["Added", "Moved", "Removed"]
    };
    changes(ui, add, '+', &outcome.added, &format!("to suite `{suite}`"));
    changes(ui, replace, '!', &outcome.replaced, &format!("in suite `{suite}`"));
    offers(ui, outcome);
    let skip = if outcome.dry_run { "Would skip" } else { "Skipped" };
    changes(ui, skip, '~', &outcome.skipped, &format!("that suite `{suite}` has or keeps in newer versions"));
    let mut last = Some(outcome);
    while let Some(outcome) = last {
        let (from, mut removed) = (&outcome.suite, outcome.removed.clone());
        if let Some(Moved { packages, to }) = &outcome.moved {
            removed.retain(|change| !packages.contains(change));
            changes(ui, shift, '>', packages, &format!("from suite `{from}` to suite `{}`", to.suite));
        }
        // The target suite may keep fewer versions, and have no `Archive:` of its own.
        changes(ui, remove, '-', &removed, &format!("from suite `{from}`"));
        last = outcome.moved.as_ref().map(|moved| &*moved.to);
    }
    match &outcome.present[..] {
        [] => {}
        [only] => {
            ui.say(&format!("{} is already published in suite `{suite}`, with the same bytes", line(only)));
        }
        all => ui.say(&format!(
            "{} are already published in suite `{suite}`, with the same bytes",
            count(all.len(), "package")
        )),
    }
    // In the order in which they were published.
    let mut written = vec![outcome];
    while let Some(moved) = written.last().and_then(|outcome| outcome.moved.as_ref()) {
        written.push(&moved.to);
    }
    written
        .into_iter()
        .rev()
        .filter(|last| last.suite == *suite || last.generation.is_some())
        .for_each(|last| print_written(last, ui));
}

/// Prints the written objects, in counts.
fn print_written(outcome: &CommitReport, ui: &Ui) {
    let suite = &outcome.suite;
    let size = bytes(outcome.written.iter().map(|written| written.bytes).sum());
    let objects = count(outcome.written.len(), "object");
    match (outcome.dry_run, outcome.published) {
        (true, _) if outcome.generation.is_some() => {
            ui.say(&format!("Would write {objects}, {size}, for suite `{suite}`; nothing was written"));
            for written in &outcome.written {
                ui.detail(&format!("  {} ({})", written.path, bytes(written.bytes)));
            }
        }
        (_, true) => {
            let generation = outcome.generation.as_deref().unwrap_or_default();
            ui.say(&format!("Published suite `{suite}`: {objects}, {size}"));
            ui.detail(&format!("Saved the release file as dists/{suite}/{generation}"));
        }
        (_, false) if !outcome.written.is_empty() => {
            let would = if outcome.dry_run { "Would restore" } else { "Restored" };
            let files = count(outcome.written.len(), "file");
            ui.say(&format!("{would} {files}, {size}, in the pool"));
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
        let text = format!("  {sign} {} ({})", line(change), change.place());
        if changes.len() <= FEW {
            ui.say(&text);
        } else {
            ui.detail(&text);
        }
    }
}

/// Prints changes of the phasing percentage.
fn offers(ui: &Ui, outcome: &CommitReport) {
    let (verb, offered) = (if outcome.dry_run { "Would offer" } else { "Offered" }, &outcome.phased);
    let is_few = offered.len() <= FEW;
    if !is_few {
        let packages = count(offered.len(), "package");
        ui.say(&format!(
            "{verb} {packages} of suite `{}` to a different percentage of machines",
            outcome.suite
        ));
    }
    for Phased { package, from, to } in offered {
        let text = format!("{verb} {} to {to} % of machines, instead of {from} %", line(package));
        if is_few { ui.say(&text) } else { ui.detail(&text) }
    }
}

fn line(change: &Change) -> String {
    format!("{} {} {}", change.name, change.version, change.architecture)
}
