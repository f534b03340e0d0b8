//! The words of the archive at hand: suites, packages, generations, destinations.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser as _;

use crate::{
    archive::{Archive, Trust},
    cli::{clock, global::Global, list, session::Session, sync, ui::Ui},
    names::Suite,
};

/// A kind of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Suites,
    /// Binary packages and source packages.
    Packages,
    Sources,
    /// Suites, and their generations as `SUITE@GENERATION`.
    States,
    /// Suites, and the generations of one once its `@` is typed.
    SuitesFirst,
    /// The generations of one suite.
    Generations,
    /// The names in conf/destinations.
    Destinations,
}

/// The options that say where the archive is.
#[derive(clap::Parser)]
struct OnlyGlobal {
    #[command(flatten)]
    global: Global,
}

/// Reads the words of a kind; `given` are the values of the options of the command line.
pub(super) async fn read(
    kind: Kind,
    given: &BTreeMap<String, &str>,
    typed: &str,
    ui: &Ui,
) -> Option<BTreeSet<String>> {
    let options = ["archive", "config"]
        .into_iter()
        .filter_map(|name| given.get(name).map(|value| format!("--{name}={value}")));
    let words = std::iter::once("publish".to_owned()).chain(options);
    let global = OnlyGlobal::try_parse_from(words).ok()?.global;
    let session = Session::open_without_warnings(global, ui, clock::now(), false, true).ok()?;
    let archive = session.archive(Trust::unverified());
    let suite = ["suite", "suite_option", "from"].into_iter().find_map(|name| given.get(name).copied());
    match kind {
        Kind::Suites => Some(suites(&archive, &session).await),
        Kind::Packages | Kind::Sources => packages(kind, &archive, &session, suite).await,
        Kind::Destinations => sync::destination_names(&session),
        Kind::Generations => {
            let suites = session.suites_to_read(&archive, suite).await.ok()?;
            let mut all = BTreeSet::new();
            for suite in suites {
                all.extend(generations(&archive, &suite).await);
            }
            Some(all)
        }
        // Generations are read of the suite that is typed already.
        Kind::SuitesFirst if !typed.contains('@') => Some(suites(&archive, &session).await),
        Kind::States | Kind::SuitesFirst => {
            if let Some(suite) = typed.split_once('@').and_then(|(suite, _)| Suite::parse(suite).ok()) {
                let all = generations(&archive, &suite).await;
                return Some(all.into_iter().map(|generation| format!("{suite}@{generation}")).collect());
            }
            let all = suites(&archive, &session).await;
            Some(all.iter().flat_map(|suite| [suite.clone(), format!("{suite}@")]).collect())
        }
    }
}

/// The configured and the published suites.
async fn suites(archive: &Archive, session: &Session<'_>) -> BTreeSet<String> {
    let mut all: BTreeSet<String> =
        session.config.suites.iter().map(|suite| suite.codename.to_string()).collect();
    if let Ok(published) = archive.suites().await {
        all.extend(published.iter().map(Suite::to_string));
    }
    all
}

async fn packages(
    kind: Kind,
    archive: &Archive,
    session: &Session<'_>,
    suite: Option<&str>,
) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    list::for_each(archive, session, suite, |_, _, entry| {
        if kind == Kind::Sources {
            all.insert(entry.source().name.to_owned());
        } else if !all.contains(&*entry.name) {
            all.insert(entry.name.to_string());
        }
        false
    })
    .await
    .ok()?;
    Some(all)
}

async fn generations(archive: &Archive, suite: &Suite) -> Vec<String> {
    let log = archive.log(suite, MANY).await;
    log.map(|log| log.entries.into_iter().map(|entry| entry.generation).collect()).unwrap_or_default()
}

/// How many generations are offered.
const MANY: usize = 20;
