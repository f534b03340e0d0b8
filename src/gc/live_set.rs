//! The live set: every file that is reachable from a set of generations, by path. It must exist and must not be
//! deleted.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    dists::{Entry, index_file::by_hash_path, layout, subset::Carried},
    store::{Limit, Store, StoredObject},
    suite::{
        damage,
        error::Error,
        patches,
        published::PublishedSuite,
        references::{self, Expected, PoolFiles},
    },
};

/// The number of files that are checked concurrently.
const AT_ONCE: usize = 16;
/// The number of files that are read concurrently.
const READ_AT_ONCE: usize = 8;

/// Files that must exist, by path, with their expected size and digests.
pub(crate) type Needs = BTreeMap<String, Expected>;

/// The files that are reachable from a set of generations.
#[derive(Default)]
pub(crate) struct LiveSet {
    /// The files, by path.
    pub(crate) files: Needs,
    /// Files for which two generations expect different bytes, by path; `files` has the other expectation.
    pub(crate) disputed: Needs,
    /// The folders of packages whose version is not that of their source, each with the version of the source.
    pub(crate) source_versions: BTreeSet<(String, String)>,
    /// Digests of indices whose packages were already added.
    read: BTreeSet<String>,
}

impl LiveSet {
    /// Adds the indices by their names, which only the current release file of a suite references.
    pub(crate) fn add_names(&mut self, suite: &PublishedSuite, carried: &Carried) {
        self.files
            .extend(suite.carried_files(carried).map(|(path, listed)| (suite.path(path), listed.into())));
    }

    /// Adds the indices by their digests.
    pub(crate) fn add_listed(&mut self, suite: &PublishedSuite, carried: &Carried) {
        self.files.extend(
            suite
                .carried_files(carried)
                .map(|(path, listed)| (suite.path(&by_hash_path(path, &listed.sha256)), listed.into())),
        );
    }

    /// Adds the carried indices by their digests, their patches, and the package files that they reference.
    pub(crate) async fn add(&mut self, suite: &PublishedSuite, carried: &Carried) -> Result<(), Error> {
        let Some(release) = suite.release() else { return Ok(()) };
        self.add_listed(suite, carried);
        for key in suite.pool_index_keys() {
            let plain = key.path();
            if !carried.holds(&plain) {
                continue;
            }
            let known =
                release.files().get(&plain).map(|listed| format!("{} {}", suite.name(), listed.sha256));
            if known.is_some_and(|known| !self.read.insert(known)) {
                continue;
            }
            let mut pool = PoolFiles::new();
            if let Some(text) = suite.text(&plain).await? {
                let path = suite.path(&plain);
                let entries = references::entries(&key, &path, &text)?;
                references::files_of(&entries, &path, &mut pool)?;
                self.source_versions.extend(entries.iter().filter_map(source_version));
            }
            for (path, expected) in pool {
                self.add_file(path, expected);
            }
        }
        self.files.extend(patches::files(suite, carried).await?);
        Ok(())
    }

    fn add_file(&mut self, path: String, expected: Expected) {
        if let Some(other) = self.files.get(&path).filter(|other| !other.agrees(&expected)) {
            self.disputed.insert(path.clone(), *other);
        }
        self.files.insert(path, expected);
    }
}

/// The folder of a package and the version of its source, if that is not its own, as in file names.
fn source_version(entry: &Entry) -> Option<(String, String)> {
    let version = entry.source().version;
    if version == &*entry.version {
        return None;
    }
    let (folder, _) = layout::package_of(entry.main_file()?.path.as_deref()?)?;
    let version = version.split_once(':').map_or(version, |(_, version)| version);
    Some((folder.to_owned(), version.to_owned()))
}

/// Returns the files that are missing or have another size.
pub(crate) async fn missing(store: &Store, needs: &Needs) -> Result<Vec<String>, Error> {
    // Owned, so that a commit can be spawned.
    let checks = stream::iter(needs.clone()).map(|(path, expected)| async move {
        let found = store.size(&path).await?;
        Ok::<_, Error>((found != Some(expected.size)).then_some(path))
    });
    let checks: Vec<Option<String>> = checks.buffered(AT_ONCE).try_collect().await?;
    Ok(checks.into_iter().flatten().collect())
}

/// Returns the files that are missing or have other bytes. Reads each file unless the store's checksum proves its
/// content.
pub(crate) async fn verify(store: &Store, needs: &Needs) -> Result<Vec<String>, Error> {
    let checks = stream::iter(needs.clone()).map(|(path, expected)| async move {
        let is_same = match store.head(&path).await? {
            Some(found) => is_same(store, &found, &expected).await?,
            None => false,
        };
        Ok::<_, Error>((!is_same).then_some(path))
    });
    let checks: Vec<Option<String>> = checks.buffered(READ_AT_ONCE).try_collect().await?;
    Ok(checks.into_iter().flatten().collect())
}

/// Returns the existing files whose bytes differ from the expected ones.
pub(crate) async fn differing(
    store: &Store,
    files: Vec<(StoredObject, Expected)>,
) -> Result<Vec<String>, Error> {
    let checks = stream::iter(files).map(|(found, expected)| async move {
        let is_same = is_same(store, &found, &expected).await?;
        Ok::<_, Error>((!is_same).then_some(found.path))
    });
    let checks: Vec<Option<String>> = checks.buffered(READ_AT_ONCE).try_collect().await?;
    Ok(checks.into_iter().flatten().collect())
}

async fn is_same(store: &Store, found: &StoredObject, expected: &Expected) -> Result<bool, Error> {
    if expected.matches_checksum(found) {
        return Ok(true);
    }
    if found.size != expected.size {
        return Ok(false);
    }
    let read = damage::unless_damaged(store, store.digests(&found.path, Limit::bytes(expected.size)).await)?;
    Ok(read.is_some_and(|digests| expected.is(&digests)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        digest::Digests,
        store::{Environment, Location},
    };

    #[tokio::test]
    async fn files_are_verified_by_size_and_by_digest() {
        let store = Store::open(&Location::Memory, &Environment::default()).unwrap();
        let one = Digests::of(b"one");
        let expected = Expected { size: 3, sha256: Some(one.sha256), md5: None };
        for (path, bytes) in [("same", "one"), ("rotten", "onf"), ("short", "on"), ("long", "ones")] {
            store.replace(path, Bytes::from_static(bytes.as_bytes())).await.unwrap();
        }
        let needs = ["gone", "long", "rotten", "same", "short"].map(|path| (path.to_owned(), expected));
        let needs = Needs::from(needs);
        assert_eq!(missing(&store, &needs).await.unwrap(), ["gone", "long", "short"]);
        assert_eq!(verify(&store, &needs).await.unwrap(), ["gone", "long", "rotten", "short"]);
    }
}
