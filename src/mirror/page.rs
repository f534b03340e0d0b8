//! The page of the destination: the parts of the suites that were copied, and a page that shows them.

use std::collections::BTreeSet;

use super::{report::SyncedSuite, run::Run};
use crate::{
    commit::backoff::until_won,
    digest::{Digests, Sha256Digest},
    dists::layout::{INDEX_PAGE, page_path},
    site::{
        ClientSuite,
        page::{Page, PageSuite},
        parts::Manifest,
    },
    suite::{
        archive::Archive, damage, error::Error, event::Event, limits, published::PublishedSuite, trust::Trust,
    },
};

/// How often the page is read again after a concurrent publish.
const TRIES: u32 = 10;

impl Run<'_> {
    /// Brings the page of the destination up to date with the copied suites, if the archive has a page.
    pub(super) async fn page(&mut self) -> Result<(), Error> {
        let changed: Vec<_> =
            self.synced.suites.iter().filter(|suite| suite.is_described_anew()).cloned().collect();
        if self.how.dry_run || changed.is_empty() {
            return Ok(());
        }
        let read = self.archive.store.read(INDEX_PAGE, limits::PAGE).await;
        let read = damage::unless_damaged(&self.archive.store, read);
        let Some(source) = self.archive.store.unless_refused(read)? else { return Ok(()) };
        if !Page::is_ours(&source.bytes) {
            return Ok(());
        }
        let source = Page::parse(&source.bytes);
        let there = Archive { store: self.destination.clone(), trust: Trust::unverified() };
        match until_won(TRIES, || self.try_page(&source, &there, &changed)).await? {
            Written::Foreign => {
                let text = format!(
                    "`{INDEX_PAGE}` at the destination was not written by publish and is left as it is"
                );
                (self.how.events)(Event::Warning(text));
            }
            Written::Bytes(bytes) => {
                self.copier.wrote(INDEX_PAGE, bytes);
                self.synced.changed.push(INDEX_PAGE.to_owned());
            }
        }
        Ok(())
    }

    async fn try_page(
        &self,
        source: &Page,
        there: &Archive,
        changed: &[SyncedSuite],
    ) -> Result<Written, Error> {
        let read = self.destination.read(INDEX_PAGE, limits::PAGE).await;
        let old = damage::unless_damaged(self.destination, read)?;
        if old.as_ref().is_some_and(|old| !Page::is_ours(&old.bytes)) {
            return Ok(Written::Foreign);
        }
        let mut page = old.as_ref().map(|old| Page::parse(&old.bytes)).unwrap_or_default();
        for suite in changed {
            let name = suite.suite.as_str();
            let published =
                PublishedSuite::look(self.destination, &suite.suite, &Trust::unverified()).await?;
            let digest = published.pointer().map(|pointer| Sha256Digest::of(&pointer.bytes).to_string());
            // A page that is behind is brought up to date by the next command at the source.
            let Some(shown) = source.suites.get(name).filter(|shown| digest.as_ref() == Some(&shown.of))
            else {
                continue;
            };
            let mut shown = shown.clone();
            if let Some(pointer) = published.pointer() {
                let carried = published.carried().await?;
                // The parts of the source also list the packages that are left out.
                if carried.subset().is_whole() {
                    self.copy_parts(there, &shown, page.suites.get(name)).await?;
                } else {
                    shown = there.parts_of(&published, shown).await?;
                }
                let client = ClientSuite::of_part(&suite.suite, &pointer.release, pointer.signed, &carried);
                shown = shown.with_carried(&client);
            }
            page.suites.insert(name.to_owned(), shown);
        }
        let url = self.how.site.public_url.clone();
        page = Page { url: url.or(page.url), name: source.name.clone(), keys: source.keys.clone(), ..page };
        there.put_page(&page, old).await?;
        Ok(Written::Bytes(page.render().len() as u64))
    }

    /// Copies the parts that the page of the destination does not have yet.
    async fn copy_parts(
        &self,
        there: &Archive,
        new: &PageSuite,
        old: Option<&PageSuite>,
    ) -> Result<(), Error> {
        let source = Archive { store: self.archive.store.clone(), trust: Trust::unverified() };
        let Some(manifest) = source.read_part::<Manifest>(&new.manifest).await? else { return Ok(()) };
        let known: BTreeSet<Sha256Digest> = match old {
            Some(old) => {
                there.read_part::<Manifest>(&old.manifest).await?.unwrap_or_default().digests().collect()
            }
            None => BTreeSet::new(),
        };
        let of_list = new.manifest.parse().ok();
        for digest in manifest.digests().filter(|digest| !known.contains(digest)).chain(of_list) {
            let path = page_path(&digest.to_string());
            let Some(part) = source.store.read(&path, limits::PAGE).await? else { continue };
            if Digests::of(&part.bytes).sha256 == digest {
                self.copier.wrote(&path, part.bytes.len() as u64);
                there.put_part(&path, part.bytes, false).await?;
            }
        }
        Ok(())
    }
}

/// The result of a write of the page.
enum Written {
    /// Another page is there, which is left alone.
    Foreign,
    /// Its size.
    Bytes(u64),
}
