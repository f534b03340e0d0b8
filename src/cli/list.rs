//! `publish list`: lists published packages.

use std::{collections::BTreeSet, fmt::Write as _, process::ExitCode};

use wildmatch::WildMatch;

use super::{
    failure::Failure,
    json::{Listed, ListedPackage},
    session::Session,
    ui::plain,
};
use crate::archive::{Archive, PublishedSuite};
use crate::dists::Entry;
use crate::names::{Component, Suite};

/// List the packages of the archive
///
/// Print suite, component, architecture, name and version of each. Source packages have the architecture `source`, packages
/// of the installer the component `main|debian-installer`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish list\n\
\x20 publish list 'libfoo*' --suite stable")]
pub(super) struct Args {
    /// List only packages of this name; `*` matches any text, `?` one character
    pattern: Option<String>,

    /// List only this suite
    #[arg(short, long)]
    suite: Option<String>,
}

/// A package, and its component as it is displayed.
type Row = (String, ListedPackage);

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let pattern = args.pattern.as_deref().map(WildMatch::new);
    let mut rows = Vec::new();
    for_each(&archive, session, args.suite.as_deref(), |suite, component, entry| {
        if pattern.as_ref().is_none_or(|pattern| pattern.matches(&entry.name)) {
            rows.push((entry.kind.shown_in(component), ListedPackage::new(suite.name(), component, entry)));
        }
    })
    .await?;
    if session.ui.json() {
        let packages = rows.into_iter().map(|(_, package)| package).collect();
        session.ui.object(&Listed::<ListedPackage> { packages });
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(asked) = args.pattern.as_deref().filter(|_| rows.is_empty()) {
        session.ui.say(&none(asked, &archive).await?);
    }
    let width = |column: &dyn Fn(&Row) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let (component, suite) = (width(&|(shown, _)| shown.len()), width(&|(_, row)| row.suite.len()));
    let architecture = width(&|(_, row)| row.package.architecture.len());
    let name = width(&|(_, row)| row.package.name.len());
    let mut text = String::new();
    for (shown, ListedPackage { suite: of, package, .. }) in &rows {
        let _ = writeln!(
            text,
            "{of:suite$} {shown:component$} {:architecture$} {:name$} {}",
            package.architecture, package.name, package.version
        );
    }
    session.ui.data(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// Returns the line for a pattern without a match, which may be the name of a suite.
async fn none(asked: &str, archive: &Archive) -> Result<String, Failure> {
    let is_suite = match Suite::parse(asked) {
        Ok(suite) => archive.suite(&suite).await?.pointer().is_some(),
        Err(_) => false,
    };
    let hint = format!("; for the suite of that name: `publish list --suite {asked}`");
    Ok(format!("No package matches `{}`{}", plain(asked), if is_suite { hint.as_str() } else { "" }))
}

/// Visits each package of the suites once; an `all` package is listed in the indices of several architectures.
pub(super) async fn for_each(
    archive: &Archive,
    session: &Session<'_>,
    suite: Option<&str>,
    mut visit: impl FnMut(&PublishedSuite, &Component, &Entry),
) -> Result<(), Failure> {
    for suite in session.suites_to_read(archive, suite).await? {
        let published = archive.suite(&suite).await?;
        let mut seen = BTreeSet::new();
        for key in published.index_keys() {
            let Some(component) = key.component_of_entries() else { continue };
            for entry in published.entries(&key).await? {
                let everywhere = &*entry.architecture == "all";
                let identity = || (entry.kind, component.clone(), entry.name.clone(), entry.version.clone());
                if !everywhere || seen.insert(identity()) {
                    visit(&published, component, &entry);
                }
            }
        }
    }
    Ok(())
}
