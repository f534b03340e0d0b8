//! `--delete`: what no kept generation of the destination leads to is taken away, long after clients saw it last.
//!
//! A generation is kept while it is among the newest, and until clients that read it have had time to fetch what it leads
//! to. Files are only deleted for having been led to by a generation that is no longer kept: what was never published is
//! not touched. So nothing is deleted that the upload before it took out of a suite.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use futures::TryStreamExt;

use super::{
    super::{
        Archive, Error, PublishedSuite, Trust, Written,
        leads::{self, PoolFiles, is_carried},
        pointer::short_digest,
    },
    Run,
};
use crate::{
    dists::{Release, index_file::by_hash_path},
    names::Suite,
    store::Store,
};

/// What was written more recently is not deleted, whatever is kept: somebody may be about to lead to it. Who finds a file
/// there that no pointer leads to and that is older than [`STALE`] sends it again before he leads to it.
const GRACE: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// See [`GRACE`]; the difference is what a publisher may take from the first file to the pointer.
pub(super) const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Which generations of the destination are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// At least so many of each suite.
    pub generations: usize,
    /// At least so long after the next one took its place.
    pub span: Duration,
}

/// A state of a suite that was published at the destination.
struct Generation {
    name: String,
    files: Vec<String>,
    /// When it was published there.
    since: SystemTime,
}

/// What states of suites lead to, by path.
#[derive(Default)]
struct LedTo {
    files: BTreeMap<String, u64>,
    /// Digests of indices whose packages are counted already.
    read: BTreeSet<String>,
}

impl Run<'_> {
    /// Deletes what only generations led to that are no longer kept, and these generations.
    pub(super) async fn retire(&mut self, keep: Keep) -> Result<(), Error> {
        let store = self.destination;
        let suites = Archive::new(store.clone(), Trust::default()).suite_folders().await?;
        let (mut kept, mut gone) = (LedTo::default(), LedTo::default());
        let mut retired: Vec<(&Suite, Generation)> = Vec::new();
        let mut pointers = Vec::new();
        for suite in &suites {
            let current = PublishedSuite::open(store, suite, &Trust::default(), false).await?;
            let mut generations = generations(store, &current).await?;
            let old = generations.split_off(first_old(&generations, &current, keep, self.how.now));
            kept.add_names(&current);
            kept.add(&current, None).await?;
            for generation in &generations {
                // What a kept generation needs must be known before anything is deleted.
                kept.add(&at(store, suite, generation).await?, None).await?;
            }
            retired.extend(old.into_iter().map(|generation| (suite, generation)));
            pointers.push((suite, current.pointer().map(|pointer| pointer.bytes.clone())));
        }
        for (suite, generation) in &retired {
            let state = at(store, suite, generation).await?;
            gone.add_names(&state);
            gone.add(&state, Some(&kept)).await?;
        }
        if retired.is_empty() {
            return Ok(());
        }
        let files: Vec<(String, u64)> =
            gone.files.into_iter().filter(|(path, _)| !kept.files.contains_key(path)).collect();
        if !self.how.dry_run {
            // Whoever published meanwhile may lead to any of it again.
            for (suite, before) in pointers {
                let now = PublishedSuite::open(store, suite, &Trust::default(), false).await?;
                if now.pointer().map(|pointer| pointer.bytes.clone()) != before {
                    return Ok(());
                }
            }
        }
        for (path, bytes) in files {
            let Some(found) = store.found(&path).await? else { continue };
            if is_older(found.modified, self.how.now, keep.span.max(GRACE)) {
                self.delete(path, bytes).await?;
            }
        }
        // Last: while they are there, the next run knows what is left to delete.
        for path in retired.into_iter().flat_map(|(_, generation)| generation.files) {
            self.delete(path, 0).await?;
        }
        Ok(())
    }

    async fn delete(&mut self, path: String, bytes: u64) -> Result<(), Error> {
        if !self.how.dry_run {
            self.destination.delete(&path).await?;
        }
        self.synced.deleted.push(Written { path, bytes });
        Ok(())
    }
}

/// The generations of a suite, the newest first.
async fn generations(store: &Store, suite: &PublishedSuite) -> Result<Vec<Generation>, Error> {
    let folder = suite.path("generations");
    let mut found: BTreeMap<String, Generation> = BTreeMap::new();
    let mut walk = store.walk(&folder);
    while let Some(file) = walk.try_next().await? {
        let Some((name, _)) = file.path[folder.len()..].trim_start_matches('/').split_once('/') else {
            continue;
        };
        let generation = found.entry(name.to_owned()).or_insert_with(|| Generation {
            name: name.to_owned(),
            files: Vec::new(),
            since: file.modified,
        });
        generation.since = generation.since.min(file.modified);
        generation.files.push(file.path.clone());
    }
    let mut found: Vec<Generation> = found.into_values().collect();
    found.sort_by(|a, b| (b.since, &b.name).cmp(&(a.since, &a.name)));
    Ok(found)
}

/// From which generation on they are no longer kept: beyond the newest, beyond the current one, and with a successor that
/// has been there for long enough.
fn first_old(generations: &[Generation], current: &PublishedSuite, keep: Keep, now: SystemTime) -> usize {
    let end = current.pointer().map(|pointer| format!("-{}", short_digest(&pointer.bytes)));
    let is_current =
        |generation: &Generation| end.as_ref().is_some_and(|end| generation.name.ends_with(end.as_str()));
    let Some(current) = generations.iter().position(is_current) else { return generations.len() };
    let is_old = |at: usize| {
        let ended = generations[at - 1].since;
        at > current && at >= keep.generations && is_older(ended, now, keep.span)
    };
    (1..generations.len()).find(|&at| is_old(at)).unwrap_or(generations.len())
}

/// Whether something happened longer ago.
pub(super) fn is_older(time: SystemTime, now: SystemTime, span: Duration) -> bool {
    now.duration_since(time).is_ok_and(|age| age > span)
}

/// The suite as a generation has it.
async fn at(store: &Store, suite: &Suite, generation: &Generation) -> Result<PublishedSuite, Error> {
    let folder = format!("dists/{suite}/generations/{}", generation.name);
    PublishedSuite::open_at(store, suite, &folder).await
}

impl LedTo {
    /// Adds the indices by their names, which only the current state of a suite leads to.
    fn add_names(&mut self, suite: &PublishedSuite) {
        let files = suite.release().into_iter().flat_map(Release::files).filter(|(path, _)| is_carried(path));
        self.files.extend(files.map(|(path, listed)| (suite.path(path), listed.size)));
    }

    /// Adds what a state of a suite leads to, but for the packages of indices that are counted elsewhere.
    async fn add(&mut self, suite: &PublishedSuite, elsewhere: Option<&Self>) -> Result<(), Error> {
        let Some(release) = suite.release() else { return Ok(()) };
        for (path, listed) in release.files().iter().filter(|(path, _)| is_carried(path)) {
            self.files.insert(suite.path(&by_hash_path(path, &listed.sha256)), listed.size);
        }
        for plain in leads::indices(suite) {
            let known =
                release.files().get(plain).map(|listed| format!("{} {}", suite.name(), listed.sha256));
            if let Some(known) = known
                && (elsewhere.is_some_and(|other| other.read.contains(&known)) || !self.read.insert(known))
            {
                continue;
            }
            let mut pool = PoolFiles::new();
            if let Some(text) = suite.text(plain).await? {
                leads::pool_files(&suite.path(plain), &text, &mut pool)?;
            }
            self.files.extend(pool.into_iter().map(|(path, expected)| (path, expected.size)));
        }
        Ok(())
    }
}
