//! Reads an archive as clients would, and tells all that is missing or differs.

mod history;
mod indices;
mod pointer;
mod pool;

use std::collections::{BTreeMap, BTreeSet};

use super::{Archive, Error, Events, PublishedSuite, suite::plain_path};
use crate::{digest::Digests, dists::release::Listed, names::Suite, pool::PoolPath};

/// What a check of an archive found.
#[derive(Debug, Default, serde::Serialize)]
pub struct Report {
    /// The suites that were looked at.
    pub suites: Vec<Suite>,
    /// How many packages they hold, each counted once for a suite.
    pub packages: usize,
    /// How many files were read and compared.
    pub files: usize,
    /// All that is wrong.
    pub faults: Vec<Fault>,
    /// What a user should know, though no client fails.
    pub notes: Vec<String>,
}

/// Something that is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fault {
    /// The file.
    pub path: String,
    /// What is wrong with it, and who suffers.
    pub problem: String,
}

impl Archive {
    /// Reads the pointer, every listed index in every form, and every pool file of the suites.
    pub async fn check(&self, suites: &[Suite], events: Events<'_>) -> Result<Report, Error> {
        let mut report = Report { suites: suites.to_vec(), ..Report::default() };
        let mut pool: BTreeMap<PoolPath, Listed> = BTreeMap::new();
        for suite in suites {
            // A fault of the pointer ends the look at this suite: nothing below it can be believed.
            match self.suite(suite).await {
                Ok(published) => {
                    self.check_suite(&published, &mut pool, &mut report).await?;
                    self.check_history(&published, &pool, &mut report).await?;
                }
                Err(error @ Error::Store(_)) => return Err(error),
                Err(error) => report.fault(format!("dists/{suite}"), chain(&error)),
            }
        }
        self.check_keys(&mut report).await?;
        pool::check(&self.store, pool, &mut report, events).await?;
        report.faults.sort();
        report.faults.dedup();
        Ok(report)
    }

    async fn check_suite(
        &self,
        published: &PublishedSuite,
        pool: &mut BTreeMap<PoolPath, Listed>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let Some(pointer) = published.pointer() else { return Ok(()) };
        self.check_pointer(published, pointer, report).await?;
        let listed: BTreeSet<&str> = pointer.release.files().keys().map(|path| plain_path(path)).collect();
        let mut packages = BTreeSet::new();
        for plain in listed {
            if let Some(index) = self.check_listed(published, plain, report).await? {
                indices::check(&published.path(plain), &index, pool, &mut packages, report);
            }
        }
        report.packages += packages.len();
        Ok(())
    }
}

impl Report {
    pub(super) fn fault(&mut self, path: String, problem: impl Into<String>) {
        self.faults.push(Fault { path, problem: problem.into() });
    }
}

fn differs(listed: &Listed, found: &Digests) -> String {
    let (size, sha256) = (listed.size, listed.sha256);
    format!(
        "listed are {size} bytes with SHA256 {sha256}, found {} bytes with SHA256 {}",
        found.size, found.sha256
    )
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
