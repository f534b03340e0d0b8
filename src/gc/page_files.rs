//! The parts of the archive's page that it no longer uses.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;

use crate::{
    dists::layout::{ArchivePath, INDEX_PAGE, PAGE, page_path},
    site::{
        page::Page,
        parts::{self, Manifest},
    },
    store::{Store, StoredObject},
    suite::{damage, error::Error, limits},
};

/// Returns the parts that the page does not use. In doubt there are none: the page is not ours, or cannot be read.
pub(super) async fn unused(store: &Store) -> Result<Vec<StoredObject>, Error> {
    let page = damage::unless_damaged(store, store.read(INDEX_PAGE, limits::PAGE).await)?;
    let Some(page) = page.filter(|page| Page::is_ours(&page.bytes)) else { return Ok(Vec::new()) };
    let page = Page::parse(&page.bytes);
    if page.suites.is_empty() {
        return Ok(Vec::new());
    }
    let mut used = BTreeSet::new();
    for suite in page.suites.values() {
        let path = page_path(&suite.manifest);
        let read = damage::unless_damaged(store, store.read(&path, limits::PAGE).await)?;
        let manifest = read.and_then(|read| parts::unpack::<Manifest>(&suite.manifest, &read.bytes));
        let Some(manifest) = manifest else { return Ok(Vec::new()) };
        used.insert(path);
        used.extend(manifest.digests().map(|digest| page_path(&digest.to_string())));
    }
    let all: Vec<StoredObject> = store.walk(PAGE).try_collect().await?;
    let is_unused = |found: &StoredObject| {
        matches!(ArchivePath::of(&found.path), ArchivePath::PageFile(_)) && !used.contains(&found.path)
    };
    Ok(all.into_iter().filter(is_unused).collect())
}
