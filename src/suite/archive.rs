//! `Archive`: a store and the trust policy for the suites in it.

use super::{damage, error::Error, published::PublishedSuite, trust::Trust};
use crate::{
    dists::{
        layout::{DISTS, TREES},
        media_type,
    },
    names::Suite,
    store::Store,
};

/// The public keys of the archive at its root, for clients to fetch.
pub const KEY_FILE: &str = "archive-key.asc";

/// An archive: a store and the trust policy for its suites.
pub struct Archive {
    pub(crate) store: Store,
    pub(crate) trust: Trust,
}

impl Archive {
    /// Returns the archive in a store, and sets the media types of archive files. Reads nothing.
    #[must_use]
    pub fn new(store: Store, trust: Trust) -> Self {
        Self { store: store.with_content_type(media_type::of).with_linked_folders(&TREES), trust }
    }

    /// The store that holds the archive.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether nothing is published, so that the next commit begins a new archive.
    pub(crate) async fn is_empty(&self) -> Result<bool, Error> {
        // A plan for a new suite of an archive on the web: the archive may have others.
        if !self.store.is_listable() {
            return Ok(false);
        }
        let (folders, files) = self.store.list(DISTS).await?;
        Ok(folders.is_empty() && files.is_empty())
    }

    /// Whether an error says that one file of this archive is damaged, so that other suites can still be read.
    pub(crate) fn is_damaged(&self, error: &Error) -> bool {
        damage::is_damage(&self.store, error)
    }

    /// Reads a suite as clients see it now, and verifies it as its [`Trust`] requires for reading.
    ///
    /// # Errors
    /// [`Error::NotSigned`], [`Error::Untrusted`] and [`Error::NoPublicKey`] if the suite is not trusted.
    pub async fn suite(&self, suite: &Suite) -> Result<PublishedSuite, Error> {
        PublishedSuite::look(&self.store, suite, &self.trust).await
    }
}
