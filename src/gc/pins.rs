//! How edits and `prune` keep out of each other's way, without a lock.
//!
//! `prune` deletes only what is old and what no kept state leads to; so the files that an edit has just written are safe
//! from it. But an edit may find a file that is needed there already, old, and led to by nobody: a package that was removed
//! comes back. Then each tells the other before it acts:
//!
//! - the edit writes a *hold* that names such files, then looks whether a prune is *announced*, and if so waits for its end;
//!   then it looks once more whether the files are there, and only then publishes;
//! - `prune` announces itself, then reads all holds, then all pointers, and deletes nothing that any of them names.
//!
//! Whichever comes second sees the other. A publisher that was killed leaves a hold that counts for two days; a prune that
//! was killed leaves an announcement that counts for a quarter of an hour, unless it is renewed. All times are those of the
//! store, which alone says when an object was written.

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
    suite::{error::Error, generations::is_older, limits},
};

/// What was written more recently is not deleted: somebody may be about to lead to it.
pub const GRACE: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// What is older may be deleted before an edit is done that leads to it; the rest of [`GRACE`] is what the edit may take.
pub(crate) const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// The object that says that a prune is at work.
const ANNOUNCEMENT: &str = ".publish/prune";
/// The folder of the holds.
const HOLDS: &str = ".publish/holds";

/// A prune that has not renewed its announcement for so long is dead.
const DEAD: Duration = Duration::from_secs(15 * 60);
/// How often a prune renews it; after two thirds of [`DEAD`] without it deletes nothing any more.
const RENEWAL: Duration = Duration::from_secs(60);
const TOO_LATE: Duration = Duration::from_secs(10 * 60);
/// How often an edit looks whether a prune has ended, and for how long.
const LOOK: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);

/// The files that somebody is about to lead to, told to every prune.
pub(crate) struct Pin<'a> {
    store: &'a Store,
    path: String,
    since: SystemTime,
}

impl<'a> Pin<'a> {
    /// Tells which files are needed, and waits for the end of a prune that is at work.
    pub(crate) async fn take(store: &'a Store, files: impl IntoIterator<Item = &str>) -> Result<Self, Error> {
        let mut names = String::new();
        for file in files {
            names.push_str(file);
            names.push('\n');
        }
        let path = format!("{HOLDS}/{}", unique());
        put(store, &path, names).await?;
        let since = written(store, &path).await?;
        let hold = Self { store, path, since };
        match hold.no_prune().await {
            Ok(()) => Ok(hold),
            Err(error) => {
                hold.release().await;
                Err(error)
            }
        }
    }

    async fn no_prune(&self) -> Result<(), Error> {
        let begun = Instant::now();
        // When the announcement was written that was seen last, since when it is looked at, and how long it still counts.
        let mut seen: Option<(SystemTime, Instant, Duration)> = None;
        while let Some(announced) = self.store.found(ANNOUNCEMENT).await? {
            match seen {
                Some((written, since, counts)) if written == announced.modified => {
                    if since.elapsed() >= counts {
                        return Ok(());
                    }
                }
                _ => {
                    let age = self.since.duration_since(announced.modified).unwrap_or_default();
                    seen = Some((announced.modified, Instant::now(), DEAD.saturating_sub(age)));
                    continue;
                }
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::Pruning { location: self.store.location().to_string() });
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Whether a prune may have deleted a file, written then, before it could see this hold.
    pub(crate) fn came_late_for(&self, written: SystemTime) -> bool {
        is_older(written, self.since, STALE)
    }

    /// Lets go: the pointer leads to the files, or nothing will. A hold that cannot be taken away counts for two days more.
    pub(crate) async fn release(self) {
        let _ = self.store.delete(&self.path).await;
    }
}

/// A prune at work, told to every edit.
pub(crate) struct GcMarker<'a> {
    store: &'a Store,
    text: Bytes,
    /// When it was written, by the store's clock.
    pub(crate) since: SystemTime,
    renewed: Instant,
}

impl<'a> GcMarker<'a> {
    /// Begins to prune, if nobody else does.
    pub(crate) async fn make(store: &'a Store) -> Result<Self, Error> {
        let text = Bytes::from(format!("{}\n", unique()));
        let expected = match store.read(ANNOUNCEMENT, limits::MARKER).await? {
            None => None,
            Some(other) => {
                let now = store_time(store).await?;
                if let Some(there) = store.found(ANNOUNCEMENT).await?
                    && !is_older(there.modified, now, DEAD)
                    // One at work cannot have written it later than now; a machine whose clock was wrong may have.
                    && !is_older(now, there.modified, DEAD)
                {
                    return Err(Error::Pruning { location: store.location().to_string() });
                }
                Some(other.revision)
            }
        };
        let renewed = Instant::now();
        store
            .swap(ANNOUNCEMENT, text.clone(), expected.as_ref())
            .await
            .map_err(|error| taken(store, error))?;
        let since = written(store, ANNOUNCEMENT).await?;
        // Of a store whose listings lag, what was written just before would not be seen.
        sleep(store.listing_lag()).await;
        Ok(Self { store, text, since, renewed })
    }

    /// What edits in flight hold; holds that the dead left are taken away.
    pub(crate) async fn held(&self) -> Result<BTreeSet<String>, Error> {
        let mut held = BTreeSet::new();
        let holds: Vec<store::Found> = self.store.walk(HOLDS).try_collect().await?;
        for hold in holds {
            if is_older(hold.modified, self.since, GRACE) {
                self.store.delete(&hold.path).await?;
                continue;
            }
            // Let go since.
            let Some(names) = self.store.read(&hold.path, limits::HOLD).await? else { continue };
            let names = String::from_utf8_lossy(&names.bytes);
            held.extend(names.lines().map(ToOwned::to_owned));
        }
        Ok(held)
    }

    /// Does something that may take long, and meanwhile renews the announcement.
    pub(crate) async fn during<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut work = std::pin::pin!(work);
        loop {
            let renewed = self.renewed;
            // The clock is looked at with each step too: a busy runtime fires timers late.
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
            self.assure().await?;
        }
    }

    /// Makes sure that edits still wait, before something is deleted.
    pub(crate) async fn assure(&mut self) -> Result<(), Error> {
        let pruning = || Error::Pruning { location: self.store.location().to_string() };
        if self.renewed.elapsed() < RENEWAL {
            return Ok(());
        }
        if self.renewed.elapsed() > TOO_LATE {
            return Err(pruning());
        }
        let renewed = Instant::now();
        let there =
            self.store.read(ANNOUNCEMENT, limits::MARKER).await?.filter(|there| there.bytes == self.text);
        let Some(there) = there else { return Err(pruning()) };
        let text = Bytes::from(format!("{}\n", unique()));
        let swapped = self.store.swap(ANNOUNCEMENT, text.clone(), Some(&there.revision)).await;
        swapped.map_err(|error| taken(self.store, error))?;
        (self.text, self.renewed) = (text, renewed);
        Ok(())
    }

    /// Lets edits go on.
    pub(crate) async fn end(self) -> Result<(), Error> {
        // Not that of somebody who took this one for dead.
        if self.store.read(ANNOUNCEMENT, limits::MARKER).await?.is_some_and(|there| there.bytes == self.text)
        {
            self.store.delete(ANNOUNCEMENT).await?;
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

/// When an object was written that is there.
async fn written(store: &Store, path: &str) -> Result<SystemTime, Error> {
    match store.found(path).await? {
        Some(found) => Ok(found.modified),
        None => Err(store::Error::Conflict { path: path.to_owned() }.into()),
    }
}

/// What the store's clock says.
async fn store_time(store: &Store) -> Result<SystemTime, Error> {
    let path = format!(".publish/clock/{}", unique());
    put(store, &path, "now\n".into()).await?;
    let now = written(store, &path).await;
    store.delete(&path).await?;
    now
}

/// A name that no other process draws.
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

    async fn holds(store: &Store) -> usize {
        store.walk(HOLDS).try_collect::<Vec<_>>().await.unwrap().len()
    }

    #[tokio::test]
    async fn a_prune_sees_what_is_held() {
        let store = memory();
        let hold = Pin::take(&store, ["pool/a.deb", "pool/b.deb"]).await.unwrap();
        let prune = GcMarker::make(&store).await.unwrap();
        let names: Vec<String> = prune.held().await.unwrap().into_iter().collect();
        assert_eq!(names, ["pool/a.deb", "pool/b.deb"]);
        hold.release().await;
        assert!(prune.held().await.unwrap().is_empty());
        prune.end().await.unwrap();
        assert!(store.read(ANNOUNCEMENT, limits::MARKER).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_edit_waits_for_the_end_of_a_prune() {
        let store = memory();
        let prune = GcMarker::make(&store).await.unwrap();
        let (sender, ended) = tokio::sync::oneshot::channel();
        let edit = tokio::spawn({
            let store = store.clone();
            async move {
                let hold = Pin::take(&store, ["pool/a.deb"]).await.unwrap();
                sender.send(()).unwrap();
                hold.release().await;
            }
        });
        sleep(Duration::from_secs(60)).await;
        assert_eq!(holds(&store).await, 1, "told before it waits");
        let mut ended = ended;
        assert!(ended.try_recv().is_err(), "it waits");
        prune.end().await.unwrap();
        edit.await.unwrap();
        assert_eq!(holds(&store).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_the_dead_for_ever() {
        let store = memory();
        drop(GcMarker::make(&store).await.unwrap());
        let begun = Instant::now();
        Pin::take(&store, ["pool/a.deb"]).await.unwrap().release().await;
        assert!((DEAD..DEAD + 2 * LOOK).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_prune_is_waited_for() {
        let store = memory();
        let mut prune = GcMarker::make(&store).await.unwrap();
        let edit = tokio::spawn({
            let store = store.clone();
            async move { Pin::take(&store, ["pool/a.deb"]).await.unwrap().release().await }
        });
        for _ in 0..40 {
            sleep(RENEWAL).await;
            prune.assure().await.unwrap();
        }
        assert!(!edit.is_finished());
        prune.end().await.unwrap();
        edit.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_hours_keeps_the_announcement_alive() {
        let store = memory();
        let mut prune = GcMarker::make(&store).await.unwrap();
        let work = async {
            sleep(20 * DEAD).await;
            Ok(())
        };
        prune.during(work).await.unwrap();
        prune.assure().await.unwrap();
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
            std::fs::File::open(folder.path().join(ANNOUNCEMENT)).unwrap().set_modified(time).unwrap();
        };
        let written = written(&store, ANNOUNCEMENT).await.unwrap();
        // Clocks of two machines differ by a little.
        date(written + DEAD / 2);
        assert!(matches!(GcMarker::make(&store).await, Err(Error::Pruning { .. })));
        date(written + 2 * DEAD);
        let mut taken = GcMarker::make(&store).await.unwrap();
        taken.assure().await.unwrap();
        taken.end().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_one_prune_at_a_time_and_a_stalled_one_stops() {
        let store = memory();
        let mut first = GcMarker::make(&store).await.unwrap();
        assert!(matches!(GcMarker::make(&store).await, Err(Error::Pruning { .. })));
        sleep(TOO_LATE + RENEWAL).await;
        assert!(matches!(first.assure().await, Err(Error::Pruning { .. })));
        first.end().await.unwrap();
        assert!(GcMarker::make(&store).await.is_ok());
    }
}
