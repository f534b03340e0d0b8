//! The result of a commit, or of its plan.

use serde::Serialize;

use super::{
    document::{Document, texts},
    package::{File, Package, Share},
};
use crate::archive::{Change, CommitReport, Moved, Phased};

/// The result of an operation on one suite.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(in crate::cli) struct Publication {
    suite: String,
    dry_run: bool,
    published: bool,
    first: bool,
    generation: Option<String>,
    based_on: Option<String>,
    added: Vec<Package>,
    present: Vec<Package>,
    skipped: Vec<Package>,
    replaced: Vec<Package>,
    phased: Vec<PhasedPackage>,
    removed: Vec<Package>,
    moved: Option<MovedPackages>,
    written: Vec<File>,
    changes: Vec<String>,
    notes: Vec<String>,
    components: Vec<String>,
    architectures: Vec<String>,
    signed: bool,
    valid_until: Option<String>,
}

#[derive(Debug, Serialize)]
struct PhasedPackage {
    package: Package,
    share: Share,
}

#[derive(Debug, Serialize)]
struct MovedPackages {
    packages: Vec<Package>,
    to: Box<Publication>,
}

/// The results of several suites.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Publications {
    pub(in crate::cli) suites: Vec<Publication>,
}

impl Document for Publication {}
impl Document for Publications {}

/// The name of a generation without the folder that it is in.
pub(super) fn generation(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

fn packages(changes: &[Change]) -> Vec<Package> {
    changes.iter().map(Package::from).collect()
}

impl From<&CommitReport> for Publication {
    fn from(outcome: &CommitReport) -> Self {
        let phased = |Phased { package, from, to }: &Phased| PhasedPackage {
            package: package.into(),
            share: Share { from: *from, to: *to },
        };
        let moved = |Moved { packages: left, to }: &Moved| MovedPackages {
            packages: packages(left),
            to: Box::new((&**to).into()),
        };
        Self {
            suite: outcome.suite.to_string(),
            dry_run: outcome.dry_run,
            published: outcome.published,
            first: outcome.first,
            generation: outcome.generation.as_deref().map(generation),
            based_on: outcome.based_on.as_deref().map(generation),
            added: packages(&outcome.added),
            present: packages(&outcome.present),
            skipped: packages(&outcome.skipped),
            replaced: packages(&outcome.replaced),
            phased: outcome.phased.iter().map(phased).collect(),
            removed: packages(&outcome.removed),
            moved: outcome.moved.as_ref().map(moved),
            written: outcome.written.iter().map(File::from).collect(),
            changes: outcome.changes.clone(),
            notes: outcome.notes.clone(),
            components: texts(&outcome.components),
            architectures: texts(&outcome.architectures),
            signed: outcome.signed,
            valid_until: outcome.valid_until.clone(),
        }
    }
}
