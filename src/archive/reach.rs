//! Everything that states of suites lead to, by path: what must not be deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Error, PublishedSuite,
    leads::{self, PoolFiles, is_carried},
};
use crate::dists::{Release, index_file::by_hash_path};

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
        let files = suite.release().into_iter().flat_map(Release::files).filter(|(path, _)| is_carried(path));
        self.files.extend(files.map(|(path, listed)| (suite.path(path), listed.size)));
    }

    /// Adds the indices by their digests.
    pub(super) fn add_listed(&mut self, suite: &PublishedSuite) {
        let files = suite.release().into_iter().flat_map(Release::files).filter(|(path, _)| is_carried(path));
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
