//! The suites that list a pool file, for a file with other bytes than they list.

use crate::{
    digest::Digests,
    gc::live_set::LiveSet,
    names::Suite,
    store::Store,
    suite::{archive::Archive, error::Error, published::PublishedSuite, trust::Trust},
};

/// The published suites with the files that they list.
pub(super) struct Listings(Vec<(Suite, LiveSet)>);

impl Listings {
    /// Reads every suite that can be read.
    pub(super) async fn read(store: &Store) -> Result<Self, Error> {
        let mut all = Vec::new();
        for suite in Archive::new(store.clone(), Trust::unverified()).suites().await? {
            let mut files = LiveSet::default();
            let listed = async {
                let published = PublishedSuite::look(store, &suite, &Trust::unverified()).await?;
                files.add(&published, &published.carried().await?).await
            };
            // Another command reports the fault of that suite.
            if listed.await.is_ok() {
                all.push((suite, files));
            }
        }
        Ok(Self(all))
    }

    /// The suite that lists a file with these bytes.
    pub(super) fn suite_with(&self, path: &str, digests: &Digests) -> Option<&Suite> {
        let lists = |files: &LiveSet| files.files.get(path).is_some_and(|expected| expected.is(digests));
        self.0.iter().find(|(_, files)| lists(files)).map(|(suite, _)| suite)
    }
}
