//! `publish list`: what is published.

use std::{collections::BTreeSet, fmt::Write as _, process::ExitCode};

use wildmatch::WildMatch;

use super::{Failure, session::Session};
use crate::archive::{Archive, PublishedSuite};
use crate::dists::PackageEntry;
use crate::names::{Component, Suite};

/// Lists the packages of the archive: suite, component, architecture, name, version
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only packages of this name; `*` stands for any text, `?` for one character
    pattern: Option<String>,

    /// Only this suite
    #[arg(short, long)]
    suite: Option<String>,
}

/// A package of a suite.
#[derive(Debug, serde::Serialize)]
struct Row {
    suite: Suite,
    component: Component,
    architecture: String,
    name: String,
    version: String,
    filename: Option<String>,
    size: Option<u64>,
    sha256: Option<crate::digest::Sha256Digest>,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let pattern = args.pattern.as_deref().map(WildMatch::new);
    let mut rows = Vec::new();
    for_each(&archive, session, args.suite.as_deref(), |suite, component, entry| {
        if pattern.as_ref().is_none_or(|pattern| pattern.matches(entry.name())) {
            rows.push(Row {
                suite: suite.name().clone(),
                component: component.clone(),
                architecture: entry.architecture().to_owned(),
                name: entry.name().to_owned(),
                version: entry.version().to_owned(),
                filename: entry.filename().map(ToOwned::to_owned),
                size: entry.size(),
                sha256: entry.sha256(),
            });
        }
    })
    .await?;
    if session.ui.json() {
        session.ui.object(&serde_json::json!({ "packages": rows }));
        return Ok(ExitCode::SUCCESS);
    }
    let width = |column: &dyn Fn(&Row) -> &str| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
    let (suite, component) = (width(&|row| row.suite.as_str()), width(&|row| row.component.as_str()));
    let (architecture, name) = (width(&|row| &row.architecture), width(&|row| &row.name));
    let mut text = String::new();
    for row in &rows {
        let _ = writeln!(
            text,
            "{:suite$} {:component$} {:architecture$} {:name$} {}",
            row.suite, row.component, row.architecture, row.name, row.version
        );
    }
    session.ui.data(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// Visits every package of the suites once, also where it stands in the indices of several architectures.
pub(super) async fn for_each(
    archive: &Archive,
    session: &Session<'_>,
    suite: Option<&str>,
    mut visit: impl FnMut(&PublishedSuite, &Component, &PackageEntry),
) -> Result<(), Failure> {
    for suite in session.suites_to_read(archive, suite).await? {
        let published = archive.suite(&suite).await?;
        let mut seen = BTreeSet::new();
        for name in published.packages_keys() {
            for entry in published.index(&name).await?.entries() {
                let everywhere = entry.architecture() == "all";
                let identity =
                    || (name.component.clone(), entry.name().to_owned(), entry.version().to_owned());
                if !everywhere || seen.insert(identity()) {
                    visit(&published, &name.component, &entry);
                }
            }
        }
    }
    Ok(())
}
