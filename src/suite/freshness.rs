//! Whether a pointer is the newest that was published: one that was put back by somebody without the key is signed as well
//! as any, and what it has forgotten would be signed away.
//!
//! Two witnesses are heard. This machine's memory of what it has seen in a bucket: nobody there can change it. And the
//! generations in the archive, each signed: they can be deleted by whoever can put an older pointer back, so what nobody
//! remembers and nothing shows is not found out. Clients that have seen the newer state keep it (apt ignores an older
//! `Date`), and `Valid-Until` limits for how long the others can be kept in the past.

use std::time::Duration;

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};

use super::{
    discovery,
    error::Error,
    generations::{self, Generation},
    published::{Pointer, Purpose, made_for, plain_path, read_pointer},
    trust::Trust,
};
use crate::{
    dists::{Release, layout::names_packages},
    names::Suite,
    store::{self, Found, Store},
};

/// What the memory of pointers is called.
const MEMORY: &str = "pointers";
/// A store may show an older state for a moment.
const MOMENT: Duration = Duration::from_secs(1);

/// Indices are looked for this deep below a suite (`updates/main/binary-amd64` is three).
const DEEPEST_INDEX: usize = 3;

/// A state that was published, newer than the pointer.
pub(crate) struct Newer {
    pub(crate) date: Timestamp,
    /// Who says so.
    pub(crate) witness: String,
}

/// Refuses to begin a suite where indices lie that no pointer lists: to publish would put one with the new packages alone
/// in their place. A publisher that was killed before its first commit leaves none, since their names come after it. So it
/// is with a generation that was published.
pub(crate) async fn refuse_orphans(store: &Store, suite: &Suite) -> Result<(), Error> {
    if let Some(generation) = published_after(store, suite, Timestamp::UNIX_EPOCH).await?.pop() {
        let path = format!("dists/{suite}/{}", generations::path(&generation, ""));
        return Err(Error::NoPointer { suite: suite.clone(), path: path.trim_end_matches('/').to_owned() });
    }
    let mut folders = vec![(format!("dists/{suite}"), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let (below, files) = store.list(&folder).await?;
        // That of a suite below this one, be its release file there or lost: it is no part of this one.
        let has_release = |file: &String| discovery::of_release_file(&format!("{folder}/{file}")).is_some();
        let was_published = below.iter().any(|name| name == generations::FOLDER);
        if depth > 0 && (was_published || files.iter().any(has_release)) {
            continue;
        }
        let index = files.into_iter().find(|file| names_packages(plain_path(file)));
        if let Some(index) = index.filter(|_| folder.contains("/binary-") || folder.ends_with("/source")) {
            return Err(Error::NoPointer { suite: suite.clone(), path: format!("{folder}/{index}") });
        }
        if depth < DEEPEST_INDEX {
            folders.extend(below.into_iter().map(|name| (format!("{folder}/{name}"), depth + 1)));
        }
    }
    Ok(())
}

/// Refuses to build on a pointer that is not the newest.
pub(crate) async fn refuse_older(
    store: &Store,
    suite: &Suite,
    pointer: &Pointer,
    trust: &Trust,
    kept: &[Generation],
) -> Result<(), Error> {
    let Some(newer) = newer_among(store, suite, pointer, trust, kept).await? else {
        remember(store, suite, &pointer.release);
        return Ok(());
    };
    let path = format!("dists/{suite}/{}", pointer.file());
    // Or it was published since the pointer was read.
    for _ in 0..2 {
        if !store.holds(&path, &pointer.bytes).await? {
            return Err(store::Error::Conflict { path }.into());
        }
        tokio::time::sleep(MOMENT).await;
    }
    let date = pointer.release.date().unwrap_or(Timestamp::UNIX_EPOCH);
    Err(Error::RolledBack { path, date, newer: newer.date, witness: newer.witness })
}

/// The newest state that a witness knows, if it is newer than the pointer.
pub(crate) async fn newer(
    store: &Store,
    suite: &Suite,
    pointer: &Pointer,
    trust: &Trust,
) -> Result<Option<Newer>, Error> {
    let kept = kept_since(store, suite, pointer).await?;
    newer_among(store, suite, pointer, trust, &kept).await
}

/// The generations with the `Date` of a signed pointer or a later one, the newest first: one listing. Of an unsigned suite
/// none, for anyone could have made them.
pub(crate) async fn kept_since(
    store: &Store,
    suite: &Suite,
    pointer: &Pointer,
) -> Result<Vec<Generation>, Error> {
    match pointer.release.date() {
        Ok(date) if pointer.signed => listed_since(store, suite, date).await,
        _ => Ok(Vec::new()),
    }
}

/// The newest state that this machine or one of these generations knows, if it is newer than the pointer.
async fn newer_among(
    store: &Store,
    suite: &Suite,
    pointer: &Pointer,
    trust: &Trust,
    kept: &[Generation],
) -> Result<Option<Newer>, Error> {
    let Ok(date) = pointer.release.date() else { return Ok(None) };
    if let Some(seen) = recall(store, suite).filter(|seen| *seen > date) {
        return Ok(Some(Newer { date: seen, witness: "seen from this machine".into() }));
    }
    // Of what is not signed anybody can make newer states.
    if trust.now.is_none() || !pointer.signed || trust.keyring.is_empty() {
        return Ok(None);
    }
    let own = generations::beginning(date);
    for generation in kept {
        if generation.published.is_none() || generation.name.starts_with(&own) {
            continue;
        }
        let folder = format!("dists/{suite}/{}/{}", generations::FOLDER, generation.name);
        let trust = trust.strict();
        let Ok(Some(kept)) = read_pointer(store, suite, &folder, &trust, Purpose::BuildOn).await else {
            continue;
        };
        match kept.release.date() {
            Ok(newer) if newer > date && made_for(suite, &kept.release, &folder).is_ok() => {
                return Ok(Some(Newer { date: newer, witness: format!("kept in `{folder}`") }));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// The names of the generations with a later `Date` that say of themselves that they were published, the oldest first.
pub(crate) async fn published_after(
    store: &Store,
    suite: &Suite,
    date: Timestamp,
) -> Result<Vec<String>, Error> {
    let next = date.checked_add(SignedDuration::from_secs(1)).unwrap_or(date);
    let kept = listed_since(store, suite, next).await?.into_iter().rev();
    Ok(kept.filter(|generation| generation.published.is_some()).map(|generation| generation.name).collect())
}

/// The generations with this `Date` or a later one, the newest first.
async fn listed_since(store: &Store, suite: &Suite, date: Timestamp) -> Result<Vec<Generation>, Error> {
    let folder = format!("dists/{suite}/{}", generations::FOLDER);
    // Names sort by `Date`, so this asks for little, however many there are.
    let after = format!("{folder}/{}", generations::beginning(date));
    let files: Vec<Found> = store.walk_after(&folder, &after).try_collect().await?;
    Ok(generations::of_files(suite, &files))
}

/// Remembers what was seen or published; of a folder nothing, which whoever uses this machine may put back as he likes.
pub(crate) fn remember(store: &Store, suite: &Suite, release: &Release) {
    let (Some(cache), Ok(date)) = (store.cache().filter(|_| !store.is_local()), release.date()) else {
        return;
    };
    if recall(store, suite) != Some(date) {
        cache.remember(MEMORY, &subject(store, suite), &date.to_string());
    }
}

fn recall(store: &Store, suite: &Suite) -> Option<Timestamp> {
    let (text, _) = store.cache().filter(|_| !store.is_local())?.recall(MEMORY, &subject(store, suite))?;
    text.trim().parse().ok()
}

fn subject(store: &Store, suite: &Suite) -> String {
    format!("{} {suite}", store.location())
}
