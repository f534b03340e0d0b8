//! `publish show`: prints the stanzas of a package.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use super::{
    class::Kind,
    failure::Failure,
    json::{Listed, ListedPackage, ShownPackage},
    list::{Patterns, for_each},
    session::Session,
};
use crate::nearest::nearest;

/// Show the published stanzas of a package
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish show hello\n\
\x20 publish show 'libfoo*' hello=2.10-3 --suite stable\n\
\x20 publish show hello --suite stable@1")]
pub(super) struct Args {
    /// Packages to show: all versions, or the given one; `*`, `?` and `[…]` match as in a shell
    #[arg(required = true, value_name = "NAME[=VERSION]")]
    names: Vec<String>,

    /// Show only this suite, or one of its generations
    #[arg(short, long, value_name = "SUITE[@STATE]")]
    suite: Option<String>,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let patterns = Patterns::new(&args.names);
    let (mut text, mut objects, mut found) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut published: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let damaged = for_each(&archive, session, args.suite.as_deref(), |suite, place, entry| {
        published.entry(entry.name.to_string()).or_default().insert(entry.version.to_string());
        let mut matching = patterns.matching(&entry.name, &entry.version).peekable();
        if matching.peek().is_none() {
            return false;
        }
        found.extend(matching);
        if !text.is_empty() {
            text.push(b'\n');
        }
        text.extend_from_slice(&entry.stanza);
        let stanza = String::from_utf8_lossy(&entry.stanza).into_owned();
        let package = ListedPackage::new(suite.name(), place.component, entry);
        objects.push(ShownPackage { package, stanza });
        true
    })
    .await?;
    if let Some(damaged) = damaged {
        // The package may be in the suite that cannot be read.
        return Err(damaged);
    }
    let missing = args.names.iter().filter(|name| !found.contains(name.as_str()));
    if let Some(failure) = missing.map(|name| not_published(name, &published)).reduce(Failure::and) {
        return Err(failure);
    }
    if session.ui.json() {
        session.ui.object(&Listed::<ShownPackage> { packages: objects });
    } else {
        session.ui.published_text(&text);
    }
    Ok(ExitCode::SUCCESS)
}

fn not_published(text: &str, published: &BTreeMap<String, BTreeSet<String>>) -> Failure {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    let near = nearest(name, published.keys().map(String::as_str)).filter(|near| *near != name);
    let hint = if let Some(versions) = published.get(name) {
        let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
        format!("published versions: {}", versions.join(", "))
    } else if let Some(near) = near {
        format!("did you mean `{near}`?")
    } else {
        "list the published packages with `publish list`".to_owned()
    };
    Failure::text(format!("`{text}` is not published"), Some(hint)).kind(Kind::NotFound)
}
