//! Records on this machine of earlier runs with a source on the web: with nothing new, a run costs one request to it.
//!
//! The release file of the source is always asked for and verified. The rest (the public keys, the other forms of the release
//! file, the page, the record of a mirror of a part) hardly changes without it, and is compared once a day.

use std::time::Duration;

use super::{report::SyncedSuite, run::Run};
use crate::{
    digest::Sha256Digest,
    dists::PackagesKey,
    names::Suite,
    store::{Cache, Location},
    suite::error::Error,
};

/// The name of the local record of release files with which everything was copied.
const COPIED: &str = "copied";
/// The name of the local record of sources that have all of a suite.
const WHOLE: &str = "whole";
/// A record is not believed longer.
const VALID: Duration = Duration::from_secs(24 * 60 * 60);

impl Run<'_> {
    /// The cache, if the source is on the web, and the run looks for nothing but new generations.
    fn records(&self) -> Option<&Cache> {
        let how = self.how;
        let compares = how.verify || how.delete.is_some() || !how.include.is_empty();
        let is_web = matches!(self.archive.store.location(), Location::Web(_));
        self.archive.store.cache().filter(|_| is_web && !compares)
    }

    fn subject(&self, suite: &Suite) -> String {
        let (source, destination) = (self.archive.store.location(), self.destination.location());
        format!("{source} {destination} {suite} {:?}", self.how.subset)
    }

    /// Whether both sides have the release files with which an earlier run has copied everything.
    pub(super) async fn is_unchanged(&mut self) -> Result<bool, Error> {
        let Some(cache) = self.records().cloned() else { return Ok(false) };
        let mut suites = Vec::new();
        for suite in self.how.suites {
            let Some(source) = self.opened.get(suite) else { return Ok(false) };
            let Some((pointer, release)) = source.pointer().zip(source.release()) else { return Ok(false) };
            let recorded = cache.recall(COPIED, &self.subject(suite)).filter(|(_, age)| *age < VALID);
            if recorded.is_none_or(|(digest, _)| digest != Sha256Digest::of(&pointer.bytes).to_string()) {
                return Ok(false);
            }
            let there = self.open_destination(suite).await?;
            let is_same = |there: &crate::suite::published::Pointer| {
                there.form == pointer.form && there.bytes == pointer.bytes
            };
            if !there.pointer().is_some_and(is_same) {
                return Ok(false);
            }
            let carried = self.how.subset.of(release);
            let is_of_sources = |key: &PackagesKey| key.is_of_sources() && carried.holds(&key.path());
            suites.push(SyncedSuite {
                suite: suite.clone(),
                published: false,
                part_changes: false,
                first: false,
                components: carried.components(release),
                architectures: carried.subset().architectures.clone(),
                signed: pointer.signed,
                verified: !pointer.signers.is_empty(),
                has_other_name: release.field("Codename").is_some_and(|codename| codename != suite.as_str()),
                has_sources: source.edited_keys().iter().any(is_of_sources),
                names: Vec::new(),
            });
        }
        self.synced.suites = suites;
        Ok(true)
    }

    /// Records that everything was copied.
    pub(super) fn record_unchanged(&self) {
        if let Some(cache) = self.records().filter(|_| self.has_no_errors() && self.synced.missing.is_empty())
        {
            for (suite, digest) in &self.finished {
                cache.remember(COPIED, &self.subject(suite), digest);
            }
        }
    }

    /// Whether an earlier run has found that the source has all of a suite.
    pub(super) fn is_known_as_whole(&self, suite: &Suite) -> bool {
        let subject = format!("{} {suite}", self.archive.store.location());
        let known = self.records().and_then(|cache| cache.recall(WHOLE, &subject));
        known.is_some_and(|(_, age)| age < VALID)
    }

    /// Records that the source has all of a suite.
    pub(super) fn record_as_whole(&self, suite: &Suite) {
        if let Some(cache) = self.records() {
            cache.remember(WHOLE, &format!("{} {suite}", self.archive.store.location()), "");
        }
    }
}
