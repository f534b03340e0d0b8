//! Compares an edge with its origin: the same generation, an earlier one within the lifetime that caches may use, or
//! one that must not occur.

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

/// Tolerance for clocks and networks.
const GRACE: Duration = Duration::from_secs(60);
/// The lifetime that is accepted for files without cache headers.
const UNSAID: Duration = Duration::from_secs(5 * 60);
/// How many files are requested concurrently.
const AT_ONCE: usize = 16;

/// The suite at the origin.
struct Source<'a> {
    store: &'a Store,
    release: Release,
    bytes: bytes::Bytes,
    date: Timestamp,
    /// The time since when it is published.
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
        let freshness = |state, source: Option<&Source<'_>>, behind: Option<Duration>| Freshness {
            state,
            origin_date: source.map(|source| source.date.to_string()),
            behind_seconds: behind.map(|behind| behind.as_secs()),
            allowed_seconds: allowed.as_secs(),
        };
        let read = match Source::read(origin, &path, now).await {
            Ok(Some(source)) => Ok(source),
            Ok(None) => Err(format!("the origin, {}, does not have it", origin.location())),
            Err(error @ Error::Store(_)) => return Err(error),
            // A login page, for example.
            Err(error) => {
                Err(format!("the origin's file, at {}, cannot be read: {}", origin.location(), chain(&error)))
            }
        };
        let source = match read {
            Ok(source) => source,
            Err(problem) => {
                findings.fault(path, problem);
                seen.freshness = Some(freshness(FreshnessState::Diverged, None, None));
                return Ok(());
            }
        };
        let date = pointer.release.date().unwrap_or(Timestamp::UNIX_EPOCH);
        let behind = now.duration_since(source.since).unsigned_abs();
        let shown = lasting(behind);
        let (state, behind) = if source.bytes == pointer.bytes {
            (FreshnessState::Fresh, None)
        } else if date > source.date {
            findings
                .fault(path, format!("it is newer than the origin's: {date} here, {} there", source.date));
            (FreshnessState::Ahead, None)
        } else if !source.has_had(published, pointer, date).await? {
            findings.fault(
                path,
                format!("the origin never had this generation of {date}, or no longer keeps it"),
            );
            (FreshnessState::Diverged, Some(behind))
        } else if behind > allowed {
            findings.fault(
                path,
                format!(
                    "it is stale: it shows the generation of {date}, but the origin has had that of {} for {shown}; caches may lag by {}",
                    source.date,
                    lasting(allowed)
                ),
            );
            (FreshnessState::Behind, Some(behind))
        } else {
            findings.note(format!(
                "`{path}` shows the generation of {date}, which is within the cache lifetime: the origin has had that of {} for only {shown}",
                source.date
            ));
            (FreshnessState::Behind, Some(behind))
        };
        seen.freshness = Some(freshness(state, Some(&source), behind));
        match state {
            FreshnessState::Fresh | FreshnessState::Behind => {
                self.check_negative(published, &source, findings).await
            }
            // Its other files cannot be compared.
            FreshnessState::Ahead | FreshnessState::Diverged => Ok(()),
        }
    }

    /// Looks for files of the origin's generation that the edge reports as missing: they were requested too early, and
    /// a cache keeps the negative answer.
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
        // Without `InRelease`, the other two forms are the pointer that was compared.
        if published.pointer().is_some_and(|pointer| !pointer.is_in_release()) {
            paths.extend(["InRelease", "Release.gpg"].map(|name| published.path(name)));
        }
        // A file that is already reported as missing is not reported twice.
        for fault in &findings.faults {
            paths.remove(&fault.path);
        }
        let looks = stream::iter(paths).map(|path| async move {
            let mut found = Findings::default();
            let got = match self.store.head(&path).await {
                Ok(Some(_)) => Got::There(()),
                Err(error) if error.is_unreachable() => self.refused(&path, error, &mut found)?,
                // No client sends HEAD, and some servers implement it badly: the answer to GET decides.
                _ => match self.store.digests(&path, limits::LOOK).await {
                    Ok(Some(_)) | Err(store::Error::TooLarge { .. }) => Got::There(()),
                    Ok(None) => Got::Missing,
                    Err(error) => self.refused(&path, error, &mut found)?,
                },
            };
            // Listed, but never stored.
            let hidden = matches!(got, Got::Missing) && source.store.head(&path).await?.is_some();
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
        // An edge that keeps a copy and has no file of the new generation yet does not cache negative answers.
        if !new.is_empty() && new.is_subset(&hidden) {
            hidden.retain(|path| !new.contains(path));
        }
        for path in hidden {
            findings.fault(
                path,
                "the origin has it, but it is missing here: a cache keeps a negative answer from before it existed",
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
        // A generation may reach a store after its `Date`. A store whose clock is ahead of ours proves nothing.
        let written = store.head(path).await?.map(|found| found.modified);
        let written = written
            .filter(|time| *time > SystemTime::UNIX_EPOCH)
            .and_then(|time| Timestamp::try_from(time).ok());
        // The same applies to a publisher whose clock is ahead; a generation published after the check began is new.
        let since = written.into_iter().chain([date]).filter(|time| *time <= now).max().unwrap_or(now);
        Ok(Some(Self { store, release, bytes: object.bytes, date, since }))
    }

    /// Whether the origin had a generation: if it retains generations at all, this one must be retained.
    async fn has_had(
        &self,
        published: &PublishedSuite,
        pointer: &Pointer,
        date: Timestamp,
    ) -> Result<bool, Error> {
        let kept = async |date, bytes: &[u8]| {
            let name = generations::name(date, bytes);
            let path = published.path(&generations::path(&name, pointer.file()));
            Ok::<_, Error>(self.store.head(&path).await?.is_some())
        };
        Ok(kept(date, &pointer.bytes).await? || !kept(self.date, &self.bytes).await?)
    }
}

/// Formats a duration for people; a short one in seconds.
fn lasting(time: Duration) -> String {
    match time.as_secs() {
        1 => "1 second".to_owned(),
        // Rounding to minutes would hide the effect of a cache that keeps a file for one minute.
        seconds @ ..600 => format!("{seconds} seconds"),
        _ => HumanDuration(time).to_string(),
    }
}
