//! `prune`: what no kept state of any suite leads to is deleted. Mark and sweep, and nothing in doubt is swept.
//!
//! Marked is what the current pointer and the kept generations of every suite below `dists/` lead to, and what an edit in
//! flight holds ([`super::pins`]). Swept are old states, indices by their digests, names of indices that only old states
//! list, and the files of packages in `pool/`; of each only what was written some time ago, so that what an edit has just
//! written, and will lead to in a moment, stays. What else lies in an archive is not touched.
//!
//! If anything that is kept cannot be read, nothing is deleted: what it leads to is not known then. Killed at any moment,
//! all that is left out is unreferenced files, for the next run.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use futures::TryStreamExt;

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
        discovery,
        error::Error,
        event::{Event, Events, NO_EVENTS},
        generations::{self, Generation, Keep, is_older},
        published::PublishedSuite,
        snapshots,
        trust::Trust,
    },
};

/// So many objects are deleted before it is made sure again that edits still wait.
const AT_ONCE: usize = 200;

/// How an archive is pruned.
#[non_exhaustive]
pub struct Prune<'a> {
    /// Which states of these suites are kept.
    pub keep: BTreeMap<Suite, Keep>,
    /// Which states of all other suites are kept; of none is anything given up where there is nothing.
    pub otherwise: Option<Keep>,
    /// What was written more recently is not deleted: [`GRACE`](crate::gc::pins::GRACE), unless no edit can be in flight.
    pub grace: Duration,
    /// The time for a plan; what is really deleted goes by the store's clock.
    pub now: SystemTime,
    /// Plan only.
    pub dry_run: bool,
    /// Who is told.
    pub events: Events<'a>,
}

impl Prune<'_> {
    /// Prunes all suites, and keeps what clients may still need.
    #[must_use]
    pub fn new(now: SystemTime) -> Self {
        Self {
            keep: BTreeMap::new(),
            otherwise: Some(Keep::default()),
            grace: GRACE,
            now,
            dry_run: false,
            events: NO_EVENTS,
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Pruned {
    /// Nothing was deleted, because it was not asked for.
    pub dry_run: bool,
    /// The objects that were deleted (or would be), with the reasons.
    pub deleted: Vec<Swept>,
    /// The objects that no kept state leads to and that stay for now, with the reasons.
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
    /// Why it goes, or stays.
    pub why: String,
}

/// What is known of an archive before anything is deleted.
struct Marked {
    reach: LiveSet,
    /// Generations that are not kept any more, with their files and why.
    retired: Vec<(Generation, String)>,
    /// Names of indices that only those list.
    names: BTreeSet<String>,
    /// Everything below `dists/`.
    below: BTreeMap<String, Found>,
}

impl Archive {
    /// Deletes what no kept state of any suite leads to.
    ///
    /// # Errors
    /// [`Error::Pruning`] if somebody else does so at this moment; and if anything that is kept cannot be read. Nothing
    /// is deleted then.
    pub async fn prune(&self, how: &Prune<'_>) -> Result<Pruned, Error> {
        if how.dry_run {
            let marked = self.mark(how, how.now).await?;
            return self.sweep(how, marked, &BTreeSet::new(), how.now).await;
        }
        let mut announcement = GcMarker::make(&self.store).await?;
        let now = announcement.since;
        let pruned = async {
            // In this order: whoever lets go of his hold has swapped his pointer before.
            let held = announcement.held().await?;
            let planned = async {
                let marked = self.mark(how, now).await?;
                self.sweep(how, marked, &held, now).await
            };
            let pruned = announcement.during(planned).await?;
            delete(&self.store, &pruned.deleted, &mut announcement, how.events).await?;
            Ok(pruned)
        };
        let pruned = pruned.await;
        announcement.end().await?;
        pruned
    }

    /// Reads every pointer and every kept generation, and all that they list.
    async fn mark(&self, how: &Prune<'_>, now: SystemTime) -> Result<Marked, Error> {
        let store = &self.store;
        let all: Vec<Found> = store.walk("dists").try_collect().await?;
        let mut marked = Marked {
            reach: LiveSet::default(),
            retired: Vec::new(),
            names: BTreeSet::new(),
            below: BTreeMap::new(),
        };
        let suites = suites_to_keep(&all)?;
        // The indices that a state of any suite lists, current or old.
        let mut listed = BTreeSet::new();
        let mut list = |state: &PublishedSuite| {
            let files = state.release().into_iter().flat_map(Release::own_files);
            listed.extend(files.map(|(path, _)| state.path(plain_path(path))));
        };
        for suite in &suites {
            let current = self.open_to_keep(suite).await?;
            marked.reach.add_names(&current);
            marked.reach.add(&current).await?;
            list(&current);
            let found = generations::of_files(suite, &all);
            let (kept, retired) = match how.keep.get(suite).copied().or(how.otherwise) {
                Some(keep) => keep.split(found, &current, now),
                None => (found, Vec::new()),
            };
            for generation in &kept {
                // Of one that is being written, or deleted, there is no pointer.
                let has_pointer = |file: &String| {
                    matches!(ReleaseForm::of_path(file), Some(ReleaseForm::InRelease | ReleaseForm::Release))
                };
                if generation.files.iter().any(has_pointer) {
                    let state = generations::open(store, suite, &generation.name).await?;
                    marked.reach.add(&state).await?;
                    list(&state);
                }
            }
            for generation in retired {
                // What it listed by name and nobody else does; one that cannot be read says nothing.
                if let Ok(state) = generations::open(store, suite, &generation.name).await {
                    list(&state);
                    let files = state.release().into_iter().flat_map(Release::own_files);
                    marked.names.extend(files.map(|(path, _)| state.path(path)));
                }
                let why = match generation.published {
                    Some(_) => format!("an old state of suite `{suite}`, {} newer ones are kept", kept.len()),
                    None => format!("a state of suite `{suite}` that somebody else was quicker than"),
                };
                marked.retired.push((generation, why));
            }
        }
        refuse_lost_below(&all, &suites, &listed)?;
        marked.below = all.into_iter().map(|found| (found.path.clone(), found)).collect();
        Ok(marked)
    }

    /// Reads a suite of which nothing may get lost, whoever signed it; one that was tampered with is refused.
    async fn open_to_keep(&self, suite: &Suite) -> Result<PublishedSuite, Error> {
        match PublishedSuite::look(&self.store, suite, &self.trust).await {
            Err(Error::Untrusted { source: Distrust::UnknownSigners { .. }, .. }) => {
                PublishedSuite::look(&self.store, suite, &Trust::unverified()).await
            }
            opened => opened,
        }
    }

    /// Decides what goes, of all that no kept state leads to.
    async fn sweep(
        &self,
        how: &Prune<'_>,
        marked: Marked,
        held: &BTreeSet<String>,
        now: SystemTime,
    ) -> Result<Pruned, Error> {
        let mut pruned = Pruned { dry_run: how.dry_run, ..Pruned::default() };
        let Marked { reach, retired, names, below } = marked;
        // States first: one that is there leads to nothing that is not.
        for (mut generation, why) in retired {
            // The mark before the rest: what is left then is no state that was published, and no damage.
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
            let spared = if held.contains(&found.path) {
                Some("somebody is about to lead to it")
            } else if is_older(found.modified, now, how.grace) {
                None
            } else {
                Some("it was written only recently")
            };
            let swept =
                |why: &str| Swept { path: found.path.clone(), bytes: found.size, why: why.to_owned() };
            match spared {
                Some(why) => pruned.spared.push(swept(why)),
                None => pruned.deleted.push(swept(why)),
            }
        };
        for found in below.values().filter(|found| !reach.files.contains_key(&found.path)) {
            if names.contains(&found.path) {
                consider(found, "only old states list it");
            } else if is_by_hash(&found.path) {
                consider(found, "no kept state lists it");
            }
        }
        let mut pool = self.store.walk("pool");
        while let Some(found) = pool.try_next().await? {
            // Nothing else in the pool is ours to delete.
            if ArchivePath::of(&found.path) == ArchivePath::Package && !reach.files.contains_key(&found.path)
            {
                consider(&found, "no kept state of any suite leads to it");
            }
        }
        Ok(pruned)
    }
}

/// Whether a file lies under the digest of its bytes, by which `publish` stores indices; patches are those of other tools.
fn is_by_hash(path: &str) -> bool {
    matches!(
        ArchivePath::of(path),
        ArchivePath::Dists(SuitePath::ByHash { folder, algorithm: "SHA256", .. }) if !is_patch_folder(folder)
    )
}

/// Refuses indices below a suite that none of its states lists, and that lie too deep for a component of one part: those of
/// another tool's suite (`bookworm/updates/main` below `bookworm`) that has lost its release file. What they lead to is not
/// known. A removed snapshot may have left some as well, and nothing needs them.
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

/// The part of a path below `dists/` that lies below a suite.
fn below<'a>(path: &'a str, suite: &Suite) -> Option<&'a str> {
    path.strip_prefix(suite.as_str())?.strip_prefix('/')
}

/// Deletes in the order given, as long as edits wait.
async fn delete(
    store: &Store,
    swept: &[Swept],
    announcement: &mut GcMarker<'_>,
    events: Events<'_>,
) -> Result<(), Error> {
    let mut done = 0;
    for some in swept.chunks(AT_ONCE) {
        announcement.assure().await?;
        let paths: Vec<String> = some.iter().map(|swept| swept.path.clone()).collect();
        store.delete_all(&paths).await?;
        done += some.len();
        events(Event::Deleted { done, total: swept.len() });
    }
    Ok(())
}

/// The suites that have a pointer somewhere below `dists/`, however deep.
///
/// # Errors
/// There are indices that clients have seen, and no pointer that lists them: what they lead to is not known.
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
    // A suite that has lost its release file may lie below another one, which does not list its indices.
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
    fn suites_are_found_however_deep() {
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
    fn indices_below_a_suite_that_lists_them_not_may_be_those_of_a_lost_one() {
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
            // A component that the suite has no longer.
            "contrib/binary-amd64/Packages.gz",
            "contrib/debian-installer/binary-amd64/Packages.gz",
            // One of two parts, in another form than is listed.
            "security/main/binary-amd64/Packages.bz2",
            "snapshots/one/main/binary-amd64/Packages",
            "updates/main/i18n/Translation-en.xz",
        ] {
            assert!(refused(own).is_none(), "{own}");
        }
    }

    #[test]
    fn patches_of_other_tools_are_not_ours() {
        assert!(is_by_hash("dists/stable/main/binary-amd64/by-hash/SHA256/0f"));
        assert!(!is_by_hash("dists/stable/main/binary-amd64/Packages.diff/by-hash/SHA256/0f"));
        assert!(!is_by_hash("dists/stable/main/binary-amd64/by-hash/SHA512/0f"));
    }

    #[test]
    fn a_suite_that_has_lost_its_pointer_is_no_garbage() {
        for lost in ["testing/main/binary-amd64/Packages.xz", "testing/generations/1-a/published"] {
            let error = named(&["stable/InRelease", lost]).unwrap_err();
            assert!(matches!(error, Error::NoPointer { suite, .. } if suite.as_str() == "testing"), "{lost}");
        }
        // Also below another suite, which does not lead to what it needs.
        let error = named(&["stable/InRelease", "stable/updates/generations/1-a/published"]).unwrap_err();
        assert!(matches!(error, Error::NoPointer { suite, .. } if suite.as_str() == "stable/updates"));
        // One that is about to be published for the first time.
        let begun = ["testing/generations/1-a/InRelease", "testing/main/binary-amd64/by-hash/SHA256/a"];
        assert_eq!(named(&begun).unwrap(), [""; 0]);
    }
}
