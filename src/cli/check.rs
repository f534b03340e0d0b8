//! `publish check`: an archive read as a client reads it.

use std::{fmt::Write as _, path::Path, process::ExitCode};

use super::{
    failure::{self, Failure},
    json::Checked,
    session::{Session, parse_suite},
    ui::{count, plain},
};
use crate::{
    archive::{Archive, Check, Freshness, FreshnessState, Repaired, Report, SuiteReport, Trust},
    dists::layout,
    names::Suite,
    signing::Keyring,
    store::{Location, Store},
};

/// Reads the archive as a client would: signature, every digest, every pool file
///
/// Prints one line for each fault, and ends with status 4 if there is any. An archive on the web (`https://`) is looked at from
/// outside, without credentials: besides, what caches are told of each file, and with --origin whether what is shown is what
/// the origin has. There packages are compared by their size, with --deep by all of their bytes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive, instead of the one that `--archive` names
    #[arg(value_name = "LOCATION")]
    pub(super) location: Option<String>,

    /// Only this suite; repeatable, and needed on the web
    #[arg(short, long, value_name = "SUITE")]
    suite: Vec<String>,

    /// Believe these public keys and no others, as `Signed-By` of a client does; repeatable
    #[arg(long, value_name = "FILE")]
    keyring: Vec<String>,

    /// Compare with where it comes from: a folder, a bucket or a URL; an older state than caches may show is a fault
    #[arg(long, value_name = "LOCATION")]
    origin: Option<String>,

    /// Read every package to its last byte from a web server too
    #[arg(long)]
    deep: bool,

    /// First restores what can be restored: what a killed publisher left undone, lost indices, a lost or damaged release file
    #[arg(long)]
    repair: bool,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = session.archive(tokio::task::block_in_place(|| trust(args, session))?);
    let suites = suites(args, session, &archive).await?;
    let repaired = if args.repair { repair(&archive, &suites, session).await? } else { Repaired::default() };
    let origin = match &args.origin {
        None => None,
        Some(text) => {
            let location =
                Location::parse(text, &session.current).map_err(|error| Failure::usage(error.to_string()))?;
            Some(Store::open(&location, &session.environment)?.with_linked_folders(&layout::TREES))
        }
    };
    let check = Check {
        suites: &suites,
        deep: args.deep,
        clients_keys: !args.keyring.is_empty(),
        origin: origin.as_ref(),
    };
    let report = archive.check(&check, &session.events()).await?;
    if session.ui.json() {
        session.ui.object(&Checked::new(&report, repaired));
    } else {
        tell(&report, session);
    }
    Ok(if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(failure::DAMAGE) })
}

/// Whose signatures are believed: of the keys that clients have, where those are given.
fn trust(args: &Args, session: &Session<'_>) -> Result<Trust, Failure> {
    if args.keyring.is_empty() {
        return Ok(session.trust_to_read());
    }
    let mut keyring = Keyring::new();
    for name in &args.keyring {
        let bytes = crate::regular::read(&session.current.join(name))
            .map_err(|error| Failure::file(&error, Path::new(name), "read"))?;
        keyring.add_bytes(name, &bytes)?;
    }
    // Who has a key in Signed-By refuses what is not signed.
    Ok(Trust::keyring(keyring, session.now).read_unverified())
}

/// The suites that are meant: those named, or all that are there, snapshots and those that lost their release file among
/// them. None of them is opened here: damage is for the check to find.
async fn suites(args: &Args, session: &Session<'_>, archive: &Archive) -> Result<Vec<Suite>, Failure> {
    if let Location::Web(url) = &session.location {
        if args.suite.is_empty() {
            return Err(Failure::usage(format!(
                "which suite? name it with `--suite`: a web server such as `{url}` does not tell which there are"
            )));
        }
        return args.suite.iter().map(|name| parse_suite(name)).collect();
    }
    let there = archive.suites_to_check().await?;
    if args.suite.is_empty() {
        return if there.is_empty() { session.suites_to_read(archive, None).await } else { Ok(there) };
    }
    let mut suites = Vec::new();
    for name in &args.suite {
        match there.iter().find(|suite| suite.as_str() == name) {
            Some(suite) => suites.push(suite.clone()),
            // By a name that the configuration or a link gives it, or not at all.
            None => suites.extend(session.suites_to_read(archive, Some(name)).await?),
        }
    }
    Ok(suites)
}

async fn repair(archive: &Archive, suites: &[Suite], session: &Session<'_>) -> Result<Repaired, Failure> {
    let mut all = Repaired::default();
    for suite in suites {
        let repaired = archive.repair(suite).await?;
        for path in &repaired.restored {
            session.ui.say(&format!("Repaired {path}"));
        }
        for path in &repaired.lost {
            session.ui.warn(&format!("`{path}` cannot be restored from what is there"));
        }
        all.restored.extend(repaired.restored);
        all.lost.extend(repaired.lost);
    }
    Ok(all)
}

/// Tells people: what was seen, what is to be known, what is wrong.
fn tell(report: &Report, session: &Session<'_>) {
    for state in &report.states {
        session.ui.say(&seen(state));
    }
    for note in &report.notes {
        session.ui.say(&format!("note: {}", plain(note)));
    }
    if report.own_keys {
        session.ui.say("hint: name the keys that clients have with `--keyring FILE`");
    }
    let faults =
        report.faults.iter().map(|fault| format!("{}: {}\n", plain(&fault.path), plain(&fault.problem)));
    session.ui.data(faults.collect::<String>().as_bytes());
    session.ui.say(&format!(
        "Checked {}, {}, {}: {}",
        count(report.suites.len(), "suite"),
        count(report.packages, "package"),
        count(report.files, "file"),
        if report.faults.is_empty() {
            "all is as it should be".to_owned()
        } else {
            count(report.faults.len(), "fault")
        }
    ));
}

/// What was seen of a suite, in a few lines.
fn seen(state: &SuiteReport) -> String {
    let mut text = format!("Suite `{}`", state.suite);
    if state.pointer.is_none() {
        return text + ": it could not be read";
    }
    if let Some(date) = &state.date {
        let _ = write!(text, " of {date}");
    }
    if let Some(until) = &state.valid_until {
        let _ = write!(text, ", valid until {until}");
    }
    if !state.signed {
        text.push_str("\n  not signed");
    }
    for signature in &state.signed_by {
        let name = signature.user_ids.first().map(|name| format!(" ({name})")).unwrap_or_default();
        let verdicts: Vec<String> =
            signature.verdicts.iter().map(|verdict| format!("{} {}", verdict.reader, verdict.text)).collect();
        let _ = write!(text, "\n  signed by {}{name}: {}", signature.key, verdicts.join(", "));
    }
    // Below a pointer that is not believed nothing was looked at.
    if state.date.is_some() {
        let _ = write!(
            text,
            "\n  {}, {}, {}",
            plural(state.indices, "index", "indices"),
            count(state.packages, "package"),
            count(state.pool_files, "pool file")
        );
    }
    match (&state.cache_control, state.age_seconds) {
        (Some(control), None) => {
            let _ = write!(text, "\n  caches are told `{control}` of the pointer");
        }
        (Some(control), Some(age)) => {
            let _ =
                write!(text, "\n  caches are told `{control}` of the pointer, and have kept it for {age} s");
        }
        (None, Some(age)) => {
            let _ = write!(text, "\n  a cache has kept the pointer for {age} s");
        }
        (None, None) => {}
    }
    if let Some(freshness) = &state.freshness {
        let _ = write!(text, "\n  {}", standing(freshness));
    }
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn standing(freshness: &Freshness) -> String {
    let Freshness { standing, origin_date, behind_seconds, .. } = freshness;
    let origin = origin_date.as_deref().unwrap_or("nothing");
    match (standing, behind_seconds) {
        (FreshnessState::Fresh, _) => "fresh: the origin has the same".to_owned(),
        (FreshnessState::Behind, Some(seconds)) => {
            format!("behind: the origin has {origin}, for {seconds} s")
        }
        (FreshnessState::Behind, None) => format!("behind: the origin has {origin}"),
        (FreshnessState::Ahead, _) => format!("ahead of the origin, which has {origin}"),
        (FreshnessState::Strange, _) => format!("not of the origin, which has {origin}"),
    }
}

fn plural(number: usize, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {more}", indicatif::HumanCount(number as u64)) }
}
