//! Finds the suites of an archive by the names of its files. All commands and stores use this one rule.
//!
//! A suite is a folder below `dists/` with an `InRelease` or a `Release`, at any depth and also below another suite
//! (`bookworm/updates`); a snapshot is a suite as well. The folder of an index may hold a `Release` that describes the
//! index, and kept generations have release files of their own: neither is a suite.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    archive::Archive,
    damage,
    error::Error,
    generations, limits,
    other_names::OtherNames,
    published::{DROPPED, is_being_dropped},
    snapshots::{self, snapshot_of},
    trust::Trust,
};
use crate::{
    dists::layout::{ArchivePath, ReleaseForm, SuitePath, may_hold_suites},
    names::Suite,
    package_type::PackageType,
    store::{Location, Object, Store},
};

/// A bucket lists up to this number of objects in one page.
const ONE_PAGE: usize = 1000;
/// The number of folders that are listed concurrently.
const AT_ONCE: usize = 16;
/// The maximal depth of a suite: a symbolic link to a parent folder must not cause an endless walk.
const DEEPEST: usize = 12;

/// Returns the suite, below `dists/`, that a release file belongs to; `None` for any other file.
pub(crate) fn of_release_file(path: &str) -> Option<&str> {
    match ArchivePath::of(path) {
        ArchivePath::Dists(SuitePath::Release {
            folder,
            form: ReleaseForm::InRelease | ReleaseForm::Release,
        }) => Some(folder),
        _ => None,
    }
}

/// Returns the suites whose release files are among these paths.
pub(crate) fn published<'a>(paths: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    paths.into_iter().filter_map(of_release_file).collect()
}

/// Returns the suites with a published generation whose release file is missing.
pub(crate) fn lost<'a>(paths: impl IntoIterator<Item = &'a str> + Clone) -> BTreeSet<&'a str> {
    let there = published(paths.clone());
    let were = paths.into_iter().filter_map(|path| match generations::parse(path) {
        Some((folder, _, generations::MARK)) => folder.strip_prefix("dists/"),
        _ => None,
    });
    were.filter(|suite| !there.contains(suite)).collect()
}

impl Archive {
    /// Returns the published suites, each by one name and without snapshots.
    pub async fn suites(&self) -> Result<Vec<Suite>, Error> {
        let mut found = self.suite_folders().await?;
        found.retain(|suite| snapshot_of(suite).is_none());
        self.without_links(found).await
    }

    /// Returns every folder of a suite, including snapshots and symbolic links, which clients may use.
    pub async fn suite_folders(&self) -> Result<Vec<Suite>, Error> {
        let files = release_files(&self.store, "dists").await?;
        Ok(parse(published(files.iter().map(String::as_str))))
    }

    /// Returns every folder of a suite as [`Archive::suite_folders`], and those that are recorded as other names, each with its
    /// suite. A bucket of few files is listed once for both.
    pub async fn suite_folders_and_names(&self) -> Result<(Vec<Suite>, Vec<(Suite, Suite)>), Error> {
        let (files, is_all) = list_release_files(&self.store, "dists").await?;
        let paths = || files.iter().map(String::as_str);
        let folders = parse(published(paths()));
        let own = folders.iter().filter(|suite| snapshot_of(suite).is_none());
        let names: Vec<Option<(Suite, Suite)>> = if is_all {
            own.map(|name| Some((name.clone(), OtherNames::among(name, paths()).of?))).collect()
        } else {
            let read = stream::iter(own.cloned()).map(|name| async move {
                let of = OtherNames::read(&self.store, &name).await?.of;
                Ok::<_, Error>(of.map(|of| (name, of)))
            });
            read.buffered(AT_ONCE).try_collect().await?
        };
        Ok((folders, names.into_iter().flatten().collect()))
    }

    /// Returns the folders of the snapshots of a suite.
    pub(crate) async fn snapshot_folders(&self, of: &Suite) -> Result<Vec<Suite>, Error> {
        let files = release_files(&self.store, &format!("dists/{of}/{}", snapshots::FOLDER)).await?;
        Ok(parse(published(files.iter().map(String::as_str))))
    }

    /// Returns everything that `check` covers: suites and snapshots, each by one name, and suites that have lost their
    /// release file or whose drop was interrupted.
    pub async fn suites_to_check(&self) -> Result<Vec<Suite>, Error> {
        let walked: Vec<_> = self.store.walk("dists").map_ok(|found| found.path).try_collect().await?;
        let paths = walked.iter().map(String::as_str);
        let folders = parse(published(paths.clone()));
        let mut suites = self.without_links(folders.clone()).await?;
        suites.extend(parse(lost(paths)));
        for suite in folders.into_iter().filter(|suite| !suites.contains(suite)).collect::<Vec<_>>() {
            if is_being_dropped(&self.store, &suite).await? {
                suites.push(suite);
            }
        }
        suites.sort_unstable();
        Ok(suites)
    }

    /// Whether a drop of the suite is in progress, or was interrupted.
    pub async fn is_being_dropped(&self, suite: &Suite) -> Result<bool, Error> {
        is_being_dropped(&self.store, suite).await
    }

    /// Whether every suite was dropped, and files of them are left: snapshots, or generations without a mark.
    pub async fn is_all_dropped(&self) -> Result<bool, Error> {
        if matches!(self.store.location(), Location::Web(_)) {
            return Ok(false);
        }
        let folders = self.suite_folders().await?;
        if !folders.is_empty() {
            return Ok(folders.iter().all(|suite| snapshot_of(suite).is_some()));
        }
        let walked: Vec<_> = self.store.walk("dists").map_ok(|found| found.path).try_collect().await?;
        let paths = walked.iter().map(String::as_str);
        Ok(paths.clone().any(|path| generations::parse(path).is_some()) && lost(paths).is_empty())
    }

    /// Returns the package files of the pool if no suite is published: those of an archive that has lost `dists/`, or of a
    /// first commit that was interrupted. Empty after a drop, whose generations are there.
    pub(crate) async fn pool_without_suites(&self) -> Result<Vec<String>, Error> {
        if !self.store.is_listable()
            || !self.suite_folders().await?.is_empty()
            || self.is_all_dropped().await?
        {
            return Ok(Vec::new());
        }
        let found = self.store.walk("pool").map_ok(|found| found.path);
        let mut found: Vec<String> = found.try_collect().await?;
        found.retain(|path| is_package(path));
        Ok(found)
    }

    /// Removes further names of a suite, such as the link from `stable` to `bookworm` that reprepro makes: both names
    /// have the same release file. The codename stays.
    async fn without_links(&self, found: Vec<Suite>) -> Result<Vec<Suite>, Error> {
        if found.len() < 2 {
            return Ok(found);
        }
        let mut suites: Vec<(Suite, Object)> = Vec::new();
        let mut damaged = Vec::new();
        for suite in found {
            let read = async |form: ReleaseForm| {
                self.store.read(&format!("dists/{suite}/{}", form.file_name()), limits::RELEASE).await
            };
            let pointer = match read(ReleaseForm::InRelease).await {
                Ok(None) => read(ReleaseForm::Release).await,
                read => read,
            };
            // A damaged suite must not hide the others.
            let pointer = match pointer {
                Err(error) if damage::is_damaged_object(&self.store, &error) => {
                    damaged.push(suite);
                    continue;
                }
                pointer => pointer?,
            };
            // Deleted concurrently, or about to be.
            let Some(pointer) = pointer.filter(|pointer| pointer.bytes != DROPPED) else { continue };
            let holds = |text: &str| memchr::memmem::find(&pointer.bytes, text.as_bytes()).is_some();
            // Truncated release files may be equal by chance; each is a damage of its own.
            let is_whole = holds("\nDate:") || pointer.bytes.starts_with(b"Date:");
            let same = |(_, other): &(Suite, Object)| {
                is_whole && other.revision == pointer.revision && other.bytes == pointer.bytes
            };
            match suites.iter_mut().find(|other| same(other)) {
                None => suites.push((suite, pointer)),
                Some((name, _)) => {
                    let codename = format!("Codename: {suite}\n");
                    // It may be the first field.
                    if holds(&format!("\n{codename}")) || pointer.bytes.starts_with(codename.as_bytes()) {
                        *name = suite;
                    }
                }
            }
        }
        let mut suites: Vec<Suite> = suites.into_iter().map(|(suite, _)| suite).chain(damaged).collect();
        suites.sort_unstable();
        Ok(suites)
    }
}

/// Whether a file of the pool is a package by its name, and not another file of a source package.
fn is_package(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| PackageType::parse(ending).is_some())
}

/// Returns the error for a suite that is not published, with the names of those that are, if they can be listed.
pub(crate) async fn not_published(store: &Store, suite: &Suite) -> Error {
    let known = if store.is_listable() {
        Archive::new(store.clone(), Trust::unverified()).suites().await.unwrap_or_default()
    } else {
        Vec::new()
    };
    Error::NotPublished { suite: suite.clone(), known }
}

/// Skips folders whose names are not valid for suites: no command accepts them.
fn parse(names: BTreeSet<&str>) -> Vec<Suite> {
    names.into_iter().filter_map(|name| Suite::parse(name).ok()).collect()
}

/// Finds the release files below `dists/`, or a folder in it, with few requests.
async fn release_files(store: &Store, below: &str) -> Result<Vec<String>, Error> {
    Ok(list_release_files(store, below).await?.0)
}

/// Finds the release files as [`release_files`], and returns whether these are all files there.
async fn list_release_files(store: &Store, below: &str) -> Result<(Vec<String>, bool), Error> {
    // A bucket lists a small archive in one page. Most pages of a larger one would hold old generations and indices.
    if !store.is_local() {
        let page = store.walk(below).map_ok(|found| found.path).take(ONE_PAGE);
        let page: Vec<String> = page.try_collect().await?;
        if page.len() < ONE_PAGE {
            return Ok((page, true));
        }
    }
    let (mut files, mut folders) = (Vec::new(), vec![below.to_owned()]);
    for _ in 0..DEEPEST {
        let looks = stream::iter(std::mem::take(&mut folders)).map(|folder| async move {
            let listed = store.list(&folder).await?;
            Ok::<_, Error>((folder, listed))
        });
        let mut looks = looks.buffer_unordered(AT_ONCE);
        while let Some(look) = looks.next().await {
            let (folder, (below, objects)) = look?;
            files.extend(objects.into_iter().map(|name| format!("{folder}/{name}")));
            let below = below.into_iter().map(|name| format!("{folder}/{name}"));
            folders.extend(below.filter(|folder| may_hold_suites(folder.trim_start_matches("dists/"))));
        }
        if folders.is_empty() {
            break;
        }
    }
    Ok((files, false))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        archive::Trust,
        store::{Environment, Location},
    };

    const RELEASE: &str = "Date: Sun, 01 Jan 2023 00:00:00 UTC\n";

    #[test]
    fn a_release_file_makes_its_folder_a_suite() {
        for (path, suite) in [
            ("dists/stable/InRelease", Some("stable")),
            ("dists/stable/updates/Release", Some("stable/updates")),
            ("dists/a/b/c/d/e/Release", Some("a/b/c/d/e")),
            ("dists/source/Release", Some("source")),
            ("dists/stable/snapshots/1/InRelease", Some("stable/snapshots/1")),
            ("dists/stable/main/binary-amd64/Release", None),
            ("dists/stable/main/debian-installer/binary-amd64/Release", None),
            ("dists/stable/main/source/Release", None),
            ("dists/stable/generations/20230101T000000Z-12345678/InRelease", None),
            ("dists/stable/generations/20230101T000000Z-12345678/Release", None),
            ("dists/stable/main/binary-amd64/by-hash/SHA256/Release", None),
            ("dists/stable/Release.gpg", None),
            ("dists/InRelease", None),
            ("pool/main/r/release/Release", None),
        ] {
            assert_eq!(of_release_file(path), suite, "{path}");
        }
    }

    #[test]
    fn a_suite_is_lost_that_was_published_and_has_no_release_file() {
        let mark = |suite: &str| format!("dists/{suite}/generations/1-a/published");
        let (outer, inner, other) = (mark("stable"), mark("stable/updates"), mark("other"));
        let paths =
            ["dists/stable/InRelease", "dists/other/main/binary-amd64/Release", &outer, &inner, &other];
        assert_eq!(lost(paths), BTreeSet::from(["other", "stable/updates"]));
    }

    async fn archive(files: &[(&str, &str)]) -> Archive {
        let store = Store::open(&Location::Memory, &Environment::default()).unwrap();
        for (path, text) in files {
            store.replace(path, Bytes::copy_from_slice(text.as_bytes())).await.unwrap();
        }
        Archive::new(store, Trust::unverified())
    }

    fn names(suites: &[Suite]) -> Vec<&str> {
        suites.iter().map(Suite::as_str).collect()
    }

    #[tokio::test]
    async fn suites_are_found_folder_by_folder_at_any_depth() {
        let archive = archive(&[
            ("dists/stable/Release", &format!("Codename: stable\n{RELEASE}")),
            ("dists/stable/updates/Release", &format!("Codename: stable/updates\n{RELEASE}")),
            ("dists/stable/snapshots/1/Release", &format!("Codename: stable/snapshots/1\n{RELEASE}")),
            ("dists/stable/main/binary-amd64/Release", "Archive: stable\n"),
            ("dists/stable/generations/1-a/Release", RELEASE),
            ("dists/a/b/c/d/e/InRelease", RELEASE),
            ("dists/gone/generations/1-a/published", "published\n"),
        ])
        .await;
        assert_eq!(names(&archive.suites().await.unwrap()), ["a/b/c/d/e", "stable", "stable/updates"]);
        let all = ["a/b/c/d/e", "stable", "stable/snapshots/1", "stable/updates"];
        assert_eq!(names(&archive.suite_folders().await.unwrap()), all);
        let checked = ["a/b/c/d/e", "gone", "stable", "stable/snapshots/1", "stable/updates"];
        assert_eq!(names(&archive.suites_to_check().await.unwrap()), checked);
    }
}
