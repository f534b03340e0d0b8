//! A new state whose files are all in the store, and the one swap that publishes it.

use bytes::Bytes;

use super::{derived, release_file::ReadyRelease};
use crate::{
    dists::{Release, layout::ReleaseForm},
    gc::pins::Pin,
    names::Suite,
    store::{self, Content, Store},
    suite::{error::Error, freshness, generations, published::PublishedSuite},
};

/// A new state of a suite: everything that its release file leads to is in the store, and held against `prune`.
#[must_use = "what was uploaded is published, or given up"]
pub(crate) struct Uploaded<'a> {
    pub(crate) store: &'a Store,
    /// The state whose place it takes.
    pub(crate) base: PublishedSuite,
    pub(crate) files: ReadyRelease,
    pub(crate) release: Release,
    /// The name of its generation.
    pub(crate) generation: String,
    pub(crate) hold: Option<Pin<'a>>,
}

/// The outcome of a swap that was not refused.
pub(crate) enum Swapped<'a> {
    /// Clients see the state.
    Published(Box<Published<'a>>),
    /// Clients see this `InRelease`, and a publisher that does not sign, and could not know of it, has published a
    /// `Release` beside it: its change has to be published too.
    Crossed(Bytes),
}

/// A state that clients see; its derived outputs are still those of the state before.
#[must_use = "the derived outputs have to follow"]
pub(crate) struct Published<'a> {
    store: &'a Store,
    suite: Suite,
    files: ReadyRelease,
    release: Release,
}

impl<'a> Uploaded<'a> {
    /// Publishes the state: the only swap of a release file.
    ///
    /// # Errors
    /// [`store::Error::Conflict`] if another publisher was faster, and nothing is changed then. After
    /// [`Error::Unfinished`] the state is published.
    pub(crate) async fn publish(self) -> Result<Swapped<'a>, Error> {
        let swapped = self.swap().await;
        let Self { store, base, files, release, generation, hold } = self;
        if let Some(hold) = hold {
            hold.release().await;
        }
        if let Some(own) = swapped? {
            return Ok(Swapped::Crossed(own));
        }
        freshness::remember(store, base.name(), &release);
        generations::mark_published(store, &base, &generation)
            .await
            .map_err(|source| Error::unfinished(base.name(), source))?;
        Ok(Swapped::Published(Box::new(Published { store, suite: base.name().clone(), files, release })))
    }

    /// Does not publish the state, after all; another try may.
    pub(super) async fn give_up(self) -> Error {
        let path = self.path(self.files.form());
        if let Some(hold) = self.hold {
            hold.release().await;
        }
        store::Error::Conflict { path }.into()
    }

    fn path(&self, form: ReleaseForm) -> String {
        self.base.path(form.file_name())
    }

    /// Swaps the release file. The state that is expected is all of {`InRelease`, `Release`}, and a store swaps one object
    /// at a time, so each publisher writes its own form and then looks for the other one: of two that meet, one sees it.
    async fn swap(&self) -> Result<Option<Bytes>, Error> {
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
                let release = self.path(ReleaseForm::Release);
                if old.is_some() {
                    // The old name first, on its revision: every other publisher's condition fails from here on. Die here:
                    // the new state, and it is not signed yet.
                    store.swap(&release, files.text.clone(), revision).await?;
                }
                store.swap(&path, files.bytes().clone(), None).await?;
                // A publisher that does not sign may have published in between, and cannot know of `InRelease`.
                if !store.holds(&release, &files.text).await? && store.size(&release).await?.is_some() {
                    return Ok(Some(files.bytes().clone()));
                }
            }
            (_, _) => {
                store.swap(&path, files.bytes().clone(), revision).await?;
                // The suite may have begun to be signed at the same moment: clients read that.
                let signed = self.path(ReleaseForm::InRelease);
                if store.size(&signed).await?.is_some() {
                    return Err(store::Error::Conflict { path: signed }.into());
                }
            }
        }
        Ok(None)
    }
}

impl Published<'_> {
    /// Writes the outputs that follow from the state, in proportion to what changed.
    pub(super) async fn derive(&self, by_hash: &[(String, Content)]) -> Result<Vec<String>, Error> {
        keep_for_next_time(self.store, by_hash).await;
        derived::write_derived(self.store, &self.suite, &self.files, &self.release).await
    }
}

/// Spares the next steps, and the next command, the reading of what was just written.
async fn keep_for_next_time(store: &Store, by_hash: &[(String, Content)]) {
    for (_, content) in by_hash {
        if let Content::Bytes(bytes, digests) = content {
            store.keep(digests.sha256, bytes).await;
        }
    }
}
