//! `publish check`: verifies an archive as a client would.

use std::{fmt::Write as _, process::ExitCode};

use super::{
    failure::{self, Failure},
    json::Checked,
    session::{Session, parse_suite},
    text::plain,
    ui::count,
};
use crate::{
    archive::{
        Archive, Check, Freshness, FreshnessState, KEY_FILE, PageUpdate, PageWritten, Remedy, Repaired,
        Report, SuiteReport, Trust, WentBack,
    },
    dists::layout::{self, INDEX_PAGE},
    names::Suite,
    store::{Location, Store},
};

/// Verify the archive as a client would: signatures, digests, pool files
///
/// Print one line for each fault, and exit with status 4 if there is one. An archive on the web (`https://`) is checked from
/// outside, without credentials: the cache headers of each file are checked too, and with --origin the freshness. On the web
/// only the size of each package is compared, unless --deep is given.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish check\n\
\x20 publish check --repair\n\
\x20 publish check https://deb.example.org/apt --suite stable --keyring example.asc")]
pub(super) struct Args {
    /// Archive to check, instead of --archive; or a name in conf/destinations
    #[arg(value_name = "LOCATION")]
    pub(super) location: Option<String>,

    /// Check only this suite; repeatable; required on the web
    #[arg(short, long, value_name = "SUITE")]
    suite: Vec<String>,

    /// Trust only these public keys, like `Signed-By` on a client; repeatable
    #[arg(long, value_name = "FILE")]
    keyring: Vec<String>,

    /// Compare with the origin of the archive (a folder, a bucket or a URL); a suite that is staler than caches allow is a fault
    #[arg(long, value_name = "LOCATION")]
    origin: Option<String>,

    /// Download every package completely, from a web server too, and verify that no part of it is missing
    #[arg(long)]
    deep: bool,

    /// First finish interrupted commits, and restore lost indices, lost or damaged release files, and the key file
    #[arg(long)]
    repair: bool,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = session.archive(tokio::task::block_in_place(|| trust(args, session))?);
    let suites = suites(args, session, &archive).await?;
    let repaired = if args.repair {
        repair(&archive, &suites, args.keyring.is_empty(), session).await?
    } else {
        Repaired::default()
    };
    let origin = match &args.origin {
        None => None,
        Some(text) => {
            let location = session.location_of(text)?;
            Some(Store::open(&location, &session.environment)?.with_linked_folders(&layout::TREES))
        }
    };
    let check = Check {
        suites: &suites,
        deep: args.deep,
        clients_keys: !args.keyring.is_empty(),
        origin: origin.as_ref(),
        files: None,
    };
    session.ui.step("Reading the archive");
    let report = archive.check(&check, &session.events()).await?;
    // On the web, only the publisher of the archive can do anything.
    let remedies = report.remedies.iter().filter(|_| !matches!(session.location, Location::Web(_)));
    let remedies = remedies.filter(|remedy| !(args.repair && **remedy == Remedy::Repair));
    let hints: Vec<String> = remedies.map(hint).collect();
    if session.ui.json() {
        session.ui.object(&Checked::new(&report, repaired, hints));
    } else {
        print_report(&report, &hints, session);
    }
    Ok(if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(failure::DAMAGE) })
}

/// Returns the trusted keys: those of `--keyring`, else the configured ones.
fn trust(args: &Args, session: &Session<'_>) -> Result<Trust, Failure> {
    if args.keyring.is_empty() {
        return Ok(session.trust_to_read());
    }
    // A client with Signed-By rejects unsigned suites.
    Ok(session.trust_in(&args.keyring)?.read_unverified())
}

/// Returns the named suites, else all: also snapshots, and suites whose release file is lost.
///
/// Opens none of them, so that the check itself reports damage.
async fn suites(args: &Args, session: &Session<'_>, archive: &Archive) -> Result<Vec<Suite>, Failure> {
    if let Location::Web(_) = session.location {
        if args.suite.is_empty() {
            session.require_name_on_web()?;
        }
        return args.suite.iter().map(|name| parse_suite(name)).collect();
    }
    let mut there = archive.suites_to_check().await?;
    if args.suite.is_empty() {
        there.extend(unreadable(session, archive, &there).await);
        return if there.is_empty() { session.suites_to_read(archive, None).await } else { Ok(there) };
    }
    let mut suites = Vec::new();
    for name in &args.suite {
        match there.iter().find(|suite| suite.as_str() == name) {
            Some(suite) => suites.push(suite.clone()),
            // The name may be an alias from the configuration, or a link.
            None => suites.extend(session.suites_to_read(archive, Some(name)).await?),
        }
    }
    Ok(suites)
}

/// Returns the configured suites that a listing does not show although they exist, such as one behind a link that leads
/// out of the archive: other commands fail there.
async fn unreadable(session: &Session<'_>, archive: &Archive, there: &[Suite]) -> Vec<Suite> {
    let mut found = Vec::new();
    for suite in session.config.suites.iter().map(|suite| &suite.codename) {
        if !there.contains(suite) && archive.suite(suite).await.is_err() {
            found.push(suite.clone());
        }
    }
    found
}

/// Repairs the suites, and the keys for clients unless the trusted keys are those of a client.
async fn repair(
    archive: &Archive,
    suites: &[Suite],
    with_keys: bool,
    session: &Session<'_>,
) -> Result<Repaired, Failure> {
    let mut all = Repaired::default();
    for suite in suites {
        let repaired = archive.repair(suite).await?;
        for path in &repaired.restored {
            session.ui.say(&format!("Repaired {path}"));
        }
        for path in &repaired.removed {
            session.ui.say(&format!(
                "Removed {path}, which is damaged: clients read `Release` and `Release.gpg` until `publish refresh --force` writes it again"
            ));
        }
        for WentBack { suite, from, to, generation, .. } in &repaired.rolled_back {
            session.ui.warn(&format!(
                "suite `{suite}` was restored from the generation of {from} to `{generation}` of {to}: no intact copy of the newer one was found; publish the changes since then again"
            ));
        }
        for path in &repaired.lost {
            session.ui.warn(&format!("`{path}` cannot be restored: no intact copy was found"));
        }
        all.merge(repaired);
    }
    if with_keys && archive.repair_client_keys().await? {
        session.ui.say(&format!("Repaired {KEY_FILE}"));
        all.restored.push(KEY_FILE.to_owned());
    }
    if with_keys {
        for path in archive.write_client_files(&session.site(), None).await?.written {
            session.ui.say(&format!("Repaired {path}"));
            all.restored.push(path);
        }
        let site = session.site();
        for suite in suites {
            let web_page = session.config.find(suite.as_str()).and_then(|suite| suite.web_page);
            let update = PageUpdate::new(suite, web_page, &site, session.now);
            if archive.write_page(&PageUpdate { verify: true, ..update }).await? == PageWritten::Written {
                session.ui.say(&format!("Repaired {INDEX_PAGE} for suite `{suite}`"));
                all.restored.push(INDEX_PAGE.to_owned());
            }
        }
    }
    Ok(all)
}

/// Prints each suite, then notes, then faults, then hints.
fn print_report(report: &Report, hints: &[String], session: &Session<'_>) {
    for state in &report.states {
        session.ui.block(&seen(state));
    }
    for note in &report.notes {
        session.ui.say(&format!("note: {}", plain(note)));
    }
    if report.own_keys {
        session.ui.say("hint: verify with the keys of the clients: add `--keyring FILE`");
    }
    let faults =
        report.faults.iter().map(|fault| format!("{}: {}\n", plain(&fault.path), plain(&fault.problem)));
    session.ui.text(&faults.collect::<String>());
    session.ui.say(&format!(
        "Checked {}, {}, {}: {}",
        count(report.suites.len(), "suite"),
        count(report.packages, "package"),
        count(report.files, "file"),
        if report.faults.is_empty() { "no faults".to_owned() } else { count(report.faults.len(), "fault") }
    ));
    for hint in hints {
        session.ui.say(&format!("hint: {hint}"));
    }
}

/// Describes the command that mends a fault.
fn hint(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Repair => "restore what has a copy with `publish check --repair`".to_owned(),
        Remedy::Export(suite) => {
            format!("write what is made from the packages again with `publish export {suite}`")
        }
        Remedy::Sign(suite) => format!(
            "compare both files, and if the changes are correct, sign them with `publish refresh --suite {suite} --trust-existing`"
        ),
        Remedy::Drop(suite) => {
            format!("if no `publish drop` is running, finish the removal with `publish drop {suite}`")
        }
    }
}

/// Describes a suite in a few lines.
fn seen(state: &SuiteReport) -> String {
    let mut text = format!("Suite `{}`", state.suite);
    if state.pointer.is_none() {
        return text + ": cannot be read";
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
        let name = signature.user_ids.first().map(|name| format!(" ({})", plain(name))).unwrap_or_default();
        let verdicts: Vec<String> =
            signature.verdicts.iter().map(|verdict| format!("{} {}", verdict.reader, verdict.text)).collect();
        let _ = write!(text, "\n  signed by {}{name}: {}", signature.key, verdicts.join(", "));
    }
    // Nothing below an untrusted release file was read.
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
            let _ = write!(text, "\n  Cache-Control `{control}`");
        }
        (Some(control), Some(age)) => {
            let _ = write!(text, "\n  Cache-Control `{control}`, cached for {age} s");
        }
        (None, Some(age)) => {
            let _ = write!(text, "\n  cached for {age} s");
        }
        (None, None) => {}
    }
    if let Some(freshness) = &state.freshness {
        let _ = write!(text, "\n  {}", freshness_line(freshness));
    }
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn freshness_line(freshness: &Freshness) -> String {
    let Freshness { state, origin_date, behind_seconds, .. } = freshness;
    let origin = origin_date.as_deref().unwrap_or("nothing");
    match (state, behind_seconds) {
        (FreshnessState::Fresh, _) => "fresh: same as the origin".to_owned(),
        (FreshnessState::Behind, Some(seconds)) => {
            format!("behind: the origin has had {origin} for {seconds} s")
        }
        (FreshnessState::Behind, None) => format!("behind: the origin has {origin}"),
        (FreshnessState::Ahead, _) => format!("ahead: the origin has {origin}"),
        (FreshnessState::Diverged, _) => format!("diverged: the origin has {origin}"),
    }
}

fn plural(number: usize, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {more}", indicatif::HumanCount(number as u64)) }
}
