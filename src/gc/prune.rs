//! `prune`: mark and sweep. Deletes every file that no kept generation references, and keeps everything in doubt.
//!
//! The mark phase collects the live set: everything reachable from the current pointer and the kept generations of
//! every suite below `dists/`, and the files pinned by operations in progress ([`super::pins`]). The sweep phase
//! deletes expired generations, by-hash indices, names of indices that only expired generations list, and package files
//! in `pool/`. It skips files that are younger than the grace period: an operation may have just written them. Other
//! files are not touched.
//!
//! Indices that no release file lists are read as well: those of a flat archive, or of another tool. The files that they
//! name stay.
//!
//! If the release file of a suite cannot be read, nothing is deleted, since its references are unknown. If a kept
//! generation is damaged, every file that is older than it stays until it has expired. A prune that is killed
//! leaves only unreferenced files, which the next run deletes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use futures::TryStreamExt;

use super::{
    live_set::LiveSet,
    pins::GcMarker,
    prune_options::Prune,
    pruned::{Pruned, Swept},
    sweep::{self, DamagedGeneration, Marked},
};
use crate::{
    digest::Sha256Digest,
    dists::{
        Release,
        layout::{ArchivePath, ReleaseForm, SuitePath, component_of, names_packages, plain_path, top_folder},
        subset::{Carried, Subset},
    },
    names::Suite,
    signing::Distrust,
    store::{RealPath, Store, StoredObject},
    suite::{
        archive::Archive,
        damage, discovery,
        error::Error,
        event::{self, Event, Events},
        generations::{self, Generation},
        images, partial,
        published::PublishedSuite,
        snapshots,
        trust::Trust,
    },
};

/// The number of objects that are deleted before the marker is checked again.
const AT_ONCE: usize = 200;

impl Archive {
    /// Deletes every file that no kept generation of any suite references.
    ///
    /// # Errors
    /// [`Error::Pruning`] if another prune is running, and an error if a suite cannot be read. Nothing is deleted then.
    pub async fn prune(&self, how: &Prune<'_>) -> Result<Pruned, Error> {
        if how.dry_run {
            let marked = self.mark(how, how.now).await?;
            return sweep::plan(&self.store, how, marked, &BTreeSet::new(), how.now).await;
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
                sweep::plan(&self.store, how, live, &pinned, now).await
            };
            let pruned = Box::pin(marker.during(planned)).await?;
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
        let mut all: Vec<StoredObject> = store.walk("dists").try_collect().await?;
        let mut suites = suites_to_keep(&all)?;
        if suites.is_empty() {
            // Without a release file nothing references the pool, which is no reason to delete it.
            let packages = self.pool_without_suites().await?.len();
            if packages > 0 {
                let location = store.location().to_string();
                return Err(Error::PoolWithoutSuites { location, packages, suite: None });
            }
        }
        let links = links_to_suites(store, &suites).await?;
        suites.retain(|suite| !links.contains_key(suite));
        all.retain(|found| !links.keys().any(|link| in_suite(&found.path, link).is_some()));
        let mut mark = Mark::default();
        let mut states = Vec::new();
        for suite in suites {
            let current = self.open_to_keep(&suite).await?;
            // A listing shows whether there is a record, without a request for each suite.
            let carried = carried(&current, all.iter().map(|found| found.path.as_str())).await?;
            mark.done.live.add_names(&current, &carried);
            mark.add(&current, &carried).await?;
            mark.leave_out(&current, &carried);
            let forms = [ReleaseForm::InRelease, ReleaseForm::Release, ReleaseForm::Signature];
            mark.done.kept.extend(forms.map(|form| current.path(form.file_name())));
            states.push((suite, current));
        }
        mark.done.current = mark.done.live.files.keys().cloned().collect();
        for (suite, current) in &states {
            let names = links.iter().filter_map(|(link, to)| (to == suite).then_some(link)).chain([suite]);
            let found = generations::of_files(suite, &all);
            let keep = how.keep_of(names);
            let (kept, retired) = match keep {
                Some(keep) => keep.split(found, current, now),
                None => (found, Vec::new()),
            };
            let newer = kept.len();
            for generation in kept {
                mark.keep(store, current, generation, now).await?;
            }
            let at_once = keep.is_some_and(|keep| keep.span.is_zero());
            for generation in retired {
                mark.retire(store, suite, generation, newer, at_once).await;
            }
        }
        let suites: BTreeSet<Suite> = states.into_iter().map(|(suite, _)| suite).collect();
        mark.done.below = all.into_iter().map(|found| (found.path.clone(), found)).collect();
        mark.finish(store, suites).await
    }

    /// Opens a suite for the mark phase, also one signed with unknown keys or not yet; a damaged signature is refused.
    async fn open_to_keep(&self, suite: &Suite) -> Result<PublishedSuite, Error> {
        match PublishedSuite::look(&self.store, suite, &self.trust).await {
            // A first commit writes `Release` before it is signed.
            Err(
                Error::Untrusted { source: Distrust::UnknownSigners { .. }, .. } | Error::NotSigned { .. },
            ) => PublishedSuite::look(&self.store, suite, &Trust::unverified()).await,
            opened => opened,
        }
    }
}

/// The mark phase in progress.
#[derive(Default)]
struct Mark {
    done: Marked,
    /// The files that any generation lists, current or old, as their uncompressed names.
    listed: BTreeSet<String>,
    /// The lists of images that were read.
    read: BTreeSet<(String, Sha256Digest)>,
    /// A list of images that a kept generation lists cannot be read: no image is deleted.
    is_image_in_doubt: bool,
    /// The images that only old generations list.
    old_images: BTreeSet<String>,
}

fn is_mark(file: &str) -> bool {
    generations::parse(file).is_some_and(|(_, _, part)| part == generations::MARK)
}

impl Mark {
    /// Marks everything that a release file references.
    async fn add(&mut self, state: &PublishedSuite, carried: &Carried) -> Result<(), Error> {
        self.list(state);
        self.done.live.add(state, carried).await?;
        for sums in images::lists(state, carried) {
            if self.read.insert((state.path(sums.0), sums.1.sha256)) {
                match images::of_list(state, sums).await {
                    Ok(images) => self.done.kept.extend(images.into_keys()),
                    Err(Error::Mismatch { .. } | Error::Longer { .. }) => self.is_image_in_doubt = true,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, state: &PublishedSuite) {
        let files = state.release().into_iter().flat_map(Release::own_files);
        self.listed.extend(files.map(|(path, _)| state.path(plain_path(path))));
    }

    /// Collects the names of what a mirror no longer carries of a release file that has not changed.
    fn leave_out(&mut self, state: &PublishedSuite, carried: &Carried) {
        let files = state.release().into_iter().flat_map(Release::own_files);
        let left = files.filter(|(path, _)| !carried.holds(path));
        self.done.names.extend(left.map(|(path, _)| state.path(path)));
    }

    /// Marks everything that a kept generation references.
    async fn keep(
        &mut self,
        store: &Store,
        current: &PublishedSuite,
        generation: Generation,
        now: SystemTime,
    ) -> Result<(), Error> {
        // A generation that is being written or deleted has no pointer.
        let has_pointer = |file: &String| {
            matches!(ReleaseForm::of_path(file), Some(ReleaseForm::InRelease | ReleaseForm::Release))
        };
        if generation.files.iter().any(has_pointer) {
            let added = async {
                let state = generations::open(store, current.name(), &generation.name).await?;
                let carried = carried(&state, generation.files.iter().map(String::as_str)).await?;
                self.add(&state, &carried).await
            };
            match added.await {
                Err(error) if damage::is_damage(store, &error) => {
                    let path = current.path(&format!("{}/{}", generations::FOLDER, generation.name));
                    self.note_damage(path, generation.published.unwrap_or(now));
                }
                added => added?,
            }
            self.done.generations += usize::from(current.generation().as_ref() != Some(&generation.name));
        } else if generation.files.iter().any(|file| is_mark(file)) {
            // Its mark is written after its pointer, and deleted before it: the pointer was lost.
            let path = current.path(&format!("{}/{}", generations::FOLDER, generation.name));
            self.note_damage(path, generation.published.unwrap_or(now));
        }
        self.done.kept.extend(generation.files);
        Ok(())
    }

    /// Notes a damaged generation that is kept; only the newest matters.
    fn note_damage(&mut self, path: String, published: SystemTime) {
        let damaged = &mut self.done.damaged;
        if damaged.as_ref().is_none_or(|newest| newest.published < published) {
            *damaged = Some(DamagedGeneration { path, published });
        }
    }

    /// Collects the names that an expired generation lists; one that cannot be read contributes nothing.
    /// At once, without a time for clients to read them, means without the grace period: an operation that needs one of
    /// their files finds it in the pool, and pins it.
    async fn retire(
        &mut self,
        store: &Store,
        suite: &Suite,
        generation: Generation,
        newer: usize,
        at_once: bool,
    ) {
        if let Ok(state) = generations::open(store, suite, &generation.name).await {
            self.list(&state);
            let files = state.release().into_iter().flat_map(Release::own_files);
            self.done.names.extend(files.map(|(path, _)| state.path(path)));
            let files = generation.files.iter().map(String::as_str);
            let Ok(carried) = carried(&state, files).await else { return };
            if at_once {
                let mut expired = LiveSet::default();
                // One that cannot be read contributes nothing: its files have the grace period.
                if expired.add(&state, &carried).await.is_ok() {
                    self.done.expired.extend(expired.files.into_keys());
                    self.done.expired_sources.extend(expired.source_versions);
                }
            }
            for sums in images::lists(&state, &carried) {
                if let Ok(images) = images::of_list(&state, sums).await {
                    self.old_images.extend(images.into_keys());
                }
            }
        }
        let why = match generation.published {
            Some(_) => format!("an old generation of suite `{suite}`; {newer} newer ones are retained"),
            None => format!("a generation of suite `{suite}` that lost the race and was not published"),
        };
        self.done.retired.push((generation, why));
    }

    /// Finds the indices that no release file lists; refuses those that may belong to a lost suite.
    async fn finish(mut self, store: &Store, suites: BTreeSet<Suite>) -> Result<Marked, Error> {
        if !self.is_image_in_doubt {
            self.done.names.append(&mut self.old_images);
        }
        let below = &self.done.below;
        let is_unlisted = |path: &&String| {
            let kind = ArchivePath::of(path);
            matches!(kind, ArchivePath::Dists(SuitePath::Listed { plain, .. }) if names_packages(plain))
                && !self.listed.contains(plain_path(path))
        };
        let unlisted: Vec<String> = below.keys().filter(is_unlisted).cloned().collect();
        let reals = store.real_paths(unlisted.clone()).await?;
        let is_link =
            |(path, real): &(String, RealPath)| real.path != *path && below.contains_key(&real.path);
        let unlisted = unlisted.into_iter().zip(reals).filter(|index| !is_link(index));
        self.done.unlisted = unlisted.map(|(path, _)| path).collect();
        refuse_lost_below(&self.done.unlisted, &suites)?;
        self.done.suites = suites;
        Ok(self.done)
    }
}

/// The files of a suite that are carried; its record is read if it is among these files.
async fn carried(state: &PublishedSuite, mut files: impl Iterator<Item = &str>) -> Result<Carried, Error> {
    let record = state.generation().map(|name| state.path(&generations::path(&name, partial::FILE)));
    if record.is_some_and(|record| files.any(|file| file == record)) {
        return state.carried().await;
    }
    Ok(Subset::default().of(&state.release().cloned().unwrap_or_default()))
}

/// Returns the suites that are other names of a suite, because their folder is a link to it, such as the link from
/// `stable` to `bookworm` that reprepro makes; each with that suite. Their generations are those of that suite.
async fn links_to_suites(store: &Store, suites: &BTreeSet<Suite>) -> Result<BTreeMap<Suite, Suite>, Error> {
    let folders = suites.iter().map(|suite| format!("dists/{suite}")).collect();
    let reals = store.real_paths(folders).await?;
    let links = suites.iter().zip(reals).filter_map(|(suite, real)| {
        let to = Suite::parse(real.path.strip_prefix("dists/")?).ok()?;
        (to != *suite && suites.contains(&to)).then(|| (suite.clone(), to))
    });
    Ok(links.collect())
}

/// Returns the part of a path that is below the folder of a suite.
fn in_suite<'a>(path: &'a str, suite: &Suite) -> Option<&'a str> {
    below(path.strip_prefix("dists/")?, suite)
}

/// Refuses indices below a suite that none of its generations lists, and that are too deep for a component of one part:
/// they may belong to a suite of another tool (`bookworm/updates/main` below `bookworm`) that has lost its release
/// file, so their references are unknown. Leftovers of a removed snapshot are accepted, since nothing needs them.
fn refuse_lost_below(unlisted: &BTreeSet<String>, suites: &BTreeSet<Suite>) -> Result<(), Error> {
    for path in unlisted {
        let ArchivePath::Dists(SuitePath::Listed { plain, .. }) = ArchivePath::of(path) else { continue };
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
        marker.renew_if_due().await?;
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
fn suites_to_keep(all: &[StoredObject]) -> Result<BTreeSet<Suite>, Error> {
    let parse = |name: &str, path: &str| {
        Suite::parse(name).map_err(|source| Error::OddSuite { path: path.to_owned(), source })
    };
    let mut suites = BTreeSet::new();
    for StoredObject { path, .. } in all {
        if let Some(suite) = discovery::of_release_file(path) {
            suites.insert(parse(suite, path)?);
        }
    }
    // A suite that has lost its release file may be below another one, which does not list its indices.
    if let Some(suite) = discovery::lost(all.iter().map(|found| &found.path[..])).first() {
        let path = format!("dists/{suite}/{}", generations::FOLDER);
        return Err(Error::NoPointer { suite: parse(suite, &path)?, path });
    }
    for StoredObject { path, .. } in all {
        let ArchivePath::Dists(SuitePath::Listed { plain, .. }) = ArchivePath::of(path) else { continue };
        if names_packages(plain) && !suites.iter().any(|suite| in_suite(path, suite).is_some()) {
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
        let found = |path: &&str| StoredObject {
            path: format!("dists/{path}"),
            size: 1,
            md5: None,
            modified: SystemTime::UNIX_EPOCH,
        };
        let all: Vec<StoredObject> = names.iter().map(found).collect();
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
        let refused =
            |path: &str| refuse_lost_below(&BTreeSet::from([format!("dists/stable/{path}")]), &suites).err();
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
            "snapshots/one/main/binary-amd64/Packages",
            "updates/main/i18n/Translation-en.xz",
        ] {
            assert!(refused(own).is_none(), "{own}");
        }
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
