//! Man pages: one for `publish`, one for each command, one for each topic of the guide.

use std::{fmt::Write as _, fs, path::PathBuf};

use clap::{Arg, Command};

use super::{failure::Failure, global};
use crate::guide::{TOPICS, escape, head, inline, page, paragraph, quoted};

/// Write the man pages of all commands and topics
///
/// For packages: the pages are written to `man1`, `man5` and `man7` below the folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish man ./man")]
pub(super) struct Args {
    /// Folder to write to
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Appends to a text, which cannot fail.
macro_rules! put {
    ($text:expr, $($part:tt)*) => {{
        let _ = write!($text, $($part)*);
    }};
}

pub(super) fn run(args: &Args, mut root: Command) -> Result<(), Failure> {
    root.build();
    for (name, section, text) in pages(&root) {
        let folder = args.folder.join(format!("man{section}"));
        let path = folder.join(format!("{name}.{section}"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| Failure::file(&error, &path, "write"))?;
    }
    Ok(())
}

/// Every page: its name, its section and its text. The command must be built.
fn pages(root: &Command) -> Vec<(String, u8, String)> {
    let mut pages = Vec::new();
    of_command(root, "publish", &mut pages);
    pages.extend(TOPICS.iter().map(|topic| {
        let name = format!("publish-{}", topic.name);
        let text = page(&name, topic.section, topic.summary, topic.text);
        (name, topic.section, text)
    }));
    pages
}

fn of_command(command: &Command, name: &str, pages: &mut Vec<(String, u8, String)>) {
    let is_root = name == "publish";
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text = head(name, 1, &about);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").split_whitespace().collect::<Vec<_>>().join(" ");
    put!(text, ".SH SYNOPSIS\n\\fB{}\\fR\n.SH DESCRIPTION\n", escape(&usage));
    let long = command.get_long_about().or(command.get_about()).map(ToString::to_string);
    paragraphs(&long.unwrap_or_default(), &mut text);
    let below: Vec<&Command> = command.get_subcommands().filter(|below| !below.is_hide_set()).collect();
    if !below.is_empty() {
        text.push_str(".SH COMMANDS\n");
        for command in &below {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let page = format!("{name}-{}", command.get_name());
            put!(text, ".TP\n.BR {} (1)\n{}\n", escape(&page), inline(&about));
        }
    }
    let own = |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set();
    options("OPTIONS", command.get_arguments().filter(own), &mut text);
    if is_root {
        options("GLOBAL OPTIONS", global::described().get_arguments(), &mut text);
    }
    examples(command, &mut text);
    let see = if is_root {
        let topics =
            TOPICS.iter().map(|topic| format!(".BR publish\\-{} ({})", escape(topic.name), topic.section));
        topics.collect::<Vec<_>>().join(",\n")
    } else {
        ".BR publish (1)\nfor the global options,\n.BR publish\\-exit\\-codes (7)".to_owned()
    };
    put!(text, ".SH SEE ALSO\n{see}\n");
    pages.push((name.to_owned(), 1, text));
    for command in below {
        of_command(command, &format!("{name}-{}", command.get_name()), pages);
    }
}

fn options<'a>(title: &str, arguments: impl Iterator<Item = &'a Arg>, text: &mut String) {
    let mut titled = false;
    for arg in arguments {
        if !titled {
            put!(text, ".SH {}\n", quoted(title));
            titled = true;
        }
        put!(text, ".TP\n{}\n", heading(arg));
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        // The first paragraph belongs to the heading.
        let mut parts = help.split("\n\n").map(|part| inline(&part.replace('\n', " ")));
        put!(text, "{}\n", parts.next().unwrap_or_default());
        let more = parts.chain(notes(arg).into_iter().map(|note| inline(&note)));
        more.for_each(|part| put!(text, ".IP\n{part}\n"));
    }
}

/// The spellings of an option, or the name of an argument.
fn heading(arg: &Arg) -> String {
    let values: Vec<String> = arg
        .get_value_names()
        .unwrap_or_default()
        .iter()
        .map(|name| format!("\\fI{}\\fR", escape(name)))
        .collect();
    let takes = arg.get_action().takes_values();
    if arg.is_positional() {
        return if values.is_empty() {
            format!("\\fI{}\\fR", escape(arg.get_id().as_str()))
        } else {
            values.join(" ")
        };
    }
    let short = arg.get_short_and_visible_aliases().unwrap_or_default().into_iter().map(|c| format!("-{c}"));
    let long =
        arg.get_long_and_visible_aliases().unwrap_or_default().into_iter().map(|name| format!("--{name}"));
    let names: Vec<String> = short.chain(long).map(|name| format!("\\fB{}\\fR", escape(&name))).collect();
    if takes { format!("{} {}", names.join(", "), values.join(" ")) } else { names.join(", ") }
}

/// Default, values and variable of an option.
fn notes(arg: &Arg) -> Vec<String> {
    let mut notes = Vec::new();
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !values.is_empty() {
        notes.push(format!("One of {}.", values.join(", ")));
    }
    let defaults: Vec<_> =
        arg.get_default_values().iter().map(|value| format!("`{}`", value.display())).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        notes.push(format!("The default is {}.", defaults.join(" ")));
    }
    if let Some(variable) = arg.get_env() {
        notes.push(format!("The variable `{}` sets it too.", variable.display()));
    }
    notes
}

/// The text after the options: examples as they are, the rest as paragraphs.
fn examples(command: &Command, text: &mut String) {
    let after = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    for part in after.unwrap_or_default().split("\n\n") {
        if let Some(lines) = part.strip_prefix("Examples:\n") {
            let lines: Vec<String> = lines.lines().map(|line| escape(line.trim())).collect();
            put!(text, ".SH EXAMPLES\n.EX\n{}\n.EE\n", lines.join("\n"));
        } else if let Some(codes) = part.strip_prefix("Exit codes: ") {
            put!(text, ".SH EXIT STATUS\n{}\n", inline(codes));
        } else if !part.is_empty() && !part.starts_with("Global options:") {
            paragraphs(part, text);
        }
    }
}

fn paragraphs(parts: &str, text: &mut String) {
    parts.split("\n\n").for_each(|part| paragraph(text, &part.replace('\n', " ")));
}
