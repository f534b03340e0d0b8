//! Pins and the garbage collection marker: coordinate operations and `prune` without a lock.
//!
//! `prune` deletes only unreferenced files that are older than the grace period, so files that an operation has just
//! written are safe. But an operation may need an old, unreferenced file that exists: a removed package is added again.
//! Therefore each side announces itself before it acts:
//!
//! - the operation writes a *pin* with the paths of such files, then checks for a *marker* of a prune and waits until it is
//!   gone; then it checks that the files still exist, and only then publishes;
//! - `prune` writes the marker, then reads all pins, then all pointers, and deletes nothing that any of them references.
//!
//! Invariant: the second of two concurrent ones sees the first. The pin of a killed publisher expires after two days;
//! the marker of a killed prune expires after 15 minutes without renewal. All times are modification times of the
//! store, so the clocks of the machines do not matter.

use std::{
    collections::BTreeSet,
    task::Poll,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::TryStreamExt;
use tokio::time::{Instant, sleep};

use crate::{
    digest::Digests,
    store::{self, Content, Store},
    suite::{
        error::Error,
        event::{Event, Events},
        generations::is_older,
        limits,
    },
};

/// The grace period: younger files are not deleted, since an operation in progress may be about to reference them.
pub const GRACE: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// An older upload is stale: `prune` may delete it before the operation publishes. The rest of [`GRACE`] is the time
/// that an operation may take from here.
pub(crate) const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// The marker of a running prune.
const MARKER: &str = ".publish/prune";
/// The folder of the pins.
const PINS: &str = ".publish/holds";

/// A marker that was not renewed for this time has expired.
const EXPIRY: Duration = Duration::from_secs(15 * 60);
/// The interval at which a prune renews its marker.
const RENEWAL: Duration = Duration::from_secs(60);
/// After this time without renewal a prune stops deleting, well before its marker expires.
const RENEWAL_DEADLINE: Duration = Duration::from_secs(10 * 60);
/// The interval at which an operation checks whether a prune has ended.
const POLL: Duration = Duration::from_millis(500);
/// A longer wait is reported.
const NOTICE: Duration = Duration::from_secs(2);
/// The timeout of that wait.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

/// A published list of files that an operation is about to reference.
pub(crate) struct Pin<'a> {
    store: &'a Store,
    path: String,
    since: SystemTime,
}

impl<'a> Pin<'a> {
    /// Pins files, and waits until a running prune has ended.
    pub(crate) async fn take(
        store: &'a Store,
        files: impl IntoIterator<Item = &str>,
        events: Events<'_>,
    ) -> Result<Self, Error> {
        let mut names = String::new();
        for file in files {
            names.push_str(file);
            names.push('\n');
        }
        let path = format!("{PINS}/{}", unique());
        put(store, &path, names).await?;
        let since = written(store, &path).await?;
        let pin = Self { store, path, since };
        match pin.no_prune(events).await {
            Ok(()) => Ok(pin),
            Err(error) => {
                pin.release().await;
                Err(error)
            }
        }
    }

    async fn no_prune(&self, events: Events<'_>) -> Result<(), Error> {
        let begun = Instant::now();
        let mut is_reported = false;
        // When the last seen marker was written, since when it is watched, and after which time it expires.
        let mut seen: Option<(SystemTime, Instant, Duration)> = None;
        while let Some(marker) = self.store.head(MARKER).await? {
            match seen {
                Some((written, since, expiry)) if written == marker.modified => {
                    if since.elapsed() >= expiry {
                        return Ok(());
                    }
                }
                _ => {
                    let age = self.since.duration_since(marker.modified).unwrap_or_default();
                    seen = Some((marker.modified, Instant::now(), EXPIRY.saturating_sub(age)));
                    continue;
                }
            }
            if !is_reported && begun.elapsed() > NOTICE {
                is_reported = true;
                events(Event::WaitsForPrune { expires: EXPIRY });
            }
            if begun.elapsed() > WAIT_TIMEOUT {
                return Err(Error::Pruning { location: self.store.location().to_string() });
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Whether a prune may have deleted a file of this modification time before it could see this pin.
    pub(crate) fn came_late_for(&self, written: SystemTime) -> bool {
        is_older(written, self.since, STALE)
    }

    /// Removes the pin: the pointer references the files by now, or never will. Best effort: a pin that cannot be
    /// deleted expires after the grace period.
    pub(crate) async fn release(self) {
        let _ = self.store.delete(&self.path).await;
    }
}

/// The marker of a running prune, which operations wait for.
pub(crate) struct GcMarker<'a> {
    store: &'a Store,
    text: Bytes,
    /// When it was written, by the clock of the store.
    pub(crate) since: SystemTime,
    renewed: Instant,
}

impl<'a> GcMarker<'a> {
    /// Writes the marker with a conditional write, unless another prune is running.
    pub(crate) async fn make(store: &'a Store) -> Result<Self, Error> {
        let text = Bytes::from(format!("{}\n", unique()));
        let expected = match store.read(MARKER, limits::MARKER).await? {
            None => None,
            Some(other) => {
                let now = store_time(store).await?;
                match store.head(MARKER).await? {
                    // A marker from the future was written by a machine with a wrong clock. Its successor would be dated
                    // later still, and every file of today would seem old enough to delete.
                    Some(there) if is_older(now, there.modified, EXPIRY) => {
                        let deleted = store.delete_revision(MARKER, &other.revision).await;
                        deleted.map_err(|error| taken(store, error))?;
                        None
                    }
                    Some(there) if !is_older(there.modified, now, EXPIRY) => {
                        return Err(Error::Pruning { location: store.location().to_string() });
                    }
                    _ => Some(other.revision),
                }
            }
        };
        let renewed = Instant::now();
        store.swap(MARKER, text.clone(), expected.as_ref()).await.map_err(|error| taken(store, error))?;
        let since = written(store, MARKER).await?;
        // A listing that lags would miss a pin that was written just before.
        sleep(store.listing_lag()).await;
        Ok(Self { store, text, since, renewed })
    }

    /// Returns the files that operations in progress have pinned, and deletes expired pins.
    pub(crate) async fn pinned(&self) -> Result<BTreeSet<String>, Error> {
        let mut pinned = BTreeSet::new();
        let pins: Vec<store::StoredObject> = self.store.walk(PINS).try_collect().await?;
        for pin in pins {
            if is_older(pin.modified, self.since, GRACE) {
                self.store.delete(&pin.path).await?;
                continue;
            }
            // Released concurrently.
            let Some(names) = self.store.read(&pin.path, limits::HOLD).await? else { continue };
            let names = String::from_utf8_lossy(&names.bytes);
            pinned.extend(names.lines().map(ToOwned::to_owned));
        }
        Ok(pinned)
    }

    /// Runs long work, and renews the marker meanwhile.
    pub(crate) async fn during<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut work = std::pin::pin!(work);
        loop {
            let renewed = self.renewed;
            // The clock is also checked at each poll: a busy runtime fires timers late.
            let step = std::future::poll_fn(|context| match work.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if renewed.elapsed() >= RENEWAL => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            let done = tokio::select! {
                done = step => done,
                () = sleep(RENEWAL) => None,
            };
            if let Some(done) = done {
                return done;
            }
            self.renew_if_due().await?;
        }
    }

    /// Ensures that operations still wait, before files are deleted.
    pub(crate) async fn renew_if_due(&mut self) -> Result<(), Error> {
        let pruning = || Error::Pruning { location: self.store.location().to_string() };
        if self.renewed.elapsed() < RENEWAL {
            return Ok(());
        }
        if self.renewed.elapsed() > RENEWAL_DEADLINE {
            return Err(pruning());
        }
        let renewed = Instant::now();
        let there = self.store.read(MARKER, limits::MARKER).await?.filter(|there| there.bytes == self.text);
        let Some(there) = there else { return Err(pruning()) };
        let text = Bytes::from(format!("{}\n", unique()));
        let swapped = self.store.swap(MARKER, text.clone(), Some(&there.revision)).await;
        swapped.map_err(|error| taken(self.store, error))?;
        (self.text, self.renewed) = (text, renewed);
        Ok(())
    }

    /// Deletes the marker, so that operations continue.
    pub(crate) async fn end(self) -> Result<(), Error> {
        // Another prune may have taken over the marker after it expired.
        if self.store.read(MARKER, limits::MARKER).await?.is_some_and(|there| there.bytes == self.text) {
            self.store.delete(MARKER).await?;
        }
        Ok(())
    }
}

fn taken(store: &Store, error: store::Error) -> Error {
    match error {
        store::Error::Conflict { .. } => Error::Pruning { location: store.location().to_string() },
        error => error.into(),
    }
}

async fn put(store: &Store, path: &str, text: String) -> Result<(), Error> {
    let content = Bytes::from(text);
    let digests = Digests::of(&content);
    store.put_new(path, &Content::Bytes(content, digests)).await?;
    Ok(())
}

/// Returns the modification time of an existing object.
async fn written(store: &Store, path: &str) -> Result<SystemTime, Error> {
    match store.head(path).await? {
        Some(found) => Ok(found.modified),
        None => Err(store::Error::Conflict { path: path.to_owned() }.into()),
    }
}

/// Returns the time of the clock of the store.
async fn store_time(store: &Store) -> Result<SystemTime, Error> {
    let path = format!(".publish/clock/{}", unique());
    put(store, &path, "now\n".into()).await?;
    let now = written(store, &path).await;
    store.delete(&path).await?;
    now
}

/// Returns a random name that no other process uses.
fn unique() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Environment, Location};

    fn memory() -> Store {
        Store::open(&Location::Memory, &Environment::default()).unwrap()
    }

    async fn pins(store: &Store) -> usize {
        store.walk(PINS).try_collect::<Vec<_>>().await.unwrap().len()
    }

    #[tokio::test]
    async fn a_prune_sees_pinned_files() {
        let store = memory();
        let pin = Pin::take(&store, ["pool/a.deb", "pool/b.deb"], &|_| {}).await.unwrap();
        let prune = GcMarker::make(&store).await.unwrap();
        let names: Vec<String> = prune.pinned().await.unwrap().into_iter().collect();
        assert_eq!(names, ["pool/a.deb", "pool/b.deb"]);
        pin.release().await;
        assert!(prune.pinned().await.unwrap().is_empty());
        prune.end().await.unwrap();
        assert!(store.read(MARKER, limits::MARKER).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_waits_for_the_end_of_a_prune() {
        let store = memory();
        let prune = GcMarker::make(&store).await.unwrap();
        let (sender, ended) = tokio::sync::oneshot::channel();
        let edit = tokio::spawn({
            let store = store.clone();
            async move {
                let pin = Pin::take(&store, ["pool/a.deb"], &|_| {}).await.unwrap();
                sender.send(()).unwrap();
                pin.release().await;
            }
        });
        sleep(Duration::from_secs(60)).await;
        assert_eq!(pins(&store).await, 1, "pinned before it waits");
        let mut ended = ended;
        assert!(ended.try_recv().is_err(), "it waits");
        prune.end().await.unwrap();
        edit.await.unwrap();
        assert_eq!(pins(&store).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_marker_of_a_killed_prune_expires() {
        let store = memory();
        drop(GcMarker::make(&store).await.unwrap());
        let begun = Instant::now();
        Pin::take(&store, ["pool/a.deb"], &|_| {}).await.unwrap().release().await;
        assert!((EXPIRY..EXPIRY + 2 * POLL).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_operation_waits_for_a_prune_that_renews_its_marker() {
        let store = memory();
        let mut prune = GcMarker::make(&store).await.unwrap();
        let edit = tokio::spawn({
            let store = store.clone();
            async move { Pin::take(&store, ["pool/a.deb"], &|_| {}).await.unwrap().release().await }
        });
        for _ in 0..40 {
            sleep(RENEWAL).await;
            prune.renew_if_due().await.unwrap();
        }
        assert!(!edit.is_finished());
        prune.end().await.unwrap();
        edit.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_hours_renews_the_marker() {
        let store = memory();
        let mut prune = GcMarker::make(&store).await.unwrap();
        let work = async {
            sleep(20 * EXPIRY).await;
            Ok(())
        };
        prune.during(work).await.unwrap();
        prune.renew_if_due().await.unwrap();
        drop(GcMarker::make(&store).await.map(drop).unwrap_err());
        prune.end().await.unwrap();
    }

    #[tokio::test]
    async fn a_marker_from_the_future_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open(&Location::Folder(folder.path().to_owned()), &Environment::default()).unwrap();
        drop(GcMarker::make(&store).await.unwrap());
        let date = |time| {
            std::fs::File::open(folder.path().join(MARKER)).unwrap().set_modified(time).unwrap();
        };
        let written = written(&store, MARKER).await.unwrap();
        // The clocks of two machines differ slightly.
        date(written + EXPIRY / 2);
        assert!(matches!(GcMarker::make(&store).await, Err(Error::Pruning { .. })));
        date(written + 2 * EXPIRY);
        let mut taken = GcMarker::make(&store).await.unwrap();
        assert!(taken.since < written + EXPIRY, "no file of today seems old");
        taken.renew_if_due().await.unwrap();
        taken.end().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn prunes_exclude_each_other_and_a_stalled_one_stops() {
        let store = memory();
        let mut first = GcMarker::make(&store).await.unwrap();
        assert!(matches!(GcMarker::make(&store).await, Err(Error::Pruning { .. })));
        sleep(RENEWAL_DEADLINE + RENEWAL).await;
        assert!(matches!(first.renew_if_due().await, Err(Error::Pruning { .. })));
        first.end().await.unwrap();
        assert!(GcMarker::make(&store).await.is_ok());
    }
}
