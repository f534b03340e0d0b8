//! Files that a suite lists only indirectly: its release file lists a `SHA256SUMS`, which names the images of the
//! installer. They are part of the suite, although apt never reads them.

use std::collections::BTreeMap;

use super::{error::Error, published::PublishedSuite};
use crate::{
    digest::Sha256Digest,
    dists::{checksums, release::Listed, subset::Carried},
};

/// Images by their path in the archive.
pub(crate) type Images = BTreeMap<String, Image>;

/// A file that a list of images names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) sha256: Sha256Digest,
    /// The path of the list in the archive.
    pub(crate) list: String,
}

/// Returns the carried lists of images of a suite, by their path below it.
pub(crate) fn lists<'a>(
    suite: &'a PublishedSuite,
    carried: &'a Carried,
) -> impl Iterator<Item = (&'a String, &'a Listed)> {
    suite.carried_files(carried).filter(|(path, _)| checksums::is_list(path))
}

/// Reads a list of images; one that is listed but missing names none.
///
/// # Errors
/// [`Error::Mismatch`] or [`Error::Longer`] if it is not the listed file.
pub(crate) async fn of_list(
    suite: &PublishedSuite,
    (path, listed): (&String, &Listed),
) -> Result<Images, Error> {
    let Some((_, bytes)) = suite.listed_file(path, listed).await? else { return Ok(Images::new()) };
    let is_listed = |path: &str| suite.release().is_some_and(|release| release.files().contains_key(path));
    let files = checksums::parse(path, &bytes).into_iter().filter(|(file, _)| !is_listed(file));
    Ok(files.map(|(file, sha256)| (suite.path(&file), Image { sha256, list: suite.path(path) })).collect())
}

/// Reads all lists of images of a suite.
pub(crate) async fn all(suite: &PublishedSuite, carried: &Carried) -> Result<Images, Error> {
    let mut found = Images::new();
    for list in lists(suite, carried) {
        found.extend(of_list(suite, list).await?);
    }
    Ok(found)
}
