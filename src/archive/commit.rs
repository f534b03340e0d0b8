//! The commit: the order of writes, and the only caller of [`Store::swap`].
//!
//! Everything that the new pointer leads to is written before it, under names that fix the content; then the pointer is
//! swapped, if it still is the revision that the edit was based on. Whoever loses that race plans the same edit again.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures::FutureExt;
use jiff::Timestamp;

use super::{
    Archive, Change, ClientKeys, Error, Event, Events, KEY_FILE, Moved, Note, Outcome, PublishedSuite,
    Refresh, SuiteEdit, Surplus, Written,
    aliases::write_aliases,
    generations,
    holds::STALE,
    intent::Intent,
    leads, newest, note,
    plan::Plan,
    pointer::{Ready, sign},
    selected::Selected,
    snapshot, suite,
    upload::{Files, OtherBytes, Upload},
};
use crate::{
    config::SuiteConfig,
    dists::{Release, index_file::by_hash_path},
    names::Suite,
    signing::{Keyring, SigningKeys},
    store::{self, Content, Store},
};

/// How often an edit is planned again before it gives up.
const TRIES: u32 = 100;
/// How often the keys are read and written again that somebody else wrote meanwhile.
const KEY_TRIES: u32 = 20;

/// How an edit is to be published.
pub struct Commit<'a> {
    /// What the suite is to be.
    pub config: &'a SuiteConfig,
    /// What signs; nothing signs a suite that is not signed.
    pub keys: Option<&'a SigningKeys>,
    /// The time, for `Date`.
    pub now: SystemTime,
    /// What is told of the new state, for `log`.
    pub note: Note,
    /// Where surplus versions go; without it they leave the suite, and that is all.
    pub surplus: Option<&'a Surplus>,
    /// Plan only.
    pub dry_run: bool,
    /// Publish also what makes apt stop on every client until its user agrees.
    pub allow_releaseinfo_change: bool,
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
        self.publish(&Intent::Edit(edit), how).await
    }

    /// Publishes the state of a suite under a new `Date`, where that is due; nothing else changes.
    ///
    /// # Errors
    /// As those of [`Archive::commit`].
    pub async fn refresh(&self, when: Refresh, how: &Commit<'_>) -> Result<Outcome, Error> {
        self.publish(&Intent::Refresh(when), how).await
    }

    /// Publishes the content of an earlier state as a new one: that of the generation whose name begins so, else the
    /// newest one with another content.
    ///
    /// # Errors
    /// [`Error::Lacks`] if files are gone that it needs; else as those of [`Archive::commit`].
    pub async fn roll_back(&self, to: Option<&str>, how: &Commit<'_>) -> Result<Outcome, Error> {
        self.publish(&Intent::RollBack(to), how).await
    }

    /// Publishes the state that a suite has now as a suite of its own, which stays as it is.
    ///
    /// # Errors
    /// [`Error::SnapshotThere`] if there is one of that name with another content; else as those of [`Archive::commit`].
    pub async fn snapshot(&self, of: &Suite, how: &Commit<'_>) -> Result<Outcome, Error> {
        self.publish(&Intent::Snapshot { of }, how).await
    }

    async fn publish(&self, intent: &Intent<'_>, how: &Commit<'_>) -> Result<Outcome, Error> {
        let suite = &how.config.codename;
        if how.config.read_only {
            return Err(Error::ReadOnly { suite: suite.clone() });
        }
        // But for its signature, which has to outlive keys.
        let keeps = matches!(intent, Intent::Refresh(_) | Intent::Snapshot { .. });
        if !keeps && snapshot::snapshot_of(suite).is_some() {
            return Err(Error::Snapshot { suite: suite.clone() });
        }
        let upload = Upload::new(&self.store, how.events);
        let mut turn = None;
        for times in 1..=TRIES {
            let tried = match newest::open_to_extend(&self.store, suite, &self.trust).await {
                Ok(published) => self.try_commit(intent, how, &published, &upload).await,
                // Somebody may publish while the pointer is compared with the generations.
                Err(error) => Err(error),
            };
            match tried {
                Err(Error::Store(store::Error::Conflict { .. })) => {
                    (how.events)(Event::LostRace { times });
                    // Whoever brings surplus versions may have the turn already, in the suite that they leave.
                    if turn.is_none() && !matches!(intent, Intent::Surplus(_)) {
                        turn = self.store.turn().await;
                    }
                    if turn.is_none() {
                        tokio::time::sleep(jitter(times)).await;
                    }
                }
                done => return done,
            }
        }
        Err(Error::RaceLost { suite: suite.clone(), times: TRIES })
    }

    async fn try_commit(
        &self,
        intent: &Intent<'_>,
        how: &Commit<'_>,
        published: &PublishedSuite,
        upload: &Upload<'_>,
    ) -> Result<Outcome, Error> {
        let store = &self.store;
        let begun = Instant::now();
        let now = Timestamp::try_from(how.now).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut plan = intent.plan(self, published, how.config, now).await?;
        if !plan.stops_apt.is_empty() && !how.allow_releaseinfo_change {
            return Err(Error::StopsApt { suite: published.name().clone(), changes: plan.stops_apt });
        }
        plan.notes.extend(plan.stops_apt.iter().map(|change| {
            format!(
                "{change}: `apt update` stops at that until its user agrees (`--allow-releaseinfo-change`)"
            )
        }));
        upload.all_there(&plan.copied, published).await?;
        let (mut pool, mut there) = upload.for_pool(&plan, published).await?;
        pool.extend(upload.lost(&plan).await?);
        let mut outcome = Outcome::of(&plan, published, how);
        outcome.written.extend(pool.iter().map(|(path, content)| Written::of(path, content.digests().size)));

        let Some(release) = &plan.release else {
            // What came may have gone on at once.
            outcome.moved = move_on(&plan.surplus, how).await?;
            // Nothing changes; but whoever did this before may have been killed before its last steps.
            if let (false, Some(release)) = (how.dry_run, published.release()) {
                upload.put_all(&pool, OtherBytes::Refused).await?;
                generations::keep_current(store, published).await?;
                write_aliases(store, published, release, None).await?;
                self.give_keys(how).await?;
                store.settle().await?;
            }
            return Ok(outcome);
        };
        let signed = sign(release, how, published.name(), now)?;
        let pointer = signed.pointer();
        let by_hash = by_hash_files(&plan, how, published);
        let (name, generation) = signed.generation(published, release);
        let size = |(path, content): &(String, Content)| Written::of(path, content.digests().size);
        let note = how.note.file(published, &name);
        outcome.written.extend(by_hash.iter().chain(&generation).chain(&note).map(size));
        outcome.written.push(Written::of(&published.path(pointer.file), pointer.bytes.len() as u64));
        outcome.generation = Some(format!("{}/{name}", generations::FOLDER));
        if how.dry_run {
            outcome.moved = move_on(&plan.surplus, how).await?;
            return Ok(outcome);
        }

        // The indices once more by their names, and the other forms of the pointer.
        let again = by_hash.iter().chain(&generation).map(size);
        let needed = outcome.written.iter().cloned().chain(again).map(|file| (file.path, file.bytes));
        store.room_for(needed.collect()).await?;
        // Die after any of these: files that nothing refers to, which `prune` finds.
        there.extend(upload.put_all(&pool, OtherBytes::Refused).await?);
        // Or somebody else has published while the packages were sent: fewer files that nothing refers to.
        published.still_current().await?;
        if adopt(store, published, release).await? {
            generations::keep_current(store, published).await?;
        }
        there.extend(upload.put_all(&by_hash, OtherBytes::Nobodys).await?);
        upload.put_all(&generation, OtherBytes::Refused).await?;
        if let Some((path, content)) = &note {
            note::put(store, path, content).await?;
        }
        // Die here: they are in both suites, and the next command takes them out of this one.
        outcome.moved = move_on(&plan.surplus, how).await?;
        // What others wrote, and no pointer may lead to any more, is not deleted before this one does.
        let hold = upload.hold(&there, &plan, published).await?;
        let led_to = match &plan.led_to {
            Some((source, _)) => source.still_current().await,
            None => Ok(()),
        };
        let swapped = match led_to {
            // THE COMMIT: the new suite for every client that knows by-hash, or `Conflict` and nothing.
            Ok(()) if begun.elapsed() < STALE => self.swap(published, &signed).await,
            // What was written at the beginning is not young any more.
            Ok(()) => Err(store::Error::Conflict { path: published.path(pointer.file) }.into()),
            Err(error) => Err(error),
        };
        if let Some(hold) = hold {
            hold.release().await;
        }
        swapped?;
        newest::remember(store, published.name(), release);
        generations::mark_published(store, published, &name).await?;
        keep_for_next_time(store, &by_hash).await;
        // For clients without by-hash. Die here: they may see a mismatch until the next command on this suite.
        write_aliases(store, published, release, Some(&signed)).await?;
        self.give_keys(how).await?;
        store.settle().await?;
        outcome.published = true;
        Ok(outcome)
    }

    async fn swap(&self, published: &PublishedSuite, signed: &Ready) -> Result<(), Error> {
        let pointer = signed.pointer();
        let expected = published.pointer().filter(|old| old.file == pointer.file).map(|old| &old.revision);
        Ok(self.store.swap(&published.path(pointer.file), pointer.bytes.clone(), expected).await?)
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
        for times in 1..=KEY_TRIES {
            let there = self.store.read(KEY_FILE).await?;
            let mut before = Keyring::new();
            if let Some(there) = &there {
                // What is no key says nothing to clients either.
                let _ = before.add_bytes(KEY_FILE, &there.bytes);
            }
            let mut gone = before.fingerprints();
            gone.retain(|key| *complete && !ours.fingerprints().contains(key));
            let mut keyring = if *complete { Keyring::new() } else { before };
            keyring.merge(&ours);
            let armored = Bytes::from(keyring.armored().map_err(|source| Error::Keys { source })?);
            if there.as_ref().is_some_and(|there| there.bytes == armored) {
                return Ok(gone);
            }
            // Another job may be adding the key of another suite.
            match self.store.swap(KEY_FILE, armored, there.as_ref().map(|there| &there.revision)).await {
                Err(store::Error::Conflict { .. }) => tokio::time::sleep(jitter(times)).await,
                done => return Ok(done.map(|()| gone)?),
            }
        }
        Err(store::Error::Conflict { path: KEY_FILE.to_owned() }.into())
    }
}

/// Publishes what is surplus in a suite where it is to go, if that is anywhere.
async fn move_on(packages: &[(Change, Selected)], how: &Commit<'_>) -> Result<Option<Moved>, Error> {
    let Some(to) = how.surplus.filter(|_| !packages.is_empty()) else { return Ok(None) };
    // As it is with packages that are copied: what anybody may have put here is not signed there.
    if how.keys.is_none() && to.keys.is_some() && !to.archive.trust.existing {
        let (suite, to) = (how.config.codename.clone(), to.config.codename.clone());
        return Err(Error::UnsignedSurplus { suite, to });
    }
    let (packages, selected): (Vec<_>, Vec<_>) = packages.iter().cloned().unzip();
    let (config, keys, surplus) = (&to.config, to.keys.as_ref(), to.next.as_deref());
    let there = Commit { config, keys, surplus, note: how.note.clone(), ..*how };
    let intent = Intent::Surplus(&selected);
    // Boxed, since that suite may have surplus versions in its turn.
    let outcome = to.archive.publish(&intent, &there).boxed_local().await?;
    Ok(Some(Moved { packages, to: Box::new(outcome) }))
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

/// The changed indices that are stored, by their digests.
fn by_hash_files(plan: &Plan, how: &Commit<'_>, published: &PublishedSuite) -> Files {
    let stored = plan.indices.iter().filter(|file| how.stores(file.path()));
    let file = |file: &crate::dists::IndexFile| {
        let content = Content::Bytes(file.bytes().clone(), *file.digests());
        (published.path(&file.by_hash_path()), content)
    };
    stored.map(file).collect()
}

/// Spares the next steps, and the next command, the reading of what was just written.
async fn keep_for_next_time(store: &Store, by_hash: &[(String, Content)]) {
    for (_, content) in by_hash {
        if let Content::Bytes(bytes, digests) = content {
            store.keep(digests.sha256, bytes).await;
        }
    }
}

/// Gives the listed files of an archive that had no by-hash (made by other tools, and published here for the first time)
/// their by-hash names, so that what the new pointer promises holds for them too, and the old state can be kept. Says
/// whether all of its indices have one.
async fn adopt(store: &Store, published: &PublishedSuite, release: &Release) -> Result<bool, Error> {
    let Some(old) = published.release().filter(|old| old.field("Acquire-By-Hash") != Some("yes")) else {
        return Ok(true);
    };
    let indices = leads::indices(published);
    let mut lacking = indices.clone();
    for (path, listed) in old.files() {
        let plain = suite::plain_path(path);
        if release.files().get(path) != Some(listed) && !indices.contains(plain) {
            continue;
        }
        let (from, to) = (published.path(path), published.path(&by_hash_path(path, &listed.sha256)));
        let is_there = store.size(&to).await?.is_some();
        if is_there || store.digests(&from).await?.is_some_and(|found| suite::is_listed(listed, &found)) {
            if !is_there {
                store.copy(&from, &to).await?;
            }
            lacking.remove(plain);
        }
    }
    // An empty index is known without being read.
    lacking.retain(|plain| old.files().get(*plain).is_none_or(|listed| listed.size > 0));
    Ok(lacking.is_empty())
}

/// A random wait that grows with each lost race, so that many publishers do not meet again and again.
fn jitter(times: u32) -> Duration {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let longest = 20 << times.min(8);
    Duration::from_millis(random % longest)
}
