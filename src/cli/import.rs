//! `publish import`: makes an archive of ours from another one.

use std::{path::PathBuf, process::ExitCode};

use super::{
    change_args::ChangeArgs,
    class::Kind,
    failure::Failure,
    json::Publications,
    other_archive::OtherArchive,
    session::{Session, parse_suite},
    sources,
};
use crate::{
    archive::{
        Archive, CommitReport, Copies, Incoming, Matcher, NewPackage, Places, Selection, SuiteEdit,
        SuiteKeys, Trust, find_files, read_packages,
    },
    config::SuiteConfig,
    dists::layout::TREES,
    names::{Architecture, Component, Suite},
    operations::{rebuilt, upstream::Upstream},
    store::{Location, Store},
    suite::flat,
};

/// Import all packages of another archive's suites
///
/// The other archive is a folder, a bucket or a URL: with `dists/` (made by any tool), without (`Packages` at its root), or a
/// folder of packages. Its signature is verified first, then its indices, then each file. A file that the pool has is not
/// fetched, so an interrupted run resumes; each suite is published in one step. A new suite keeps the names, components and
/// architectures that its clients know.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish --archive ./apt import https://apt.example.org --suite stable --keyring example.asc --dry-run\n\
\x20 publish --archive s3://packages.example.org/apt import /srv/old --trust-existing\n\
\x20 publish --archive ./apt import s3://deb-s3.example.org --rebuild --trust-existing\n\
\x20 publish --archive ./apt import ./flat/ --to stable --trust-existing\n\
\x20 publish --archive ./apt import ./mirror --keyring debian.asc --component main --architecture amd64")]
pub(super) struct Args {
    /// Archive to take the packages from: a folder, a bucket or a URL
    #[arg(value_name = "LOCATION")]
    location: String,

    /// Import only this suite; repeatable; required on the web, unless the archive has no `dists/`
    #[arg(short, long, value_name = "SUITE")]
    suite: Vec<String>,

    /// Import only packages of this component; repeatable
    #[arg(short, long, value_name = "COMPONENT")]
    component: Vec<Component>,

    /// Import only packages of this architecture, such as `amd64` or `source`, and those for all; repeatable
    #[arg(long, value_name = "ARCHITECTURE", value_parser = Architecture::parse_selector)]
    architecture: Vec<Architecture>,

    /// Suite to publish in [default: the one of the same name; `stable` for an archive without suites]
    #[arg(long, value_name = "SUITE")]
    to: Option<String>,

    /// Verify the other archive with these public keys, like `Signed-By` on a client; repeatable
    #[arg(long, value_name = "FILE")]
    keyring: Vec<String>,

    /// Read the fields of each package from its file again, since the tool that made the indices changes them, as deb-s3 does
    #[arg(long)]
    rebuild: bool,

    /// With --rebuild, download the files to FOLDER, and find them there after an interruption [default: a temporary folder]
    #[arg(long, value_name = "FOLDER", requires = "rebuild")]
    download_to: Option<PathBuf>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

/// A source whose signature is verified, and the suite that takes its packages.
struct Verified {
    other: OtherArchive,
    to: SuiteConfig,
    keys: SuiteKeys,
    trust: Trust,
}

pub(super) async fn run(args: &Args, mut session: Session<'_>) -> Result<ExitCode, Failure> {
    let trust_existing = session.take_trust_existing();
    let session = &session;
    session.refuse_web()?;
    let location = Location::parse(&args.location, &session.current);
    let location = location.map_err(|error| Failure::usage(error.to_string()))?;
    if location == session.location {
        return Err(Failure::usage(format!("`{}` is the archive itself", args.location)));
    }
    let store = Store::open(&location, &session.environment)?.with_linked_folders(&TREES);
    if store.overlaps(&session.store, &TREES) {
        return Err(Failure::usage(format!(
            "`{}` is the archive, is inside it or contains it",
            args.location
        )));
    }
    if location.folder().is_some_and(flat::is_folder_of_packages) {
        return packages(args, session, &location).await;
    }
    // Every suite is verified before the first one is published.
    let mut all = Vec::new();
    for (place, name) in places(args, session, store).await? {
        all.push(verified(args, session, (&place, &name), trust_existing).await?);
    }
    let mut reports = Vec::new();
    for one in all {
        reports.push(import(args, session, one).await?);
    }
    if session.ui.json() {
        session.ui.object(&Publications { suites: reports.iter().map(Into::into).collect() });
    }
    Ok(ExitCode::SUCCESS)
}

/// The suites of the other archive, as `LOCATION#SUITE`, each with the suite to publish in.
async fn places(args: &Args, session: &Session<'_>, store: Store) -> Result<Vec<(String, String)>, Failure> {
    let mut names = args.suite.clone();
    let is_on_web = matches!(store.location(), Location::Web(_));
    if names.is_empty() && !is_on_web {
        let found = Archive::new(store, Trust::unverified()).suites().await?;
        names.extend(found.iter().map(ToString::to_string));
    }
    if args.to.is_some() && names.len() > 1 {
        let text = format!("`--to` names one suite, and there are several: `{}`", names.join("`, `"));
        let hint = "choose one with `--suite NAME`".to_owned();
        return Err(Failure::text(text, Some(hint)).into_usage());
    }
    let to = |name: &str| args.to.clone().unwrap_or_else(|| name.to_owned());
    if names.is_empty() {
        let only = session.config.suites.first().map_or("stable", |suite| suite.codename.as_str());
        return Ok(vec![(args.location.clone(), to(only))]);
    }
    Ok(names.iter().map(|name| (format!("{}#{name}", args.location), to(name))).collect())
}

/// Verifies a source; nothing is written.
async fn verified(
    args: &Args,
    session: &Session<'_>,
    (place, name): (&str, &str),
    trust_existing: bool,
) -> Result<Verified, Failure> {
    let to = match session.config.find(name) {
        Some(configured) => configured.clone(),
        None => SuiteConfig::unconfigured(parse_suite(name)?),
    };
    let other = OtherArchive::parse(place, &to.codename, session).await?;
    let keys = session.keys_to_publish(&to).await?;
    let trust = other.trust(&args.keyring, trust_existing, (&keys.trust, session))?;
    let upstream = match &other.flat {
        Some(folder) => Upstream::flat_or_bare(&other.store, &other.suite, folder, &trust).await,
        None => Upstream::other(&other.store, &other.suite, &trust).await,
    };
    let upstream = upstream.map_err(|error| match error {
        crate::archive::Error::NotPublished { suite, known } if known.is_empty() => {
            no_suite(&suite, &args.location)
        }
        error => error.into(),
    })?;
    upstream.refuse_unknown(&args.component, &args.architecture)?;
    let is_configured = session.config.find(name).is_some();
    let published = session.archive(Trust::unverified()).suite(&to.codename).await?;
    let is_new = !is_configured && published.pointer().is_none();
    let mut to = if is_new { upstream.settings_for(to) } else { to };
    if is_new {
        to.components.retain(|name| args.component.is_empty() || args.component.contains(name));
        to.architectures.retain(|name| args.architecture.is_empty() || args.architecture.contains(name));
    }
    Ok(Verified { other, to, keys, trust })
}

fn no_suite(suite: &Suite, location: &str) -> Failure {
    let hint = "name one with `--suite NAME`".to_owned();
    Failure::text(format!("there is no suite `{suite}` in `{location}`"), Some(hint)).kind(Kind::NotFound)
}

/// Publishes all packages of one source.
async fn import(args: &Args, session: &Session<'_>, source: Verified) -> Result<CommitReport, Failure> {
    let Verified { other, to, keys, trust } = source;
    let places = Places { components: args.component.clone(), ..Places::default() };
    let mut architectures = args.architecture.clone();
    if architectures.iter().any(|name| !name.is_source()) {
        architectures.push(Architecture::all());
    }
    let copies = Copies {
        archive: Some(other.store),
        flat: other.flat,
        generation: other.generation,
        selected: vec![Selection { places, ..Selection::of(Matcher::All) }],
        architectures,
        with_variants: true,
        rebuilt: args.rebuild,
        ..Copies::new(other.suite, trust)
    };
    if !args.rebuild {
        let edit = SuiteEdit { copy: Some(copies), ..SuiteEdit::default() };
        return publish(args, session, (&to, keys), edit).await;
    }
    let published = session.archive(Trust::unverified()).suite(&to.codename).await?;
    let (selected, notes) = copies.select(&published).await?;
    for note in &notes {
        session.ui.warn(note);
    }
    // Deleted when the packages are published.
    let temporary = match args.download_to {
        Some(_) => None,
        None => Some(
            tempfile::tempdir()
                .map_err(|error| Failure::file(&error, &std::env::temp_dir(), "make a folder in"))?,
        ),
    };
    let named = args.download_to.as_ref().map(|folder| session.current.join(folder));
    let folder = named.or(temporary.as_ref().map(|folder| folder.path().to_owned())).unwrap_or_default();
    let add = rebuilt::packages(&selected, &folder, &session.events()).await?;
    publish(args, session, (&to, keys), SuiteEdit { add, ..SuiteEdit::default() }).await
}

async fn publish(
    args: &Args,
    session: &Session<'_>,
    (to, keys): (&SuiteConfig, SuiteKeys),
    edit: SuiteEdit,
) -> Result<CommitReport, Failure> {
    let client_keys = keys.trust.client_keys().keyring.clone();
    let report = session.publish(to, keys, &edit, &args.change).await?;
    if !session.ui.json() {
        session.ui.outcome(&report);
        sources::print_first(session, [&report], &client_keys)?;
    }
    Ok(report)
}

/// Publishes the packages of a folder without indices.
async fn packages(args: &Args, session: &Session<'_>, folder: &Location) -> Result<ExitCode, Failure> {
    if let Some(suite) = args.suite.first() {
        let text = format!("`{}` is a folder of packages, which has no suite `{suite}`", args.location);
        let hint = "name the suite to publish in with `--to SUITE`".to_owned();
        return Err(Failure::text(text, Some(hint)).into_usage());
    }
    if !args.component.is_empty() || !args.architecture.is_empty() {
        let text = format!(
            "`{}` is a folder of packages: `--component` and `--architecture` are for archives",
            args.location
        );
        return Err(Failure::usage(text));
    }
    let suite = session.suite_to_extend(args.to.as_deref(), true).await?;
    let keys = session.keys_to_publish(&suite).await?;
    let events = session.events();
    let files = find_files(&[folder.folder().map(Into::into).unwrap_or_default()])?;
    let read = tokio::task::block_in_place(|| read_packages(files, &events))?;
    let new = |incoming: Incoming| NewPackage { found: true, ..incoming.into() };
    let edit = SuiteEdit { add: read.into_iter().map(new).collect(), ..SuiteEdit::default() };
    let report = publish(args, session, (&suite, keys), edit).await?;
    if session.ui.json() {
        session.ui.object(&Publications { suites: vec![(&report).into()] });
    }
    Ok(ExitCode::SUCCESS)
}
