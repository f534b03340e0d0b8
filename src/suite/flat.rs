//! Archives without `dists/`: an index of all packages at the root, as dpkg-scanpackages makes it.

use std::path::Path;

use super::error::Error;
use crate::store::{self, Store};

/// The files at the root of such an archive that clients request first.
const INDICES: [&str; 5] = ["Packages", "Packages.gz", "Packages.xz", "InRelease", "Release"];
/// Those that are looked for where each costs a request.
const FEW: usize = 2;

/// Refuses to begin an archive beside one without `dists/`: its clients would not see the packages.
pub(crate) async fn refuse(store: &Store) -> Result<(), Error> {
    let names = if store.is_local() { &INDICES[..] } else { &INDICES[..FEW] };
    for name in names {
        if store.size(name).await?.is_some() {
            let location = store.location().to_string();
            return Err(Error::FlatArchive { location, index: (*name).to_owned() });
        }
    }
    Ok(())
}

/// Whether an archive has indices at its root.
pub(crate) async fn has_indices(store: &Store) -> Result<bool, store::Error> {
    for name in INDICES {
        if store.unless_refused(store.size(name).await)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a folder has no index, and so at most packages.
pub(crate) fn is_folder_of_packages(folder: &Path) -> bool {
    let is_there = |name: &&str| folder.join(name).exists();
    folder.is_dir() && !INDICES.iter().chain(&["dists"]).any(is_there)
}
