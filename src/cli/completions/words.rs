//! The place of the cursor in a command line, and the words that are possible there; pure.

use std::collections::BTreeMap;

use clap::{Arg, Command};

use super::archive::Kind;
use crate::guide::TOPICS;

/// A word with its description.
pub(super) type Candidate = (String, String);

/// The possible words at a place.
#[derive(Debug)]
pub(super) enum Wanted {
    /// These; none for a file.
    Known(Vec<Candidate>),
    /// Those of the archive.
    OfArchive(Kind),
}

/// The place of the cursor.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) wanted: Wanted,
    /// The part of the word that is not completed, such as `--suite=`.
    pub(super) before: String,
    /// The part that is completed.
    pub(super) typed: String,
    /// The values of options and arguments so far, by the name of the option or of its value.
    pub(super) given: BTreeMap<String, &'a str>,
}

/// Finds the place after these words, the last of which is being typed. The command must be built.
pub(super) fn place<'a>(root: &Command, words: &'a [String]) -> Place<'a> {
    let (last, words) = words.split_last().map_or(("", words), |(last, words)| (last.as_str(), words));
    let mut command = root;
    let mut given: BTreeMap<String, &'a str> = BTreeMap::new();
    let (mut waiting, mut positions, mut only_positions): (Option<&Arg>, usize, bool) = (None, 0, false);
    let mut path: Vec<&str> = Vec::new();
    for word in words {
        if let Some(arg) = waiting.take() {
            given.insert(arg.get_id().to_string(), word);
        } else if !only_positions && word == "--" {
            only_positions = true;
        } else if !only_positions && word.starts_with('-') && word.len() > 1 {
            waiting = option(command, word, &mut given);
        } else if let Some(below) =
            command.find_subcommand(word).filter(|_| positions == 0 && !only_positions)
        {
            command = below;
            path.push(below.get_name());
        } else {
            positions += 1;
        }
    }
    let known = |wanted, before: &str, typed: &str| (wanted, before.to_owned(), typed.to_owned());
    let (wanted, before, typed) = if let Some(arg) = waiting {
        known(values(arg, &path), "", last)
    } else if let Some((name, value)) =
        last.split_once('=').filter(|_| last.starts_with("--") && !only_positions)
    {
        match long(command, name.trim_start_matches('-')) {
            Some(arg) => known(values(arg, &path), &format!("{name}="), value),
            None => known(Wanted::Known(Vec::new()), "", last),
        }
    } else if last.starts_with('-') && !only_positions {
        known(Wanted::Known(options(command)), "", last)
    } else if command.has_subcommands() && positions == 0 {
        known(Wanted::Known(commands(command)), "", last)
    } else {
        let all: Vec<&Arg> = command.get_positionals().collect();
        let at = all
            .get(positions)
            .or(all.last().filter(|last| last.get_num_args().is_some_and(|n| n.max_values() > 1)));
        known(at.map_or(Wanted::Known(Vec::new()), |arg| values(arg, &path)), "", last)
    };
    // `hello=2.0` names a version, which is not completed.
    Place { wanted, before, typed, given }
}

/// Records an option and its value; returns the option if its value is the next word.
fn option<'a, 'w>(
    command: &'a Command,
    word: &'w str,
    given: &mut BTreeMap<String, &'w str>,
) -> Option<&'a Arg> {
    if let Some(name) = word.strip_prefix("--") {
        let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
        let arg = long(command, name).filter(|arg| arg.get_action().takes_values())?;
        if let Some(value) = value {
            given.insert(arg.get_id().to_string(), value);
            return None;
        }
        return Some(arg);
    }
    for (at, c) in word.char_indices().skip(1) {
        let is = |arg: &&Arg| arg.get_short_and_visible_aliases().is_some_and(|all| all.contains(&c));
        let arg = command.get_arguments().find(is)?;
        if arg.get_action().takes_values() {
            let value = &word[at + c.len_utf8()..];
            if value.is_empty() {
                return Some(arg);
            }
            given.insert(arg.get_id().to_string(), value);
            return None;
        }
    }
    None
}

fn long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command
        .get_arguments()
        .find(|arg| arg.get_long_and_visible_aliases().is_some_and(|all| all.contains(&name)))
}

/// The possible values of an option or argument.
fn values(arg: &Arg, path: &[&str]) -> Wanted {
    let fixed = arg.get_possible_values();
    if !fixed.is_empty() {
        let about = |value: &clap::builder::PossibleValue| {
            value.get_help().map(ToString::to_string).unwrap_or_default()
        };
        return Wanted::Known(
            fixed.iter().map(|value| (value.get_name().to_owned(), about(value))).collect(),
        );
    }
    let name = arg.get_value_names().and_then(<[_]>::first).map_or("", |name| name.as_str());
    let id = arg.get_id().as_str();
    match (path.first().copied(), name) {
        (Some("init"), _) => Wanted::Known(Vec::new()),
        (_, "SUITE") => Wanted::OfArchive(Kind::Suites),
        (Some("diff"), "A" | "B") => Wanted::OfArchive(Kind::States),
        (_, "SUITE[@STATE]") => Wanted::OfArchive(Kind::SuitesFirst),
        (_, "GENERATION") => Wanted::OfArchive(Kind::Generations),
        (_, "NAME[=VERSION]") if id == "source" => Wanted::OfArchive(Kind::Sources),
        (_, "NAME[=VERSION]" | "PATTERN") | (Some("prune"), "NAME") => Wanted::OfArchive(Kind::Packages),
        (_, "DESTINATION" | "LOCATION" | "LOCATION[#SUITE[@STATE]]") => Wanted::OfArchive(Kind::Destinations),
        (_, "TOPIC|COMMAND") => {
            let topics = TOPICS.iter().map(|topic| (topic.name.to_owned(), topic.summary.to_owned()));
            Wanted::Known(topics.collect())
        }
        _ => Wanted::Known(Vec::new()),
    }
}

fn options(command: &Command) -> Vec<Candidate> {
    let shown = command.get_arguments().filter(|arg| !arg.is_positional());
    let named = shown.filter_map(|arg| {
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        Some((format!("--{}", arg.get_long()?), about))
    });
    let mut all: Vec<Candidate> = named.collect();
    all.sort();
    all
}

fn commands(command: &Command) -> Vec<Candidate> {
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    let about = |below: &Command| below.get_about().map(ToString::to_string).unwrap_or_default();
    shown.map(|below| (below.get_name().to_owned(), about(below))).collect()
}
