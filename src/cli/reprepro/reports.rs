//! Reports on sources and their binaries: `unusedsources`, `sourcemissing`, `reportcruft` and `build-needing`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    call::Call,
    status,
    targets::{self, selected},
    words::Word,
};
use crate::{
    archive::{Matcher, Selection},
    cli::failure::Failure,
    config::SuiteConfig,
    dists::{Entry, IndexKey, IndexKind},
    glob::Glob,
    stanza::Stanza,
};

/// A source by name and version.
type SourceId = (String, String);

/// The packages of a suite.
struct Packages(Vec<(IndexKey, Vec<Entry>)>);

impl Packages {
    async fn of(call: &Call<'_>, suite: &SuiteConfig) -> Result<Self, Failure> {
        let published = call.published(&suite.codename).await?;
        Ok(Self(selected(&published, suite, &Selection::of(Matcher::All)).await?))
    }

    fn entries(&self, of_sources: bool) -> impl Iterator<Item = (&IndexKey, &Entry)> {
        let indices = self.0.iter().filter(move |(key, _)| (key.kind() == IndexKind::Sources) == of_sources);
        indices.flat_map(|(key, entries)| entries.iter().map(move |entry| (key, entry)))
    }

    fn sources(&self) -> BTreeSet<SourceId> {
        self.entries(true).map(|(_, entry)| source(entry)).collect()
    }
}

fn source(entry: &Entry) -> SourceId {
    let source = entry.source();
    (source.name.to_owned(), source.version.to_owned())
}

pub(super) async fn sources(call: &Call<'_>, word: Word) -> Result<u8, Failure> {
    let mut is_done = false;
    for suite in call.suites(call.arguments)? {
        let packages = Packages::of(call, &suite).await?;
        let sources = packages.sources();
        if sources.is_empty() {
            // A suite of binary packages alone.
            continue;
        }
        let built: BTreeSet<SourceId> = packages.entries(false).map(|(_, entry)| source(entry)).collect();
        let codename = &suite.codename;
        let mut lines = Vec::new();
        if word == Word::SourceMissing {
            for (_, entry) in packages.entries(false) {
                let (name, version) = source(entry);
                let file = entry.main_file().and_then(|file| file.path.as_deref()).unwrap_or_default();
                if !sources.contains(&(name.clone(), version.clone())) {
                    lines.push(format!("{codename} {name} {version} {file}"));
                }
            }
        } else {
            let is_cruft = word == Word::ReportCruft;
            let before = if is_cruft { "source-without-binaries " } else { "" };
            for (name, version) in sources.difference(&built) {
                lines.push(format!("{before}{codename} {name} {version}"));
            }
            for (name, version) in built.difference(&sources).filter(|_| is_cruft) {
                lines.push(format!("binaries-without-source {codename} {name} {version}"));
            }
        }
        // `unusedsources` of reprepro never counts as done.
        is_done |= !lines.is_empty() && word != Word::UnusedSources;
        call.print(lines);
    }
    Ok(call.status(is_done))
}

/// Prints the sources that have no binary package of an architecture yet.
pub(super) async fn build_needing(call: &Call<'_>) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    let asked = call.arguments[1].as_str();
    let pattern = call.arguments.get(2).map(|pattern| Glob::new(pattern));
    let architectures: Vec<&str> = match asked {
        "any" => {
            let named = suite.architectures.iter().map(crate::names::Architecture::as_str);
            ["all"].into_iter().chain(named).collect()
        }
        "all" => vec!["all"],
        name if suite.architectures.iter().any(|known| known.as_str() == name) => vec![name],
        name => {
            let text = format!("suite `{}` has no architecture `{name}`", suite.codename);
            return Err(status::text(status::FAILED, text));
        }
    };
    let packages = Packages::of(call, &suite).await?;
    let mut built: BTreeMap<SourceId, BTreeSet<&str>> = BTreeMap::new();
    for (key, entry) in packages.entries(false) {
        let architecture = if &*entry.architecture == "all" { "all" } else { targets::architecture(key) };
        built.entry(source(entry)).or_default().insert(architecture);
    }
    let mut lines = Vec::new();
    for architecture in &architectures {
        for (_, entry) in packages.entries(true) {
            let names = pattern.as_ref().is_none_or(|pattern| pattern.matches(&entry.name));
            let built = built.get(&source(entry)).cloned().unwrap_or_default();
            if !names || !needs(entry, architecture, &built) {
                continue;
            }
            let file = entry.main_file().and_then(|file| file.path.as_deref()).unwrap_or_default();
            let last = if asked == "any" { format!(" {architecture}") } else { String::new() };
            lines.push(format!("{} {} {file}{last}", entry.name, entry.version));
        }
    }
    call.print(lines);
    Ok(0)
}

/// Whether a source builds packages for an architecture, and none of them is there.
fn needs(entry: &Entry, architecture: &str, built: &BTreeSet<&str>) -> bool {
    let Ok(stanza) = Stanza::parse(&entry.stanza) else { return false };
    let named = stanza.text_of("Architecture").unwrap_or_default();
    let (system, _) = architecture.rsplit_once('-').unwrap_or(("linux", architecture));
    let is_meant = named.split_whitespace().any(|word| {
        word == architecture || (architecture != "all" && (word == "any" || word == format!("{system}-any")))
    });
    is_meant && !built.contains(architecture)
}
