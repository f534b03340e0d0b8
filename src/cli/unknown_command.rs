//! A word that is no command: what was meant by it.

use clap::Command;

use super::{failure::Failure, other_words, reprepro};
use crate::nearest::nearest;

/// The error for an unknown word below these commands.
pub(super) fn unknown(root: &Command, above: &[&Command], word: &str) -> Failure {
    let is_first = above.is_empty();
    if is_first && reprepro::is_command(word) {
        let why = format!("`{word}` is a command of reprepro, which has other options before it");
        let hint = format!("use the options of reprepro, such as `publish -b FOLDER {word} …`");
        return Failure::text(why, Some(hint)).into_usage();
    }
    let path = |first: &str| {
        let names = above.iter().map(|command| command.get_name());
        std::iter::once(first).chain(names).collect::<Vec<_>>().join(" ")
    };
    let (ours, help) = (path("publish"), path("publish help"));
    let parent = above.last().copied().unwrap_or(root);
    let known = parent.get_subcommands().filter(|known| !known.is_hide_set()).map(Command::get_name);
    let hint = match other_words::ours(word).filter(|_| is_first).or_else(|| nearest(word, known)) {
        Some(near) => format!("did you mean `{ours} {near}`? see `{help} {near}`"),
        None => format!("list the commands with `{ours} --help`"),
    };
    let after = if is_first { String::new() } else { format!(" of `{ours}`") };
    Failure::text(format!("there is no command `{word}`{after}"), Some(hint)).into_usage()
}
