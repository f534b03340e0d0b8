//! The output of commands that delete files: `prune`, `snapshot --remove`.

use serde::Serialize;

use super::{
    document::{Document, texts},
    package::File,
    publication::Publication,
};
use crate::archive;

/// The output of `prune`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Pruned {
    dry_run: bool,
    suites: Vec<Publication>,
    deleted: Vec<Swept>,
    spared: Vec<Swept>,
    retained: Retained,
    all_recent: bool,
}

#[derive(Debug, Serialize)]
struct Retained {
    generations: usize,
    objects: usize,
    size: u64,
}

#[derive(Debug, Serialize)]
struct Swept {
    path: String,
    size: u64,
    reason: String,
}

/// The output of `snapshot --remove`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct RemovedSnapshot {
    pub(in crate::cli) dry_run: bool,
    pub(in crate::cli) suite: String,
    pub(in crate::cli) deleted: Vec<File>,
}

/// The output of `drop`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Dropped {
    dry_run: bool,
    suite: String,
    deleted: Vec<File>,
    left: Vec<File>,
    below: Vec<String>,
}

impl From<&archive::Dropped> for Dropped {
    fn from(dropped: &archive::Dropped) -> Self {
        Self {
            dry_run: dropped.dry_run,
            suite: dropped.suite.to_string(),
            deleted: dropped.deleted.iter().map(File::from).collect(),
            left: dropped.left.iter().map(File::from).collect(),
            below: texts(&dropped.below),
        }
    }
}

impl Document for Dropped {}
impl Document for Pruned {}
impl Document for RemovedSnapshot {}

impl Pruned {
    pub(in crate::cli) fn new(suites: Vec<Publication>, pruned: &archive::Pruned) -> Self {
        let swept = |swept: &archive::Swept| Swept {
            path: swept.path.clone(),
            size: swept.bytes,
            reason: swept.why.clone(),
        };
        Self {
            dry_run: pruned.dry_run,
            suites,
            deleted: pruned.deleted.iter().map(swept).collect(),
            spared: pruned.spared.iter().map(swept).collect(),
            retained: Retained {
                generations: pruned.retained.generations,
                objects: pruned.retained.objects,
                size: pruned.retained.bytes,
            },
            all_recent: pruned.all_recent,
        }
    }
}
