//! `publish sync`: another store is made to serve this archive.

use std::{process::ExitCode, time::Instant};

use super::{
    Failure,
    failure::{self, Told},
    session::{self, Session},
    sources::{self, Client},
    ui::{Ui, count},
};
use crate::{
    archive::{Archive, KEY_FILE, Sync, Synced},
    names::Suite,
    signing::Keyring,
    store::{Location, Store, bytes},
};

/// So many failures are told one by one.
const FEW: usize = 20;

/// Makes another store serve this archive: a bucket, a container, a folder
///
/// Finds out what lacks there by comparing the indices of both sides, and sends it in the order that no client notices:
/// packages and indices first, then the pointer of the suite in one step. Cut off at any moment, it goes on where it ended
/// when it is run again. Nothing is deleted.
#[derive(Debug, clap::Args)]
#[expect(clippy::doc_markdown, reason = "these comments are the help text")]
pub struct Args {
    /// Where to: a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or swift://CONTAINER/PREFIX
    #[arg(value_name = "DESTINATION")]
    destination: String,

    /// Only this suite; may be repeated
    #[arg(short, long)]
    suite: Vec<String>,

    /// Carries these files too: a name, or a pattern with `*` and `?`; may be repeated
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,

    /// How many objects are sent at once
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,

    /// Carries a suite even if the destination has a newer one
    #[arg(long)]
    allow_older: bool,

    /// Where clients read the destination, for the `.sources` stanza
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,

    /// Tells what would be done, and does nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// What `--json` gives.
#[derive(serde::Serialize)]
struct Report<'a> {
    destination: String,
    #[serde(flatten)]
    synced: &'a Synced,
    seconds: f64,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let location = Location::parse(&args.destination, &session.current)
        .map_err(|error| Failure::usage(error.to_string()))?;
    if location == session.location {
        return Err(Failure::usage(format!("`{location}` is the archive itself")));
    }
    let destination = Store::open(&location, &session.environment)?;
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let suites = suites(&archive, session, &args.suite).await?;
    let events = session.events();
    let how = Sync {
        suites: &suites,
        include: &args.include,
        allow_older: args.allow_older,
        at_once: args.concurrency.into(),
        dry_run: args.dry_run,
        events: &events,
    };
    let synced = archive.sync(&destination, &how).await?;
    let seconds = started.elapsed().as_secs_f64();
    if session.ui.json() {
        session.ui.object(&Report { destination: location.to_string(), synced: &synced, seconds });
    } else {
        tell(&synced, &location, seconds, session.ui);
    }
    if !synced.failed.is_empty() {
        return Err(failed(&synced, &location));
    }
    if !args.dry_run && synced.suites.iter().any(|suite| suite.first && suite.published) && !session.ui.json()
    {
        stanzas(&synced, &location, args.public_url.as_deref(), &destination, session.ui).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The suites that are to be carried: those named, else all, under each of their names.
async fn suites(archive: &Archive, session: &Session<'_>, named: &[String]) -> Result<Vec<Suite>, Failure> {
    if !named.is_empty() {
        return named.iter().map(|name| session::parse_suite(name)).collect();
    }
    let mut found = archive.suite_folders().await?;
    // A suite within the folder of another (`bookworm/updates`) is found by its name alone.
    for suite in session.suites_to_read(archive, None).await? {
        if !found.contains(&suite) {
            found.push(suite);
        }
    }
    Ok(found)
}

fn tell(synced: &Synced, location: &Location, seconds: f64, ui: &Ui) {
    let size = bytes(synced.sent.iter().map(|sent| sent.bytes).sum());
    let objects = count(synced.sent.len(), "object");
    if synced.dry_run {
        ui.say(&format!("Would send {objects}, {size}, to {location}; nothing was sent"));
        for sent in &synced.sent {
            ui.detail(&format!("  {} ({})", sent.path, bytes(sent.bytes)));
        }
        return;
    }
    for suite in synced.suites.iter().filter(|suite| suite.published) {
        ui.say(&format!("Published suite `{}` in {location}", suite.suite));
    }
    if synced.sent.is_empty() && synced.failed.is_empty() {
        ui.say(&format!("Nothing to do: {location} serves this archive already"));
    } else {
        let there = indicatif::HumanCount(synced.there as u64);
        ui.say(&format!("Sent {objects}, {size}, in {seconds:.1} s; {there} were there already"));
    }
}

fn failed(synced: &Synced, location: &Location) -> Failure {
    let mut errors: Vec<Told> =
        synced.failed.iter().take(FEW).map(|failed| Failure::of(failed, None).errors.remove(0)).collect();
    let hint = "run the same command again once that is mended: what was sent is not sent again".to_owned();
    if let Some(last) = errors.last_mut() {
        last.hint = Some(hint);
    }
    let summary = format!(
        "{} could not be carried to {location}; the suites that need them were left there as they were",
        count(synced.failed.len(), "file")
    );
    Failure { code: failure::FAILED, errors, summary: Some(summary) }
}

/// Tells how clients read what was published for the first time.
async fn stanzas(
    synced: &Synced,
    location: &Location,
    public_url: Option<&str>,
    destination: &Store,
    ui: &Ui,
) -> Result<(), Failure> {
    let mut keys = Keyring::new();
    if let Some(object) = destination.read(KEY_FILE).await? {
        keys.add_bytes(KEY_FILE, &object.bytes)?;
    }
    if ui.quiet() {
        return Ok(());
    }
    ui.say("\nClients read it with this in /etc/apt/sources.list.d/, as a file that ends in `.sources`:\n");
    for (number, suite) in synced.suites.iter().filter(|suite| suite.first && suite.published).enumerate() {
        let client =
            Client { public_url, suite: &suite.suite, components: &suite.components, signed: suite.signed };
        let stanza = sources::stanza(location, &client, &keys)?;
        let separator = if number == 0 { "" } else { "\n" };
        ui.data(format!("{separator}{stanza}").as_bytes());
    }
    Ok(())
}
