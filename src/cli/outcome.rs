//! What came of an edit, for people: what changed, in counts, and what it took.

use super::ui::{Ui, count};
use crate::{
    archive::{Change, Outcome},
    store::bytes,
};

/// So many packages are told one by one without `--verbose`.
const FEW: usize = 10;

impl Ui {
    /// Tells what came of an edit.
    pub fn outcome(&self, outcome: &Outcome) {
        for note in &outcome.notes {
            self.warn(note);
        }
        if self.json() {
            self.object(outcome);
        } else {
            tell(outcome, self);
        }
    }
}

fn tell(outcome: &Outcome, ui: &Ui) {
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
            let files = count(outcome.written.len(), "file");
            ui.say(&format!("{would} {files}, {size}, which the pool had lost"));
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
