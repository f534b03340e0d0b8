//! `publish list`: what is published.

use std::{collections::BTreeSet, fmt::Write as _, process::ExitCode};

use wildmatch::WildMatch;

use super::{Failure, session::Session};
use crate::archive::{Archive, PublishedSuite};
use crate::dists::{Entry, IndexKind};
use crate::names::{Component, Suite};

/// Lists the packages of the archive: suite, component, architecture, name, version
///
/// Source packages have the architecture `source`, packages of the installer the component `main|debian-installer`.
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
    index: IndexKind,
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
        if pattern.as_ref().is_none_or(|pattern| pattern.matches(&entry.name)) {
            let file = entry.main_file();
            rows.push(Row {
                suite: suite.name().clone(),
                component: component.clone(),
                index: entry.kind,
                architecture: entry.architecture.to_string(),
                name: entry.name.to_string(),
                version: entry.version.to_string(),
                filename: file.and_then(|file| file.path.clone()),
                size: file.and_then(|file| file.size),
                sha256: file.and_then(|file| file.sha256),
            });
        }
    })
    .await?;
    if session.ui.json() {
        session.ui.object(&serde_json::json!({ "packages": rows }));
        return Ok(ExitCode::SUCCESS);
    }
    let width = |column: &dyn Fn(&Row) -> &str| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
    let components: Vec<String> = rows.iter().map(|row| row.index.shown_in(&row.component)).collect();
    let component = components.iter().map(String::len).max().unwrap_or(0);
    let suite = width(&|row| row.suite.as_str());
    let (architecture, name) = (width(&|row| &row.architecture), width(&|row| &row.name));
    let mut text = String::new();
    for (row, shown) in rows.iter().zip(&components) {
        let _ = writeln!(
            text,
            "{:suite$} {:component$} {:architecture$} {:name$} {}",
            row.suite, shown, row.architecture, row.name, row.version
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
