//! `publish diff`: compares suites or generations, package by package.

use std::{fmt::Write as _, process::ExitCode};

use super::{
    failure::{self, Failure},
    json,
    session::Session,
    state,
    text::plain,
    ui::count,
};
use crate::{
    archive::{ChangedFile, Difference, Differences, Kind, PublishedSuite, Which},
    store::{Cache, Location, Store},
};

/// Compare two suites, generations or archives, package by package
///
/// A and B are suites, such as `stable`, or retained generations: `stable@20250601T000100Z-1a2b3c4d` as `publish log` prints
/// it (a unique prefix is enough), or `stable@1`, the generation before the current one. B defaults to the current generation
/// of A. With --with, B is in that archive and defaults to the same suite.
///
/// Each line is one difference: `+` only in B, `-` only in A, `^` newer in B, `v` older in B, `!` the same version with
/// different contents, `%` a different phasing percentage. The highest versions are compared; other versions that only one
/// side has get their own lines. Source packages have the architecture `source`, packages of the installer the component
/// `main|debian-installer`. Other listed files that differ, such as `Contents`, are printed by path.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish diff stable testing\n\
\x20 publish diff stable@1\n\
\x20 publish diff stable --with s3://packages.example.org/apt --exit-code")]
pub(super) struct Args {
    /// Suite or generation
    #[arg(value_name = "A", required_unless_present = "suite")]
    old: Option<String>,

    /// Suite or generation to compare it with [default: the current generation of A]
    #[arg(value_name = "B", conflicts_with = "suite")]
    new: Option<String>,

    /// A, instead of the argument; the only argument is then B
    #[arg(short, long, value_name = "SUITE[@STATE]")]
    suite: Option<String>,

    /// Archive that contains B: a folder, a bucket, http(s):// or a name in conf/destinations
    #[arg(long, value_name = "LOCATION")]
    with: Option<String>,

    /// Exit like diff(1): 0 if they are the same, 1 if they differ, 2 on errors
    #[arg(long)]
    exit_code: bool,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    match compare(args, session).await {
        // Exit code 1 means a difference here.
        Err(failure) if args.exit_code && failure.code == failure::FAILED => {
            Err(Failure { code: failure::USAGE, ..failure })
        }
        done => done,
    }
}

async fn compare(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let (old, new) = match &args.suite {
        Some(suite) => (Some(suite), args.old.as_deref()),
        None => (args.old.as_ref(), args.new.as_deref()),
    };
    let (suite, which) = state::parse(old.map_or("", String::as_str))?;
    let there = args.with.as_deref().map(|text| session.location_of(text)).transpose()?;
    let (other, other_which) = match new {
        Some(text) => state::parse(text)?,
        None if there.is_some() || which.is_some() => (suite.clone(), None),
        None => {
            return Err(Failure::usage(format!(
                "nothing to compare `{suite}` with; name another suite, a generation such as `{suite}@1`, or an archive with `--with`"
            )));
        }
    };
    let trust = tokio::task::block_in_place(|| session.trust_to_read());
    session.ui.step("Comparing");
    let here = &session.store;
    let a = state::open(here, &trust, &session.codename(suite), which.as_ref(), session).await?;
    let b = match &there {
        None => state::open(here, &trust, &session.codename(other), other_which.as_ref(), session).await?,
        Some(location) => {
            let cache = Cache::of(&session.environment);
            let store = Store::open(location, &session.environment)?.with_cache(cache);
            // A name that was given once is resolved by the local configuration for both sides.
            let other = if new.is_none() { session.codename(other) } else { other };
            state::open(&store, &trust, &other, other_which.as_ref(), session).await?
        }
    };
    let differences = a.differences(&b).await?;
    let differ = !differences.is_empty();
    let side = |location: &Location, state: &PublishedSuite, which: Option<&Which>| json::Side {
        archive: location.to_string(),
        suite: state.name().to_string(),
        generation: which.and(state.generation()),
    };
    if session.ui.json() {
        let b = side(there.as_ref().unwrap_or(&session.location), &b, other_which.as_ref());
        let a = side(&session.location, &a, which.as_ref());
        session.ui.object(&json::Diff::new(a, b, &differences));
    } else {
        let mut text = String::new();
        for line in lines(&differences) {
            let _ = writeln!(text, "{line}");
        }
        session.ui.text(&text);
        session.ui.say(&match differences.len() {
            0 => "No package differs".to_owned(),
            number => count(number, "difference"),
        });
    }
    Ok(if differ && args.exit_code { ExitCode::from(failure::FAILED) } else { ExitCode::SUCCESS })
}

/// Renders each difference as a line of text.
pub(super) fn lines(differences: &Differences) -> impl Iterator<Item = String> {
    differences.packages.iter().map(line).chain(differences.files.iter().map(line_of_file))
}

fn line_of_file(ChangedFile { path, kind }: &ChangedFile) -> String {
    plain(&match kind {
        Kind::Added => format!("+ {path}"),
        Kind::Removed => format!("- {path}"),
        _ => format!("! {path}; different contents"),
    })
}

/// Renders one difference as text.
fn line(difference: &Difference) -> String {
    let Difference { name, component, index, architecture, kind, old, new, beside, phased, .. } = difference;
    let (old, new) = (old.as_deref().unwrap_or_default(), new.as_deref().unwrap_or_default());
    let (sign, versions, more) = match kind {
        Kind::Added => ('+', new.to_owned(), String::new()),
        Kind::Removed => ('-', old.to_owned(), String::new()),
        Kind::Newer => ('^', format!("{old} -> {new}"), format!("; {old} is kept")),
        Kind::Older => ('v', format!("{old} -> {new}"), format!("; {new} was already published")),
        Kind::Contents => ('!', new.to_owned(), String::new()),
        Kind::Phased => ('%', new.to_owned(), String::new()),
    };
    let component = index.shown_in(component);
    let more = match (kind, phased) {
        (Kind::Contents, _) => "; different contents".to_owned(),
        (_, Some([from, to])) => format!("; offered to {to} % of machines, previously {from} %"),
        _ if *beside => more,
        _ => String::new(),
    };
    plain(&format!("{sign} {name} {versions} {architecture} ({component}){more}"))
}
