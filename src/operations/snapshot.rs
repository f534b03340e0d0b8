//! Snapshots: the current content of a suite, kept permanently as a suite of its own below it.
//!
//! `stable/snapshots/1.0` is a folder below `dists/` like that of any suite, so on static hosting a client only needs
//! its name in `Suites:`. It lists the same indices, in its own by-hash folders, and shares the pool. Its pointer is a
//! root of the live set, so `prune` keeps its files. It does not expire and is immutable.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use jiff::Timestamp;

use super::{dates, plan::Plan, snapshot_source::Source};
use crate::{
    config::SuiteConfig,
    dists::{
        IndexFile,
        layout::{is_mark, patched_by, plain_path},
    },
    names::Suite,
    operations::written::Written,
    store::{self, StoredObject},
    suite::{
        archive::Archive,
        base::VerifiedBase,
        discovery,
        error::Error,
        published::PublishedSuite,
        references::{self, PoolFiles},
        snapshots::snapshot_of,
    },
};

impl Source {
    /// Plans to publish the content under the name of the snapshot.
    pub(crate) async fn plan(
        &self,
        published: &VerifiedBase,
        config: &SuiteConfig,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        let source = &self.state;
        let Some(release) = source.release() else { return Ok(Plan::default()) };
        let mut plan = Plan { notes: self.note.iter().cloned().collect(), ..Plan::default() };
        let mut new = release.clone();
        // apt compares one of the names with the folder that it reads; the codename stays that of the suite.
        new.set("Suite", Some(published.name().to_string()));
        new.set("Acquire-By-Hash", Some("yes".into()));
        dates::set(&mut new, published, config, now, &mut plan.notes)?;
        // Its content never changes, so it needs no patches.
        new.retain(|path| patched_by(plain_path(path)).is_none());
        let mut absent = BTreeSet::new();
        for (path, listed) in new.clone().own_files() {
            match source.listed_file(path, listed).await {
                Err(error) if source.is_kept() && source.is_name_replaced(path, &error) => {
                    absent.insert(path.clone());
                }
                read => match read? {
                    Some((_, bytes)) => plan.indices.push(IndexFile::new(path.clone(), bytes)),
                    None => drop(absent.insert(path.clone())),
                },
            }
        }
        // Other tools list files that they do not store. The uncompressed form need not be stored beside another one.
        let stored: BTreeSet<&str> = plan.indices.iter().map(|file| plain_path(file.path())).collect();
        new.retain(|path| !absent.contains(path) || stored.contains(path));
        if let Some(there) = published.release() {
            // Idempotent: an earlier command may have been killed after the commit.
            return if there.files() == new.files() {
                Ok(Plan { notes: plan.notes, ..Plan::default() })
            } else {
                Err(Error::SnapshotThere { snapshot: published.name().clone() })
            };
        }
        let mut pool = PoolFiles::new();
        for key in source.pool_index_keys() {
            let index = key.path();
            if let Some(text) = source.text(&index).await? {
                references::pool_files(&key, &source.path(&index), &text, &mut pool)?;
            }
        }
        plan.source_files = Some((self.clone(), pool.into_keys().collect()));
        plan.release = Some(new);
        Ok(plan)
    }
}

/// The folders of other snapshots below that of a snapshot: `2026/11` is no part of `2026`.
fn nested_in(snapshot: &Suite, files: &[StoredObject]) -> Vec<String> {
    let paths = files.iter().map(|found| found.path.as_str());
    let mut suites = discovery::published(paths.clone());
    suites.extend(discovery::lost(paths));
    suites.remove(snapshot.as_str());
    suites.into_iter().map(|inner| format!("dists/{inner}/")).collect()
}

impl Archive {
    /// Returns the snapshots of a suite.
    pub async fn snapshots(&self, of: &Suite) -> Result<Vec<PublishedSuite>, Error> {
        let mut found = Vec::new();
        for name in self.snapshot_folders(of).await? {
            let snapshot = self.suite(&name).await?;
            if snapshot.pointer().is_some() {
                found.push(snapshot);
            }
        }
        Ok(found)
    }

    /// Removes a snapshot. `prune` later deletes the pool files that only it referenced.
    ///
    /// # Errors
    /// [`Error::NotPublished`] if there is no such snapshot.
    pub async fn remove_snapshot(&self, snapshot: &Suite, dry_run: bool) -> Result<Vec<Written>, Error> {
        let folder = format!("dists/{snapshot}");
        let mut all: Vec<StoredObject> = self.store.walk(&folder).try_collect().await?;
        let inner = nested_in(snapshot, &all);
        all.retain(|found| !inner.iter().any(|folder| found.path.starts_with(folder)));
        if snapshot_of(snapshot).is_none() || all.is_empty() {
            return Err(Error::not_published(snapshot));
        }
        let names: Vec<String> = all.iter().map(|found| found.path.clone()).collect();
        let reals = self.store.real_paths(names.clone()).await?;
        if let Some((name, _)) = names.iter().zip(&reals).find(|(name, real)| real.path != **name) {
            // The real files may be those of another suite.
            let source = format!("a symbolic link leads to `{name}`: delete the link instead").into();
            return Err(store::Error::Failed { action: "delete", path: folder, source }.into());
        }
        // First the marks, so that a partial removal is not reported as a lost suite; then the pointer, so that no
        // client starts to read deleted files. After a crash in between the command can be repeated.
        let pointers = ["InRelease", "Release", "Release.gpg"].map(|file| format!("{folder}/{file}"));
        let rank = |file: &Written| match &file.path {
            mark if is_mark(mark) => 0,
            pointer if pointers.contains(pointer) => 1,
            _ => 2,
        };
        let file = |StoredObject { path, size: bytes, .. }| Written { path, bytes };
        let mut files: Vec<Written> = all.into_iter().map(file).collect();
        files.sort_by_key(rank);
        if !dry_run {
            for step in files.chunk_by(|one, next| rank(one) == rank(next)) {
                let paths: Vec<String> = step.iter().map(|file| file.path.clone()).collect();
                self.store.delete_all(&paths).await?;
            }
            self.store.flush().await?;
        }
        Ok(files)
    }
}
