//! `prune`: mark and sweep. Deletes every file that no kept generation references, and keeps everything in doubt.
//!
//! The mark phase collects the live set: everything reachable from the current pointer and the kept generations of
//! every suite below `dists/`, and the files pinned by operations in progress ([`super::pins`]). The sweep phase
//! deletes expired generations, by-hash indices, names of indices that only expired generations list, and package files
//! in `pool/`. It skips files that are younger than the grace period: an operation may have just written them. Other
//! files are not touched.
//!
//! If the release file of a suite cannot be read, nothing is deleted, since its references are unknown. If a kept
//! generation is damaged, every file that is older than it stays until it has expired. A prune that is killed
//! leaves only unreferenced files, which the next run deletes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use futures::TryStreamExt;
use tokio::sync::Notify;

use super::{
    live_set::LiveSet,
    pins::{GRACE, GcMarker},
};
use crate::{
    dists::{
        Release,
        layout::{
            ArchivePath, ReleaseForm, SuitePath, component_of, is_mark, is_patch_folder, names_packages,
            plain_path, top_folder,
        },
    },
    names::Suite,
    signing::Distrust,
    store::{Found, Store},
    suite::{
        archive::Archive,
        damage, discovery,
        error::Error,
        event::{self, Event, Events, NO_EVENTS},
        generations::{self, Generation, Keep, is_older},
        published::PublishedSuite,
        snapshots,
        trust::Trust,
    },
};

/// The number of objects that are deleted before the marker is checked again.
const AT_ONCE: usize = 200;

/// The options of a prune.
#[non_exhaustive]
pub struct Prune<'a> {
    /// The retention of generations of these suites.
    pub keep: BTreeMap<Suite, Keep>,
    /// The retention of generations of all other suites; `None` keeps all.
    pub otherwise: Option<Keep>,
    /// Younger files are not deleted: [`GRACE`](crate::gc::pins::GRACE), unless no operation can be in progress.
    pub grace: Duration,
    /// The time for a dry run; a real run uses the clock of the store.
    pub now: SystemTime,
    /// Only report the files that would be deleted.
    pub dry_run: bool,
    /// Receives progress.
    pub events: Events<'a>,
    /// Ends the prune early when notified, with [`Error::Interrupted`]; operations then need not wait for it.
    pub stop: Option<&'a Notify>,
}

impl Prune<'_> {
    /// Prunes all suites, and keeps the generations that clients may still use.
    #[must_use]
    pub fn new(now: SystemTime) -> Self {
        Self {
            keep: BTreeMap::new(),
            otherwise: Some(Keep::default()),
            grace: GRACE,
            now,
            dry_run: false,
            events: NO_EVENTS,
            stop: None,
        }
    }
}

/// The result of a prune.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Pruned {
    /// Whether this was a dry run, which deletes nothing.
    pub dry_run: bool,
    /// The objects that were deleted (or would be), with the reasons.
    pub deleted: Vec<Swept>,
    /// The unreferenced objects that stay for now, with the reasons.
    pub spared: Vec<Swept>,
}

/// An object that no kept state leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Swept {
    /// Its path.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The reason why it is deleted or stays.
    pub why: String,
}

/// The result of the mark phase.
struct Marked {
    live: LiveSet,
    /// Expired generations, with the reasons.
    retired: Vec<(Generation, String)>,
    /// Names of indices that only these list.
    names: BTreeSet<String>,
    /// All files below `dists/`.
    below: BTreeMap<String, Found>,
    /// The suites with a release file.
    suites: BTreeSet<Suite>,
    /// The newest damaged generation that is kept.
    damaged: Option<DamagedGeneration>,
}

/// A kept generation whose references are not all known: it may reference any file that is older than itself.
struct DamagedGeneration {
    path: String,
    published: SystemTime,
}

impl Archive {
    /// Deletes every file that no kept generation of any suite references.
    ///
    /// # Errors
    /// [`Error::Pruning`] if another prune is running, and an error if a suite cannot be read. Nothing is deleted then.
    pub async fn prune(&self, how: &Prune<'_>) -> Result<Pruned, Error> {
        if how.dry_run {
            let marked = self.mark(how, how.now).await?;
            return self.sweep(how, marked, &BTreeSet::new(), how.now).await;
        }
        // A marker that is left behind blocks others until it expires.
        event::critical(how.events, Box::pin(self.prune_marked(how))).await
    }

    async fn prune_marked(&self, how: &Prune<'_>) -> Result<Pruned, Error> {
        let mut marker = GcMarker::make(&self.store).await?;
        let now = marker.since;
        let pruned = async {
            // Pins before pointers: an operation releases its pin only after it has swapped its pointer.
            let pinned = marker.pinned().await?;
            let planned = async {
                let live = self.mark(how, now).await?;
                self.sweep(how, live, &pinned, now).await
            };
            let pruned = marker.during(planned).await?;
            delete(&self.store, &pruned.deleted, &mut marker, how.events).await?;
            Ok(pruned)
        };
        let stopped = async {
            match how.stop {
                Some(stop) => stop.notified().await,
                None => std::future::pending().await,
            }
        };
        let pruned = tokio::select! {
            pruned = pruned => pruned,
            () = stopped => Err(Error::Interrupted),
        };
        marker.end().await?;
        pruned
    }

    /// The mark phase: reads every pointer and every kept generation, and collects all that they reference.
    async fn mark(&self, how: &Prune<'_>, now: SystemTime) -> Result<Marked, Error> {
        let store = &self.store;
        let all: Vec<Found> = store.walk("dists").try_collect().await?;
        let mut marked = Marked {
            live: LiveSet::default(),
            retired: Vec::new(),
            names: BTreeSet::new(),
            below: BTreeMap::new(),
            suites: BTreeSet::new(),
            damaged: None,
        };
        let suites = suites_to_keep(&all)?;
        // The indices that any generation lists, current or old.
        let mut listed = BTreeSet::new();
        let mut list = |state: &PublishedSuite| {
            let files = state.release().into_iter().flat_map(Release::own_files);
            listed.extend(files.map(|(path, _)| state.path(plain_path(path))));
        };
        for suite in &suites {
            let current = self.open_to_keep(suite).await?;
            marked.live.add_names(&current);
            marked.live.add(&current).await?;
            list(&current);
            let found = generations::of_files(suite, &all);
            let (kept, retired) = match how.keep.get(suite).copied().or(how.otherwise) {
                Some(keep) => keep.split(found, &current, now),
                None => (found, Vec::new()),
            };
            for generation in &kept {
                // A generation that is being written or deleted has no pointer.
                let has_pointer = |file: &String| {
                    matches!(ReleaseForm::of_path(file), Some(ReleaseForm::InRelease | ReleaseForm::Release))
                };
                if generation.files.iter().any(has_pointer) {
                    let added = async {
                        let state = generations::open(store, suite, &generation.name).await?;
                        list(&state);
                        marked.live.add(&state).await
                    };
                    match added.await {
                        Err(error) if damage::is_damage(store, &error) => {
                            let published = generation.published.unwrap_or(now);
                            let path = format!("dists/{suite}/{}/{}", generations::FOLDER, generation.name);
                            if marked.damaged.as_ref().is_none_or(|newest| newest.published < published) {
                                marked.damaged = Some(DamagedGeneration { path, published });
                            }
                        }
                        added => added?,
                    }
                }
            }
            for generation in retired {
                // Its indices by name may be garbage; one that cannot be read contributes nothing.
                if let Ok(state) = generations::open(store, suite, &generation.name).await {
                    list(&state);
                    let files = state.release().into_iter().flat_map(Release::own_files);
                    marked.names.extend(files.map(|(path, _)| state.path(path)));
                }
                let why = match generation.published {
                    Some(_) => {
                        format!(
                            "an old generation of suite `{suite}`; {} newer ones are retained",
                            kept.len()
                        )
                    }
                    None => {
                        format!("a generation of suite `{suite}` that lost the race and was not published")
                    }
                };
                marked.retired.push((generation, why));
            }
        }
        refuse_lost_below(&all, &suites, &listed)?;
        marked.suites = suites;
        marked.below = all.into_iter().map(|found| (found.path.clone(), found)).collect();
        Ok(marked)
    }

    /// Opens a suite for the mark phase, also one signed with unknown keys; a damaged signature is refused.
    async fn open_to_keep(&self, suite: &Suite) -> Result<PublishedSuite, Error> {
        match PublishedSuite::look(&self.store, suite, &self.trust).await {
            Err(Error::Untrusted { source: Distrust::UnknownSigners { .. }, .. }) => {
                PublishedSuite::look(&self.store, suite, &Trust::unverified()).await
            }
            opened => opened,
        }
    }

    /// The sweep phase: decides for each unreferenced file whether it is deleted.
    async fn sweep(
        &self,
        how: &Prune<'_>,
        marked: Marked,
        pinned: &BTreeSet<String>,
        now: SystemTime,
    ) -> Result<Pruned, Error> {
        let mut pruned = Pruned { dry_run: how.dry_run, ..Pruned::default() };
        let Marked { live, retired, names, below, suites, damaged } = marked;
        // Generations first, so that no existing generation references a deleted file.
        for (mut generation, why) in retired {
            // The mark before the other files: a partly deleted generation must not count as published and damaged.
            generation.files.sort_by_key(|path| !is_mark(path));
            let bytes = |path: &String| below.get(path).map_or(0, |found| found.size);
            let files = generation.files.iter();
            pruned.deleted.extend(files.map(|path| Swept {
                path: path.clone(),
                bytes: bytes(path),
                why: why.clone(),
            }));
        }
        let mut consider = |found: &Found, why: &str| {
            // The clock of a store may be coarse.
            let may_be_needed = |damaged: &&DamagedGeneration| {
                found.modified.checked_sub(GRACE).is_none_or(|written| written <= damaged.published)
            };
            let by_damaged = damaged
                .as_ref()
                .filter(may_be_needed)
                .map(|damaged| format!("the damaged generation `{}` may reference it", damaged.path));
            let spared = if pinned.contains(&found.path) {
                Some("an operation in progress needs it")
            } else if !is_older(found.modified, now, how.grace) {
                Some("it was written recently")
            } else {
                by_damaged.as_deref()
            };
            let swept =
                |why: &str| Swept { path: found.path.clone(), bytes: found.size, why: why.to_owned() };
            match spared {
                Some(why) => pruned.spared.push(swept(why)),
                None => pruned.deleted.push(swept(why)),
            }
        };
        for found in below.values().filter(|found| !live.files.contains_key(&found.path)) {
            if names.contains(&found.path) {
                consider(found, "only old generations list it");
            } else if is_by_hash(&found.path) {
                consider(found, "no retained generation lists it");
            } else if is_generation_without_suite(&found.path, &suites) {
                consider(found, "it was a generation of a suite that is not published");
            }
        }
        let mut pool = self.store.walk("pool");
        while let Some(found) = pool.try_next().await? {
            // Other files in the pool were not written by `publish`.
            if ArchivePath::of(&found.path) == ArchivePath::Package && !live.files.contains_key(&found.path) {
                consider(&found, "no retained generation references it");
            }
        }
        Ok(pruned)
    }
}

/// Whether a file is of a generation whose suite has no release file: the suite was dropped, or its first commit did not
/// end. A published one would have been refused before.
fn is_generation_without_suite(path: &str, suites: &BTreeSet<Suite>) -> bool {
    match ArchivePath::of(path) {
        ArchivePath::Dists(SuitePath::Generation { folder, .. }) => {
            !suites.iter().any(|suite| suite.as_str() == folder)
        }
        _ => false,
    }
}

/// Whether a file is a by-hash index as `publish` stores them; by-hash patches are written by other tools.
fn is_by_hash(path: &str) -> bool {
    matches!(
        ArchivePath::of(path),
        ArchivePath::Dists(SuitePath::ByHash { folder, algorithm: "SHA256", .. }) if !is_patch_folder(folder)
    )
}

/// Refuses indices below a suite that none of its generations lists, and that are too deep for a component of one part:
/// they may belong to a suite of another tool (`bookworm/updates/main` below `bookworm`) that has lost its release
/// file, so their references are unknown. Leftovers of a removed snapshot are accepted, since nothing needs them.
fn refuse_lost_below(
    all: &[Found],
    suites: &BTreeSet<Suite>,
    listed: &BTreeSet<String>,
) -> Result<(), Error> {
    for Found { path, .. } in all {
        let ArchivePath::Dists(SuitePath::Listed { plain, .. }) = ArchivePath::of(path) else { continue };
        if !names_packages(plain) || listed.contains(plain_path(path)) {
            continue;
        }
        let below = suites.iter().filter_map(|suite| Some((suite, below(plain, suite)?)));
        let Some((above, below)) = below.min_by_key(|(_, below)| below.len()) else { continue };
        let Some((lost, _)) = component_of(below).and_then(|component| component.rsplit_once('/')) else {
            continue;
        };
        let Ok(suite) = Suite::parse(&format!("{above}/{lost}")) else { continue };
        if snapshots::snapshot_of(&suite).is_none() {
            return Err(Error::NoPointer { suite, path: path.clone() });
        }
    }
    Ok(())
}

/// Returns the part of a path that is below a suite; the path is relative to `dists/`.
fn below<'a>(path: &'a str, suite: &Suite) -> Option<&'a str> {
    path.strip_prefix(suite.as_str())?.strip_prefix('/')
}

/// Deletes files in the given order, as long as operations wait for the marker.
async fn delete(
    store: &Store,
    swept: &[Swept],
    marker: &mut GcMarker<'_>,
    events: Events<'_>,
) -> Result<(), Error> {
    let mut done = 0;
    for some in swept.chunks(AT_ONCE) {
        marker.assure().await?;
        let paths: Vec<String> = some.iter().map(|swept| swept.path.clone()).collect();
        store.delete_all(&paths).await?;
        done += some.len();
        events(Event::Deleted { done, total: swept.len() });
    }
    Ok(())
}

/// Returns the suites that have a pointer below `dists/`, at any depth.
///
/// # Errors
/// [`Error::NoPointer`] for published indices without a pointer, since their references are unknown.
fn suites_to_keep(all: &[Found]) -> Result<BTreeSet<Suite>, Error> {
    let parse = |name: &str, path: &str| {
        Suite::parse(name).map_err(|source| Error::OddSuite { path: path.to_owned(), source })
    };
    let mut suites = BTreeSet::new();
    for Found { path, .. } in all {
        if let Some(suite) = discovery::of_release_file(path) {
            suites.insert(parse(suite, path)?);
        }
    }
    // A suite that has lost its release file may be below another one, which does not list its indices.
    if let Some(suite) = discovery::lost(all.iter().map(|found| &found.path[..])).first() {
        let path = format!("dists/{suite}/{}", generations::FOLDER);
        return Err(Error::NoPointer { suite: parse(suite, &path)?, path });
    }
    for Found { path, .. } in all {
        let ArchivePath::Dists(SuitePath::Listed { plain, .. }) = ArchivePath::of(path) else { continue };
        let is_in = |suite: &Suite| {
            let below = path.strip_prefix("dists/").and_then(|path| path.strip_prefix(suite.as_str()));
            below.is_some_and(|below| below.starts_with('/'))
        };
        if names_packages(plain) && !suites.iter().any(is_in) {
            let suite = top_folder(plain);
            return Err(Error::NoPointer { suite: parse(suite, path)?, path: path.clone() });
        }
    }
    Ok(suites)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Result<Vec<String>, Error> {
        let found = |path: &&str| Found {
            path: format!("dists/{path}"),
            size: 1,
            md5: None,
            modified: SystemTime::UNIX_EPOCH,
        };
        let all: Vec<Found> = names.iter().map(found).collect();
        Ok(suites_to_keep(&all)?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn suites_are_found_at_any_depth() {
        let suites = named(&[
            "stable/InRelease",
            "stable/Release",
            "stable/generations/20230101T000000Z-12345678/InRelease",
            "stable/generations/20230101T000000Z-12345678/published",
            "stable/main/binary-amd64/Release",
            "stable/main/binary-amd64/Packages.gz",
            "stable/main/source/Release",
            "stable/updates/Release",
            "a/b/c/d/InRelease",
        ]);
        assert_eq!(suites.unwrap(), ["a/b/c/d", "stable", "stable/updates"]);
    }

    #[test]
    fn unlisted_indices_below_a_suite_may_belong_to_a_lost_suite() {
        let suites = BTreeSet::from([Suite::parse("stable").unwrap()]);
        let listed = BTreeSet::from(["dists/stable/security/main/binary-amd64/Packages".to_owned()]);
        let refused = |path: &str| {
            let path = format!("dists/stable/{path}");
            let found = Found { path, size: 1, md5: None, modified: SystemTime::UNIX_EPOCH };
            refuse_lost_below(&[found], &suites, &listed).err()
        };
        for lost in [
            "updates/main/binary-amd64/Packages.gz",
            "updates/main/source/Sources.xz",
            "updates/main/debian-installer/binary-amd64/Packages",
        ] {
            let error = refused(lost).unwrap();
            assert!(
                matches!(error, Error::NoPointer { suite, .. } if suite.as_str() == "stable/updates"),
                "{lost}"
            );
        }
        for own in [
            // A component that the suite no longer has.
            "contrib/binary-amd64/Packages.gz",
            "contrib/debian-installer/binary-amd64/Packages.gz",
            // A component of two parts, in another form than the listed one.
            "security/main/binary-amd64/Packages.bz2",
            "snapshots/one/main/binary-amd64/Packages",
            "updates/main/i18n/Translation-en.xz",
        ] {
            assert!(refused(own).is_none(), "{own}");
        }
    }

    #[test]
    fn patches_of_other_tools_are_not_swept() {
        assert!(is_by_hash("dists/stable/main/binary-amd64/by-hash/SHA256/0f"));
        assert!(!is_by_hash("dists/stable/main/binary-amd64/Packages.diff/by-hash/SHA256/0f"));
        assert!(!is_by_hash("dists/stable/main/binary-amd64/by-hash/SHA512/0f"));
    }

    #[test]
    fn a_suite_that_has_lost_its_pointer_is_not_garbage() {
        for lost in ["testing/main/binary-amd64/Packages.xz", "testing/generations/1-a/published"] {
            let error = named(&["stable/InRelease", lost]).unwrap_err();
            assert!(matches!(error, Error::NoPointer { suite, .. } if suite.as_str() == "testing"), "{lost}");
        }
        // Also below another suite, which does not reference its files.
        let error = named(&["stable/InRelease", "stable/updates/generations/1-a/published"]).unwrap_err();
        assert!(matches!(error, Error::NoPointer { suite, .. } if suite.as_str() == "stable/updates"));
        // A suite that is about to be published for the first time.
        let begun = ["testing/generations/1-a/InRelease", "testing/main/binary-amd64/by-hash/SHA256/a"];
        assert_eq!(named(&begun).unwrap(), [""; 0]);
    }
}
