//! `publish log`: prints the generations of a suite, and the changes of each.

use std::{fmt::Write as _, process::ExitCode};

use super::{
    diff::lines,
    failure::Failure,
    json,
    session::{Session, no_suite},
    state,
    text::plain,
    ui::count,
};
use crate::{
    archive::{Archive, Log, LogEntry, Note, Signature, Trust, Which},
    names::Suite,
    store::Location,
};

/// Maximum number of changes that are printed per generation without `--verbose`.
const FEW: usize = 20;

/// Show the retained generations of a suite: date, signer, changes
///
/// The newest generation comes first, and each is compared with the previous one. `+` marks an added package, `-` a removed
/// one, `^` an upgrade, `v` a downgrade, `!` different contents under the same version. `publish diff` accepts the names.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish log\n\
\x20 publish log stable --limit 3 --verbose\n\
\x20 publish log stable@20250601")]
pub(super) struct Args {
    /// Suite to show, or the generation to begin at [default: the only suite]
    #[arg(value_name = "SUITE[@STATE]")]
    suite: Option<String>,

    /// Suite to show, instead of the argument
    #[arg(short, long = "suite", value_name = "SUITE[@STATE]", conflicts_with = "suite")]
    suite_option: Option<String>,

    /// Maximum number of generations to show
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    if let Location::Web(url) = &session.location {
        let hint = "name the folder or bucket behind it, such as `--archive s3://BUCKET/PREFIX`, or read one generation by its full name: `publish diff SUITE@GENERATION`";
        let text = format!("cannot list the generations of `{url}`: a web server has no listing");
        return Err(Failure::text(text, Some(hint.to_owned())));
    }
    let (suite, which) = suite(args, session).await?;
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    session.ui.step("Reading generations");
    let log =
        archive.log_from(&suite, which.as_ref(), usize::try_from(args.limit).unwrap_or(usize::MAX)).await?;
    if session.ui.json() {
        session.ui.object(&json::Log::from(&log));
        return Ok(ExitCode::SUCCESS);
    }
    session.ui.text(&text(&log, session.ui.verbose()));
    if log.older > 0 {
        session.ui.say(&format!("{} not shown: add `--limit NUMBER`", count(log.older, "older generation")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the named suite, else the only one.
async fn suite(args: &Args, session: &Session<'_>) -> Result<(Suite, Option<Which>), Failure> {
    if let Some(name) = args.suite.as_ref().or(args.suite_option.as_ref()) {
        let (suite, which) = state::parse(name)?;
        return Ok((session.codename(suite), which));
    }
    let looking = Archive::new(session.store.clone(), Trust::unverified());
    match &session.suites_to_read(&looking, None).await?[..] {
        [only] => Ok((only.clone(), None)),
        all => Err(no_suite(all)),
    }
}

fn text(log: &Log, all: bool) -> String {
    let mut text = String::new();
    for state in &log.entries {
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
            note_lines(note, &mut text);
        }
        changes(state, all, &mut text);
    }
    text
}

fn signed(signature: &Signature) -> String {
    let keys = signature.keys.join(", ");
    match signature {
        Signature { signed: false, .. } => "no".to_owned(),
        Signature { problem: Some(problem), .. } => plain(&format!("invalid signature: {problem}")),
        Signature { verified: true, .. } => format!("by {keys}, verified"),
        _ => plain(&format!("by {keys}, not verified: unknown key")),
    }
}

fn note_lines(note: &Note, text: &mut String) {
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

fn changes(state: &LogEntry, all: bool, text: &mut String) {
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
        None if state.oldest => put("oldest retained generation: nothing to compare it with"),
        None => {}
    }
}
