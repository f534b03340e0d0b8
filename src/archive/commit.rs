//! The commit: the order of writes, and the only caller of [`Store::swap`].
//!
//! Everything that the new pointer leads to is written before it, under names that fix the content; then the pointer is
//! swapped, if it still is the revision that the edit was based on. Whoever loses that race plans the same edit again.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::{
    Archive, ClientKeys, Error, Event, Events, KEY_FILE, Outcome, PublishedSuite, Reason, Refusal, SuiteEdit,
    Written, aliases::write_aliases, plan::Plan, pointer::sign, suite,
};
use crate::{
    config::SuiteConfig,
    dists::{Release, index_file::by_hash_path},
    names::Suite,
    signing::{Keyring, SigningKeys},
    store::{self, Content, Put, Store},
};

/// How often an edit is planned again before it gives up.
const TRIES: u32 = 40;
/// A task writes one object, or small ones of so many bytes in all.
const LONG_RUN: u64 = 1 << 20;
/// How many objects are written at once.
const AT_ONCE: usize = 16;

/// How an edit is to be published.
pub struct Commit<'a> {
    /// What the suite is to be.
    pub config: &'a SuiteConfig,
    /// What signs; nothing signs a suite that is not signed.
    pub keys: Option<&'a SigningKeys>,
    /// The time, for `Date`.
    pub now: SystemTime,
    /// Plan only.
    pub dry_run: bool,
    /// Who is told.
    pub events: Events<'a>,
}

impl Archive {
    /// Publishes an edit of one suite: all of it in one step, or nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] if the edit would change something published; [`Error::RaceLost`] if others published in
    /// between again and again: the same call may succeed later.
    pub async fn commit(&self, edit: &SuiteEdit, how: &Commit<'_>) -> Result<Outcome, Error> {
        let suite = &how.config.codename;
        if how.config.read_only {
            return Err(Error::ReadOnly { suite: suite.clone() });
        }
        for times in 1..=TRIES {
            let published = PublishedSuite::open(&self.store, suite, &self.trust, true).await?;
            match self.try_commit(edit, how, &published).await {
                Err(Error::Store(store::Error::Conflict { .. })) => {
                    (how.events)(Event::LostRace { times });
                    tokio::time::sleep(jitter(times)).await;
                }
                done => return done,
            }
        }
        Err(Error::RaceLost { suite: suite.clone(), times: TRIES })
    }

    async fn try_commit(
        &self,
        edit: &SuiteEdit,
        how: &Commit<'_>,
        published: &PublishedSuite,
    ) -> Result<Outcome, Error> {
        let (store, events) = (&self.store, how.events);
        let now = Timestamp::try_from(how.now).unwrap_or(Timestamp::UNIX_EPOCH);
        let plan = edit.plan(published, how.config, now).await?;
        let mut pool = new_pool_files(store, &plan, published).await?;
        pool.extend(lost_pool_files(store, &plan).await?);
        let mut outcome = Outcome::of(&plan, published, how);
        outcome.written.extend(pool.iter().map(|(path, content)| Written::of(path, content.digests().size)));

        let Some(release) = &plan.release else {
            // Nothing changes; but whoever did this before may have been killed before its last steps.
            if let (false, Some(release)) = (how.dry_run, published.release()) {
                put_all(store, &pool, OtherBytes::Refused, events).await?;
                write_aliases(store, published, release, None).await?;
                self.give_keys(how).await?;
                store.settle().await?;
            }
            return Ok(outcome);
        };
        let signed = sign(release, how, published.name(), now)?;
        let pointer = signed.pointer();
        let by_hash: Vec<(String, Content)> = plan
            .indices
            .iter()
            .filter(|file| how.stores(file.path()))
            .map(|file| {
                let content = Content::Bytes(file.bytes().clone(), *file.digests());
                (published.path(&file.by_hash_path()), content)
            })
            .collect();
        let (name, generation) = signed.generation(published, now);
        outcome.generation = Some(name);
        let size = |(path, content): &(String, Content)| Written::of(path, content.digests().size);
        outcome.written.extend(by_hash.iter().chain(&generation).map(size));
        outcome.written.push(Written::of(&published.path(pointer.file), pointer.bytes.len() as u64));
        if how.dry_run {
            return Ok(outcome);
        }

        // The indices once more by their names, and the other forms of the pointer.
        let again = by_hash.iter().chain(&generation).map(size);
        let needed = outcome.written.iter().cloned().chain(again).map(|file| (file.path, file.bytes));
        store.room_for(needed.collect()).await?;
        // Die after any of these: files that nothing refers to, which `prune` finds.
        put_all(store, &pool, OtherBytes::Refused, events).await?;
        put_all(store, &by_hash, OtherBytes::Nobodys, events).await?;
        adopt(store, published, release).await?;
        put_all(store, &generation, OtherBytes::Refused, events).await?;
        // THE COMMIT: the new suite for every client that knows by-hash, or `Conflict` and nothing.
        let expected = published.pointer().filter(|old| old.file == pointer.file).map(|old| &old.revision);
        store.swap(&published.path(pointer.file), pointer.bytes.clone(), expected).await?;
        // For clients without by-hash. Die here: they may see a mismatch until the next command on this suite.
        write_aliases(store, published, release, Some(&signed)).await?;
        self.give_keys(how).await?;
        store.settle().await?;
        outcome.published = true;
        Ok(outcome)
    }

    async fn give_keys(&self, how: &Commit<'_>) -> Result<(), Error> {
        for key in self.write_client_keys(how.keys).await? {
            (how.events)(Event::Warning(format!(
                "`{KEY_FILE}` held the key {key}, with which nothing is signed here, and holds it no more"
            )));
        }
        Ok(())
    }

    /// Puts the public keys where clients can fetch them: those of every suite, since one file serves them all.
    ///
    /// They are those of [`Trust::clients`](super::Trust) and the public parts of `keys`. Gives the fingerprints of keys
    /// that were there and are not ours, which whoever can write to the store may have put there.
    pub async fn write_client_keys(&self, keys: Option<&SigningKeys>) -> Result<Vec<String>, Error> {
        let ClientKeys { keyring, complete } = &self.trust.clients;
        let mut ours = keyring.clone();
        if let Some(keys) = keys {
            ours.merge(keys.certificates());
        }
        if ours.is_empty() {
            return Ok(Vec::new());
        }
        let there = self.store.read(KEY_FILE).await?.map(|object| object.bytes);
        let mut before = Keyring::new();
        if let Some(there) = &there {
            // What is no key says nothing to clients either.
            let _ = before.add_bytes(KEY_FILE, there);
        }
        let mut gone = before.fingerprints();
        gone.retain(|key| *complete && !ours.fingerprints().contains(key));
        let mut keyring = if *complete { Keyring::new() } else { before };
        keyring.merge(&ours);
        let armored = Bytes::from(keyring.armored().map_err(|source| Error::Keys { source })?);
        if there.is_none_or(|there| there != armored) {
            self.store.replace(KEY_FILE, armored).await?;
        }
        Ok(gone)
    }

    /// Finishes what a publisher that was killed left undone: the files for clients that know no by-hash.
    pub async fn repair(&self, suite: &Suite) -> Result<Vec<String>, Error> {
        let published = PublishedSuite::open(&self.store, suite, &self.trust, false).await?;
        let Some(release) = published.release() else { return Ok(Vec::new()) };
        let written = write_aliases(&self.store, &published, release, None).await?;
        self.store.settle().await?;
        Ok(written)
    }
}

impl Commit<'_> {
    /// Whether a form of an index is stored, not only listed.
    fn stores(&self, path: &str) -> bool {
        self.config.compressions.iter().any(|compression| match compression.extension() {
            "" => suite::plain_path(path) == path,
            extension => path.ends_with(extension),
        })
    }
}

/// The files that the pool lacks; other bytes in the place of one are refused before anything is written.
async fn new_pool_files(
    store: &Store,
    plan: &Plan,
    published: &PublishedSuite,
) -> Result<Vec<(String, Content)>, Error> {
    let looked_at = stream::iter(&plan.pool).map(|(path, content)| async move {
        (path.as_str(), content, store.would_put(path.as_str(), content.digests()).await)
    });
    let mut looked_at = looked_at.buffered(AT_ONCE);
    let (mut new, mut refused) = (Vec::new(), Vec::new());
    while let Some((path, content, found)) = looked_at.next().await {
        match found {
            Ok(None) => new.push((path.to_owned(), content.clone())),
            Ok(Some(_)) => {}
            Err(error @ store::Error::Occupied { .. }) => refused.push(Refusal {
                action: "add",
                preposition: "to",
                subject: match content {
                    Content::File { file, .. } => file.display().to_string(),
                    Content::Bytes(..) => path.to_owned(),
                },
                suite: Some(published.name().clone()),
                source: Reason::Pool(error),
            }),
            Err(error) => return Err(error.into()),
        }
    }
    if refused.is_empty() { Ok(new) } else { Err(Error::Refused(refused)) }
}

/// The files of published packages that are not in the pool any more, and were given again.
async fn lost_pool_files(store: &Store, plan: &Plan) -> Result<Vec<(String, Content)>, Error> {
    let looked_at = stream::iter(&plan.kept)
        .map(|(path, content)| async move { (path.as_str(), content, store.size(path.as_str()).await) });
    let mut looked_at = looked_at.buffered(AT_ONCE);
    let mut lost = Vec::new();
    while let Some((path, content, found)) = looked_at.next().await {
        if found?.is_none() {
            lost.push((path.to_owned(), content.clone()));
        }
    }
    Ok(lost)
}

/// What other bytes in the place of a file mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OtherBytes {
    /// Something is published there, and is not to be changed.
    Refused,
    /// The name is the digest of what belongs there: they are nobody's, such as a power cut leaves.
    Nobodys,
}

/// Writes files that never change: some at once, and small ones several in a task.
async fn put_all(
    store: &Store,
    files: &[(String, Content)],
    other_bytes: OtherBytes,
    events: Events<'_>,
) -> Result<(), Error> {
    let total = files.iter().map(|(_, content)| content.digests().size).sum();
    let mut runs: Vec<(u64, Vec<(String, Content)>)> = Vec::new();
    for file in files {
        let size = file.1.digests().size;
        match runs.last_mut() {
            Some((bytes, run)) if run.len() < store.run() && *bytes + size <= LONG_RUN => {
                *bytes += size;
                run.push(file.clone());
            }
            _ => runs.push((size, vec![file.clone()])),
        }
    }
    let puts = stream::iter(runs).map(|(_, run)| {
        let store = store.clone();
        let put_run = async move {
            let mut done = Vec::with_capacity(run.len());
            for (path, content) in run {
                let put = match (store.put_new(&path, &content).await, &content) {
                    (Err(store::Error::Occupied { .. }), Content::Bytes(bytes, _))
                        if other_bytes == OtherBytes::Nobodys =>
                    {
                        store.replace(&path, bytes.clone()).await?;
                        Put::Created
                    }
                    (put, _) => put?,
                };
                done.push((path, content.digests().size, put));
            }
            Ok::<_, store::Error>(done)
        };
        tokio::spawn(put_run)
    });
    let mut puts = puts.buffer_unordered(AT_ONCE);
    let mut done = 0;
    while let Some(run) = puts.next().await {
        for (path, bytes, put) in run.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))? {
            done += bytes;
            if put == Put::Created {
                events(Event::Written { path, bytes });
            }
        }
        events(Event::Stored { done, total });
    }
    Ok(())
}

/// Gives the listed files of an archive that had no by-hash (made by other tools, and published here for the first time)
/// their by-hash names, so that what the new pointer promises holds for them too.
async fn adopt(store: &Store, published: &PublishedSuite, release: &Release) -> Result<(), Error> {
    let Some(old) = published.release().filter(|old| old.field("Acquire-By-Hash") != Some("yes")) else {
        return Ok(());
    };
    for (path, listed) in
        old.files().iter().filter(|(path, listed)| release.files().get(*path) == Some(listed))
    {
        let (from, to) = (published.path(path), published.path(&by_hash_path(path, &listed.sha256)));
        if let Some(found) = store.digests(&from).await?
            && suite::is_listed(listed, &found)
            && store.size(&to).await?.is_none()
        {
            store.copy(&from, &to).await?;
        }
    }
    Ok(())
}

/// A random wait that grows with each lost race, so that many publishers do not meet again and again.
fn jitter(times: u32) -> Duration {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let longest = 20 << times.min(7);
    Duration::from_millis(random % longest)
}
