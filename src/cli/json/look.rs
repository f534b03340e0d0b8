//! The output of commands that read suites: `list`, `show`, `log`, `diff`, `snapshot --list`.

use serde::Serialize;

use super::{
    document::Document,
    package::{ListedPackage, Package, Share},
    publication::generation,
};
use crate::archive::{self, Differences, Kind};

/// The output of `list`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Listed<P> {
    pub(in crate::cli) packages: Vec<P>,
}

/// A package with its stanza.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ShownPackage {
    #[serde(flatten)]
    pub(in crate::cli) package: ListedPackage,
    pub(in crate::cli) stanza: String,
}

/// The generations of a suite.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Log {
    suite: String,
    generations: Vec<Generation>,
    older: usize,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the output")]
struct Generation {
    generation: String,
    current: bool,
    date: Option<String>,
    signature: Signature,
    note: Option<Note>,
    changes: Option<Changes>,
    oldest: bool,
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct Signature {
    signed: bool,
    verified: bool,
    fingerprints: Vec<String>,
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct Note {
    message: Option<String>,
    by: Option<String>,
    project: Option<String>,
    job: Option<String>,
}

#[derive(Debug, Serialize)]
struct Changes {
    packages: Vec<PackageChange>,
    files: Vec<FileChange>,
}

#[derive(Debug, Serialize)]
struct PackageChange {
    change: &'static str,
    index: &'static str,
    old: Option<Package>,
    new: Option<Package>,
    beside: bool,
    share: Option<Share>,
}

#[derive(Debug, Serialize)]
struct FileChange {
    change: &'static str,
    path: String,
}

/// The output of `diff`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Diff {
    a: Side,
    b: Side,
    differ: bool,
    changes: Changes,
}

/// A suite, or an earlier generation of it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Side {
    pub(in crate::cli) archive: String,
    pub(in crate::cli) suite: String,
    pub(in crate::cli) generation: Option<String>,
}

/// The output of `snapshot --list`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Snapshots {
    snapshots: Vec<Snapshot>,
}

#[derive(Debug, Serialize)]
struct Snapshot {
    name: String,
    suite: String,
    date: Option<String>,
}

impl Document for Listed<ListedPackage> {}
impl Document for Listed<ShownPackage> {}
impl Document for Log {}
impl Document for Diff {}
impl Document for Snapshots {}

impl From<&archive::Log> for Log {
    fn from(log: &archive::Log) -> Self {
        let generations = log.entries.iter().map(Generation::from).collect();
        Self { suite: log.suite.to_string(), generations, older: log.older }
    }
}

impl From<&archive::LogEntry> for Generation {
    fn from(state: &archive::LogEntry) -> Self {
        let archive::Signature { signed, verified, keys, problem } = &state.signature;
        let note = |note: &archive::Note| {
            let archive::Note { message, by, project, job } = note.clone();
            Note { message, by, project, job }
        };
        Self {
            generation: generation(&state.generation),
            current: state.current,
            date: state.date.map(|date| date.to_string()),
            signature: Signature {
                signed: *signed,
                verified: *verified,
                fingerprints: keys.clone(),
                problem: problem.clone(),
            },
            note: state.note.as_ref().map(note),
            changes: state.differences.as_ref().map(Changes::from),
            oldest: state.oldest,
            problem: state.problem.clone(),
        }
    }
}

impl From<&Differences> for Changes {
    fn from(differences: &Differences) -> Self {
        let package = |difference: &archive::Difference| {
            let [old, new] = Package::of_difference(difference);
            PackageChange {
                change: name(difference.kind),
                index: difference.index.name(),
                old,
                new,
                beside: difference.beside,
                share: difference.phased.map(|[from, to]| Share { from, to }),
            }
        };
        let file =
            |file: &archive::ChangedFile| FileChange { change: name(file.kind), path: file.path.clone() };
        Self {
            packages: differences.packages.iter().map(package).collect(),
            files: differences.files.iter().map(file).collect(),
        }
    }
}

impl Diff {
    pub(in crate::cli) fn new(a: Side, b: Side, differences: &Differences) -> Self {
        Self { a, b, differ: !differences.is_empty(), changes: differences.into() }
    }
}

impl Snapshots {
    /// Name, suite and date of each.
    pub(in crate::cli) fn new(all: impl IntoIterator<Item = (String, String, Option<String>)>) -> Self {
        let snapshot = |(name, suite, date)| Snapshot { name, suite, date };
        Self { snapshots: all.into_iter().map(snapshot).collect() }
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Newer => "newer",
        Kind::Older => "older",
        Kind::Contents => "contents",
        Kind::Phased => "phased",
    }
}
