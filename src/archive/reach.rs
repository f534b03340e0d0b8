//! Everything that states of suites lead to, by path: what must not be deleted, and must be there.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    Error, PublishedSuite,
    leads::{self, PoolFiles},
};
use crate::{
    dists::{Release, index_file::by_hash_path},
    store::Store,
};

/// How many files are looked for at once.
const AT_ONCE: usize = 16;

/// What states of suites lead to.
#[derive(Default)]
pub(super) struct Reach {
    /// The paths, and the sizes of what must be there.
    pub(super) files: BTreeMap<String, u64>,
    /// Digests of indices whose packages are counted already.
    read: BTreeSet<String>,
}

impl Reach {
    /// Adds the indices by their names, which only the current state of a suite leads to.
    pub(super) fn add_names(&mut self, suite: &PublishedSuite) {
        let files = suite.release().into_iter().flat_map(Release::own_files);
        self.files.extend(files.map(|(path, listed)| (suite.path(path), listed.size)));
    }

    /// Adds the indices by their digests.
    pub(super) fn add_listed(&mut self, suite: &PublishedSuite) {
        let files = suite.release().into_iter().flat_map(Release::own_files);
        self.files.extend(
            files.map(|(path, listed)| (suite.path(&by_hash_path(path, &listed.sha256)), listed.size)),
        );
    }

    /// Adds the indices by their digests, and the files of the packages that they name.
    pub(super) async fn add(&mut self, suite: &PublishedSuite) -> Result<(), Error> {
        let Some(release) = suite.release() else { return Ok(()) };
        self.add_listed(suite);
        for plain in leads::indices(suite) {
            let known =
                release.files().get(plain).map(|listed| format!("{} {}", suite.name(), listed.sha256));
            if known.is_some_and(|known| !self.read.insert(known)) {
                continue;
            }
            let mut pool = PoolFiles::new();
            if let Some(text) = suite.text(plain).await? {
                leads::pool_files(&suite.path(plain), &text, &mut pool)?;
            }
            self.files.extend(pool.into_iter().map(|(path, expected)| (path, expected.size)));
        }
        Ok(())
    }
}

/// The files that are not there, or not whole.
pub(super) async fn lacking(store: &Store, needs: &BTreeMap<String, u64>) -> Result<Vec<String>, Error> {
    // Owned, so that a commit can be spawned.
    let looked_at = stream::iter(needs.clone()).map(|(path, size)| async move {
        let found = store.size(&path).await?;
        Ok::<_, Error>((found != Some(size)).then_some(path))
    });
    let looked_at: Vec<Option<String>> = looked_at.buffered(AT_ONCE).try_collect().await?;
    Ok(looked_at.into_iter().flatten().collect())
}
