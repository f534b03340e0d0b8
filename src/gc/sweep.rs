//! The sweep phase: decides for each unreferenced file whether it is deleted.
//!
//! Files are compared by their real locations, since a folder may hold links: a file is deleted only by its real name,
//! never through a link, and only if nothing references it by any of its names.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::SystemTime,
};

use futures::TryStreamExt as _;

use super::{
    live_set::LiveSet,
    page_files,
    pins::GRACE,
    prune_options::Prune,
    pruned::{Pruned, Retained, Swept},
    unlisted,
};
use crate::{
    digest::Sha256Digest,
    dists::{
        layout::{self, ArchivePath, SuitePath, is_mark, is_patch_folder},
        patches,
    },
    names::Suite,
    store::{RealPath, Store, StoredObject},
    suite::{
        error::Error,
        file_lists,
        generations::{Generation, is_older},
    },
};

/// Why a file stays that is known only by a link.
const LINKED: &str = "a symbolic link leads to it";

/// The result of the mark phase.
#[derive(Default)]
pub(super) struct Marked {
    pub(super) live: LiveSet,
    /// The files that the current release files reference.
    pub(super) current: BTreeSet<String>,
    /// The files of the kept generations, the release files, and the images that a `SHA256SUMS` names.
    pub(super) kept: BTreeSet<String>,
    /// How many earlier generations are kept.
    pub(super) generations: usize,
    /// Expired generations, with the reasons.
    pub(super) retired: Vec<(Generation, String)>,
    /// Names of files that only these list.
    pub(super) names: BTreeSet<String>,
    /// The files of expired generations that are deleted without a grace period.
    pub(super) expired: BTreeSet<String>,
    /// The versions of the sources of their packages, where these are not their own.
    pub(super) expired_sources: BTreeSet<(String, String)>,
    /// All files below `dists/`.
    pub(super) below: BTreeMap<String, StoredObject>,
    /// Indices below `dists/` that no release file lists.
    pub(super) unlisted: BTreeSet<String>,
    /// The suites with a release file.
    pub(super) suites: BTreeSet<Suite>,
    /// The newest damaged generation that is kept.
    pub(super) damaged: Option<DamagedGeneration>,
}

/// A kept generation whose references are not all known: it may reference any file that is older than itself.
pub(super) struct DamagedGeneration {
    pub(super) path: String,
    pub(super) published: SystemTime,
}

impl DamagedGeneration {
    fn may_reference(&self, found: &StoredObject) -> bool {
        // The clock of a store may be coarse.
        found.modified.checked_sub(GRACE).is_none_or(|written| written <= self.published)
    }
}

impl Marked {
    fn is_live(&self, path: &str) -> bool {
        self.live.files.contains_key(path) || self.kept.contains(path)
    }
}

/// An unreferenced file, with the reason.
struct Candidate {
    found: StoredObject,
    why: &'static str,
}

/// Files by their real locations.
#[derive(Default)]
struct Files {
    paths: HashSet<String>,
    inodes: HashSet<(u64, u64)>,
}

impl Files {
    async fn of(store: &Store, names: Vec<String>) -> Result<Self, Error> {
        let mut files = Self::default();
        for real in store.real_paths(names).await? {
            files.inodes.extend(real.file);
            files.paths.insert(real.path);
        }
        Ok(files)
    }

    fn hold(&self, real: &RealPath) -> bool {
        self.paths.contains(&real.path) || real.file.is_some_and(|file| self.inodes.contains(&file))
    }
}

/// Plans the sweep of everything that is not marked.
pub(super) async fn plan(
    store: &Store,
    how: &Prune<'_>,
    mut marked: Marked,
    pinned: &BTreeSet<String>,
    now: SystemTime,
) -> Result<Pruned, Error> {
    let mut pruned = Pruned { dry_run: how.dry_run, ..Pruned::default() };
    let mut candidates = candidates(store, how, &mut marked, now, &mut pruned).await?;
    if let Some(only) = how.only {
        candidates.retain(|candidate| only.contains(&candidate.found.path));
    }
    if candidates.is_empty() && marked.retired.is_empty() {
        return Ok(pruned);
    }
    let names = marked.live.files.keys().chain(&marked.kept).cloned().collect();
    let live = Files::of(store, names).await?;
    // Generations first, so that no existing generation references a deleted file.
    for (generation, why) in std::mem::take(&mut marked.retired) {
        retire(store, &marked, &live, generation, &why, &mut pruned).await?;
    }
    if candidates.is_empty() {
        return Ok(pruned);
    }
    let pinned = Files::of(store, pinned.iter().cloned().collect()).await?;
    let unlisted = unlisted_names(store, std::mem::take(&mut marked.unlisted)).await?;
    let names = candidates.iter().map(|candidate| candidate.found.path.clone());
    let reals = store.real_paths(names.collect()).await?;
    let known: HashSet<&str> = candidates.iter().map(|candidate| candidate.found.path.as_str()).collect();
    for (Candidate { found, why }, real) in candidates.iter().zip(reals) {
        let is_link = real.path != found.path;
        // A file with another name is considered under that name.
        if live.hold(&real) || (is_link && known.contains(real.path.as_str())) {
            continue;
        }
        let index = unlisted.get(&Name::Path(real.path.clone()));
        let index = index.or_else(|| real.file.and_then(|file| unlisted.get(&Name::File(file))));
        let spared = if pinned.hold(&real) {
            Some("an operation in progress needs them".to_owned())
        } else if let Some(index) = index {
            Some(format!("`{index}` names it, which no release file lists"))
        } else if is_link {
            Some(LINKED.to_owned())
        } else if !marked.expired.contains(&found.path) && !is_older(found.modified, now, how.grace) {
            Some("written recently, a running job may need them".to_owned())
        } else {
            let damaged = marked.damaged.as_ref().filter(|damaged| damaged.may_reference(found));
            damaged.map(|damaged| format!("the damaged generation `{}` may reference it", damaged.path))
        };
        let (list, why) = match spared {
            Some(why) => (&mut pruned.spared, why),
            None => (&mut pruned.deleted, (*why).to_owned()),
        };
        list.push(Swept { path: found.path.clone(), bytes: found.size, why });
    }
    Ok(pruned)
}

/// Finds the files that no name references, and counts those that only earlier generations reference.
async fn candidates(
    store: &Store,
    how: &Prune<'_>,
    marked: &mut Marked,
    now: SystemTime,
    pruned: &mut Pruned,
) -> Result<Vec<Candidate>, Error> {
    let mut retained = Retained { generations: marked.generations, ..Retained::default() };
    let (mut found_old, mut candidates) = (false, Vec::new());
    let mut count = |marked: &Marked, found: &StoredObject| {
        found_old |= is_older(found.modified, now, how.grace);
        if marked.live.files.contains_key(&found.path) && !marked.current.contains(&found.path) {
            retained.objects += 1;
            retained.bytes += found.size;
        }
    };
    let patched = patch_folders(marked.below.keys());
    for found in marked.below.values() {
        count(marked, found);
        let why = if marked.is_live(&found.path) {
            continue;
        } else if marked.names.contains(&found.path) {
            "only old generations list it"
        } else if is_written_here(&found.path, &patched) {
            "no retained generation lists it"
        } else if is_generation_without_suite(&found.path, &marked.suites) {
            "it was a generation of a suite that is not published"
        } else {
            continue;
        };
        candidates.push(Candidate { found: found.clone(), why });
    }
    let packages = marked.live.files.keys().filter_map(|path| layout::package_of(path));
    let mut packages: HashSet<(String, String)> =
        packages.map(|(folder, version)| (folder.to_owned(), version.to_owned())).collect();
    // A record has the version of the source, which may not be that of its packages.
    packages.extend(std::mem::take(&mut marked.live.source_versions));
    let expired = marked.expired.iter().filter_map(|path| layout::package_of(path));
    let mut expired: HashSet<(String, String)> =
        expired.map(|(folder, version)| (folder.to_owned(), version.to_owned())).collect();
    expired.extend(std::mem::take(&mut marked.expired_sources));
    let mut pool = store.walk("pool");
    while let Some(found) = pool.try_next().await? {
        count(marked, &found);
        // Other files in the pool were not written by `publish`.
        let record = layout::record_of(&found.path);
        if let Some((folder, version)) = record {
            let of = (folder.to_owned(), version.to_owned());
            if !packages.contains(&of) {
                // A record leaves with the last of its packages.
                if expired.contains(&of) {
                    marked.expired.insert(found.path.clone());
                }
                candidates.push(Candidate { found, why: "no retained generation references its packages" });
            }
        } else if ArchivePath::of(&found.path) == ArchivePath::Package && !marked.is_live(&found.path) {
            candidates.push(Candidate { found, why: "no retained generation references it" });
        } else if unlisted::is_index(&found.path) {
            marked.unlisted.insert(found.path);
        }
    }
    let packages: HashSet<Sha256Digest> =
        marked.live.files.values().filter_map(|expected| expected.sha256).collect();
    let mut lists = store.walk(file_lists::FOLDER);
    while let Some(found) = lists.try_next().await? {
        let package = found.path.rsplit('/').next().and_then(|name| name.parse::<Sha256Digest>().ok());
        if package.is_none_or(|package| !packages.contains(&package)) {
            candidates.push(Candidate { found, why: "no retained generation references its package" });
        }
    }
    for found in page_files::unused(store).await? {
        candidates.push(Candidate { found, why: "the page no longer uses it" });
    }
    pruned.retained = retained;
    pruned.all_recent = !found_old;
    Ok(candidates)
}

/// Plans the deletion of an expired generation, or spares all of it.
async fn retire(
    store: &Store,
    marked: &Marked,
    live: &Files,
    mut generation: Generation,
    why: &str,
    pruned: &mut Pruned,
) -> Result<(), Error> {
    // The mark before the other files: a partly deleted generation must not count as published and damaged.
    generation.files.sort_by_key(|path| !is_mark(path));
    let reals = store.real_paths(generation.files.clone()).await?;
    // Not by inode: the marks of all generations have the same bytes, and a tool may have linked them.
    let is_needed = reals
        .iter()
        .zip(&generation.files)
        .any(|(real, name)| real.path != *name || live.paths.contains(&real.path));
    let (list, why) = if is_needed { (&mut pruned.spared, LINKED) } else { (&mut pruned.deleted, why) };
    list.extend(generation.files.into_iter().map(|path| {
        let bytes = marked.below.get(&path).map_or(0, |found| found.size);
        Swept { path, bytes, why: why.to_owned() }
    }));
    Ok(())
}

/// One way to recognize a file.
#[derive(PartialEq, Eq, Hash)]
enum Name {
    Path(String),
    File((u64, u64)),
}

/// Returns the files that unlisted indices name, by their real locations, each with one of the indices.
async fn unlisted_names(store: &Store, below: BTreeSet<String>) -> Result<HashMap<Name, String>, Error> {
    let mut indices = below;
    indices.extend(unlisted::beside_the_trees(store).await?);
    let named: Vec<(String, String)> = unlisted::named_by(store, indices).await?.into_iter().collect();
    let reals = store.real_paths(named.iter().map(|(file, _)| file.clone()).collect()).await?;
    let mut found = HashMap::new();
    for ((_, index), real) in named.into_iter().zip(reals) {
        found.extend(real.file.map(|file| (Name::File(file), index.clone())));
        found.insert(Name::Path(real.path), index);
    }
    Ok(found)
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

/// Returns the folders that hold patches as `publish` stores them; other tools have other names for patches.
fn patch_folders<'a>(paths: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    let folder = |path: &'a String| {
        let (folder, name) = path.rsplit_once('/')?;
        let is_patch = matches!(ArchivePath::of(path), ArchivePath::Dists(SuitePath::Patch { .. }));
        (is_patch && patches::is_name_of_ours(name)).then(|| folder.to_owned())
    };
    paths.into_iter().filter_map(folder).collect()
}

/// Whether a file is a by-hash index or a patch as `publish` stores them.
fn is_written_here(path: &str, patched: &BTreeSet<String>) -> bool {
    match ArchivePath::of(path) {
        ArchivePath::Dists(SuitePath::ByHash { folder, algorithm: "SHA256", .. }) => {
            !is_patch_folder(folder) || patched.iter().any(|ours| ours.ends_with(folder))
        }
        ArchivePath::Dists(SuitePath::Patch { name, .. }) => patches::is_name_of_ours(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_of_other_tools_are_not_swept() {
        let at = |path: &str| format!("dists/stable/main/binary-amd64/{path}");
        let ours = at("Packages.diff/20250601T000000Z-0123456789abcdef.gz");
        let other = at("Packages.diff/T-2025-06-01-0000.00-F-2025-05-31-2000.00.gz");
        let (list, index) = (at("Packages.diff/by-hash/SHA256/0f"), at("by-hash/SHA256/0f"));
        let none = BTreeSet::new();
        assert!(is_written_here(&ours, &none) && is_written_here(&index, &none));
        for path in [&list, &other, &at("by-hash/SHA512/0f")] {
            assert!(!is_written_here(path, &none), "{path}");
        }
        assert!(patch_folders([&other, &index]).is_empty());
        assert!(is_written_here(&list, &patch_folders([&ours])));
    }
}
