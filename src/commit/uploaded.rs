//! `Uploaded`: a new release file whose references are all in the store, and the conditional write that publishes it.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{derived, release_file::ReadyRelease};
use crate::{
    dists::{Release, index_file::by_hash_path, layout::ReleaseForm},
    gc::pins::Pin,
    store::{self, Content, Store},
    suite::{
        error::Error,
        event::{self, Event, Events},
        first_signing, freshness, generations,
        published::PublishedSuite,
        trust::Trust,
    },
};

/// A new release file of a suite: everything that it references is in the store and pinned against `prune`.
#[must_use = "publish it or give it up"]
pub(crate) struct Uploaded<'a> {
    pub(crate) store: &'a Store,
    /// The base that it replaces.
    pub(crate) base: PublishedSuite,
    pub(crate) files: ReadyRelease,
    pub(crate) release: Release,
    /// The name of its generation.
    pub(crate) generation: String,
    pub(crate) pin: Option<Pin<'a>>,
}

/// The result of a successful swap.
pub(crate) enum Swapped<'a> {
    /// Clients see the new release file.
    Published(Box<Published<'a>>),
    /// Clients see this `InRelease`, but a publisher that does not sign has concurrently published a `Release` beside
    /// it, whose change has to be published too.
    Crossed(Bytes),
}

/// A published release file; its derived outputs are still stale.
#[must_use = "write the derived outputs"]
pub(crate) struct Published<'a> {
    store: &'a Store,
    /// The base that it has replaced.
    base: PublishedSuite,
    files: ReadyRelease,
    release: Release,
}

impl<'a> Uploaded<'a> {
    /// Publishes the new release file: the commit.
    ///
    /// # Errors
    /// [`store::Error::Conflict`] if the race is lost; the suite is unchanged then. After [`Error::Unfinished`] the release
    /// file is published.
    pub(crate) async fn publish(self, events: Events<'_>) -> Result<Swapped<'a>, Error> {
        event::critical(events, self.publish_whole(events)).await
    }

    async fn publish_whole(self, events: Events<'_>) -> Result<Swapped<'a>, Error> {
        events(Event::Publishing { suite: self.base.name().clone() });
        let swapped = self.swap().await;
        if swapped.is_ok() {
            events(Event::Published { suite: self.base.name().clone() });
        }
        let Self { store, base, files, release, generation, pin } = self;
        if let Some(pin) = pin {
            pin.release().await;
        }
        swapped?;
        let unfinished = |source| Error::unfinished(base.name(), source);
        let begins_to_be_signed =
            files.in_release.is_some() && base.pointer().is_none_or(|old| !old.is_in_release());
        if begins_to_be_signed
            && first_signing::is_overtaken(store, &base, &files.text).await.map_err(unfinished)?
        {
            // Without the mark, the next command sees that `Release` has changes that `InRelease` does not have.
            return Ok(Swapped::Crossed(files.bytes().clone()));
        }
        freshness::remember(store, base.name(), &release);
        generations::mark_published(store, &base, &generation).await.map_err(unfinished)?;
        if files.form() == ReleaseForm::Release {
            // The suite may have been signed for the first time concurrently; clients prefer `InRelease`.
            let signed = base.path(ReleaseForm::InRelease.file_name());
            if store.size(&signed).await.map_err(|error| unfinished(error.into()))?.is_some() {
                generations::unmark(store, &base, &generation).await.map_err(unfinished)?;
                first_signing::yield_to_signer(store, &base, &files.text).await.map_err(unfinished)?;
                return Err(store::Error::Conflict { path: signed }.into());
            }
        }
        Ok(Swapped::Published(Box::new(Published { store, base, files, release })))
    }

    /// Releases the pin without publishing, so that another try can start.
    pub(super) async fn give_up(self) -> Error {
        let path = self.path(self.files.form());
        if let Some(pin) = self.pin {
            pin.release().await;
        }
        store::Error::Conflict { path }.into()
    }

    fn path(&self, form: ReleaseForm) -> String {
        self.base.path(form.file_name())
    }

    /// Swaps the release file by conditional writes. The pointer consists of `InRelease` and `Release`, but a
    /// conditional write covers one object only ([`first_signing`] has the protocol).
    async fn swap(&self) -> Result<(), Error> {
        let Self { store, files, .. } = self;
        let pointer = self.base.pointer();
        let revision = pointer.map(|pointer| &pointer.revision);
        let (old, new) = (pointer.map(|pointer| pointer.form), files.form());
        let path = self.path(new);
        match (old, new) {
            (Some(ReleaseForm::InRelease), ReleaseForm::InRelease) => {
                store.swap(&path, files.bytes().clone(), revision).await?;
            }
            (Some(ReleaseForm::InRelease), _) => {
                return Err(Error::NoKey { suite: self.base.name().clone() });
            }
            (_, ReleaseForm::InRelease) => {
                // The old name first, on its revision: the conditional write of any other publisher fails from here on.
                // A crash here leaves the new release file unsigned; the next command with the key finishes it.
                store.swap(&self.path(ReleaseForm::Release), files.text.clone(), revision).await?;
                store.swap(&path, files.bytes().clone(), None).await.map_err(|error| match error {
                    // Another signer was faster.
                    error @ store::Error::Conflict { .. } => error.into(),
                    error => Error::unfinished(self.base.name(), error.into()),
                })?;
            }
            (_, _) => store.swap(&path, files.bytes().clone(), revision).await?,
        }
        Ok(())
    }
}

impl Published<'_> {
    pub(super) fn release(&self) -> &Release {
        &self.release
    }

    /// Writes the derived outputs that have changed.
    pub(super) async fn derive(
        &self,
        trust: &Trust,
        by_hash: &[(String, Content)],
    ) -> Result<Vec<String>, Error> {
        cache_indices(self.store, by_hash).await;
        let stale = self.stale_names(by_hash);
        let of = (&self.files, &self.release);
        derived::write_after_commit(self.store, self.base.name(), trust, of, &stale).await
    }

    /// The listed files that this commit has changed and written under their by-hash names: their own names are stale.
    fn stale_names(&self, by_hash: &[(String, Content)]) -> BTreeSet<&str> {
        let written: BTreeSet<&str> = by_hash.iter().map(|(path, _)| path.as_str()).collect();
        let before = self.base.release().map(Release::files);
        let listed = self.release.own_files().filter(|(path, listed)| {
            before.and_then(|before| before.get(*path)) != Some(*listed)
                && written.contains(self.base.path(&by_hash_path(path, &listed.sha256)).as_str())
        });
        listed.map(|(path, _)| path.as_str()).collect()
    }
}

/// Caches the written indices, so that the next steps and the next command need not read them.
async fn cache_indices(store: &Store, by_hash: &[(String, Content)]) {
    for (_, content) in by_hash {
        if let Content::Bytes(bytes, digests) = content {
            store.keep(digests.sha256, bytes).await;
        }
    }
}
