//! Adoption: the files of an archive that another tool made get the names that ours have.

use std::collections::BTreeSet;

use super::{
    Error, PublishedSuite, leads,
    suite::{is_listed, plain_path},
};
use crate::{
    dists::{IndexKey, Release, index_file::by_hash_path},
    store::{Limit, Store, unless_larger},
};

/// Gives the listed files of an archive that had no by-hash (made by other tools, and published here for the first time)
/// their by-hash names, so that the promise of the new release file holds for them too, and the old state can be kept.
/// Says whether all of its indices have one.
pub(super) async fn adopt(
    store: &Store,
    published: &PublishedSuite,
    release: &Release,
) -> Result<bool, Error> {
    let Some(old) = published.release().filter(|old| old.field("Acquire-By-Hash") != Some("yes")) else {
        return Ok(true);
    };
    let indices: BTreeSet<String> = leads::indices(published).iter().map(IndexKey::path).collect();
    let mut lacking = indices.clone();
    for (path, listed) in old.own_files() {
        let plain = plain_path(path);
        if release.files().get(path) != Some(listed) && !indices.contains(plain) {
            continue;
        }
        let (from, to) = (published.path(path), published.path(&by_hash_path(path, &listed.sha256)));
        let is_there = store.size(&to).await?.is_some();
        let read = async || unless_larger(store.digests(&from, Limit::bytes(listed.size)).await);
        if is_there || read().await?.is_some_and(|found| is_listed(listed, &found)) {
            if !is_there {
                store.copy(&from, &to).await?;
            }
            lacking.remove(plain);
        }
    }
    // An empty index is known without being read.
    lacking.retain(|plain| old.files().get(plain).is_none_or(|listed| listed.size > 0));
    Ok(lacking.is_empty())
}
