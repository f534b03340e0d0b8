//! Prints the progress of a rotation and of the delivery of keys.

use crate::{
    archive::{Event, KeyEvent, NewKeyReport},
    cli::{hints, session::Session},
};

/// Prints a step as it happens.
pub(super) fn print_event(session: &Session<'_>, event: &KeyEvent<'_>) {
    let ui = session.ui;
    match event {
        KeyEvent::NewKey(key) => print_new_key(session, key),
        KeyEvent::SignWith { suite, words, dry_run } => {
            let verb = if *dry_run { "Would write" } else { "Wrote" };
            ui.say(&format!("{verb} `SignWith: {}` for suite `{suite}`", words.join(" ")));
        }
        KeyEvent::NotAdmitted { suite, key } => ui.warn(&format!(
            "`Signed-By` in the release file of suite `{suite}` does not list the new key, so clients without `Signed-By` of \
             their own reject it: {}",
            hints::keys::admit(key)
        )),
        KeyEvent::OtherPackage { suite, other, name } => ui.warn(&format!(
            "suite `{suite}` also has `{other}`, which is not updated: its clients get new keys only by installing `{name}`"
        )),
        KeyEvent::Early(early) => ui.warn(&format!("{early}: clients without it now refuse the archive")),
        KeyEvent::Published(outcome) if ui.json() => outcome.notes.iter().for_each(|note| ui.warn(note)),
        KeyEvent::Published(outcome) => ui.outcome(outcome),
        KeyEvent::Resigned(outcome) => {
            outcome.notes.iter().for_each(|note| ui.event(Event::Warning(note.clone())));
            let verb = if outcome.dry_run { "Would re-sign" } else { "Re-signed" };
            ui.say(&format!("{verb} suite `{}`", outcome.suite));
        }
    }
}

fn print_new_key(session: &Session<'_>, key: &NewKeyReport) {
    let end =
        key.expires.as_ref().map_or_else(|| "never expires".to_owned(), |day| format!("expires on {day}"));
    if key.is_planned {
        return session.ui.say(&format!("Would generate a new key, which {end}"));
    }
    session.ui.say(&format!("The new key is {}, which {end}", key.word));
    if let Some(file) = &key.file {
        session.ui.say(&format!("Its secret part is in {}: back it up", file.display()));
    }
}
