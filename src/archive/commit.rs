//! The commit: the order of writes, and the only caller of [`Store::swap`].
//!
//! Everything that the new pointer leads to is written before it, under names that fix the content; then the pointer is
//! swapped, if it still is the revision that the edit was based on. Whoever loses that race plans the same edit again.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::{
    Archive, Change, Error, Event, Events, KEY_FILE, PublishedSuite, Reason, Refusal, SuiteEdit, Trust,
    edit::Plan, suite,
};
use crate::{
    config::SuiteConfig,
    digest::Digests,
    dists::{Release, index_file::by_hash_path},
    names::Suite,
    signing::{SignedRelease, SigningKeys},
    store::{self, Content, Object, Put, Store},
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

/// What came of an edit.
#[derive(Debug, Clone, serde::Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, told to scripts as they are")]
pub struct Outcome {
    /// The suite.
    pub suite: Suite,
    /// Nothing was written, because it was not asked for.
    pub dry_run: bool,
    /// Whether clients see something else now.
    pub published: bool,
    /// Whether the suite was not there before.
    pub first: bool,
    /// Packages that came.
    pub added: Vec<Change>,
    /// Packages that were there already, with the same bytes.
    pub present: Vec<Change>,
    /// Packages that went.
    pub removed: Vec<Change>,
    /// The objects that were written (or would be), with their sizes.
    pub written: Vec<Written>,
    /// What a user should know.
    pub notes: Vec<String>,
    /// The name of the new generation.
    pub generation: Option<String>,
    /// The components that the suite has now.
    pub components: Vec<String>,
    /// The architectures that the suite has now.
    pub architectures: Vec<String>,
    /// Whether the suite is signed.
    pub signed: bool,
}

/// An object that was written, or would be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Its path in the archive.
    pub path: String,
    /// Its size.
    pub bytes: u64,
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
        let pool = new_pool_files(store, &plan, published).await?;
        let mut outcome = Outcome::of(&plan, published, how);
        outcome.written.extend(pool.iter().map(|(path, content)| Written::of(path, content.digests().size)));

        let Some(release) = &plan.release else {
            // Nothing changes; but whoever did this before may have been killed before its last steps.
            if let (false, Some(release)) = (how.dry_run, published.release()) {
                self.aliases(published, Some(how)).write(release, None).await?;
                self.write_key(how).await?;
                store.settle().await?;
            }
            return Ok(outcome);
        };
        let signed = sign(release, how, published.name(), now)?;
        let pointer = signed.pointer();
        let generation =
            format!("generations/{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), short_digest(pointer.bytes));
        let mut by_hash: Vec<(String, Content)> = Vec::new();
        for file in plan.indices.iter().filter(|file| how.stores(file.path())) {
            by_hash.push((
                published.path(&file.by_hash_path()),
                Content::Bytes(file.bytes().clone(), *file.digests()),
            ));
        }
        let generation_path = published.path(&format!("{generation}/{}", pointer.file));
        let size = |content: &Content| content.digests().size;
        outcome.generation = Some(generation);
        outcome.written.extend(by_hash.iter().map(|(path, content)| Written::of(path, size(content))));
        outcome.written.push(Written::of(&generation_path, pointer.bytes.len() as u64));
        outcome.written.push(Written::of(&published.path(pointer.file), pointer.bytes.len() as u64));
        if how.dry_run {
            return Ok(outcome);
        }

        let sizes = pool.iter().chain(&by_hash).map(|(_, content)| size(content));
        let aliases = by_hash.iter().map(|(_, content)| size(content));
        store.room_for(sizes.chain(aliases).chain([4 * pointer.bytes.len() as u64])).await?;
        // Die after any of these: files that nothing refers to, which `prune` finds.
        put_all(store, &pool, events).await?;
        put_all(store, &by_hash, events).await?;
        adopt(store, published, release).await?;
        let content = Content::Bytes(pointer.bytes.clone(), Digests::of(pointer.bytes));
        store.put_new(&generation_path, &content).await?;
        // THE COMMIT: the new suite for every client that knows by-hash, or `Conflict` and nothing.
        let expected = published.pointer().filter(|old| old.file == pointer.file).map(|old| &old.revision);
        store.swap(&published.path(pointer.file), pointer.bytes.clone(), expected).await?;
        // For clients without by-hash. Die here: they may see a mismatch until the next command on this suite.
        self.aliases(published, Some(how)).write(release, Some(&signed)).await?;
        self.write_key(how).await?;
        store.settle().await?;
        outcome.published = true;
        Ok(outcome)
    }

    fn aliases<'a>(&'a self, published: &'a PublishedSuite, how: Option<&'a Commit<'a>>) -> Aliases<'a> {
        Aliases { store: &self.store, trust: &self.trust, published, how }
    }

    /// Puts the public keys where clients can fetch them.
    async fn write_key(&self, how: &Commit<'_>) -> Result<(), Error> {
        let Some(keys) = how.keys.filter(|keys| !keys.certificates().is_empty()) else { return Ok(()) };
        let signing = |source| Error::Signing { suite: how.config.codename.clone(), source };
        let armored = Bytes::from(keys.certificates().armored().map_err(signing)?);
        if self.store.read(KEY_FILE).await?.is_none_or(|there| there.bytes != armored) {
            self.store.replace(KEY_FILE, armored).await?;
        }
        Ok(())
    }

    /// Finishes what a publisher that was killed left undone: the files for clients that know no by-hash.
    pub async fn repair(&self, suite: &Suite) -> Result<Vec<String>, Error> {
        let published = PublishedSuite::open(&self.store, suite, &self.trust, false).await?;
        let Some(release) = published.release() else { return Ok(Vec::new()) };
        let written = self.aliases(&published, None).write(release, None).await?;
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

impl Outcome {
    fn of(plan: &Plan, published: &PublishedSuite, how: &Commit<'_>) -> Self {
        let release = plan.release.as_ref().or(published.release());
        let words = |field| {
            let value = release.and_then(|release| release.field(field)).unwrap_or_default();
            value.split_whitespace().map(ToOwned::to_owned).collect()
        };
        Self {
            suite: published.name().clone(),
            dry_run: how.dry_run,
            published: false,
            first: published.pointer().is_none(),
            added: plan.added.clone(),
            present: plan.present.clone(),
            removed: plan.removed.clone(),
            written: Vec::new(),
            notes: plan.notes.clone(),
            generation: None,
            components: words("Components"),
            architectures: words("Architectures"),
            signed: how.keys.is_some(),
        }
    }
}

impl Written {
    fn of(path: &str, bytes: u64) -> Self {
        Self { path: path.to_owned(), bytes }
    }
}

/// The file whose swap is the commit.
struct NewPointer<'a> {
    file: &'static str,
    bytes: &'a Bytes,
}

/// A `Release` that is ready to be published, signed or not.
enum Ready {
    Signed(SignedRelease),
    Unsigned(Bytes),
}

impl Ready {
    fn pointer(&self) -> NewPointer<'_> {
        match self {
            Self::Signed(signed) => NewPointer { file: "InRelease", bytes: &signed.in_release },
            Self::Unsigned(release) => NewPointer { file: "Release", bytes: release },
        }
    }
}

fn sign(release: &Release, how: &Commit<'_>, suite: &Suite, now: Timestamp) -> Result<Ready, Error> {
    let text = release.render();
    let Some(keys) = how.keys else { return Ok(Ready::Unsigned(text.into())) };
    let at = now.into();
    let signed = keys.sign(&text, at).map_err(|source| Error::Signing { suite: suite.clone(), source })?;
    Ok(Ready::Signed(signed))
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

/// Writes files that never change: some at once, and small ones several in a task.
async fn put_all(store: &Store, files: &[(String, Content)], events: Events<'_>) -> Result<(), Error> {
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
                let put = store.put_new(&path, &content).await?;
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

/// What clients without by-hash read: the indices by their names, and the other forms of the pointer.
struct Aliases<'a> {
    store: &'a Store,
    trust: &'a Trust,
    published: &'a PublishedSuite,
    /// Whoever has the keys can make `Release.gpg` again.
    how: Option<&'a Commit<'a>>,
}

impl Aliases<'_> {
    /// Writes them, as far as they are not there already, and says what was written.
    ///
    /// Two publishers may be here at once. Whoever ends last looks at the pointer once more and, if it is not his, writes
    /// the aliases of that one; so in the end they are those of the pointer that is published.
    async fn write(&self, release: &Release, signed: Option<&Ready>) -> Result<Vec<String>, Error> {
        let Self { store, published, .. } = *self;
        let mut written = Vec::new();
        let mut release = release.clone();
        let mut pointer = match signed {
            Some(ready) => ready.pointer().bytes.clone(),
            None => published.pointer().map(|pointer| pointer.bytes.clone()).unwrap_or_default(),
        };
        let mut signed = signed;
        let file = signed.map_or_else(
            || published.pointer().map_or("Release", |pointer| pointer.file),
            |ready| ready.pointer().file,
        );
        loop {
            if file == "InRelease" {
                let (text, signature) = match signed {
                    Some(Ready::Signed(signed)) => (signed.release.clone(), Some(signed.release_gpg.clone())),
                    _ => self.in_release_parts(&pointer).await?,
                };
                if replace_if_other(store, &published.path("Release"), text).await? {
                    written.push(published.path("Release"));
                }
                if let Some(signature) = signature
                    && replace_if_other(store, &published.path("Release.gpg"), signature).await?
                {
                    written.push(published.path("Release.gpg"));
                }
            }
            for (path, listed) in release.files() {
                let (alias, by_hash) =
                    (published.path(path), published.path(&by_hash_path(path, &listed.sha256)));
                // A listed file without a by-hash name is not stored, or not ours.
                if store.size(&by_hash).await?.is_none() {
                    continue;
                }
                let current = match store.size(&alias).await? {
                    Some(size) if size == listed.size => store.digests(&alias).await?,
                    _ => None,
                };
                if !current.is_some_and(|found| suite::is_listed(listed, &found)) {
                    store.copy(&by_hash, &alias).await?;
                    written.push(alias);
                }
            }
            match store.read(&published.path(file)).await? {
                Some(now) if now.bytes != pointer => {
                    let text = match file {
                        "InRelease" => crate::signing::unverified_text(&now.bytes)
                            .map_err(|source| Error::Untrusted { path: published.path(file), source })?,
                        _ => now.bytes.to_vec(),
                    };
                    release = Release::parse(&text)
                        .map_err(|source| Error::Pointer { path: published.path(file), source })?;
                    pointer = now.bytes;
                    signed = None;
                }
                _ => return Ok(written),
            }
        }
    }

    /// `Release` and `Release.gpg` as they belong to an `InRelease` that was published before, or by somebody else; no
    /// signature where the one that is there is to stay.
    ///
    /// It is made again only for a text that one of the archive's own keys has signed already. Without a key it cannot
    /// be, and one that belongs to another text has to go: a client then takes `InRelease`, and one that knows only the
    /// pair fails closed until the next commit.
    async fn in_release_parts(&self, pointer: &Bytes) -> Result<(Bytes, Option<Bytes>), Error> {
        let Self { store, published, trust, how } = *self;
        let untrusted = |source| Error::Untrusted { path: published.path("InRelease"), source };
        let text = Bytes::from(crate::signing::unverified_text(pointer).map_err(untrusted)?);
        let path = published.path("Release.gpg");
        if let Some(now) = trust.now {
            let there = store.read(&path).await?;
            let belongs = |there: Object| trust.keyring.verify_detached(&text, &there.bytes, now).is_ok();
            if there.is_some_and(belongs) {
                return Ok((text, None));
            }
            if let Some((how, keys)) = how.and_then(|how| Some((how, how.keys?)))
                && trust
                    .keyring
                    .verify_in_release(pointer, now)
                    .is_ok_and(|verified| verified.release == text)
            {
                let signed = keys.sign(&text, how.now);
                let signing = |source| Error::Signing { suite: published.name().clone(), source };
                return Ok((text, Some(signed.map_err(signing)?.release_gpg)));
            }
        }
        let same = store.read(&published.path("Release")).await?.is_some_and(|release| release.bytes == text);
        if !same {
            store.delete(&path).await?;
        }
        Ok((text, None))
    }
}

async fn replace_if_other(store: &Store, path: &str, bytes: Bytes) -> Result<bool, Error> {
    if store.read(path).await?.is_some_and(|there| there.bytes == bytes) {
        return Ok(false);
    }
    store.replace(path, bytes).await?;
    Ok(true)
}

fn short_digest(bytes: &[u8]) -> String {
    let mut digest = Digests::of(bytes).sha256.to_string();
    digest.truncate(8);
    digest
}

/// A random wait that grows with each lost race, so that many publishers do not meet again and again.
fn jitter(times: u32) -> Duration {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let longest = 20 << times.min(7);
    Duration::from_millis(random % longest)
}

/// Runs work that computes or blocks off the async threads.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
