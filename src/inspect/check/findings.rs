//! Collects findings, from one task or several, until they become a report.

use std::collections::BTreeSet;

use super::{
    caches::{Caches, Changes},
    report::{Fault, Remedy},
};
use crate::{
    store::{self, ResponseHeaders},
    suite::error::chain,
};

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// How many files were read or requested.
    pub(super) files: usize,
    pub(super) faults: Vec<Fault>,
    /// The operations that mend some of them.
    pub(super) remedies: BTreeSet<Remedy>,
    pub(super) notes: Vec<String>,
    /// The findings about cache headers.
    pub(super) caches: Caches,
}

impl Findings {
    pub(super) fn fault(&mut self, path: impl Into<String>, problem: impl Into<String>) {
        self.faults.push(Fault { path: path.into(), problem: problem.into() });
    }

    /// Notes a fault that an operation mends.
    pub(super) fn fault_for(&mut self, remedy: Remedy, path: impl Into<String>, problem: impl Into<String>) {
        self.fault(path, problem);
        self.remedies.insert(remedy);
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Checks the response headers of a file; a folder or a bucket sends none.
    pub(super) fn served(&mut self, path: &str, changes: Changes, served: Option<&ResponseHeaders>) {
        let Some(served) = served else { return };
        for wrong in self.caches.served(path, changes, served) {
            self.fault(path, wrong);
        }
    }

    /// Notes that a web server refuses a file.
    pub(super) fn refused(&mut self, path: &str, error: &store::Error) {
        let problem = std::error::Error::source(error).map_or_else(|| error.to_string(), chain);
        self.files += 1;
        self.fault(path, problem);
    }

    /// Adds the findings of another task.
    pub(super) fn merge(&mut self, other: Self) {
        self.files += other.files;
        self.faults.extend(other.faults);
        self.remedies.extend(other.remedies);
        self.notes.extend(other.notes);
        self.caches.merge(other.caches);
    }
}
