//! `Archive`: a store, and whose signatures are believed in it.

use super::{error::Error, published::PublishedSuite, trust::Trust};
use crate::{
    dists::{layout::TREES, media_type},
    names::Suite,
    store::Store,
};

/// The public keys of the archive at its root, for clients to fetch.
pub const KEY_FILE: &str = "archive-key.asc";

/// An archive: where it is, and whose word counts in it.
pub struct Archive {
    pub(crate) store: Store,
    pub(crate) trust: Trust,
}

impl Archive {
    /// The archive in a store, whose objects have the types of an archive's files; nothing is read yet.
    #[must_use]
    pub fn new(store: Store, trust: Trust) -> Self {
        Self { store: store.with_content_type(media_type::of).with_linked_folders(&TREES), trust }
    }

    /// Where it is kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads what clients see of a suite now, to look at it, verified as its [`Trust`] says.
    ///
    /// # Errors
    /// [`Error::NotSigned`], [`Error::Untrusted`] and [`Error::NoPublicKey`] if the suite is not one to believe.
    pub async fn suite(&self, suite: &Suite) -> Result<PublishedSuite, Error> {
        PublishedSuite::look(&self.store, suite, &self.trust).await
    }
}
