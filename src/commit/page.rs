//! The archive's page: a derived output of each commit, in proportion to its change.
//!
//! `index.html` records which release file its data of a suite was made from. If that is the base of a commit, the parts
//! with the changed packages are edited; otherwise, as after a crash or a race, all parts are made from the published
//! indices. Parts are immutable and written first; the page is then replaced by a conditional write.

use std::{collections::BTreeSet, time::SystemTime};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::de::DeserializeOwned;

use super::backoff::until_won;
use crate::{
    digest::{Digests, Sha256Digest},
    dists::{
        IndexKey, Release,
        layout::{INDEX_PAGE, page_path, plain_path},
    },
    names::Suite,
    operations::listing::Listing,
    signing::Keyring,
    site::{
        ClientSuite, Site,
        page::{Page, PageKey, PageSuite},
        parts::{self, Change, Found, Manifest, Package, Part, Row},
    },
    store::{self, Content, Object, Put, blocking},
    suite::{
        archive::{Archive, KEY_FILE},
        damage,
        error::Error,
        limits,
        published::PublishedSuite,
        snapshots::{own_name, snapshot_of},
        trust::Trust,
    },
};

/// The number of tries to write the page against concurrent writers.
const TRIES: u32 = 50;
/// The number of parts that are written concurrently.
const AT_ONCE: usize = 16;
/// With more changed names, making all parts anew is as fast.
const FEW: usize = 500;

/// A suite to show on the page.
#[non_exhaustive]
pub struct PageUpdate<'a> {
    /// The suite.
    pub suite: &'a Suite,
    /// Whether it is shown (`WebPage`); `None` updates it where it is shown.
    pub web_page: Option<bool>,
    /// The URL and the name of the archive.
    pub site: &'a Site,
    /// The time, for the expiry of keys.
    pub now: SystemTime,
    /// Read all parts, and write those again that are lost or damaged.
    pub verify: bool,
    pub(crate) edit: Option<PageEdit<'a>>,
}

/// A commit, as far as the page shows it.
pub(crate) struct PageEdit<'a> {
    base: Option<String>,
    suite: PageSuite,
    /// The indices that differ from those of the base.
    indices: BTreeSet<String>,
    listings: &'a [Listing],
}

/// The result of a write of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageWritten {
    /// The page was up to date, or there is none to write.
    Not,
    /// It was written.
    Written,
    /// Another page is there, which is left alone.
    Foreign,
}

impl<'a> PageUpdate<'a> {
    /// Brings the page up to date with a suite as it is published.
    #[must_use]
    pub fn new(suite: &'a Suite, web_page: Option<bool>, clients: &'a Site, now: SystemTime) -> Self {
        Self { suite, web_page, site: clients, now, verify: false, edit: None }
    }
}

impl<'a> PageEdit<'a> {
    /// The same commit with its changes, index by index.
    pub(crate) fn with_listings(self, listings: &'a [Listing]) -> Self {
        Self { listings, ..self }
    }

    /// A commit on this base.
    pub(crate) fn of(base: &PublishedSuite, release: &Release, pointer: &[u8], signed: bool) -> Self {
        let old = base.release();
        let changed = |(path, listed): &(&String, &crate::dists::release::Listed)| {
            old.is_none_or(|old| old.files().get(*path) != Some(listed))
        };
        let gone = |path: &&String| !release.files().contains_key(*path);
        let is_index = |path: &&str| IndexKey::parse(path).has_entries();
        let new = release.own_files().filter(changed).map(|(path, _)| plain_path(path));
        let gone =
            old.into_iter().flat_map(|old| old.files().keys()).filter(gone).map(|path| plain_path(path));
        let indices = new.chain(gone).filter(is_index).map(ToOwned::to_owned).collect();
        Self {
            base: base.pointer().map(|pointer| Sha256Digest::of(&pointer.bytes).to_string()),
            suite: PageSuite::of(release, Sha256Digest::of(pointer).to_string(), signed),
            indices,
            listings: &[],
        }
    }

    /// Whether the listings say how every changed index changed.
    fn is_complete(&self) -> bool {
        let known: BTreeSet<String> = self.listings.iter().map(|listing| listing.index.path()).collect();
        self.indices.is_subset(&known)
    }
}

impl Archive {
    /// Writes the page, if it is not up to date with a suite.
    ///
    /// # Errors
    /// [`store::Error::Conflict`] if other publishers won every race.
    pub async fn write_page(&self, update: &PageUpdate<'_>) -> Result<PageWritten, Error> {
        until_won(TRIES, || self.try_page(update)).await
    }

    async fn try_page(&self, update: &PageUpdate<'_>) -> Result<PageWritten, Error> {
        let foreign = if update.web_page == Some(true) { PageWritten::Foreign } else { PageWritten::Not };
        let there = match self.store.read(INDEX_PAGE, limits::PAGE).await {
            // A job that may not read the root of a bucket must be able to publish.
            Err(error) if update.web_page.is_none() && error.is_refusal() => return Ok(PageWritten::Not),
            // A page of ours is much smaller, and a file.
            Err(error) if damage::is_damaged_object(&self.store, &error) => return Ok(foreign),
            read => read?,
        };
        let mut page = match &there {
            None if update.web_page != Some(true) => return Ok(PageWritten::Not),
            None => Page::default(),
            Some(there) if !Page::is_ours(&there.bytes) => return Ok(foreign),
            Some(there) => Page::parse(&there.bytes),
        };
        let mut any = false;
        let shown = snapshot_of(update.suite).unwrap_or_else(|| update.suite.clone());
        if update.web_page != Some(true) && !page.suites.contains_key(shown.as_str()) {
            return Ok(PageWritten::Not);
        }
        if shown != *update.suite {
            self.note_snapshot(&mut page, &shown, update.suite).await?;
        } else if update.web_page == Some(false) {
            page.suites.remove(shown.as_str());
        } else {
            any = self.show_suite(&mut page, update).await?;
        }
        if let Some((url, name)) = update.site.named() {
            (page.url, page.name) = (Some(url.to_owned()), name);
        } else if let Some(name) = &update.site.name {
            page.name.clone_from(name);
        }
        page.keys = self.page_keys(update.now).await?;
        match self.put_page(&page, there).await? {
            PageWritten::Not if any => Ok(PageWritten::Written),
            written => Ok(written),
        }
    }

    /// Replaces the page, unless it is the same; a page without a suite is deleted.
    pub(crate) async fn put_page(&self, page: &Page, there: Option<Object>) -> Result<PageWritten, Error> {
        let text = Bytes::from(page.render());
        match there {
            Some(there) if page.suites.is_empty() => {
                self.store.delete_revision(INDEX_PAGE, &there.revision).await?;
            }
            None if page.suites.is_empty() => return Ok(PageWritten::Not),
            Some(there) if there.bytes == text => return Ok(PageWritten::Not),
            there => self.store.swap(INDEX_PAGE, text, there.as_ref().map(|there| &there.revision)).await?,
        }
        Ok(PageWritten::Written)
    }

    /// Adds or removes a snapshot of a suite.
    async fn note_snapshot(&self, page: &mut Page, of: &Suite, snapshot: &Suite) -> Result<(), Error> {
        let Some(suite) = page.suites.get_mut(of.as_str()) else { return Ok(()) };
        let name = own_name(snapshot).to_owned();
        suite.snapshots.retain(|other| *other != name);
        let published = PublishedSuite::look(&self.store, snapshot, &Trust::unverified()).await?;
        if published.pointer().is_some() {
            suite.snapshots.push(name);
            suite.snapshots.sort_unstable();
        }
        Ok(())
    }

    /// Puts a suite on the page as it is published. Returns whether a lost part was written.
    async fn show_suite(&self, page: &mut Page, update: &PageUpdate<'_>) -> Result<bool, Error> {
        let name = update.suite.as_str();
        let old = page.suites.get(name).cloned().unwrap_or_default();
        if let Some(edit) = update.edit.as_ref().filter(|_| !update.verify)
            && edit.base.as_deref() == Some(&old.of)
            && edit.is_complete()
            && let Some(Written { manifest, packages, .. }) =
                self.edit_parts(&old.manifest, edit.listings).await?
        {
            let snapshots = old.snapshots;
            page.suites.insert(name.to_owned(), edit.suite.clone().with_parts(manifest, packages, snapshots));
            return Ok(false);
        }
        let published = PublishedSuite::look(&self.store, update.suite, &Trust::unverified()).await?;
        let Some(pointer) = published.pointer() else {
            page.suites.remove(name);
            return Ok(false);
        };
        let digest = Sha256Digest::of(&pointer.bytes).to_string();
        // Another publisher has shown it already.
        if digest == old.of && !update.verify {
            return Ok(false);
        }
        let Written { manifest, packages, any } = self.build_parts(&published, update.verify).await?;
        let carried = published.carried().await?;
        let client = ClientSuite::of_part(update.suite, &pointer.release, pointer.signed, &carried);
        let suite = PageSuite::of(&pointer.release, digest, pointer.signed).with_carried(&client);
        let names = self.snapshots(update.suite).await.unwrap_or_default();
        let snapshots = names.iter().map(|one| own_name(one.name()).to_owned()).collect();
        page.suites.insert(name.to_owned(), suite.with_parts(manifest, packages, snapshots));
        Ok(any)
    }

    async fn page_keys(&self, now: SystemTime) -> Result<Vec<PageKey>, Error> {
        let read = damage::unless_damaged(&self.store, self.store.read(KEY_FILE, limits::KEYS).await)?;
        let mut keys = Keyring::new();
        // A file that does not parse holds no key.
        let _ = read.map(|file| keys.add_bytes(KEY_FILE, &file.bytes));
        Ok(keys.reports(now).iter().map(PageKey::from).collect())
    }

    /// Makes all parts of a suite from its indices, and shows them.
    pub(crate) async fn parts_of(
        &self,
        published: &PublishedSuite,
        shown: PageSuite,
    ) -> Result<PageSuite, Error> {
        let Written { manifest, packages, .. } = self.build_parts(published, false).await?;
        let snapshots = shown.snapshots.clone();
        Ok(shown.with_parts(manifest, packages, snapshots))
    }

    /// Makes all parts of a suite from its indices. Returns the digest of the list of them, and the number of names.
    async fn build_parts(&self, published: &PublishedSuite, verify: bool) -> Result<Written, Error> {
        let mut indices = Vec::new();
        for key in published.index_keys().into_iter().filter(IndexKey::has_entries) {
            let entries = published.carried_entries(&key).await?;
            indices.push((key, entries));
        }
        let (manifest, files) = blocking(move || {
            let rows = parts::rows(&indices);
            let search = parts::cut(parts::found(&rows));
            let packages = parts::cut(rows);
            let files = [packages.files, search.files].concat();
            (Manifest { packages: packages.parts, search: search.parts }, files)
        })
        .await;
        self.put_parts(manifest, files, verify).await
    }

    /// Edits the parts that have the changed packages; `None` if they cannot be edited.
    async fn edit_parts(&self, manifest: &str, listings: &[Listing]) -> Result<Option<Written>, Error> {
        let names: BTreeSet<&str> = listings.iter().map(|listing| &*listing.entry.name).collect();
        let read = self.read_part::<Manifest>(manifest).await?;
        let Some(mut manifest) = read.filter(|_| names.len() <= FEW) else { return Ok(None) };
        let changes: Vec<Change<'_>> = listings
            .iter()
            .map(|Listing { index, entry, is_new, .. }| Change { index, entry, is_new: *is_new })
            .collect();
        let (mut files, mut found) = (Vec::new(), Vec::new());
        for range in parts::affected::<Package>(&manifest.packages, &names).into_iter().rev() {
            let Some(mut rows) = self.read_rows::<Package>(&manifest.packages[range.clone()]).await? else {
                return Ok(None);
            };
            let is_own = |change: &&Change<'_>| parts::is_in(&manifest.packages, &range, &change.entry.name);
            let own: Vec<Change<'_>> = changes.iter().filter(is_own).cloned().collect();
            parts::apply(&mut rows, &own);
            found.extend(parts::found(&rows).into_iter().filter(|row| names.contains(&*row.0)));
            let new = parts::cut(rows);
            manifest.packages.splice(range, new.parts);
            files.extend(new.files);
        }
        for range in parts::affected::<Found>(&manifest.search, &names).into_iter().rev() {
            let Some(mut rows) = self.read_rows::<Found>(&manifest.search[range.clone()]).await? else {
                return Ok(None);
            };
            rows.retain(|row| !names.contains(&*row.0));
            rows.extend(found.iter().filter(|row| parts::is_in(&manifest.search, &range, &row.0)).cloned());
            rows.sort_by(|one, other| one.0.cmp(&other.0));
            let new = parts::cut(rows);
            manifest.search.splice(range, new.parts);
            files.extend(new.files);
        }
        self.put_parts(manifest, files, false).await.map(Some)
    }

    async fn read_rows<R: Row>(&self, parts: &[Part]) -> Result<Option<Vec<R>>, Error> {
        let mut rows = Vec::new();
        for part in parts {
            let Some(part) = self.read_part::<Vec<R>>(&part.1).await? else { return Ok(None) };
            rows.extend(part);
        }
        Ok(Some(rows))
    }

    /// Reads a part; `None` if it is lost or damaged.
    pub(crate) async fn read_part<T: DeserializeOwned>(&self, digest: &str) -> Result<Option<T>, Error> {
        let Ok(sha256) = digest.parse::<Sha256Digest>() else { return Ok(None) };
        if let Some(bytes) = self.store.known(sha256).await {
            return Ok(parts::unpack(digest, &bytes));
        }
        let read = self.store.read(&page_path(digest), limits::PAGE).await;
        let Some(object) = damage::unless_damaged(&self.store, read)? else { return Ok(None) };
        let part = parts::unpack(digest, &object.bytes);
        if part.is_some() {
            self.store.keep(sha256, &object.bytes).await;
        }
        Ok(part)
    }

    /// Writes parts, and then the list of them.
    async fn put_parts(
        &self,
        manifest: Manifest,
        files: Vec<(String, Bytes)>,
        verify: bool,
    ) -> Result<Written, Error> {
        let names = manifest.names();
        let (digest, path, bytes) = parts::pack(&manifest);
        let writes =
            files.into_iter().map(|(path, bytes)| async move { self.put_part(&path, bytes, verify).await });
        let writes = stream::iter(writes).buffer_unordered(AT_ONCE).try_collect::<Vec<bool>>();
        let mut written = writes.await?;
        written.push(self.put_part(&path, bytes.clone(), verify).await?);
        if let Ok(sha256) = digest.parse() {
            self.store.keep(sha256, &bytes).await;
        }
        Ok(Written { manifest: digest, packages: names, any: written.contains(&true) })
    }

    pub(crate) async fn put_part(&self, path: &str, bytes: Bytes, verify: bool) -> Result<bool, Error> {
        if verify && damage::holds(&self.store, path, &bytes).await? {
            return Ok(false);
        }
        let digests = Digests::of(&bytes);
        let content = Content::Bytes(bytes, digests);
        match self.store.put_new(path, &content).await {
            // Left over from a crash: the name is that of these bytes.
            Err(store::Error::Occupied { .. }) => self.store.renew(path, &content).await?,
            put => return Ok(put? == Put::Created),
        }
        Ok(true)
    }
}

/// The parts of a suite in the store.
struct Written {
    /// The digest of the list of parts.
    manifest: String,
    /// The number of names.
    packages: usize,
    /// Whether any of them was missing or damaged.
    any: bool,
}
