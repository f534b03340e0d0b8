//! Completion in bash, zsh and fish: the scripts, and the words that they ask this program for.
//!
//! The scripts run `publish __complete WORD…` with the words of the command line up to the cursor, and get one candidate a
//! line, with a description after a tab. No candidate means that the shell completes files.

mod words;
mod archive;

use std::{ffi::OsString, time::Duration};

use super::{text::plain, threads, ui::Ui};

/// Print the script that completes commands, options, suites and packages in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish completions bash >/usr/share/bash-completion/completions/publish\n\
\x20 publish completions zsh >/usr/local/share/zsh/site-functions/_publish\n\
\x20 publish completions fish >~/.config/fish/completions/publish.fish")]
pub(super) struct Args {
    /// Shell that reads the script
    shell: Shell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(args: &Args, ui: &Ui) {
    let script = match args.shell {
        Shell::Bash => include_str!("publish.bash"),
        Shell::Zsh => include_str!("publish.zsh"),
        Shell::Fish => include_str!("publish.fish"),
    };
    ui.data(script.as_bytes());
}

/// A store that does not answer must not block the shell.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the words of a request of a script.
pub(super) fn requested(mut arguments: impl Iterator<Item = OsString>) -> Option<Vec<String>> {
    arguments.next()?;
    if arguments.next()? != "__complete" {
        return None;
    }
    Some(arguments.map(|word| word.to_string_lossy().into_owned()).collect())
}

/// Prints the candidates for the last word.
pub(super) fn complete(mut root: clap::Command, words: &[String], ui: &Ui) {
    root.build();
    let place = words::place(&root, words);
    let found = match &place.wanted {
        words::Wanted::Known(found) => found.clone(),
        words::Wanted::OfArchive(kind) => of_archive(*kind, &place),
    };
    let matching = found.into_iter().filter(|(word, _)| word.starts_with(&place.typed));
    let text: String = matching
        .map(|(word, about)| {
            // A tab within a word would end it.
            let word = plain(&format!("{}{word}", place.before));
            if about.is_empty() { format!("{word}\n") } else { format!("{word}\t{}\n", plain(&about)) }
        })
        .collect();
    ui.data(text.as_bytes());
}

/// Reads suites, packages or states; a failure offers none.
fn of_archive(kind: archive::Kind, place: &words::Place<'_>) -> Vec<(String, String)> {
    let Ok(runtime) = threads::runtime() else { return Vec::new() };
    // No message may appear in the line that is typed.
    let ui = Ui::new(false, true, false);
    let found = runtime.block_on(async {
        tokio::time::timeout(TIMEOUT, archive::read(kind, &place.given, &place.typed, &ui)).await
    });
    runtime.shutdown_background();
    found.ok().flatten().unwrap_or_default().into_iter().map(|word| (word, String::new())).collect()
}
