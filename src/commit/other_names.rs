//! Publishes a suite under its other names, where no links lead to it.
//!
//! A derived output, written after the commit: a publisher that is killed before leaves the other names behind until the next
//! command on the suite. Of several publishers the last one finds the newest release file, so the names agree in the end.

use super::{
    derived::{files_of, write_derived},
    release_file::ReadyRelease,
    uploaded::Uploaded,
};
use crate::{
    dists::{index_file::by_hash_path, subset::Carried},
    names::Suite,
    store::{self, Store},
    suite::{
        archive::Archive,
        error::Error,
        event::Events,
        images,
        other_names::{self, OtherNames},
        partial::Partial,
        patches,
        published::PublishedSuite,
        trust::Trust,
    },
};

/// How often a name is written again after a concurrent publish.
const TRIES: usize = 20;

impl Archive {
    /// Records that a suite of this archive is published under another name too: each commit then publishes both.
    pub async fn record_other_name(&self, suite: &Suite, name: &Suite) -> Result<(), Error> {
        other_names::record(&self.store, suite, name).await
    }

    /// Forgets that a suite is another name of one, so that it can change on its own.
    pub async fn forget_other_name(&self, name: &Suite) -> Result<(), Error> {
        if let Some(suite) = OtherNames::read(&self.store, name).await?.of {
            other_names::forget(&self.store, &suite, name).await?;
        }
        Ok(())
    }

    /// Publishes a suite under its other names; returns the paths that have changed. The forms of the release file are read,
    /// unless they are known.
    pub(crate) async fn publish_other_names(
        &self,
        (suite, known): (&Suite, Option<&ReadyRelease>),
        names: &[Suite],
        events: Events<'_>,
    ) -> Result<Vec<String>, Error> {
        let mut changed = Vec::new();
        for name in names {
            let mut is_published = false;
            for _ in 0..TRIES {
                let copied = copy(&self.store, (suite, known, name), &self.trust, (events, &mut changed));
                // A large future, which few suites need.
                match Box::pin(copied).await {
                    Ok(true) => {
                        is_published = true;
                        break;
                    }
                    // Another publisher was faster with the suite, or with this name of it.
                    Ok(false) | Err(Error::Store(store::Error::Conflict { .. })) => {}
                    Err(error) => return Err(error),
                }
            }
            if !is_published {
                return Err(Error::NameBehind { suite: suite.clone(), name: name.clone(), times: TRIES });
            }
        }
        Ok(changed)
    }
}

/// Makes a name show the release file of a suite; returns whether that is still the published one afterwards.
async fn copy(
    store: &Store,
    (suite, known, name): (&Suite, Option<&ReadyRelease>, &Suite),
    trust: &Trust,
    (events, changed): (Events<'_>, &mut Vec<String>),
) -> Result<bool, Error> {
    let now = PublishedSuite::look(store, suite, &Trust::unverified()).await?;
    let there = PublishedSuite::look(store, name, &Trust::unverified()).await?;
    let Some(pointer) = now.pointer() else { return Ok(true) };
    let files = match known.filter(|known| *known.bytes() == pointer.bytes) {
        Some(known) => known.clone(),
        None => files_of(store, &now, trust).await?,
    };
    if there.pointer().is_none_or(|there| there.bytes != pointer.bytes) {
        let partial = Partial::read(&now).await?;
        copy_files(store, (&now, &partial.subset.of(&pointer.release)), &there).await?;
        let (generation, kept) = files.generation(&there, &pointer.release);
        for (path, content) in &kept {
            store.put_new(path, content).await?;
        }
        // A mirror of a part is one under each name.
        let named = PublishedSuite::with_pointer(store, name, pointer.clone());
        partial.write(store, &named, &Partial::default()).await?;
        changed.push(there.path(pointer.file()));
        let (files, release) = (files.clone(), pointer.release.clone());
        let uploaded = Uploaded { store, base: there, files, release, generation, pin: None };
        let _ = uploaded.publish(events).await?;
    }
    changed.extend(write_derived(store, name, trust, (&files, &pointer.release)).await?);
    Ok(store.holds(&now.path(pointer.file()), &pointer.bytes).await?)
}

/// Copies the files that a release file leads to below its suite to the folder of a name of that.
async fn copy_files(
    store: &Store,
    (now, carried): (&PublishedSuite, &Carried),
    there: &PublishedSuite,
) -> Result<(), Error> {
    let Some(release) = now.release() else { return Ok(()) };
    for (path, listed) in release.own_files() {
        let known = there.release().and_then(|release| release.files().get(path));
        if known.is_some_and(|known| known.sha256 == listed.sha256) {
            continue;
        }
        let by_hash = by_hash_path(path, &listed.sha256);
        let (from, to) = (now.path(&by_hash), there.path(&by_hash));
        // A listed file without a by-hash name is not stored. An existing copy is written again: it may be of an
        // earlier generation, and so old that a prune is about to delete it.
        if store.size(&from).await?.is_some() {
            store.copy_known(listed.sha256, &from, &to).await?;
        }
    }
    for path in patches::files(now, carried).await?.into_keys() {
        let Some(below) = path.strip_prefix(&now.path("")) else { continue };
        let to = there.path(below);
        if store.size(&to).await?.is_none() {
            store.copy(&path, &to).await?;
        }
    }
    // The images of another list may have the same paths.
    for path in images::all(now, carried).await?.into_keys() {
        let Some(below) = path.strip_prefix(&now.path("")) else { continue };
        if store.size(&path).await?.is_some() {
            store.copy(&path, &there.path(below)).await?;
        }
    }
    Ok(())
}
