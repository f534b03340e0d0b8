//! The file of a published package, read from the pool and verified with the digest that its index names.

use super::error::Error;
use crate::{
    dists::PackageEntry,
    store::{self, Content, Limit, Store},
};

/// A larger package is read from disk.
const IN_MEMORY: u64 = 16 << 20;

/// Reads the file of a package at a path of the store, or returns why it cannot be read.
pub(crate) async fn load(
    store: &Store,
    path: &str,
    package: &PackageEntry,
) -> Result<Result<Content, &'static str>, Error> {
    let Some(size) = package.size().filter(|_| !path.is_empty()) else {
        return Ok(Err("its entry names no file"));
    };
    let loaded = match store.load(path, IN_MEMORY, Limit::bytes(size)).await {
        Ok(Some(loaded)) => loaded,
        Ok(None) => return Ok(Err("its file is missing in the pool")),
        Err(store::Error::TooLarge { .. }) => return Ok(Err("its file in the pool is damaged")),
        Err(error) if store.may_be_missing(&error) => return Ok(Err("its file is missing in the pool")),
        Err(error) => return Err(error.into()),
    };
    let found = loaded.content.digests();
    let is_same = match package.sha256() {
        Some(sha256) => found.sha256 == sha256,
        None => package.md5().is_some_and(|md5| found.md5 == md5),
    };
    if found.size != size || !is_same {
        return Ok(Err("its file in the pool is damaged"));
    }
    Ok(Ok(loaded.content))
}
