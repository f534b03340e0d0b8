//! Copies files from one store to another, several concurrently, in bounded memory, each verified before it is sent.
//!
//! A failed file does not stop the others: every file that can be sent is sent, and each failure is reported by path.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use super::options::Sync;
use crate::{
    dists::layout::{ArchivePath, ReleaseForm, SuitePath},
    gc::pins::Pin,
    operations::written::Written,
    store::{self, Awaited, Content, Put, Store},
    suite::{
        arriving::{Arriving, ArrivingFile},
        error::Error,
        event::{Event, Events},
        failed::{Failed, FailedBecause},
        references::Expected,
    },
};

/// A larger file is sent from disk as a multipart upload. Indices are sent in one request where possible, since each
/// part costs a request.
const IN_MEMORY: u64 = 16 << 20;
const INDEX_IN_MEMORY: u64 = 64 << 20;
/// Limit on the bytes of all files that are held in memory concurrently.
const MEMORY_LIMIT: u64 = 128 << 20;
/// The unit in which memory is counted.
const MEMORY_UNIT: u64 = 64 << 10;
/// Above this size the destination is asked for a pool file before it is sent. There are so few indices that probing
/// the first of them is enough.
const PROBE_ABOVE: u64 = 1 << 20;
/// At an empty destination, the first files are probed whatever their size: if an interrupted run sent them, it sent
/// others too.
const FIRST_PROBES: usize = 16;
/// After this many failures the remaining files are not tried: they would fail too.
const MAX_FAILURES: usize = 20;

/// A file to copy.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    /// The path at the destination.
    pub(super) to: String,
    /// The paths at the source where the file may be found, the preferred one first.
    pub(super) from: Vec<String>,
    /// The expected size and digests.
    pub(super) expected: Expected,
    /// How the file is written at the destination.
    pub(super) how: WriteMode,
    /// Whether the source may list the file without having it.
    pub(super) optional: bool,
}

impl Transfer {
    /// A patch of an index: clients that do not find it download the index.
    pub(super) fn of_patch(path: String, expected: Expected, how: WriteMode) -> Self {
        Self { to: path.clone(), from: vec![path], expected, how, optional: true }
    }

    fn is_below_dists(&self) -> bool {
        matches!(ArchivePath::of(&self.to), ArchivePath::Dists(_))
    }

    fn is_patch(&self) -> bool {
        matches!(ArchivePath::of(&self.to), ArchivePath::Dists(SuitePath::Patch { .. }))
    }

    fn in_memory(&self) -> u64 {
        if self.is_below_dists() { INDEX_IN_MEMORY } else { IN_MEMORY }
    }
}

/// Whether the path of a file contains its digest, or no client trusts it without.
fn is_by_hash(path: &str) -> bool {
    matches!(ArchivePath::of(path), ArchivePath::Dists(SuitePath::ByHash { .. } | SuitePath::Patch { .. }))
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteMode {
    /// The file is immutable.
    New,
    /// The file is immutable; the existing copy is damaged and is overwritten.
    Renew,
    /// Replaces the existing file.
    Replace,
    /// Replaces the existing file unless it has the same bytes: its path does not determine its content.
    Image,
}

/// The result of copying a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    Sent,
    WasThere,
    /// Listed at the source, but missing there.
    NotCarried,
}

/// Copies files from one store to another, and counts them.
pub(super) struct Copier<'a> {
    source: &'a Store,
    destination: &'a Store,
    at_once: usize,
    events: Events<'a>,
    memory: Semaphore,
    /// A file already existed: an earlier run was interrupted.
    resumes: AtomicBool,
    looks: AtomicUsize,
    arriving: Arriving<'a>,
    tally: Mutex<Tally>,
    /// The files that already existed, with their times of modification.
    there: Mutex<Vec<(Transfer, SystemTime)>>,
}

/// Counts of what was copied.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: Vec<Written>,
    pub(super) note_existing: Vec<Written>,
    pub(super) failed: Vec<Failed>,
    /// Package files that the source does not have, and that are not required.
    pub(super) missing: BTreeSet<String>,
}

impl<'a> Copier<'a> {
    pub(super) fn new(source: &'a Store, destination: &'a Store, how: &Sync<'a>) -> Self {
        Self {
            source,
            destination,
            at_once: how.at_once.max(1),
            events: how.events,
            memory: Semaphore::new(usize::try_from(MEMORY_LIMIT / MEMORY_UNIT).unwrap_or(1)),
            resumes: AtomicBool::new(false),
            looks: AtomicUsize::new(0),
            arriving: Arriving::new(how.events),
            tally: Mutex::default(),
            there: Mutex::default(),
        }
    }

    /// Nothing is published at the destination: it is unknown which files an earlier run may have sent.
    pub(super) fn distrust_earlier_runs(&self) {
        self.looks.store(FIRST_PROBES, Ordering::Relaxed);
    }

    /// Adds files to the total of the progress.
    pub(super) fn announce(&self, transfers: &[Transfer]) {
        self.arriving.announce(transfers.iter().map(|load| load.expected.size).sum());
    }

    /// Copies files concurrently; fails if any of them is not at the destination afterwards.
    pub(super) async fn copy(&self, transfers: &[Transfer]) -> Result<(), Error> {
        let before = self.failures();
        let sent = stream::iter(transfers).map(|load| async move {
            if self.failures() - before < MAX_FAILURES {
                self.copy_one(load).await;
            }
        });
        sent.buffer_unordered(self.at_once).for_each(|()| async {}).await;
        let failed = std::mem::take(&mut self.tally().failed);
        if failed.is_empty() { Ok(()) } else { Err(Error::NotCarried(failed)) }
    }

    async fn copy_one(&self, load: &Transfer) {
        let size = load.expected.size;
        let arriving = self.arriving.file(size);
        let outcome = self.try_copy(load, &arriving).await;
        let written = || Written { path: load.to.clone(), bytes: size };
        match outcome {
            Ok(Copied::Sent) => {
                (self.events)(Event::Written { path: load.to.clone(), bytes: size });
                self.tally().sent.push(written());
            }
            Ok(Copied::WasThere) => self.tally().note_existing.push(written()),
            Ok(Copied::NotCarried) if load.is_patch() => self.without_patch(load, "does not have it"),
            Err(FailedBecause::Differs { .. } | FailedBecause::Store(store::Error::TooLarge { .. }))
                if load.is_patch() =>
            {
                self.without_patch(load, "has another file there");
            }
            // An index may be listed in forms that no archive stores, and clients do without patches and images.
            Ok(Copied::NotCarried) if load.is_below_dists() => {}
            Ok(Copied::NotCarried) => drop(self.tally().missing.insert(load.to.clone())),
            Err(source) => self.tally().failed.push(Failed { path: load.to.clone(), source }),
        }
        arriving.end();
    }

    /// Goes on without a patch.
    fn without_patch(&self, load: &Transfer, why: &str) {
        let patch = &load.to;
        (self.events)(Event::Warning(format!(
            "the source lists the patch `{patch}`, but {why}: clients that need it download the whole index"
        )));
    }

    async fn try_copy(&self, load: &Transfer, arriving: &ArrivingFile<'_>) -> Result<Copied, FailedBecause> {
        if load.how == WriteMode::New
            && self.probes_first(load)
            && let Some(found) = self.destination.head(&load.to).await?
            && load.expected.matches_checksum(&found)
        {
            self.note_existing(load, found.modified);
            return Ok(Copied::WasThere);
        }
        // An alias is written from its by-hash file, which exists already. A failure here is reported by the read
        // below.
        if load.how == WriteMode::Replace
            && let Some(by_hash) = load.from.first()
            && self.destination.copy_on_server(by_hash, &load.to).await.unwrap_or(false)
        {
            return Ok(Copied::Sent);
        }
        let weight =
            u32::try_from(load.expected.size.min(load.in_memory()) / MEMORY_UNIT + 1).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let _permit = self.memory.acquire_many(weight).await.ok();
        let Some(content) = self.read(load, arriving).await? else {
            return if load.optional { Ok(Copied::NotCarried) } else { Err(FailedBecause::Absent) };
        };
        let (to, content) = (&load.to, &content.content);
        match load.how {
            WriteMode::Replace => self.destination.replace_with(to, content).await?,
            WriteMode::Renew => self.destination.renew(to, content).await?,
            WriteMode::Image => {
                let there = self.destination.head(to).await?;
                if let Some(found) = there.filter(|found| found.matches_checksum(content.digests())) {
                    self.note_existing(load, found.modified);
                    return Ok(Copied::WasThere);
                }
                self.destination.replace_with(to, content).await?;
            }
            WriteMode::New => match self.destination.put_new(to, content).await {
                Ok(Put::Created) => {}
                Ok(Put::Present) => {
                    // Its age is unknown, so it is checked again once it is pinned.
                    self.note_existing(load, SystemTime::UNIX_EPOCH);
                    return Ok(Copied::WasThere);
                }
                // The name is the digest, so other bytes there are left over from a crash and are safe to overwrite.
                Err(store::Error::Occupied { .. }) if is_by_hash(to) => {
                    self.destination.renew(to, content).await?;
                }
                Err(error) => return Err(error.into()),
            },
        }
        Ok(Copied::Sent)
    }

    fn probes_first(&self, load: &Transfer) -> bool {
        let one_less = |looks: usize| looks.checked_sub(1);
        (load.expected.size > PROBE_ABOVE && !load.is_below_dists())
            || self.resumes.load(Ordering::Relaxed)
            || self.looks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    fn note_existing(&self, load: &Transfer, since: SystemTime) {
        self.resumes.store(true, Ordering::Relaxed);
        self.there.lock().unwrap_or_else(PoisonError::into_inner).push((load.clone(), since));
    }

    /// Pins the files that already existed, so that they are not deleted before a pointer references them; those that
    /// may have been deleted in the meantime are checked and sent again.
    pub(super) async fn pin(&self) -> Result<Option<Pin<'a>>, Error> {
        let there = std::mem::take(&mut *self.there.lock().unwrap_or_else(PoisonError::into_inner));
        if there.is_empty() {
            return Ok(None);
        }
        let paths = there.iter().map(|(load, _)| load.to.as_str());
        let pin = Pin::take(self.destination, paths, self.events).await?;
        match self.send_missing(&pin, there).await {
            Ok(()) => Ok(Some(pin)),
            Err(error) => {
                pin.release().await;
                Err(error)
            }
        }
    }

    async fn send_missing(&self, pin: &Pin<'_>, there: Vec<(Transfer, SystemTime)>) -> Result<(), Error> {
        let mut gone = Vec::new();
        for (load, since) in there {
            if pin.came_late_for(since) && self.destination.size(&load.to).await?.is_none() {
                gone.push(load);
            }
        }
        self.copy(&gone).await
    }

    /// Reads a file of the source and compares it with its index entry.
    async fn read(
        &self,
        load: &Transfer,
        arriving: &ArrivingFile<'_>,
    ) -> Result<Option<store::Loaded>, FailedBecause> {
        let mut refused = None;
        for path in &load.from {
            let Expected { size, sha256, .. } = load.expected;
            let awaited = Awaited { size, sha256, arrived: &|bytes| arriving.at(bytes) };
            let read = self.source.load_awaited(path, load.in_memory(), awaited).await;
            let loaded = match read {
                Err(error) if self.source.may_be_missing(&error) => {
                    refused = Some(error);
                    continue;
                }
                read => read?,
            };
            let Some(loaded) = loaded else { continue };
            let found = *loaded.content.digests();
            if !load.expected.is(&found) {
                let Expected { size: listed, sha256, .. } = load.expected;
                return Err(FailedBecause::Differs { listed, sha256, found: Box::new(found) });
            }
            return Ok(Some(loaded));
        }
        match refused.filter(|_| !load.optional) {
            Some(error) => Err(error.into()),
            None => Ok(None),
        }
    }

    /// Replaces a file, and counts it.
    pub(super) async fn replace(&self, path: &str, bytes: bytes::Bytes) -> Result<(), Error> {
        let size = bytes.len() as u64;
        self.destination.replace(path, bytes).await?;
        self.wrote(path, size);
        Ok(())
    }

    /// Counts bytes that were written elsewhere.
    pub(super) fn wrote(&self, path: &str, bytes: u64) {
        (self.events)(Event::Written { path: path.to_owned(), bytes });
        self.tally().sent.push(Written { path: path.to_owned(), bytes });
    }

    /// Writes an immutable file.
    pub(super) async fn put_new(&self, path: &str, content: &Content) -> Result<(), Error> {
        let put = match self.destination.put_new(path, content).await {
            // Another signature of the same release file.
            Err(store::Error::Occupied { .. })
                if ReleaseForm::of_path(path) == Some(ReleaseForm::Signature) =>
            {
                self.destination.renew(path, content).await?;
                Put::Created
            }
            put => put?,
        };
        if put == Put::Created {
            self.tally().sent.push(Written { path: path.to_owned(), bytes: content.digests().size });
        }
        Ok(())
    }

    /// Returns the package files that were missing since the last call.
    pub(super) fn take_missing(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.tally().missing)
    }

    fn failures(&self) -> usize {
        self.tally().failed.len()
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the counts.
    pub(super) fn into_tally(self) -> Tally {
        self.tally.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
