//! The images of the installer to copy: those that the lists of the source name and the lists of the destination do not.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::copy::{Transfer, WriteMode};
use crate::{
    dists::subset::Carried,
    store::Store,
    suite::{
        error::Error,
        images::{self, Image, Images},
        published::PublishedSuite,
        references::Expected,
    },
};

/// How many files are looked up concurrently.
const AT_ONCE: usize = 16;

/// Returns the copies of images that exist at the source. A list has no sizes, so the source is asked.
pub(super) async fn transfers(source: &Store, images: Images) -> Result<Vec<Transfer>, Error> {
    let looks = stream::iter(images).map(|(path, Image { sha256, .. })| async move {
        let Some(size) = source.size(&path).await? else { return Ok::<_, Error>(None) };
        let expected = Expected { size, sha256: Some(sha256), md5: None };
        let (to, from) = (path.clone(), vec![path]);
        Ok(Some(Transfer { to, from, expected, how: WriteMode::Image, optional: true }))
    });
    let found: Vec<Option<Transfer>> = looks.buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The two sides of a suite, and whether its last sync has finished.
pub(super) struct Sides<'a> {
    pub(super) source: &'a PublishedSuite,
    pub(super) there: &'a PublishedSuite,
    pub(super) carried: &'a Carried,
    pub(super) carried_there: &'a Carried,
    pub(super) finished: bool,
}

/// The images to copy.
#[derive(Default)]
pub(super) struct Missing {
    /// Those of new paths, to be written before the pointer.
    pub(super) new: Vec<Transfer>,
    /// Those whose paths the destination lists with other bytes, to be written after the pointer.
    pub(super) changed: Vec<Transfer>,
}

/// Returns the images that the lists of the destination do not name with the same bytes.
pub(super) async fn missing(sides: &Sides<'_>, stores: (&Store, &Store)) -> Result<Missing, Error> {
    let (source_store, destination) = stores;
    let there =
        |path: &String| sides.there.release()?.files().get(path).filter(|_| sides.carried_there.holds(path));
    let mut needed = Images::new();
    for (path, listed) in images::lists(sides.source, sides.carried) {
        let is_same = there(path).is_some_and(|there| there.sha256 == listed.sha256);
        if !is_same || !sides.finished {
            needed.extend(images::of_list(sides.source, (path, listed)).await?);
        }
    }
    if needed.is_empty() {
        return Ok(Missing::default());
    }
    let known = match images::all(sides.there, sides.carried_there).await {
        Err(Error::Store(error)) => return Err(error.into()),
        // A list that cannot be read there proves nothing.
        known => known.unwrap_or_default(),
    };
    let same: BTreeMap<String, bool> = needed
        .iter()
        .filter_map(|(path, image)| Some((path.clone(), known.get(path)?.sha256 == image.sha256)))
        .collect();
    if sides.finished {
        needed.retain(|path, _| !same.get(path).copied().unwrap_or_default());
    }
    let mut missing = Missing::default();
    for image in transfers(source_store, needed).await? {
        match same.get(&image.to) {
            None => missing.new.push(image),
            Some(true) if destination.size(&image.to).await? == Some(image.expected.size) => {}
            Some(_) => missing.changed.push(image),
        }
    }
    Ok(missing)
}
