//! `publish list`: lists published packages.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use super::{
    failure::Failure,
    json::{Listed, ListedPackage},
    list_format::{self, ListFormat},
    session::Session,
    state,
    text::{columns, plain, shell_word},
};
use crate::{
    archive::{Archive, Error, Named, PublishedSuite, Wanted},
    dists::Entry,
    formula::{Formula, Subject},
    glob::Glob,
    names::{Architecture, Component, Suite},
    stanza::Stanza,
    version::Version,
};

/// List the packages of the archive
///
/// Print suite, component, architecture, name and version of each. Source packages have the architecture `source`, packages
/// of the installer the component `main|debian-installer`, and those of debug symbols `main|debug`. Where standard output is no
/// terminal, one blank separates the columns.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish list\n\
\x20 publish list 'libfoo*' --suite stable\n\
\x20 publish list --latest --architecture amd64 --format '${package}=${version}'\n\
\x20 publish list --suite stable@1\n\
\x20 publish list --filter 'Section (== net), $Source (% linux*)'")]
pub(super) struct Args {
    /// List only these packages: all versions, or the given one; `*`, `?` and `[…]` match as in a shell
    #[arg(value_name = "NAME[=VERSION]")]
    names: Vec<String>,

    /// List only this suite, or one of its generations
    #[arg(short, long, value_name = "SUITE[@STATE]")]
    suite: Option<String>,

    /// List only the newest version of each name and architecture in a suite
    #[arg(long)]
    latest: bool,

    /// List only this component; repeatable
    #[arg(short, long, value_name = "COMPONENT")]
    component: Vec<Component>,

    /// List only packages of this architecture, such as `amd64`, `all` or `source`; repeatable
    #[arg(long, value_name = "ARCHITECTURE", value_parser = Architecture::parse_selector)]
    architecture: Vec<Architecture>,

    /// List only packages that FORMULA selects, such as `Section (== net), $Version (<< 2.0) | !Depends`
    ///
    /// A comma means "and", `|` "or", `!` "not". Compare fields of the stanza with `==`, `!=`, `<<`, `<=`, `>=`, `>>`, or with a
    /// pattern by `%`. The properties are `$Version` and `$SourceVersion`, compared as dpkg does, `$Source`,
    /// `$Architecture`, `$Component` and `$PackageType`. The language is that of reprepro's `listfilter`; common queries of aptly
    /// are read too: `nginx (>= 1.22) {amd64}`, `Name (% lib*)`, `Priority (required)`.
    #[arg(long, value_name = "FORMULA", value_parser = Formula::parse_query)]
    filter: Option<Formula>,

    /// Print each package in this format, such as `${package} ${version} ${$component}`
    ///
    /// `${FIELD}` is a field of the stanza, `${FIELD;WIDTH}` fills or cuts it; `\n` and `\t` are a line break and a tab. The
    /// properties are `${$suite}`, `${$component}`, `${$architecture}`, `${$type}`, `${$source}`, `${$sourceversion}`, `${$basename}`,
    /// `${$filekey}` (the path) and `${$size}`. The language is that of reprepro's `--list-format`.
    #[arg(long, value_name = "FORMAT", value_parser = ListFormat::parse)]
    format: Option<ListFormat>,
}

/// A package.
struct Row {
    /// Its component as it is displayed.
    component: String,
    listed: ListedPackage,
    /// Its line in the format of the user.
    formatted: String,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let patterns = Patterns::new(&args.names);
    let format = args.format.as_ref().filter(|_| !session.ui.json()).map(ListFormat::format);
    let (mut rows, mut found) = (Vec::new(), BTreeSet::new());
    let damaged = for_each(&archive, session, args.suite.as_deref(), |suite, place, entry| {
        let is_listed = patterns.match_any(&entry.name, &entry.version)
            && args.is_in_place(place, entry)
            && args.filter.as_ref().is_none_or(|filter| selects(filter, place, entry));
        if is_listed {
            let at = (suite.name(), place.component, place.architecture);
            let formatted = format.as_ref().map(|format| list_format::render(format, at, entry));
            found.extend(patterns.matching(&entry.name, &entry.version));
            rows.push(Row {
                component: entry.kind.shown_in(place.component),
                listed: ListedPackage::new(suite.name(), place.component, entry),
                formatted: formatted.unwrap_or_default(),
            });
        }
        is_listed
    })
    .await?;
    if args.latest {
        rows = latest(rows);
    }
    if session.ui.json() {
        // One object a command: a list that is not complete would not show it.
        if let Some(damaged) = damaged {
            return Err(damaged);
        }
        let packages = rows.into_iter().map(|row| row.listed).collect();
        session.ui.object(&Listed::<ListedPackage> { packages });
        return Ok(ExitCode::SUCCESS);
    }
    for text in args.names.iter().filter(|text| !found.contains(text.as_str())) {
        session.ui.say(&none(text, &archive).await?);
    }
    if format.is_some() {
        // The values are escaped already, and the format has line breaks and tabs of its own.
        session.ui.data(rows.iter().map(|row| row.formatted.as_str()).collect::<String>().as_bytes());
    } else {
        let table: Vec<_> = rows.iter().map(Row::cells).collect();
        session.ui.text(&columns(&table, session.ui.aligns()));
    }
    damaged.map_or(Ok(ExitCode::SUCCESS), Err)
}

impl Args {
    fn is_in_place(&self, place: &Place<'_>, entry: &Entry) -> bool {
        let architecture = if place.architecture == "source" { "source" } else { &*entry.architecture };
        (self.component.is_empty() || self.component.contains(place.component))
            && (self.architecture.is_empty()
                || self.architecture.iter().any(|asked| asked.as_str() == architecture))
    }
}

impl Row {
    /// Suite, component, architecture, name and version. A line break in a field must not begin another line.
    fn cells(&self) -> [String; 5] {
        let ListedPackage { suite, package, .. } = &self.listed;
        [suite, &self.component, &package.architecture, &package.name, &package.version]
            .map(|field| plain(field))
    }
}

/// The names and versions of a command line that reads packages.
pub(super) struct Patterns<'a>(Vec<(&'a str, Glob, Option<String>)>);

impl<'a> Patterns<'a> {
    pub(super) fn new(names: &'a [String]) -> Self {
        let pattern = |text: &'a String| {
            let Wanted { named: Named::Package(name), version } = Wanted::parse(text, Named::Package) else {
                return (text.as_str(), Glob::new(text), None);
            };
            (text.as_str(), Glob::new(&name), version)
        };
        Self(names.iter().map(pattern).collect())
    }

    /// Whether there are none, or one of them matches.
    fn match_any(&self, name: &str, version: &str) -> bool {
        self.0.is_empty() || self.matching(name, version).next().is_some()
    }

    /// The texts that match a version of a package.
    pub(super) fn matching(&self, name: &str, version: &str) -> impl Iterator<Item = &'a str> {
        let fits = move |(_, glob, wanted): &&(&'a str, Glob, Option<String>)| {
            glob.matches(name) && wanted.as_ref().is_none_or(|wanted| wanted == version)
        };
        self.0.iter().filter(fits).map(|(text, ..)| *text)
    }
}

/// Keeps the newest version of each name and architecture in a suite, where it is listed.
fn latest(rows: Vec<Row>) -> Vec<Row> {
    let key = |row: &Row| {
        let ListedPackage { suite, package, .. } = &row.listed;
        let kind = row.component.split_once('|').map(|(_, kind)| kind.to_owned());
        (suite.clone(), kind, package.architecture.clone(), package.name.clone())
    };
    let is_older = |one: &Row, other: &Row| {
        let version = |row: &Row| Version::parse(&row.listed.package.version).ok();
        version(one) < version(other)
    };
    let mut newest: BTreeMap<_, usize> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let known = newest.entry(key(row)).or_insert(at);
        if is_older(&rows[*known], row) {
            *known = at;
        }
    }
    let newest: BTreeSet<usize> = newest.into_values().collect();
    rows.into_iter().enumerate().filter(|(at, _)| newest.contains(at)).map(|(_, row)| row).collect()
}

/// Returns the line for a pattern without a match, which may be the name of a suite.
async fn none(text: &str, archive: &Archive) -> Result<String, Failure> {
    let is_suite = match Suite::parse(text) {
        Ok(suite) => archive.suite(&suite).await?.pointer().is_some(),
        Err(_) => false,
    };
    let hint = format!("; for the suite of that name: `publish list --suite {}`", shell_word(text));
    Ok(format!("No package matches `{}`{}", plain(text), if is_suite { hint.as_str() } else { "" }))
}

/// Whether a formula selects a package. A stanza that cannot be parsed has no fields that could be compared.
fn selects(formula: &Formula, place: &Place<'_>, entry: &Entry) -> bool {
    let Ok(stanza) = Stanza::parse(&entry.stanza) else { return false };
    let source = entry.source();
    formula.selects(&Subject {
        stanza: &stanza,
        version: &entry.version,
        source: source.name,
        source_version: source.version,
        architecture: place.architecture,
        component: place.component.as_str(),
        kind: entry.kind.package_type(),
    })
}

/// The index that lists a package.
pub(super) struct Place<'a> {
    pub(super) component: &'a Component,
    /// `source` for an index of source packages.
    pub(super) architecture: &'a str,
}

/// Visits each package of the suites until a visit returns true: an `all` package is listed in the indices of several
/// architectures.
///
/// A damaged suite does not hide the others: its failure is returned after they were visited.
pub(super) async fn for_each(
    archive: &Archive,
    session: &Session<'_>,
    suite: Option<&str>,
    mut visit: impl FnMut(&PublishedSuite, &Place<'_>, &Entry) -> bool,
) -> Result<Option<Failure>, Failure> {
    let mut damaged: Option<Failure> = None;
    session.ui.step("Reading the archive");
    let (named, which) = match suite {
        Some(text) => state::split(text).map(|(suite, which)| (Some(suite), which))?,
        None => (None, None),
    };
    for suite in session.suites_to_read(archive, named).await? {
        let published = match &which {
            None => archive.suite(&suite).await,
            Some(_) => {
                Ok(state::open(&session.store, &archive.trust, &suite, which.as_ref(), session).await?)
            }
        };
        let visited = match published {
            Ok(published) => of_suite(&published, &mut visit).await,
            Err(error) => Err(error),
        };
        match visited {
            Err(error) if archive.is_damaged(&error) => {
                let failure = Failure::from(error);
                damaged = Some(match damaged {
                    Some(first) => first.and(failure),
                    None => failure,
                });
            }
            done => done?,
        }
    }
    Ok(damaged)
}

async fn of_suite(
    published: &PublishedSuite,
    visit: &mut impl FnMut(&PublishedSuite, &Place<'_>, &Entry) -> bool,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for key in published.index_keys() {
        let Some(component) = key.component_of_entries() else { continue };
        let architecture = key.architecture().map_or("source", |architecture| architecture.as_str());
        let place = Place { component, architecture };
        for entry in published.carried_entries(&key).await? {
            let identity = || (entry.kind, component.clone(), entry.name.clone(), entry.version.clone());
            let everywhere = &*entry.architecture == "all";
            if everywhere && seen.contains(&identity()) {
                continue;
            }
            if visit(published, &place, &entry) && everywhere {
                seen.insert(identity());
            }
        }
    }
    Ok(())
}
