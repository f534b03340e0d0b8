//! `--verify`: compares every file reachable from the suites with a listing of the destination, and sends damaged or
//! missing ones again.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;

use super::{
    copy::{Transfer, WriteMode},
    images,
    run::Run,
};
use crate::{
    dists::{index_file::by_hash_path, layout},
    names::Suite,
    store::{Limit, StoredObject, unless_larger},
    suite::{
        self,
        error::Error,
        event::Event,
        patches,
        references::{self, Expected, PoolFiles},
    },
};

impl Run<'_> {
    /// Compares the reachable files with the destination's, and sends those that differ again.
    pub(super) async fn verify(&mut self, suites: &[Suite]) -> Result<(), Error> {
        let mut wanted: BTreeMap<String, Transfer> = BTreeMap::new();
        for suite in suites {
            self.reachable(suite, &mut wanted).await?;
        }
        let folders: BTreeSet<&str> = wanted.keys().map(|path| layout::top_folder(path)).collect();
        let mut there: BTreeMap<String, StoredObject> = BTreeMap::new();
        for folder in folders {
            let mut found = self.destination.walk(folder);
            while let Some(found) = found.try_next().await? {
                there.insert(found.path.clone(), found);
            }
        }
        let (mut lost, mut by_size) = (Vec::new(), 0);
        for (path, load) in wanted {
            let same = match there.get(&path) {
                None => false,
                Some(found) => self.is_same(found, &load.expected, &mut by_size).await?,
            };
            if !same {
                lost.push(load);
            }
        }
        if by_size > 0 {
            (self.how.events)(Event::Warning(format!(
                "{by_size} objects were compared only by size: the store has no checksum of them"
            )));
        }
        if self.how.dry_run {
            self.plan_transfers(&lost);
            return Ok(());
        }
        self.copier.announce(&lost);
        self.synced.changed.extend(lost.iter().map(|load| load.to.clone()));
        self.copier.copy(&lost).await
    }

    /// Whether an object has the expected bytes; it is read if the listing does not decide.
    async fn is_same(
        &self,
        found: &StoredObject,
        expected: &Expected,
        by_size: &mut usize,
    ) -> Result<bool, Error> {
        if found.size != expected.size {
            return Ok(false);
        }
        // Some stores return the MD5 for a single object, but not in a listing.
        let md5 = match found.md5 {
            None if !self.destination.is_local() => {
                self.destination.head(&found.path).await?.and_then(|found| found.md5)
            }
            listed => listed,
        };
        match (md5, expected.md5) {
            (Some(there), Some(md5)) if there == md5 => return Ok(true),
            // Such a checksum may be something else (of an encrypted object, for example): only the bytes are proof.
            (Some(_), _) => {}
            (None, _) if self.destination.is_local() => {}
            (None, _) => {
                *by_size += 1;
                return Ok(true);
            }
        }
        let read = self.destination.digests(&found.path, Limit::bytes(expected.size)).await;
        let digests = unless_larger(read)?;
        Ok(digests.is_some_and(|digests| expected.is(&digests)))
    }

    /// Collects every file reachable from a suite of the source, by its path at the destination.
    async fn reachable(
        &mut self,
        suite: &Suite,
        wanted: &mut BTreeMap<String, Transfer>,
    ) -> Result<(), Error> {
        let source = self.open_source(suite).await?;
        let carried = self.part_of(&source).await?;
        for (path, listed) in source.carried_files(&carried) {
            let (by_hash, alias) = (source.path(&by_hash_path(path, &listed.sha256)), source.path(path));
            let from = vec![by_hash.clone(), alias.clone()];
            for (to, how) in [(by_hash, WriteMode::Renew), (alias, WriteMode::Replace)] {
                let (expected, from) = (listed.into(), from.clone());
                wanted.insert(to.clone(), Transfer { to, from, expected, how, optional: true });
            }
        }
        let images =
            images::transfers(&self.archive.store, suite::images::all(&source, &carried).await?).await?;
        wanted.extend(images.into_iter().map(|load| (load.to.clone(), load)));
        wanted.extend(
            patches::files(&source, &carried)
                .await?
                .into_iter()
                .map(|(path, expected)| (path.clone(), Transfer::of_patch(path, expected, WriteMode::Renew))),
        );
        let mut pool = PoolFiles::new();
        let keys = source.pool_index_keys();
        for key in keys.into_iter().filter(|key| carried.holds(&key.path())) {
            let plain = key.path();
            let read = source.text(&plain).await;
            if let Some(text) = self.unless_ignored(read)? {
                references::pool_files(&key, &source.path(&plain), &text, &mut pool)?;
            }
        }
        wanted.extend(pool.into_iter().map(|(path, expected)| {
            let from = vec![path.clone()];
            (
                path.clone(),
                Transfer {
                    to: path,
                    from,
                    expected,
                    how: WriteMode::Renew,
                    optional: self.how.ignore_missing,
                },
            )
        }));
        Ok(())
    }
}
