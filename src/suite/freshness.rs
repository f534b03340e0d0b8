//! Detects rollback attacks: an old pointer that was restored in the store has a valid signature, but building on it
//! would drop every change since.
//!
//! There are two witnesses: this machine's record of the newest `Date` seen in a bucket, which the bucket's users
//! cannot change, and the signed generations in the archive. An attacker who can restore a pointer can also delete
//! generations, so a rollback remains undetected if this machine has no record. Clients that have seen the newer
//! pointer keep it (apt ignores an older `Date`), and `Valid-Until` limits how long the others can be held back.

use std::time::Duration;

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};

use super::{
    collisions, discovery,
    error::Error,
    generations::{self, Generation},
    other_names::OtherNames,
    published::{Pointer, Purpose, made_for, plain_path, read_pointer},
    trust::Trust,
};
use crate::{
    dists::{
        Release,
        layout::{component_of, names_packages},
    },
    names::Suite,
    store::{self, Store, StoredObject},
};

/// The name of this machine's record of pointers.
const MEMORY: &str = "pointers";
/// A store may return an older revision for a short time.
const READ_LAG: Duration = Duration::from_secs(1);

/// The maximal depth of indices below a suite (`updates/main/binary-amd64` is three).
const DEEPEST_INDEX: usize = 3;

/// Evidence of a published pointer that is newer than the current one.
pub(crate) struct Newer {
    pub(crate) date: Timestamp,
    /// The source of the evidence, for the error message.
    pub(crate) witness: String,
}

/// Refuses to create a suite over indices or published generations without a pointer: the new suite would have the new
/// packages alone. A publisher that was killed before its first commit leaves neither, since it writes both after that.
pub(crate) async fn refuse_orphans(store: &Store, suite: &Suite) -> Result<(), Error> {
    if !store.is_listable() {
        return Ok(());
    }
    if let Some(generation) = published_after(store, suite, Timestamp::UNIX_EPOCH).await?.pop() {
        let path = format!("dists/{suite}/{}", generations::path(&generation, ""));
        return Err(Error::NoPointer { suite: suite.clone(), path: path.trim_end_matches('/').to_owned() });
    }
    let mut above = None;
    let root = format!("dists/{suite}");
    let mut folders = vec![(root.clone(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let (below, files) = store.list(&folder).await?;
        // A suite below this one, with its release file or without: it is not part of this suite.
        let has_release = |file: &String| discovery::of_release_file(&format!("{folder}/{file}")).is_some();
        let was_published = below.iter().any(|name| name == generations::FOLDER);
        if depth > 0 && (was_published || files.iter().any(has_release)) {
            continue;
        }
        let below_suite = folder[root.len()..].trim_start_matches('/');
        let is_index = |file: &String| {
            let plain = format!("{below_suite}/{}", plain_path(file));
            names_packages(&plain) && component_of(&plain).is_some()
        };
        if let Some(index) = files.into_iter().find(is_index) {
            let path = format!("{folder}/{index}");
            if above.is_none() {
                above = Some(collisions::listed_above(store, suite).await?);
            }
            // An index of a component of the suite above.
            if !above.as_ref().is_some_and(|above| above.contains(&path)) {
                return Err(Error::NoPointer { suite: suite.clone(), path });
            }
        }
        if depth < DEEPEST_INDEX {
            folders.extend(below.into_iter().map(|name| (format!("{folder}/{name}"), depth + 1)));
        }
    }
    Ok(())
}

/// Refuses to build on a pointer that was rolled back.
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
    // The newer one may have been published after the pointer was read.
    for _ in 0..2 {
        if !store.holds(&path, &pointer.bytes).await? {
            return Err(store::Error::Conflict { path }.into());
        }
        tokio::time::sleep(READ_LAG).await;
    }
    let date = pointer.release.date().unwrap_or(Timestamp::UNIX_EPOCH);
    Err(Error::RolledBack { path, date, newer: newer.date, witness: newer.witness })
}

/// Returns the newest evidence of any witness, if it is newer than the pointer.
pub(crate) async fn newer(
    store: &Store,
    suite: &Suite,
    pointer: &Pointer,
    trust: &Trust,
) -> Result<Option<Newer>, Error> {
    let kept = kept_since(store, suite, pointer).await?;
    newer_among(store, suite, pointer, trust, &kept).await
}

/// Returns the generations with the `Date` of a signed pointer or a later one, the newest first, with one listing.
/// Returns none for an unsigned suite, since anyone could have made them.
pub(crate) async fn kept_since(
    store: &Store,
    suite: &Suite,
    pointer: &Pointer,
) -> Result<Vec<Generation>, Error> {
    Ok(listed_since_pointer(store, suite, pointer).await?.generations)
}

/// The generations of a suite, and the records beside them.
#[derive(Default)]
pub(crate) struct Listed {
    /// Those with the `Date` of the pointer or a later one, the newest first; none of an unsigned suite.
    pub(crate) generations: Vec<Generation>,
    /// Its other names.
    pub(crate) other_names: OtherNames,
}

/// Lists the generations since a pointer, and the other names of the suite.
pub(crate) async fn listed_since_pointer(
    store: &Store,
    suite: &Suite,
    pointer: &Pointer,
) -> Result<Listed, Error> {
    if !store.is_listable() {
        return Ok(Listed::default());
    }
    match pointer.release.date() {
        Ok(date) if pointer.signed => {
            let files = files_since(store, suite, date).await?;
            let other_names = OtherNames::among(suite, files.iter().map(|file| file.path.as_str()));
            Ok(Listed { generations: generations::of_files(suite, &files), other_names })
        }
        // The generations of an unsigned suite prove nothing.
        _ => Ok(Listed { other_names: OtherNames::read(store, suite).await?, ..Listed::default() }),
    }
}

/// Returns the evidence of this machine or of one of these generations, if it is newer than the pointer.
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
    // Anyone can forge a newer generation of an unsigned suite.
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

/// Returns the names of the generations with a later `Date` that are marked as published, the oldest first.
pub(crate) async fn published_after(
    store: &Store,
    suite: &Suite,
    date: Timestamp,
) -> Result<Vec<String>, Error> {
    let next = date.checked_add(SignedDuration::from_secs(1)).unwrap_or(date);
    let kept = listed_since(store, suite, next).await?.into_iter().rev();
    Ok(kept.filter(|generation| generation.published.is_some()).map(|generation| generation.name).collect())
}

/// Returns the generations with this `Date` or a later one, the newest first.
pub(crate) async fn listed_since(
    store: &Store,
    suite: &Suite,
    date: Timestamp,
) -> Result<Vec<Generation>, Error> {
    if !store.is_listable() {
        return Ok(Vec::new());
    }
    Ok(generations::of_files(suite, &files_since(store, suite, date).await?))
}

async fn files_since(store: &Store, suite: &Suite, date: Timestamp) -> Result<Vec<StoredObject>, Error> {
    let folder = format!("dists/{suite}/{}", generations::FOLDER);
    // Names sort by `Date`, so the listing is short, however many generations there are.
    let after = format!("{folder}/{}", generations::beginning(date));
    Ok(store.walk_after(&folder, &after).try_collect().await?)
}

/// Records the `Date` that was seen or published. Folders are not recorded: their users may restore a backup.
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
