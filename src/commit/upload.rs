//! Uploads the immutable files of one operation, each once over all its tries.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use futures::{StreamExt, stream};
use tokio::task::JoinSet;

use super::{
    fetch::{self, Fetches},
    listing::Listings,
};
use crate::{
    digest::Digests,
    gc::{
        live_set::missing,
        pins::{Pin, STALE},
    },
    operations::plan::{Copied, Plan},
    pool::PoolPath,
    store::{self, Content, Limit, Put, Store, unless_larger},
    suite::{
        error::Error,
        event::{Event, Events},
        file_lists::FileLists,
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

/// A task writes one large object, or a batch of small objects of this total size.
const LONG_RUN: u64 = 1 << 20;
/// The number of objects that are written concurrently.
const AT_ONCE: usize = 16;

/// The policy for existing other bytes at the path of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OtherBytes {
    /// The file is published, and must not change.
    Refused,
    /// The path is content-addressed: other bytes are left over from a crash and safe to overwrite.
    Leftover,
}

/// The condition of a pool file of a published package.
enum PoolState {
    Whole,
    Missing,
    Damaged,
}

/// The policy for existing other bytes, by path.
struct Others {
    other: OtherBytes,
    /// Files that are known to be damaged.
    damaged: Arc<BTreeSet<String>>,
}

impl Others {
    fn at(&self, path: &str) -> OtherBytes {
        if self.damaged.contains(path) { OtherBytes::Leftover } else { self.other }
    }
}

/// Files with their paths.
pub(super) type Files = Vec<(String, Content)>;

/// Writes the files of one operation, each once, and records which existed before.
pub(super) struct Upload<'a> {
    store: &'a Store,
    events: Events<'a>,
    /// The file lists that any try has read.
    lists: FileLists<'a>,
    /// The earliest time at which a file may have been written.
    since: Instant,
    /// Files that this operation has written in any try, after `since`: `prune` does not delete them.
    written: Mutex<BTreeSet<String>>,
    /// Damaged files of published packages, of which this operation has intact copies.
    damaged: Mutex<BTreeSet<String>>,
}

impl<'a> Upload<'a> {
    pub(super) fn new(store: &'a Store, events: Events<'a>) -> Self {
        Self {
            store,
            events,
            lists: FileLists::new(events),
            since: Instant::now(),
            written: Mutex::default(),
            damaged: Mutex::default(),
        }
    }

    pub(super) fn lists(&self) -> &FileLists<'a> {
        &self.lists
    }

    /// Whether files of the first tries are so old that `prune` may delete them before the commit.
    pub(super) fn is_stale(&self) -> bool {
        self.since.elapsed() >= STALE
    }

    /// Forgets which files were written, so that the next try checks each again.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.store, self.events);
    }

    fn has_written(&self, path: &str) -> bool {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    /// Returns the files that the pool did not have before this operation, and those that it had. Refuses existing
    /// files with other bytes before anything is written.
    pub(super) async fn for_pool(
        &self,
        pool: Vec<(PoolPath, Content)>,
        published: &PublishedSuite,
    ) -> Result<(Files, Files), Error> {
        // Owned, so that a commit can be spawned.
        let checks = stream::iter(pool).map(|(path, content)| async move {
            let found = if self.has_written(path.as_str()) {
                Ok(None)
            } else {
                self.store.check_put(path.as_str(), content.digests()).await
            };
            (path.as_str().to_owned(), content, found)
        });
        let mut checks = checks.buffered(AT_ONCE);
        let (mut lacking, mut there, mut occupied) = (Vec::new(), Vec::new(), Vec::new());
        while let Some((path, content, found)) = checks.next().await {
            match found {
                Ok(None) => lacking.push((path, content)),
                Ok(Some(_)) => there.push((path, content)),
                Err(error @ store::Error::Occupied { .. }) => occupied.push((path, content, error)),
                Err(error) => return Err(error.into()),
            }
        }
        if occupied.is_empty() {
            return Ok((lacking, there));
        }
        let listings = Listings::read(self.store).await?;
        let refused = occupied.into_iter().map(|(path, content, source)| {
            let source = match listings.suite_with(&path, content.digests()) {
                Some(suite) => Reason::DamagedInPool { path: path.clone(), suite: suite.clone() },
                None => Reason::Pool(source),
            };
            let subject = match content {
                Content::File(local) => local.file.display().to_string(),
                Content::Bytes(..) => path,
            };
            let suite = Some(published.name().clone());
            Refusal { action: "add", preposition: "to", subject, suite, source }
        });
        Err(Error::Refused(refused.collect()))
    }

    /// Returns the files of published packages that are missing or damaged in the pool, and that were given again.
    pub(super) async fn lost(&self, kept: Vec<(PoolPath, Content)>) -> Result<Files, Error> {
        let checks = stream::iter(kept).map(|(path, content)| async move {
            let found = self.state_of(path.as_str(), content.digests()).await;
            (path.as_str().to_owned(), content, found)
        });
        let mut checks = checks.buffered(AT_ONCE);
        let mut lost = Vec::new();
        while let Some((path, content, found)) = checks.next().await {
            match found? {
                PoolState::Whole => continue,
                PoolState::Missing => {}
                PoolState::Damaged => {
                    self.damaged.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
                }
            }
            lost.push((path, content));
        }
        Ok(lost)
    }

    /// Compares a pool file with the digests in the published index; reads it only if the store's own MD5 proves
    /// nothing.
    async fn state_of(&self, path: &str, digests: &Digests) -> Result<PoolState, store::Error> {
        let Some(found) = self.store.head(path).await? else { return Ok(PoolState::Missing) };
        if found.matches_checksum(digests) {
            return Ok(PoolState::Whole);
        }
        if found.size != digests.size {
            return Ok(PoolState::Damaged);
        }
        Ok(match unless_larger(self.store.digests(path, Limit::bytes(found.size)).await)? {
            None => PoolState::Missing,
            Some(found) if found.sha256 == digests.sha256 => PoolState::Whole,
            Some(_) => PoolState::Damaged,
        })
    }

    /// Refuses packages of another suite whose pool files are missing or have another size.
    pub(super) async fn all_there(&self, copied: &[Copied], published: &PublishedSuite) -> Result<(), Error> {
        let checks = stream::iter(copied.to_vec()).map(|copied| async move {
            let found = self.size_of(&copied).await;
            (copied, found)
        });
        let mut checks = checks.buffered(AT_ONCE);
        let mut refused = Vec::new();
        while let Some((Copied { path, size, digests, action, subject }, found)) = checks.next().await {
            let found = found?;
            if found != Some(size) {
                let suite = Some(published.name().clone());
                let path = path.to_string();
                let source = match digests {
                    None => Reason::Lost { path, size, found },
                    Some(_) => Reason::NotInPool { path },
                };
                refused.push(Refusal { action, preposition: "to", subject, suite, source });
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Error::Refused(refused)) }
    }

    /// Returns the size of a file in the pool; `None` if it is missing, or has other digests than it must have.
    async fn size_of(&self, file: &Copied) -> Result<Option<u64>, store::Error> {
        let Some(digests) = &file.digests else { return self.store.size(file.path.as_str()).await };
        Ok(match self.state_of(file.path.as_str(), digests).await? {
            PoolState::Whole => Some(digests.size),
            PoolState::Missing | PoolState::Damaged => None,
        })
    }

    /// Writes immutable files concurrently, in batches of small ones. Returns the files that already existed.
    pub(super) async fn put_all(
        &self,
        files: &[(String, Content)],
        other: OtherBytes,
    ) -> Result<Files, Error> {
        let files: Files = files.iter().filter(|(path, _)| !self.has_written(path)).cloned().collect();
        let total = files.iter().map(|(_, content)| content.digests().size).sum();
        let mut runs: Vec<(u64, Files)> = Vec::new();
        for file in files {
            let size = file.1.digests().size;
            match runs.last_mut() {
                Some((bytes, run)) if run.len() < self.store.batch_size() && *bytes + size <= LONG_RUN => {
                    *bytes += size;
                    run.push(file);
                }
                _ => runs.push((size, vec![file])),
            }
        }
        let damaged = Arc::new(self.damaged.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let (mut runs, mut puts, mut failed) = (runs.into_iter(), JoinSet::new(), None);
        let stop = Arc::new(AtomicBool::new(false));
        let (mut done, mut there) = (0, Vec::new());
        loop {
            while puts.len() < AT_ONCE
                && failed.is_none()
                && let Some((_, run)) = runs.next()
            {
                let others = Others { other, damaged: Arc::clone(&damaged) };
                puts.spawn(put_run(self.store.clone(), run, others, Arc::clone(&stop)));
            }
            // Wait for tasks in progress even after a failure: nothing may be written after the command has failed.
            let run = match puts.join_next().await {
                None => break,
                Some(Ok(Ok(run))) => run,
                Some(Ok(Err(error))) => {
                    stop.store(true, Ordering::Relaxed);
                    failed.get_or_insert(error);
                    continue;
                }
                Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            };
            for (path, content, put) in run {
                let bytes = content.digests().size;
                done += bytes;
                match put {
                    Put::Created => {
                        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
                        (self.events)(Event::Written { path, bytes });
                    }
                    Put::Present => there.push((path, content)),
                }
            }
            (self.events)(Event::Stored { done, total });
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        Ok(there)
    }

    /// Compares files of packages of other archives with the pool.
    pub(super) async fn to_fetch(&self, plan: &Plan) -> Result<Fetches, Error> {
        fetch::compare(self.store, &plan.fetched).await
    }

    /// Fetches files of packages of other archives; the plan gets those that existed already.
    pub(super) async fn fetch(&self, fetches: Fetches, plan: &mut Plan) -> Result<(), Error> {
        plan.copied.extend(fetches.there);
        plan.copied.extend(fetch::fetch(self.store, &fetches.missing, &self.written, self.events).await?);
        Ok(())
    }

    /// Pins existing files until the pointer references them. Files that a prune has just deleted are written again;
    /// without their content the try fails with a conflict.
    pub(super) async fn pin(
        &self,
        there: &[(String, Content)],
        plan: &Plan,
        published: &PublishedSuite,
    ) -> Result<Option<Pin<'a>>, Error> {
        let source_files = plan.source_files.iter().flat_map(|(_, files)| files);
        let paths = there.iter().map(|(path, _)| path).chain(plan.needs.keys()).chain(source_files);
        let paths = paths.map(String::as_str).chain(plan.copied.iter().map(|file| file.path.as_str()));
        let mut paths = paths.peekable();
        if paths.peek().is_none() {
            return Ok(None);
        }
        let pin = Pin::take(self.store, paths, self.events).await?;
        let made_sure = async {
            if let Some(path) = missing(self.store, &plan.needs).await?.pop() {
                // The next try reports the missing file, if it is still missing.
                return Err(store::Error::Conflict { path }.into());
            }
            self.put_what_is_gone(there).await?;
            self.all_there(&plan.copied, published).await
        };
        match made_sure.await {
            Ok(()) => Ok(Some(pin)),
            Err(error) => {
                pin.release().await;
                Err(error)
            }
        }
    }

    async fn put_what_is_gone(&self, there: &[(String, Content)]) -> Result<(), Error> {
        let mut gone = Vec::new();
        for (path, content) in there {
            if self.store.size(path).await?.is_none() {
                gone.push((path.clone(), content.clone()));
            }
        }
        self.put_all(&gone, OtherBytes::Refused).await?;
        Ok(())
    }
}

/// Writes one immutable file.
async fn put(store: &Store, path: &str, content: &Content, other: OtherBytes) -> Result<Put, store::Error> {
    match store.put_new(path, content).await {
        Err(store::Error::Occupied { .. }) if other == OtherBytes::Leftover => {
            store.renew(path, content).await?;
            Ok(Put::Created)
        }
        put => put,
    }
}

/// Writes a batch of files sequentially, until the command fails.
async fn put_run(
    store: Store,
    run: Files,
    others: Others,
    stop: Arc<AtomicBool>,
) -> Result<Vec<(String, Content, Put)>, store::Error> {
    let mut done = Vec::with_capacity(run.len());
    for (path, content) in run {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let put = put(&store, &path, &content, others.at(&path)).await?;
        done.push((path, content, put));
    }
    Ok(done)
}
