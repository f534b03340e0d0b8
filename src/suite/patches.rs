//! The patches that a generation of a suite references: those that the `Packages.diff/Index` of each index lists.

use super::{
    damage,
    error::Error,
    limits,
    published::PublishedSuite,
    references::{Expected, PoolFiles},
};
use crate::dists::{
    Release,
    layout::{patch_index_path, patch_path, patched_by, plain_path},
    patches::History,
    subset::Carried,
};

/// Returns the indices with patches, by their uncompressed paths.
pub(crate) fn patched_indices(release: &Release) -> impl Iterator<Item = &str> {
    // The plain form of a list is always listed: apt looks for it.
    release.own_files().filter_map(|(path, _)| (plain_path(path) == path).then(|| patched_by(path))?)
}

/// Reads the patches of an index; `None` if it has none, or their list is missing, damaged or invalid: clients then
/// download the whole index.
pub(crate) async fn history(published: &PublishedSuite, index: &str) -> Result<Option<History>, Error> {
    if is_too_long(published, index) {
        return Ok(None);
    }
    match published.text(&patch_index_path(index)).await {
        Ok(text) => Ok(text.and_then(|text| History::parse(&text).ok())),
        Err(Error::Missing { .. } | Error::Unpack { .. }) => Ok(None),
        Err(error) if damage::is_damage(published.store(), &error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the list of the patches of an index is longer than a publisher writes one.
pub(crate) fn is_too_long(published: &PublishedSuite, index: &str) -> bool {
    let list = patch_index_path(index);
    let files = published.release().map(Release::files);
    let forms = files.into_iter().flatten().filter(|(path, _)| plain_path(path) == list);
    forms.map(|(_, listed)| listed.size).any(|size| size > limits::PATCH_LIST)
}

/// Returns all patches of the carried indices of a generation, by their paths in the archive.
pub(crate) async fn files(published: &PublishedSuite, carried: &Carried) -> Result<PoolFiles, Error> {
    let mut files = PoolFiles::new();
    let indices = published.release().into_iter().flat_map(patched_indices);
    for index in indices.filter(|index| carried.holds(index)) {
        let Some(history) = history(published, index).await? else { continue };
        files.extend(history.patches.into_iter().map(|patch| {
            let expected = Expected { size: patch.file.size, sha256: Some(patch.file.sha256), md5: None };
            (published.path(&patch_path(index, &patch.name)), expected)
        }));
    }
    Ok(files)
}
