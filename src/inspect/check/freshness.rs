//! How what an edge shows stands to what its origin has: the same state, an earlier one for as long as its caches may
//! keep it, or something that cannot be.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use futures::{StreamExt, stream};
use indicatif::HumanDuration;
use jiff::Timestamp;

use super::{
    caches::Keeping,
    fetch::Got,
    findings::Findings,
    report::{Freshness, FreshnessState, SuiteReport},
};
use crate::{
    dists::{Release, index_file::by_hash_path, layout::ReleaseForm},
    signing,
    store::{self, Store},
    suite::{
        archive::Archive,
        error::{Error, chain},
        generations, limits,
        published::{Pointer, PublishedSuite},
    },
};

/// What clocks and networks take.
const GRACE: Duration = Duration::from_secs(60);
/// How long caches keep what nothing is said of, as far as anybody should have to wait.
const UNSAID: Duration = Duration::from_secs(5 * 60);
/// How many files are asked for at once.
const AT_ONCE: usize = 16;

/// What the origin has.
struct Source<'a> {
    store: &'a Store,
    release: Release,
    bytes: bytes::Bytes,
    date: Timestamp,
    /// Since when.
    since: Timestamp,
}

impl Archive {
    /// Compares the pointer with that of the origin.
    pub(super) async fn check_freshness(
        &self,
        published: &PublishedSuite,
        origin: &Store,
        seen: &mut SuiteReport,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let Some(pointer) = published.pointer() else { return Ok(()) };
        let path = published.path(pointer.file());
        let now =
            self.trust.now.and_then(|now| Timestamp::try_from(now).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
        let keeping = pointer.served.as_ref().and_then(Keeping::of);
        let allowed = keeping.map_or(UNSAID, |keeping| keeping.time.saturating_add(GRACE));
        let freshness = |standing, source: Option<&Source<'_>>, behind: Option<Duration>| Freshness {
            standing,
            origin_date: source.map(|source| source.date.to_string()),
            behind_seconds: behind.map(|behind| behind.as_secs()),
            allowed_seconds: allowed.as_secs(),
        };
        let read = match Source::read(origin, &path, now).await {
            Ok(Some(source)) => Ok(source),
            Ok(None) => Err(format!("it is not in the origin, {}", origin.location())),
            Err(error @ Error::Store(_)) => return Err(error),
            // A page that asks for a login, say.
            Err(error) => Err(format!(
                "what is in the origin, {}, cannot be read: {}",
                origin.location(),
                chain(&error)
            )),
        };
        let source = match read {
            Ok(source) => source,
            Err(problem) => {
                findings.fault(path, problem);
                seen.freshness = Some(freshness(FreshnessState::Strange, None, None));
                return Ok(());
            }
        };
        let date = pointer.release.date().unwrap_or(Timestamp::UNIX_EPOCH);
        let behind = now.duration_since(source.since).unsigned_abs();
        let shown = lasting(behind);
        let (standing, behind) = if source.bytes == pointer.bytes {
            (FreshnessState::Fresh, None)
        } else if date > source.date {
            findings.fault(
                path,
                format!("it is newer than what the origin has: {date} here, {} there", source.date),
            );
            (FreshnessState::Ahead, None)
        } else if !source.has_had(published, pointer, date).await? {
            findings.fault(path, format!("the origin never had this state of {date}, or no longer keeps it"));
            (FreshnessState::Strange, Some(behind))
        } else if behind > allowed {
            findings.fault(
                path,
                format!(
                    "it is stale: it shows the state of {date}, though the origin has had that of {} for {shown}; caches may lag by {}",
                    source.date,
                    lasting(allowed)
                ),
            );
            (FreshnessState::Behind, Some(behind))
        } else {
            findings.note(format!(
                "`{path}` shows the state of {date}, which caches may: the origin has had that of {} for {shown} only",
                source.date
            ));
            (FreshnessState::Behind, Some(behind))
        };
        seen.freshness = Some(freshness(standing, Some(&source), behind));
        match standing {
            FreshnessState::Fresh | FreshnessState::Behind => {
                self.check_negative(published, &source, findings).await
            }
            // What else it has or has not says nothing more.
            FreshnessState::Ahead | FreshnessState::Strange => Ok(()),
        }
    }

    /// Looks for files of the origin's state that the edge says are not there: somebody asked for them too early, and a
    /// cache keeps the answer.
    async fn check_negative(
        &self,
        published: &PublishedSuite,
        source: &Source<'_>,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let digests = |release: &Release| -> BTreeSet<String> {
            let promised = release.field("Acquire-By-Hash") == Some("yes");
            let listed = release.files().iter().filter(|_| promised);
            listed.map(|(path, listed)| published.path(&by_hash_path(path, &listed.sha256))).collect()
        };
        let mut paths = digests(&source.release);
        let new: BTreeSet<String> =
            paths.difference(&published.release().map(digests).unwrap_or_default()).cloned().collect();
        paths.extend(source.release.files().keys().map(|path| published.path(path)));
        // Without `InRelease` the other two are what was compared, and say nothing of it.
        if published.pointer().is_some_and(|pointer| !pointer.is_in_release()) {
            paths.extend(["InRelease", "Release.gpg"].map(|name| published.path(name)));
        }
        // What was found missing already is not told twice.
        for fault in &findings.faults {
            paths.remove(&fault.path);
        }
        let looks = stream::iter(paths).map(|path| async move {
            let mut found = Findings::default();
            let got = match self.store.found(&path).await {
                Ok(Some(_)) => Got::There(()),
                Err(error) if error.is_unreachable() => self.refused(&path, error, &mut found)?,
                // No client asks with HEAD, and some servers do not know it well: what GET says counts.
                _ => match self.store.digests(&path, limits::LOOK).await {
                    Ok(Some(_)) | Err(store::Error::TooLarge { .. }) => Got::There(()),
                    Ok(None) => Got::Missing,
                    Err(error) => self.refused(&path, error, &mut found)?,
                },
            };
            // Listed, and never stored.
            let hidden = matches!(got, Got::Missing) && source.store.found(&path).await?.is_some();
            Ok::<_, Error>((path, hidden, found))
        });
        let mut hidden = BTreeSet::new();
        let mut looks = looks.buffer_unordered(AT_ONCE);
        while let Some(look) = looks.next().await {
            let (path, is_hidden, found) = look?;
            findings.merge(Findings { files: 0, ..found });
            if is_hidden {
                hidden.insert(path);
            }
        }
        // An edge that keeps a copy, and has none of the new state yet, keeps no answer either.
        if !new.is_empty() && new.is_subset(&hidden) {
            hidden.retain(|path| !new.contains(path));
        }
        for path in hidden {
            findings.fault(
                path,
                "the origin has it, and here it is said to be missing: a cache keeps an answer from before it was there",
            );
        }
        Ok(())
    }
}

impl<'a> Source<'a> {
    async fn read(store: &'a Store, path: &str, now: Timestamp) -> Result<Option<Self>, Error> {
        let Some(object) = store.read(path, limits::RELEASE).await? else { return Ok(None) };
        let untrusted = |source| Error::Untrusted { path: path.to_owned(), source };
        let unreadable = |source| Error::Pointer { path: path.to_owned(), source };
        let text = if ReleaseForm::of_path(path) == Some(ReleaseForm::InRelease) {
            signing::unverified_text(&object.bytes).map_err(untrusted)?
        } else {
            object.bytes.to_vec()
        };
        let release = Release::parse(&text).map_err(unreadable)?;
        let date = release.date().map_err(unreadable)?;
        // A state may be carried there later than it was made. A store whose clock is ahead of ours says nothing of that.
        let written = store.found(path).await?.map(|found| found.modified);
        let written = written
            .filter(|time| *time > SystemTime::UNIX_EPOCH)
            .and_then(|time| Timestamp::try_from(time).ok());
        // Nor does a publisher whose clock is ahead; what was published after the check began is new.
        let since = written.into_iter().chain([date]).filter(|time| *time <= now).max().unwrap_or(now);
        Ok(Some(Self { store, release, bytes: object.bytes, date, since }))
    }

    /// Whether it has had a state: where it keeps its states at all, the one must be there.
    async fn has_had(
        &self,
        published: &PublishedSuite,
        pointer: &Pointer,
        date: Timestamp,
    ) -> Result<bool, Error> {
        let kept = async |date, bytes: &[u8]| {
            let name = generations::name(date, bytes);
            let path = published.path(&generations::path(&name, pointer.file()));
            Ok::<_, Error>(self.store.found(&path).await?.is_some())
        };
        Ok(kept(date, &pointer.bytes).await? || !kept(self.date, &self.bytes).await?)
    }
}

/// A time for people; where it is short, to the second.
fn lasting(time: Duration) -> String {
    match time.as_secs() {
        1 => "1 second".to_owned(),
        // Whole minutes would hide what a cache that keeps it for one is about.
        seconds @ ..600 => format!("{seconds} seconds"),
        _ => HumanDuration(time).to_string(),
    }
}
