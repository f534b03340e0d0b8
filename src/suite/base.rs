//! `VerifiedBase`: a published suite that an operation may build on. The type is the proof of verification.
//!
//! Invariant: its signature was verified with the archive's own keys, its freshness against every witness of a rollback
//! attack, and each index that is read from it is verified against its digests. So an attacker with write access to the
//! store but without a key never gets a package signed. A [`PublishedSuite`] alone is read-only.

use std::ops::Deref;

use bytes::Bytes;

use super::{
    error::Error,
    first_signing, freshness, limits,
    other_names::OtherNames,
    published::{Pointer, PublishedSuite, Purpose, read_release},
    trust::Trust,
};
use crate::{
    dists::layout::ReleaseForm,
    names::Suite,
    store::{self, Store},
};

/// A verified suite; without a release file it does not exist yet.
pub(crate) struct VerifiedBase {
    state: PublishedSuite,
    /// Whether `InRelease`, which the swap expects, is older than this base.
    behind: bool,
    /// Whether it was trusted as it is (`--trust-existing`).
    adopted: bool,
    other_names: OtherNames,
}

impl VerifiedBase {
    /// Opens and verifies the newest published suite.
    pub(crate) async fn open(store: &Store, suite: &Suite, trust: &Trust) -> Result<Self, Error> {
        let state = PublishedSuite::verify(store, suite, trust).await?;
        let mut other_names = OtherNames::default();
        match state.pointer() {
            None => {
                if let Err(error) = freshness::refuse_orphans(store, suite).await {
                    // It may have been published for the first time concurrently.
                    let now = PublishedSuite::verify(store, suite, trust).await?;
                    let begun = now.pointer().map(|pointer| now.path(pointer.file()));
                    return Err(begun.map_or(error, |path| store::Error::Conflict { path }.into()));
                }
            }
            Some(pointer) => {
                let listed = freshness::listed_since_pointer(store, suite, pointer).await?;
                other_names = listed.other_names;
                let kept = listed.generations;
                if first_signing::is_crossed(&state, pointer, &kept).await? {
                    // A new signature would vouch for changes that anyone may have made.
                    if !trust.adopts() {
                        return Err(Error::Crossed { suite: suite.clone() });
                    }
                    return Self::open_behind(store, suite, trust, &pointer.bytes).await;
                }
                if !trust.adopts() {
                    freshness::refuse_older(store, suite, pointer, trust, &kept).await?;
                }
            }
        }
        Ok(Self { state, behind: false, adopted: trust.adopts(), other_names })
    }

    /// Opens the unsigned `Release` that another publisher wrote beside our own `InRelease`; the next commit replaces
    /// both.
    pub(crate) async fn open_behind(
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
                let other_names = OtherNames::read(store, suite).await?;
                Ok(Self { state, behind: true, adopted: trust.adopts(), other_names })
            }
            // Another publisher has seen and replaced both.
            _ => Box::pin(Self::open(store, suite, trust)).await,
        }
    }

    /// Whether clients of `InRelease` do not see this base yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// Whether this program published the base. If not, the compressed forms of an index may contradict each other.
    pub(crate) fn was_published_here(&self) -> bool {
        !self.behind && !self.adopted && self.state.is_of_our_form()
    }

    /// The other names under which it is published.
    pub(crate) fn other_names(&self) -> &OtherNames {
        &self.other_names
    }

    /// The suite, for reading.
    pub(crate) fn state(&self) -> &PublishedSuite {
        &self.state
    }
}

impl Deref for VerifiedBase {
    type Target = PublishedSuite;

    fn deref(&self) -> &PublishedSuite {
        &self.state
    }
}
