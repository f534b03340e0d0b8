//! `publish sync`: copies the archive to another store.

mod target;
mod links;
mod args;

pub(super) use args::Args;

use std::{path::Path, process::ExitCode, time::Instant};

use super::{
    failure::{Failure, Problem},
    json,
    session::Session,
    sources,
    ui::{Ui, count},
};
use crate::size::bytes;
use crate::{
    archive::{
        Archive, ClientSuite, Failed, FailedBecause, KEY_FILE, Sync, Synced, SyncedSuite, Trust, snapshot_of,
    },
    dists::layout::{ArchivePath, SuitePath},
    names::Suite,
    purge::{self, Purged},
    signing::Keyring,
    store::{Location, Requests, Store},
};
use links::Link;
use target::Target;

/// Maximum number of failed files that are printed.
const FEW: usize = 20;

/// The result for one destination.
struct Report {
    destination: String,
    name: Option<String>,
    synced: Synced,
    requests: Requests,
    purged: Option<Purged>,
    seconds: f64,
}

impl Report {
    fn document(&self) -> json::Destination {
        let place = (self.destination.as_str(), self.name.as_deref());
        json::Destination::new(place, &self.synced, self.requests, self.purged.as_ref(), self.seconds)
    }
}

/// The names in conf/destinations, if they can be read.
pub(super) fn destination_names(session: &Session<'_>) -> Option<std::collections::BTreeSet<String>> {
    let known = session.destinations().ok()?;
    Some(known.all.into_iter().map(|known| known.name).collect())
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let targets = Target::all(args, session)?;
    let trust = if args.keyring.is_empty() {
        tokio::task::block_in_place(|| session.trust_to_read())
    } else {
        session.adopting(session.trust_in(&args.keyring)?)
    };
    let mut archive = session.archive(trust);
    archive.store = archive.store.revalidating();
    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for target in &targets {
        // An unreachable destination must not stop the others.
        match Box::pin(carry(&archive, target, args, session)).await {
            Ok((report, failure)) => {
                reports.push(report);
                failures.extend(failure);
            }
            Err(failure) => failures.push(failure),
        }
    }
    if session.ui.json() && failures.is_empty() {
        let destinations = reports.iter().map(Report::document).collect();
        session.ui.object(&json::Synced { destinations });
    }
    match failures.into_iter().reduce(Failure::and) {
        None => Ok(ExitCode::SUCCESS),
        Some(failure) => Err(failure),
    }
}

/// Syncs to one destination; a failure after the first write is returned beside the report.
async fn carry(
    archive: &Archive,
    target: &Target,
    args: &Args,
    session: &Session<'_>,
) -> Result<(Report, Option<Failure>), Failure> {
    let started = Instant::now();
    let destination = target.open(session)?;
    let (mut suites, mut names) = suites(archive, session, &target.suites).await?;
    links::add_published(&mut suites, &names, &destination).await?;
    names.retain(|link| suites.contains(&link.name) && suites.contains(&link.target));
    // Targets of `Archive:` come first: an interrupted sync leaves moved versions in both suites, never in none.
    suites.sort_by_key(|suite| {
        let configured = session.config.find(suite.as_str());
        configured.map_or(0, |suite| session.config.archives_of(suite).count())
    });
    // Names that lead to another suite are linked once that is there.
    let (linked, copied): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|link| link.is_possible(&target.location));
    suites.retain(|suite| linked.iter().all(|link| link.name != *suite));
    let events = session.events();
    let how = Sync {
        suites: &suites,
        include: &target.include,
        subset: target.subset.clone(),
        ignore_missing: target.ignore_missing,
        verify: args.verify,
        delete: target.delete,
        allow_older: args.allow_older,
        at_once: args.concurrency.into(),
        now: session.now,
        dry_run: args.dry_run,
        site: target.site(session),
        events: &events,
        stop: Some(session.ui.stop()),
    };
    session.ui.destination(&target.location.to_string());
    session.ui.step("Comparing with the destination");
    let synced = Box::pin(archive.sync(&destination, &how)).await?;
    let mut report = Report {
        destination: target.location.to_string(),
        name: target.name.clone(),
        synced,
        requests: destination.requests(),
        purged: None,
        seconds: started.elapsed().as_secs_f64(),
    };
    print_report(&report, session.ui);
    for path in &report.synced.missing {
        session.ui.warn(&format!(
            "the source does not have `{path}`, which its index lists: the copy has no such file"
        ));
    }
    for suite in
        report.synced.suites.iter().filter(|suite| suite.published && suite.signed && !suite.verified)
    {
        let why = if archive.trust.keys().is_empty() {
            "no public key is known; name the keys with `--keyring FILE`, which later changes of the suite will require"
        } else {
            "`--trust-existing` copies it as it is; later changes of the suite will require a key that verifies it"
        };
        session.ui.warn(&format!("the signature of suite `{}` was not verified: {why}", suite.suite));
    }
    let is_complete = report.synced.errors.is_empty() && report.synced.failed.is_empty();
    if is_complete && !args.dry_run {
        record_names(&report, &destination, &copied).await?;
    }
    for link in linked.iter().filter(|_| is_complete && !args.dry_run) {
        let made = link.make(&target.location);
        let made =
            made.map_err(|error| Failure::file(&error, Path::new(link.name.as_str()), "link the suite"))?;
        if made {
            session
                .ui
                .say(&format!("Linked suite `{}` to `{}` in {}", link.name, link.target, report.destination));
        }
    }
    let errors = std::mem::take(&mut report.synced.errors);
    let left = (!report.synced.failed.is_empty()).then(|| failed(&report));
    let mut failure = errors.into_iter().map(Failure::from).chain(left).reduce(Failure::and);
    if let Some(url) = target.public_url.as_ref().filter(|_| !report.synced.changed.is_empty()) {
        let urls = purge::urls(url, &report.synced.changed);
        let name = target.name.as_deref().unwrap_or(&report.destination);
        match purge::purge(&target.purge, &urls, name, &session.environment).await {
            Ok(purged) => {
                for by in &purged.by {
                    session.ui.say(&format!("Purged {} by {by}", count(purged.urls, "URL")));
                }
                report.purged = Some(purged);
            }
            Err(error) => failure = Some(failure.into_iter().fold(error.into(), Failure::and)),
        }
    }
    if failure.is_none() && !args.dry_run && !session.ui.json() && !session.ui.quiet() {
        stanzas(&report.synced, target, &destination, session).await?;
    }
    Ok((report, failure))
}

/// Records which of the copied suites are other names of others here: commits at the destination then publish all names.
async fn record_names(report: &Report, destination: &Store, copied: &[Link]) -> Result<(), Failure> {
    let there = Archive::new(destination.clone(), Trust::unverified());
    for suite in &report.synced.suites {
        match copied.iter().find(|link| link.name == suite.suite) {
            Some(link) => there.record_other_name(&link.target, &link.name).await?,
            // It may have been another name before.
            None if suite.published && suite.has_other_name => there.forget_other_name(&suite.suite).await?,
            None => {}
        }
    }
    Ok(())
}

/// Returns the suites to sync: the named ones, else all, under each of their names; and the other names of suites.
async fn suites(
    archive: &Archive,
    session: &Session<'_>,
    named: &[Suite],
) -> Result<(Vec<Suite>, Vec<Link>), Failure> {
    if named.is_empty() {
        session.require_name_on_web()?;
    }
    if let Location::Web(_) = session.location {
        return Ok((named.to_vec(), Vec::new()));
    }
    let (found, recorded) = archive.suite_folders_and_names().await?;
    let links = links::of(&found, recorded, archive.store().location());
    if !named.is_empty() {
        let folder = |suite: &Suite| match session.config.find(suite.as_str()) {
            Some(configured) if !found.contains(suite) => configured.codename.clone(),
            _ => suite.clone(),
        };
        return Ok((named.iter().map(folder).collect(), links));
    }
    // A suite may be configured under the name of a link.
    let published = session.suites_to_read(archive, None).await?;
    let mut left = Vec::new();
    // Snapshots and links; a suite that is being dropped is none.
    for suite in found.into_iter().filter(|suite| !published.contains(suite)) {
        if snapshot_of(&suite).is_some() || !archive.is_being_dropped(&suite).await? {
            left.push(suite);
        }
    }
    let mut all = [left, published].concat();
    all.sort_unstable();
    Ok((all, links))
}

fn print_report(report: &Report, ui: &Ui) {
    let (synced, location) = (&report.synced, &report.destination);
    let size = bytes(synced.sent.iter().map(|sent| sent.bytes).sum());
    let objects = count(synced.sent.len(), "object");
    if synced.dry_run {
        ui.say(&format!("Would send {objects}, {size}, to {location}; nothing was sent"));
        for sent in &synced.sent {
            ui.detail(&format!("  {} ({})", sent.path, bytes(sent.bytes)));
        }
        if !synced.deleted.is_empty() {
            ui.say(&format!("Would delete {}", count(synced.deleted.len(), "object")));
            for deleted in &synced.deleted {
                ui.detail(&format!("  {}", deleted.path));
            }
        }
        return;
    }
    for suite in synced.suites.iter().filter(|suite| suite.published) {
        ui.say(&format!("Published suite `{}` in {location}", suite.suite));
    }
    for suite in &synced.suites {
        for name in &suite.names {
            ui.say(&format!("Published suite `{name}` in {location}, another name of `{}`", suite.suite));
        }
    }
    let is_well = synced.failed.is_empty() && synced.errors.is_empty();
    if !synced.sent.is_empty() {
        let there = indicatif::HumanCount(synced.there as u64);
        ui.say(&format!("Sent {objects}, {size}, in {:.1} s; {there} already existed", report.seconds));
    } else if synced.deleted.is_empty() && is_well {
        ui.say(&format!("Nothing to do: {location} is up to date"));
    }
    if !synced.deleted.is_empty() {
        let size = bytes(synced.deleted.iter().map(|deleted| deleted.bytes).sum());
        ui.say(&format!("Deleted {}, {size}", count(synced.deleted.len(), "object")));
    }
    for deleted in &synced.deleted {
        ui.detail(&format!("deleted {}", deleted.path));
    }
    let Requests { total, listings } = report.requests;
    let total = count(usize::try_from(total).unwrap_or(usize::MAX), "request");
    ui.detail(&format!("Sent {total} to the destination, {listings} of them listings"));
}

fn failed(report: &Report) -> Failure {
    let failed = &report.synced.failed;
    let problem = |failed: &Failed| {
        let mut problem = Problem::from(failed);
        if let (FailedBecause::Absent, Some(hint)) = (&failed.source, &mut problem.hint) {
            hint.push_str("; `--ignore-missing` goes on without it");
        }
        problem
    };
    let mut errors: Vec<Problem> = failed.iter().take(FEW).map(problem).collect();
    if let Some(last) = errors.last_mut().filter(|last| last.hint.is_none()) {
        last.hint = Some(
            "fix the cause, then run the same command again: files that were sent are not sent again"
                .to_owned(),
        );
    }
    let is_name = |failed: &Failed| {
        let kind = ArchivePath::of(&failed.path);
        matches!(kind, ArchivePath::Dists(SuitePath::Listed { .. } | SuitePath::Release { .. }))
    };
    let so = if failed.iter().all(is_name) {
        "until the next run, clients without by-hash may see a hash mismatch"
    } else {
        "the suites that reference them were not updated there"
    };
    let files = count(failed.len(), "file");
    let summary = format!("{files} could not be sent to {}; {so}", report.destination);
    Failure::several(errors, vec![summary])
}

/// Prints one `.sources` stanza for the suites that were published for the first time.
async fn stanzas(
    synced: &Synced,
    target: &Target,
    destination: &Store,
    session: &Session<'_>,
) -> Result<(), Failure> {
    let ui = session.ui;
    let mut first = synced.suites.iter().filter(|suite| suite.first && suite.published).peekable();
    if first.peek().is_none() {
        return Ok(());
    }
    let mut keys = Keyring::new();
    if let Some(object) = destination.read(KEY_FILE, crate::suite::limits::KEYS).await? {
        keys.add_bytes(KEY_FILE, &object.bytes)?;
    }
    ui.say("\nOn clients, save this as a `.sources` file in /etc/apt/sources.list.d/:\n");
    let public_url = target.url_for_clients(session).or_else(|| destination.public_url());
    if public_url.is_none() && target.location.folder().is_none() {
        ui.say(&format!(
            "(replace {} with the URL under which clients read {}, or pass it with `--public-url`)\n",
            sources::UNKNOWN,
            target.location
        ));
    }
    let client = |suite: &SyncedSuite| {
        ClientSuite::new(&suite.suite, &suite.components, suite.signed, suite.has_sources)
            .for_architectures(&suite.architectures)
    };
    let suites: Vec<ClientSuite> = first.map(client).collect();
    ui.stanza(&sources::with_keys(&target.location, public_url.as_deref(), &suites, &keys)?);
    Ok(())
}
