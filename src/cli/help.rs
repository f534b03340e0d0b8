//! `publish help`: topics that do not belong to one command, and the commands.

use super::{
    failure::Failure,
    other_words,
    ui::{Ui, text_width},
};
use crate::{guide, nearest::nearest};

/// Explain a topic or a command
///
/// Without an argument, list the topics.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish help\n\
\x20 publish help keys\n\
\x20 publish help exit-codes\n\
\x20 publish help key rotate")]
pub(super) struct Args {
    /// Topic, or command, to explain
    #[arg(value_name = "TOPIC|COMMAND")]
    words: Vec<String>,
}

pub(super) fn run(args: &Args, mut root: clap::Command, ui: &Ui) -> Result<(), Failure> {
    let text = match &args.words[..] {
        [] => topics(),
        [word] if guide::topic(word).is_some() => {
            guide::topic(word).map(|topic| guide::render(topic.text, text_width())).unwrap_or_default()
        }
        words => match command(&mut root, words) {
            Some(page) => page,
            None => return Err(unknown(&root, words)),
        },
    };
    ui.data(text.as_bytes());
    Ok(())
}

/// The list of the topics.
fn topics() -> String {
    let width = guide::TOPICS.iter().map(|topic| topic.name.len()).max().unwrap_or(0);
    let line = |topic: &guide::Topic| format!("  {:width$}  {}\n", topic.name, topic.summary);
    let lines: String = guide::TOPICS.iter().map(line).collect();
    format!(
        "Topics for `publish help TOPIC`:\n{lines}\nCommands: see `publish --help`, and `publish help COMMAND`.\n"
    )
}

/// The long help of a command.
fn command(root: &mut clap::Command, words: &[String]) -> Option<String> {
    root.build();
    let mut command = root;
    for word in words {
        command = command.find_subcommand_mut(word)?;
    }
    Some(command.render_long_help().to_string())
}

fn unknown(root: &clap::Command, words: &[String]) -> Failure {
    let word = words.join(" ");
    let commands = root.get_subcommands().map(clap::Command::get_name);
    let known = guide::TOPICS.iter().map(|topic| topic.name).chain(commands);
    let hint = match other_words::ours(&word).or_else(|| nearest(&word, known)) {
        Some(near) => format!("did you mean `publish help {near}`?"),
        None => "list the topics with `publish help`, and the commands with `publish --help`".to_owned(),
    };
    Failure::text(format!("there is no topic and no command `{word}`"), Some(hint)).into_usage()
}
