//! `publish log`: the states of a suite, and what each changed.

use std::{fmt::Write as _, process::ExitCode};

use super::{
    diff::lines,
    failure::Failure,
    json,
    session::{Session, parse_suite},
    ui::{count, plain},
};
use crate::{
    archive::{Archive, Log, Note, Signature, State, Trust},
    names::Suite,
    store::Location,
};

/// So many packages of a state are told one by one without `--verbose`.
const FEW: usize = 20;

/// Shows the states of a suite that are kept: when, who, what was added and removed
///
/// The newest first; each is compared with the one before it, and named as `publish diff` takes it. Of packages `+` was
/// added, `-` removed, `^` is newer now, `v` older, `!` has other contents.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The suite [default: the only one there is]
    suite: Option<String>,

    /// How many states are shown
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    if let Location::Web(url) = &session.location {
        let hint = "name the folder or the bucket that it shows, such as `s3://BUCKET/PREFIX`; one state can be looked at by its whole name: `publish diff SUITE@STATE`";
        let text = format!("the states of `{url}` cannot be told: a web server does not say which there are");
        return Err(Failure::text(text, Some(hint.to_owned())));
    }
    let suite = suite(args, session).await?;
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let log = archive.log(&suite, usize::try_from(args.limit).unwrap_or(usize::MAX)).await?;
    if session.ui.json() {
        session.ui.object(&json::Log::from(&log));
        return Ok(ExitCode::SUCCESS);
    }
    session.ui.data(text(&log, session.ui.verbose()).as_bytes());
    if log.older > 0 {
        session.ui.say(&format!("{} kept: add `--limit NUMBER`", count(log.older, "older state")));
    }
    Ok(ExitCode::SUCCESS)
}

/// The suite that is meant: the one named, or the only one there is.
async fn suite(args: &Args, session: &Session<'_>) -> Result<Suite, Failure> {
    if let Some(name) = &args.suite {
        return Ok(session.codename(parse_suite(name)?));
    }
    let looking = Archive::new(session.store.clone(), Trust::unverified());
    match &session.suites_to_read(&looking, None).await?[..] {
        [only] => Ok(only.clone()),
        all => {
            let names: Vec<&str> = all.iter().map(Suite::as_str).collect();
            Err(Failure::usage(format!("the log of which suite? name one: `{}`", names.join("`, `"))))
        }
    }
}

fn text(log: &Log, all: bool) -> String {
    let mut text = String::new();
    for state in &log.states {
        if !text.is_empty() {
            text.push('\n');
        }
        let now = if state.current { " (published now)" } else { "" };
        let _ = writeln!(text, "{}@{}{now}", log.suite, plain(&state.generation));
        if let Some(date) = state.date {
            let _ = writeln!(text, "Date: {date}");
        }
        let _ = writeln!(text, "Signed: {}", signed(&state.signature));
        if let Some(note) = &state.note {
            told(note, &mut text);
        }
        changes(state, all, &mut text);
    }
    text
}

fn signed(signature: &Signature) -> String {
    let keys = signature.keys.join(", ");
    match signature {
        Signature { signed: false, .. } => "no".to_owned(),
        Signature { problem: Some(problem), .. } => {
            plain(&format!("the signature does not count: {problem}"))
        }
        Signature { verified: true, .. } => format!("by {keys}, verified"),
        _ => plain(&format!("by {keys}, not verified: the key is not known here")),
    }
}

fn told(note: &Note, text: &mut String) {
    let by: Vec<&str> =
        [&note.by, &note.project, &note.job].into_iter().flatten().map(String::as_str).collect();
    if !by.is_empty() {
        let _ = writeln!(text, "By: {}", plain(&by.join(", ")));
    }
    for (at, line) in note.message.iter().flat_map(|message| message.split('\n')).enumerate() {
        let line = format!("{} {}", if at == 0 { "Message:" } else { "        " }, plain(line));
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn changes(state: &State, all: bool, text: &mut String) {
    let mut put = |line: &str| {
        let _ = writeln!(text, "  {line}");
    };
    if let Some(problem) = &state.problem {
        put(&plain(problem));
    }
    match &state.differences {
        Some(differences) if differences.is_empty() => put("no package changed"),
        Some(differences) => {
            let shown = if all { differences.len() } else { FEW };
            lines(differences).take(shown).for_each(|line| put(&line));
            if let Some(more) = differences.len().checked_sub(shown).filter(|more| *more > 0) {
                put(&format!("and {} more: add `--verbose`", count(more, "difference")));
            }
        }
        None if state.oldest => put("the oldest state that is kept: there is none to compare it with"),
        None => {}
    }
}
