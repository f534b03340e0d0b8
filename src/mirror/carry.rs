//! Carries files from one store to another: some at once, in bounded memory, each checked before it is sent.
//!
//! A file that fails does not stop the others: all that can be sent is sent, and every failure is told by its name.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use super::options::Sync;
use crate::{
    dists::layout::{ArchivePath, SuitePath},
    gc::pins::Pin,
    operations::written::Written,
    store::{self, Content, Limit, Put, Store},
    suite::{
        error::Error,
        event::{Event, Events},
        failed::{Failed, FailedBecause},
        references::Expected,
    },
};

/// A file of more bytes is sent from the disk, piece by piece. Indices are sent at once as far as possible: each piece
/// would be a request.
const IN_MEMORY: u64 = 16 << 20;
const INDEX_IN_MEMORY: u64 = 64 << 20;
/// All files that are held in memory at once have no more bytes together.
const MEMORY: u64 = 128 << 20;
/// What memory is counted in.
const UNIT: u64 = 64 << 10;
/// Before a file of more bytes is sent to the pool, the destination is asked whether it has it. Indices are so few that
/// the first of them tells.
const LOOK: u64 = 1 << 20;
/// At a destination where nothing is published yet, it is asked for the first files whatever their size: were they sent
/// before by a run that was cut off, so were others.
const FIRST_LOOKS: usize = 16;
/// So many failures are enough to know that the rest will fail too.
const FAILURES: usize = 20;

/// A file that is to be carried.
#[derive(Debug, Clone)]
pub(super) struct Load {
    /// Where it goes.
    pub(super) to: String,
    /// Where it may be found, the best place first.
    pub(super) from: Vec<String>,
    /// What it must be.
    pub(super) expected: Expected,
    /// What happens at the other end.
    pub(super) how: How,
    /// Whether the source may list it and not have it.
    pub(super) optional: bool,
}

impl Load {
    fn is_below_dists(&self) -> bool {
        matches!(ArchivePath::of(&self.to), ArchivePath::Dists(_))
    }

    fn in_memory(&self) -> u64 {
        if self.is_below_dists() { INDEX_IN_MEMORY } else { IN_MEMORY }
    }
}

/// Whether the path of a file is the digest of its bytes.
fn is_by_hash(path: &str) -> bool {
    matches!(ArchivePath::of(path), ArchivePath::Dists(SuitePath::ByHash { .. }))
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It never changes.
    New,
    /// It never changes, and is written over what is there, which is damaged.
    Renew,
    /// It takes the place of what is there.
    Replace,
}

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Sent,
    WasThere,
    /// Listed at the source, and not there.
    NotCarried,
}

/// Sends files from one store to another, and keeps count.
pub(super) struct Carrier<'a> {
    source: &'a Store,
    destination: &'a Store,
    at_once: usize,
    events: Events<'a>,
    memory: Semaphore,
    /// Something was found to be there already: a run before this one was cut off.
    resumes: AtomicBool,
    looks: AtomicUsize,
    done: AtomicU64,
    total: AtomicU64,
    tally: Mutex<Tally>,
    /// What was there already, and since when.
    there: Mutex<Vec<(Load, SystemTime)>>,
}

/// What was carried.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: Vec<Written>,
    pub(super) was_there: Vec<Written>,
    pub(super) failed: Vec<Failed>,
}

impl<'a> Carrier<'a> {
    pub(super) fn new(source: &'a Store, destination: &'a Store, how: &Sync<'a>) -> Self {
        Self {
            source,
            destination,
            at_once: how.at_once.max(1),
            events: how.events,
            memory: Semaphore::new(usize::try_from(MEMORY / UNIT).unwrap_or(1)),
            resumes: AtomicBool::new(false),
            looks: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            tally: Mutex::default(),
            there: Mutex::default(),
        }
    }

    /// Nothing is published at the destination: what an earlier run may have sent is not known.
    pub(super) fn begins_anew(&self) {
        self.looks.store(FIRST_LOOKS, Ordering::Relaxed);
    }

    /// So many more bytes are going to be sent.
    pub(super) fn announce(&self, loads: &[Load]) {
        let bytes: u64 = loads.iter().map(|load| load.expected.size).sum();
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Sends files, some at once; says whether all of them are there now.
    pub(super) async fn carry(&self, loads: &[Load]) -> Result<(), Error> {
        let before = self.failures();
        let sent = stream::iter(loads).map(|load| async move {
            if self.failures() - before < FAILURES {
                self.carry_one(load).await;
            }
        });
        sent.buffer_unordered(self.at_once).for_each(|()| async {}).await;
        let failed = std::mem::take(&mut self.tally().failed);
        if failed.is_empty() { Ok(()) } else { Err(Error::NotCarried(failed)) }
    }

    async fn carry_one(&self, load: &Load) {
        let size = load.expected.size;
        let outcome = self.try_one(load).await;
        let written = || Written { path: load.to.clone(), bytes: size };
        let done = self.done.fetch_add(size, Ordering::Relaxed) + size;
        match outcome {
            Ok(Done::Sent) => {
                (self.events)(Event::Written { path: load.to.clone(), bytes: size });
                self.tally().sent.push(written());
            }
            Ok(Done::WasThere) => self.tally().was_there.push(written()),
            Ok(Done::NotCarried) => {}
            Err(source) => self.tally().failed.push(Failed { path: load.to.clone(), source }),
        }
        (self.events)(Event::Stored { done, total: self.total.load(Ordering::Relaxed) });
    }

    async fn try_one(&self, load: &Load) -> Result<Done, FailedBecause> {
        if load.how == How::New
            && self.looks_first(load)
            && let Some(found) = self.destination.found(&load.to).await?
            && load.expected.matches_checksum(&found)
        {
            self.was_there(load, found.modified);
            return Ok(Done::WasThere);
        }
        // By their digests the bytes are there already. What fails here fails below, and is told there.
        if load.how == How::Replace
            && let Some(by_hash) = load.from.first()
            && self.destination.copy_on_server(by_hash, &load.to).await.unwrap_or(false)
        {
            return Ok(Done::Sent);
        }
        let weight = u32::try_from(load.expected.size.min(load.in_memory()) / UNIT + 1).unwrap_or(u32::MAX);
        // Never closed.
        let _permit = self.memory.acquire_many(weight).await.ok();
        let Some(content) = self.read(load).await? else {
            return if load.optional { Ok(Done::NotCarried) } else { Err(FailedBecause::Absent) };
        };
        let (to, content) = (&load.to, &content.content);
        match load.how {
            How::Replace => self.destination.replace_with(to, content).await?,
            How::Renew => self.destination.renew(to, content).await?,
            How::New => match self.destination.put_new(to, content).await {
                Ok(Put::Created) => {}
                Ok(Put::Present) => {
                    // How old it is is not known: it is looked at once more.
                    self.was_there(load, SystemTime::UNIX_EPOCH);
                    return Ok(Done::WasThere);
                }
                // The name is the digest of what belongs there: other bytes are nobody's, such as a power cut leaves.
                Err(store::Error::Occupied { .. }) if is_by_hash(to) => {
                    self.destination.renew(to, content).await?;
                }
                Err(error) => return Err(error.into()),
            },
        }
        Ok(Done::Sent)
    }

    fn looks_first(&self, load: &Load) -> bool {
        let one_less = |looks: usize| looks.checked_sub(1);
        (load.expected.size > LOOK && !load.is_below_dists())
            || self.resumes.load(Ordering::Relaxed)
            || self.looks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    fn was_there(&self, load: &Load, since: SystemTime) {
        self.resumes.store(true, Ordering::Relaxed);
        self.there.lock().unwrap_or_else(PoisonError::into_inner).push((load.clone(), since));
    }

    /// Keeps what was there already from being deleted before a pointer leads to it; what may just have been is looked
    /// for, and sent again.
    pub(super) async fn hold(&self) -> Result<Option<Pin<'a>>, Error> {
        let there = std::mem::take(&mut *self.there.lock().unwrap_or_else(PoisonError::into_inner));
        if there.is_empty() {
            return Ok(None);
        }
        let hold = Pin::take(self.destination, there.iter().map(|(load, _)| load.to.as_str())).await?;
        match self.send_what_is_gone(&hold, there).await {
            Ok(()) => Ok(Some(hold)),
            Err(error) => {
                hold.release().await;
                Err(error)
            }
        }
    }

    async fn send_what_is_gone(&self, hold: &Pin<'_>, there: Vec<(Load, SystemTime)>) -> Result<(), Error> {
        let mut gone = Vec::new();
        for (load, since) in there {
            if hold.came_late_for(since) && self.destination.size(&load.to).await?.is_none() {
                gone.push(load);
            }
        }
        self.carry(&gone).await
    }

    /// Reads a file of the source and compares it with what the index says.
    async fn read(&self, load: &Load) -> Result<Option<store::Loaded>, FailedBecause> {
        for path in &load.from {
            let Some(loaded) =
                self.source.load(path, load.in_memory(), Limit::bytes(load.expected.size)).await?
            else {
                continue;
            };
            let found = *loaded.content.digests();
            if !load.expected.is(&found) {
                let Expected { size: listed, sha256, .. } = load.expected;
                return Err(FailedBecause::Differs { listed, sha256, found: Box::new(found) });
            }
            return Ok(Some(loaded));
        }
        Ok(None)
    }

    /// Writes bytes over what is there, and counts them.
    pub(super) async fn replace(&self, path: &str, bytes: bytes::Bytes) -> Result<(), Error> {
        let size = bytes.len() as u64;
        self.destination.replace(path, bytes).await?;
        self.wrote(path, size);
        Ok(())
    }

    /// Counts what was written by other means.
    pub(super) fn wrote(&self, path: &str, bytes: u64) {
        (self.events)(Event::Written { path: path.to_owned(), bytes });
        self.tally().sent.push(Written { path: path.to_owned(), bytes });
    }

    /// Writes bytes that never change.
    pub(super) async fn put_new(&self, path: &str, content: &Content) -> Result<(), Error> {
        if self.destination.put_new(path, content).await? == Put::Created {
            self.tally().sent.push(Written { path: path.to_owned(), bytes: content.digests().size });
        }
        Ok(())
    }

    fn failures(&self) -> usize {
        self.tally().failed.len()
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was carried in all.
    pub(super) fn into_tally(self) -> Tally {
        self.tally.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
