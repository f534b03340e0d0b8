//! `--verify`: everything that the suites lead to is compared with a listing of the destination, and what was damaged or
//! lost there is sent again.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;

use super::{
    carry::{How, Load},
    run::Run,
};
use crate::{
    dists::{Release, index_file::by_hash_path, layout},
    names::Suite,
    store::{Found, Limit, unless_larger},
    suite::{
        error::Error,
        event::Event,
        published::PublishedSuite,
        references::{self, Expected, PoolFiles},
    },
};

impl Run<'_> {
    /// Compares what the suites lead to with what the destination holds, and sends again what is not the same.
    pub(super) async fn verify(&mut self, suites: &[Suite]) -> Result<(), Error> {
        let mut wanted: BTreeMap<String, Load> = BTreeMap::new();
        for suite in suites {
            self.leads_to(suite, &mut wanted).await?;
        }
        let folders: BTreeSet<&str> = wanted.keys().map(|path| layout::top_folder(path)).collect();
        let mut there: BTreeMap<String, Found> = BTreeMap::new();
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
                "{by_size} objects were compared by their size alone: the store keeps no checksum that tells more"
            )));
        }
        if self.how.dry_run {
            self.plan_loads(&lost);
            return Ok(());
        }
        self.carrier.announce(&lost);
        self.synced.changed.extend(lost.iter().map(|load| load.to.clone()));
        self.carrier.carry(&lost).await
    }

    /// Whether an object is what it must be; one that only may be is read.
    async fn is_same(&self, found: &Found, expected: &Expected, by_size: &mut usize) -> Result<bool, Error> {
        if found.size != expected.size {
            return Ok(false);
        }
        // Some stores tell it of one object, and not in a listing.
        let md5 = match found.md5 {
            None if !self.destination.is_local() => {
                self.destination.found(&found.path).await?.and_then(|found| found.md5)
            }
            listed => listed,
        };
        match (md5, expected.md5) {
            (Some(there), Some(md5)) if there == md5 => return Ok(true),
            // Such a checksum may be another one (of an encrypted object, say): only the bytes are proof.
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

    /// Every file that a suite of the source leads to, by its path at the destination.
    async fn leads_to(&self, suite: &Suite, wanted: &mut BTreeMap<String, Load>) -> Result<(), Error> {
        let source = PublishedSuite::look(&self.archive.store, suite, &self.archive.trust).await?;
        for (path, listed) in source.release().into_iter().flat_map(Release::own_files) {
            let (by_hash, alias) = (source.path(&by_hash_path(path, &listed.sha256)), source.path(path));
            let from = vec![by_hash.clone(), alias.clone()];
            for (to, how) in [(by_hash, How::Renew), (alias, How::Replace)] {
                let (expected, from) = (listed.into(), from.clone());
                wanted.insert(to.clone(), Load { to, from, expected, how, optional: true });
            }
        }
        let mut pool = PoolFiles::new();
        for key in source.pool_index_keys() {
            let plain = key.path();
            if let Some(text) = source.text(&plain).await? {
                references::pool_files(&key, &source.path(&plain), &text, &mut pool)?;
            }
        }
        wanted.extend(pool.into_iter().map(|(path, expected)| {
            let from = vec![path.clone()];
            (path.clone(), Load { to: path, from, expected, how: How::Renew, optional: false })
        }));
        Ok(())
    }
}
