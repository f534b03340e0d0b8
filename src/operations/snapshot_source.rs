//! `Source`: the generation that a snapshot is made of. It must be kept until the snapshot is published.

use super::adopt;
use crate::{
    names::Suite,
    store::Store,
    suite::{
        base::VerifiedBase, discovery, error::Error, generations, published::PublishedSuite, trust::Trust,
    },
};

/// The named generation, else the one that was current when the `snapshot` command started, even if a newer one is published
/// meanwhile.
#[derive(Clone)]
pub(crate) struct Source {
    pub(super) state: PublishedSuite,
    /// The warning about packages of another tool that dpkg or apt cannot read.
    pub(super) note: Option<String>,
}

impl Source {
    pub(crate) async fn open(
        store: &Store,
        of: &Suite,
        generation: Option<&str>,
        trust: &Trust,
    ) -> Result<Self, Error> {
        if let Some(name) = generation {
            let state = generations::open_to_build_on(store, of, name, trust).await?;
            let note = match state.release().filter(|_| !state.is_of_our_form()) {
                Some(release) => adopt::verify(&state, &mut release.clone(), &[]).await?.packages,
                None => None,
            };
            return Ok(Self { state, note });
        }
        let base = VerifiedBase::open(store, of, trust).await?;
        let Some(release) = base.release() else {
            return Err(discovery::not_published(store, of).await);
        };
        let note = if base.was_published_here() {
            None
        } else {
            adopt::verify(&base, &mut release.clone(), &[]).await?.packages
        };
        Ok(Self { state: base.state().clone(), note })
    }

    /// Checks that the generation is current or kept. If so its files exist, since `prune` deletes a generation before
    /// the files that it references.
    pub(crate) async fn is_kept(&self) -> Result<(), Error> {
        let source = &self.state;
        let (Some(pointer), Some(generation)) = (source.pointer(), source.generation()) else {
            return Ok(());
        };
        let kept = source.path(&generations::path(&generation, pointer.file()));
        if source.still_current().await.is_ok() || source.store().size(&kept).await?.is_some() {
            return Ok(());
        }
        Err(Error::Overtaken {
            suite: source.name().clone(),
            change: format!("keep `{generation}`"),
            planned_on: Some(generation),
            now: None,
        })
    }
}
