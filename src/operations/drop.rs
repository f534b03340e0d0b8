//! `drop`: takes a suite out of the archive.
//!
//! The commit is one conditional write, which replaces the release file by [`DROPPED`] if it is still the revision that
//! was read: a concurrent publisher either comes first, and the drop reports a lost race, or loses its own race. Until
//! the last step deletes that file, no publisher can begin the suite again.
//!
//! By-hash indices, generations and package files stay for clients that hold the old release file; `prune` deletes them
//! later, because no suite references them. Without their marks the generations do not count as published, so nothing
//! brings the suite back.

use std::{collections::BTreeSet, future::ready, time::SystemTime};

use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    dists::{
        Release,
        layout::{GenerationPart, ReleaseForm, SuitePath, names_packages},
    },
    names::Suite,
    operations::written::Written,
    store::{self, Revision, StoredObject},
    suite::{
        archive::Archive,
        collisions, discovery,
        error::Error,
        generations,
        other_names::{self, OtherNames},
        published::{DROPPED, PublishedSuite},
        trust::Trust,
    },
};

/// The number of sizes that are requested concurrently.
const AT_ONCE: usize = 16;

/// The result of dropping a suite.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dropped {
    /// The suite.
    pub suite: Suite,
    /// Whether this was a dry run, which deletes nothing.
    pub dry_run: bool,
    /// The objects that were deleted (or would be).
    pub deleted: Vec<Written>,
    /// The objects of the suite that stay until [`Archive::prune`] deletes them.
    pub left: Vec<Written>,
    /// The suites and snapshots below this one, which stay.
    pub below: Vec<Suite>,
}

/// The step in which a file is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// A file that clients request by its name.
    Name,
    /// The mark of a published generation.
    Mark,
    /// The release file whose conditional write was the commit.
    Pointer,
}

impl Archive {
    /// Takes a suite out of the archive. Suites and snapshots below it stay.
    ///
    /// # Errors
    /// [`Error::NotPublished`] if there is no such suite; [`Error::RaceLost`] if it was published concurrently: nothing
    /// is changed then. A drop that was interrupted is finished by the next one.
    pub async fn drop_suite(&self, suite: &Suite, dry_run: bool) -> Result<Dropped, Error> {
        let pointer = self.pointer_to_drop(suite).await?;
        let is_listable = self.store.is_listable();
        let walked = async || self.store.walk(&format!("dists/{suite}")).try_collect().await;
        let mut all: Vec<StoredObject> = if is_listable { walked().await? } else { Vec::new() };
        let listed = self.listed_by_any(suite, &all).await?;
        if !is_listable {
            all = self.named(suite, &listed).await?;
        }
        let other_names = OtherNames::among(suite, all.iter().map(|file| file.path.as_str()));
        let is_mark =
            |found: &StoredObject| step(&found.path[folder(suite).len()..], None) == Some(Step::Mark);
        let below = suites_below(suite, &all);
        let has_mark = all.iter().any(|found| is_mark(found) && !is_in_any(&found.path, &below));
        if pointer.is_none() && !has_mark {
            return Err(discovery::not_published(&self.store, suite).await);
        }
        if !other_names.names.is_empty() {
            return Err(Error::HasOtherNames { suite: suite.clone(), names: other_names.names });
        }
        if dry_run {
            return Ok(self.sort(suite, pointer.as_ref(), &listed, all, true).await?.0);
        }
        let is_pointer =
            |found: &&StoredObject| pointer.as_ref().is_some_and(|(path, _)| *path == found.path);
        let published_size = all.iter().find(is_pointer).map(|found| found.size);
        // A commit of the suite that this is a name of would publish it again. Before the drop: after a crash here it is a
        // suite of its own.
        if let Some(of) = &other_names.of {
            other_names::forget(&self.store, of, suite).await?;
        }
        if let Some((path, revision)) = &pointer {
            // THE COMMIT: from here on the suite is not published, and no publisher can begin it again.
            let swapped = self.store.swap(path, bytes::Bytes::from_static(DROPPED), Some(revision)).await;
            swapped.map_err(|error| match error {
                store::Error::Conflict { .. } => Error::RaceLost { suite: suite.clone(), times: 1 },
                error => error.into(),
            })?;
        }
        // Listed again: the publisher that came before may have written its last files since. One that writes them
        // still, deletes them itself.
        let mut all: Vec<StoredObject> = self.store.walk(&format!("dists/{suite}")).try_collect().await?;
        for file in all.iter_mut().filter(|file| is_pointer(&&**file)) {
            // The size that it had, as in the plan, and not that of the mark in its place.
            file.size = published_size.unwrap_or(file.size);
        }
        let (dropped, steps) = self.sort(suite, pointer.as_ref(), &listed, all, false).await?;
        // A crash after any of these leaves a suite that is not published; the next drop finishes it.
        for step in steps.chunk_by(|(one, _), (next, _)| one == next) {
            let paths: Vec<String> = step.iter().map(|(_, file)| file.path.clone()).collect();
            self.store.delete_all(&paths).await?;
            self.store.flush().await?;
        }
        Ok(dropped)
    }

    /// Returns the listed files and the release files of a suite that are there, for the plan in a store without listings.
    async fn named(&self, suite: &Suite, listed: &BTreeSet<String>) -> Result<Vec<StoredObject>, Error> {
        let forms = [ReleaseForm::InRelease, ReleaseForm::Release, ReleaseForm::Signature];
        let names = forms.iter().map(|form| form.file_name()).chain(listed.iter().map(String::as_str));
        let sizes = stream::iter(names).map(|name| async move {
            let path = format!("dists/{suite}/{name}");
            let size = self.store.size(&path).await?;
            let modified = SystemTime::UNIX_EPOCH;
            Ok::<_, Error>(size.map(|size| StoredObject { path, size, md5: None, modified }))
        });
        sizes.buffered(AT_ONCE).try_filter_map(|found| ready(Ok(found))).try_collect().await
    }

    /// Sorts the files of a suite: those to delete, in order, and those that stay for clients.
    async fn sort(
        &self,
        suite: &Suite,
        pointer: Option<&(String, Revision)>,
        listed: &BTreeSet<String>,
        all: Vec<StoredObject>,
        dry_run: bool,
    ) -> Result<(Dropped, Vec<(Step, Written)>), Error> {
        let start = folder(suite).len();
        let below = suites_below(suite, &all);
        // A component may be in the folder of another suite.
        let above = collisions::listed_above(&self.store, suite).await?;
        let (mut steps, mut left) = (Vec::new(), Vec::new());
        for StoredObject { path, size: bytes, .. } in all {
            let file = &path[start..];
            if !listed.contains(file) && (is_in_any(&path, &below) || above.contains(&path)) {
                continue;
            }
            match step(file, Some(listed)) {
                // Of the forms of the release file, the one that the commit replaces goes last.
                Some(Step::Pointer) if pointer.is_none_or(|(pointer, _)| *pointer != path) => {
                    steps.push((Step::Name, Written { path, bytes }));
                }
                Some(step) => steps.push((step, Written { path, bytes })),
                None if is_kept_for_clients(file) => left.push(Written { path, bytes }),
                // Files that no release file lists were not written by a publisher.
                None => {}
            }
        }
        steps.sort_by_key(|(step, _)| *step);
        let deleted = steps.iter().map(|(_, file)| file.clone()).collect();
        let below = below.iter().filter_map(|name| Suite::parse(name).ok()).collect();
        Ok((Dropped { suite: suite.clone(), dry_run, deleted, left, below }, steps))
    }

    /// Returns the path and the revision of the release file that a publisher would replace; readable or not.
    async fn pointer_to_drop(&self, suite: &Suite) -> Result<Option<(String, Revision)>, Error> {
        for form in [ReleaseForm::InRelease, ReleaseForm::Release] {
            let path = format!("dists/{suite}/{}", form.file_name());
            if let Some(revision) = self.store.revision(&path).await? {
                return Ok(Some((path, revision)));
            }
        }
        Ok(None)
    }

    /// Returns the files that the suite or one of its generations lists, by their names below the suite.
    async fn listed_by_any(&self, suite: &Suite, own: &[StoredObject]) -> Result<BTreeSet<String>, Error> {
        let mut listed = BTreeSet::new();
        let mut list = |state: &PublishedSuite| {
            let files = state.release().into_iter().flat_map(Release::own_files);
            listed.extend(files.map(|(path, _)| path.clone()));
        };
        let readable = |opened: Result<PublishedSuite, Error>| match opened {
            Err(error @ Error::Store(store::Error::Failed { .. })) => Err(error),
            // A damaged release file must not keep its suite from being dropped.
            opened => Ok(opened.ok()),
        };
        let current = PublishedSuite::look(&self.store, suite, &Trust::unverified()).await;
        readable(current)?.iter().for_each(&mut list);
        for generation in generations::of_files(suite, own) {
            let kept = generations::open(&self.store, suite, &generation.name).await;
            readable(kept)?.iter().for_each(&mut list);
        }
        Ok(listed)
    }
}

/// Returns the folder of a suite, with a trailing slash.
fn folder(suite: &Suite) -> String {
    format!("dists/{suite}/")
}

/// Returns the step in which a file of a suite is deleted; `None` if it stays. Without the listed files, only marks and
/// release files are recognized.
fn step(file: &str, listed: Option<&BTreeSet<String>>) -> Option<Step> {
    match SuitePath::of(file) {
        SuitePath::Release { folder: "", .. } => Some(Step::Pointer),
        SuitePath::Generation { folder: "", part: GenerationPart::Published, .. } => Some(Step::Mark),
        SuitePath::Patch { .. } => Some(Step::Name),
        SuitePath::Listed { plain, .. } => {
            let is_named = names_packages(plain) || listed.is_some_and(|listed| listed.contains(file));
            is_named.then_some(Step::Name)
        }
        _ => None,
    }
}

/// Whether a file serves clients that hold the old release file.
fn is_kept_for_clients(file: &str) -> bool {
    matches!(SuitePath::of(file), SuitePath::ByHash { .. } | SuitePath::Generation { folder: "", .. })
}

/// Returns the suites below a suite, also those that have lost their release file.
fn suites_below(suite: &Suite, all: &[StoredObject]) -> BTreeSet<String> {
    let paths = all.iter().map(|found| found.path.as_str());
    let mut below: BTreeSet<&str> = discovery::published(paths.clone());
    below.extend(discovery::lost(paths));
    below.into_iter().filter(|name| is_in(name, suite.as_str())).map(ToOwned::to_owned).collect()
}

/// Whether a path is in the folder of one of these suites.
fn is_in_any(path: &str, suites: &BTreeSet<String>) -> bool {
    suites.iter().any(|suite| is_in(path, &format!("dists/{suite}")))
}

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|below| below.starts_with('/'))
}
