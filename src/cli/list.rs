//! `publish list`: lists published packages.

use std::{collections::BTreeSet, fmt::Write as _, process::ExitCode};

use super::{
    failure::Failure,
    json::{Listed, ListedPackage},
    session::Session,
    text::plain,
};
use crate::{
    archive::{Archive, Error, PublishedSuite},
    dists::Entry,
    formula::{Formula, Subject},
    glob::Glob,
    names::{Component, Suite},
    stanza::Stanza,
};

/// List the packages of the archive
///
/// Print suite, component, architecture, name and version of each. Source packages have the architecture `source`, packages
/// of the installer the component `main|debian-installer`, and those of debug symbols `main|debug`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish list\n\
\x20 publish list 'libfoo*' --suite stable\n\
\x20 publish list --filter 'Section (== net), $Source (% linux*)'")]
pub(super) struct Args {
    /// List only packages of this name; `*`, `?` and `[…]` match as in a shell
    pattern: Option<String>,

    /// List only this suite
    #[arg(short, long)]
    suite: Option<String>,

    /// List only packages that FORMULA selects, such as `Section (== net), $Version (<< 2.0) | !Depends`
    ///
    /// A comma means "and", `|` "or", `!` "not". Compare fields of the stanza with `==`, `!=`, `<<`, `<=`, `>=`, `>>`, or with a
    /// pattern by `%`. The properties are `$Version` and `$SourceVersion`, compared as dpkg does, `$Source`,
    /// `$Architecture`, `$Component` and `$PackageType`. The language is that of reprepro's `listfilter`.
    #[arg(long, value_name = "FORMULA", value_parser = Formula::parse)]
    filter: Option<Formula>,
}

/// A package, and its component as it is displayed.
type Row = (String, ListedPackage);

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let pattern = args.pattern.as_deref().map(Glob::new);
    let mut rows = Vec::new();
    let damaged = for_each(&archive, session, args.suite.as_deref(), |suite, place, entry| {
        let is_listed = pattern.as_ref().is_none_or(|pattern| pattern.matches(&entry.name))
            && args.filter.as_ref().is_none_or(|filter| selects(filter, place, entry));
        if is_listed {
            let shown = entry.kind.shown_in(place.component);
            rows.push((shown, ListedPackage::new(suite.name(), place.component, entry)));
        }
        is_listed
    })
    .await?;
    if session.ui.json() {
        // One object a command: a list that is not complete would not show it.
        if let Some(damaged) = damaged {
            return Err(damaged);
        }
        let packages = rows.into_iter().map(|(_, package)| package).collect();
        session.ui.object(&Listed::<ListedPackage> { packages });
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(text) = args.pattern.as_deref().filter(|_| rows.is_empty()) {
        session.ui.say(&none(text, &archive).await?);
    }
    let width = |column: &dyn Fn(&Row) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let (component, suite) = (width(&|(shown, _)| shown.len()), width(&|(_, row)| row.suite.len()));
    let architecture = width(&|(_, row)| row.package.architecture.len());
    let name = width(&|(_, row)| row.package.name.len());
    let mut text = String::new();
    for (shown, ListedPackage { suite: of, package, .. }) in &rows {
        // A line break in a field must not begin another line.
        let [shown, in_architecture, of_name, version] =
            [shown, &package.architecture, &package.name, &package.version].map(|field| plain(field));
        let _ = writeln!(
            text,
            "{of:suite$} {shown:component$} {in_architecture:architecture$} {of_name:name$} {version}"
        );
    }
    session.ui.text(&text);
    damaged.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Returns the line for a pattern without a match, which may be the name of a suite.
async fn none(text: &str, archive: &Archive) -> Result<String, Failure> {
    let is_suite = match Suite::parse(text) {
        Ok(suite) => archive.suite(&suite).await?.pointer().is_some(),
        Err(_) => false,
    };
    let hint = format!("; for the suite of that name: `publish list --suite {text}`");
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
    for suite in session.suites_to_read(archive, suite).await? {
        match of_suite(archive, &suite, &mut visit).await {
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
    archive: &Archive,
    suite: &Suite,
    visit: &mut impl FnMut(&PublishedSuite, &Place<'_>, &Entry) -> bool,
) -> Result<(), Error> {
    let published = archive.suite(suite).await?;
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
            if visit(&published, &place, &entry) && everywhere {
                seen.insert(identity());
            }
        }
    }
    Ok(())
}
