//! `VerifiedBase`: a state of a suite that an operation may build on, and the only one.
//!
//! Its signature is checked against the archive's own keys, its freshness against every witness, and each index that is
//! read from it against its digests. So a package of an attacker who can write to the store, and has no key, never gets
//! signed. [`PublishedSuite`] alone is for looking.

use std::ops::Deref;

use bytes::Bytes;

use super::{
    Error, PublishedSuite, Trust, generations, limits, newest,
    suite::{Pointer, Purpose, read_release},
};
use crate::{
    dists::layout::ReleaseForm,
    names::Suite,
    store::{self, Store},
};

/// A state of a suite that was verified; without a release file the suite is not there yet.
pub(super) struct VerifiedBase {
    state: PublishedSuite,
    /// Whether `InRelease`, which its swap expects, is older than this state.
    behind: bool,
    /// Whether it was believed as it is (`--trust-existing`).
    adopted: bool,
}

impl VerifiedBase {
    /// Opens a suite as it was published last, or not at all.
    pub(super) async fn open(store: &Store, suite: &Suite, trust: &Trust) -> Result<Self, Error> {
        let state = PublishedSuite::verify(store, suite, trust).await?;
        match state.pointer() {
            None => {
                if let Err(error) = newest::refuse_orphans(store, suite).await {
                    // Or it was published for the first time since.
                    let now = PublishedSuite::verify(store, suite, trust).await?;
                    let begun = now.pointer().map(|pointer| now.path(pointer.file()));
                    return Err(begun.map_or(error, |path| store::Error::Conflict { path }.into()));
                }
            }
            Some(pointer) if !trust.existing => newest::refuse_older(store, suite, pointer, trust).await?,
            Some(_) => {}
        }
        Ok(Self { state, behind: false, adopted: trust.existing })
    }

    /// Opens the unsigned `Release` that another publisher wrote beside our own `InRelease`, which is to be published over.
    pub(super) async fn open_behind(
        store: &Store,
        suite: &Suite,
        trust: &Trust,
        own: &Bytes,
    ) -> Result<Self, Error> {
        let folder = format!("dists/{suite}");
        let signed =
            store.read(&format!("{folder}/{}", ReleaseForm::InRelease.file_name()), limits::RELEASE).await?;
        let beside = read_release(store, suite, &folder, trust, Purpose::BuildOn).await?;
        match (signed, beside) {
            (Some(signed), Some(beside)) if signed.bytes == *own => {
                let pointer = Pointer {
                    form: ReleaseForm::InRelease,
                    bytes: signed.bytes,
                    revision: signed.revision,
                    signed: true,
                    ..beside
                };
                let state = PublishedSuite::with_pointer(store, suite, pointer);
                Ok(Self { state, behind: true, adopted: trust.existing })
            }
            // Another publisher has seen both, and published over them.
            _ => Self::open(store, suite, trust).await,
        }
    }

    /// Whether clients of `InRelease` do not see this state yet.
    pub(super) fn is_behind(&self) -> bool {
        self.behind
    }

    /// Whether this publisher made the state: then it is kept as published. Another tool's forms of one index need not agree.
    pub(super) async fn was_published_here(&self) -> Result<bool, Error> {
        if self.behind || self.adopted {
            return Ok(false);
        }
        let Some(generation) = self.state.generation() else { return Ok(false) };
        let mark = self.state.path(&generations::path(&generation, generations::MARK));
        Ok(self.state.store().size(&mark).await?.is_some())
    }

    /// The state, to look at it.
    pub(super) fn state(&self) -> &PublishedSuite {
        &self.state
    }
}

impl Deref for VerifiedBase {
    type Target = PublishedSuite;

    fn deref(&self) -> &PublishedSuite {
        &self.state
    }
}
