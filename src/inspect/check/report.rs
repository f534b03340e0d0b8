//! The report of a check: each suite, and every fault.

use crate::{digest::Digests, dists::release::Listed, names::Suite, signing::SignatureReport};

/// The findings of a check.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The suites that were checked.
    pub suites: Vec<Suite>,
    /// A report for each of them.
    pub states: Vec<SuiteReport>,
    /// The number of packages, each counted once per suite.
    pub packages: usize,
    /// The number of files that were read or requested, and compared.
    pub files: usize,
    /// All faults.
    pub faults: Vec<Fault>,
    /// The operations that mend some of them; on the web, those of its publisher.
    pub remedies: Vec<Remedy>,
    /// Remarks that are no fault for any client.
    pub notes: Vec<String>,
    /// Whether no key was given and signatures were verified with the keys of the archive itself.
    pub own_keys: bool,
}

/// The report of a suite.
#[derive(Debug)]
#[non_exhaustive]
pub struct SuiteReport {
    /// Its name.
    pub suite: Suite,
    /// The file that clients read first, if any.
    pub pointer: Option<String>,
    /// Its `Date`.
    pub date: Option<String>,
    /// Its `Valid-Until`; clients accept it for ever if there is none.
    pub valid_until: Option<String>,
    /// Whether it has a signature.
    pub signed: bool,
    /// The signatures that could be verified, with the verdict of each client.
    pub signed_by: Vec<SignatureReport>,
    /// The number of files that it lists, each counted in every form.
    pub indices: usize,
    /// The number of its packages.
    pub packages: usize,
    /// The number of pool files that it names.
    pub pool_files: usize,
    /// `Cache-Control` of the pointer, on the web.
    pub cache_control: Option<String>,
    /// How long caches may keep the pointer, if the web server sets it.
    pub cacheable_seconds: Option<u64>,
    /// How long a cache has kept the pointer, if it reports it.
    pub age_seconds: Option<u64>,
    /// The comparison with the origin, if one was given.
    pub freshness: Option<Freshness>,
}

impl SuiteReport {
    pub(super) fn of(suite: &Suite) -> Self {
        Self {
            suite: suite.clone(),
            pointer: None,
            date: None,
            valid_until: None,
            signed: false,
            signed_by: Vec::new(),
            indices: 0,
            packages: 0,
            pool_files: 0,
            cache_control: None,
            cacheable_seconds: None,
            age_seconds: None,
            freshness: None,
        }
    }
}

/// A fault of an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Fault {
    /// The file.
    pub path: String,
    /// The problem, and its effect on clients.
    pub problem: String,
}

/// An operation that mends a fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Remedy {
    /// [`Archive::repair`](crate::archive::Archive::repair): what has a copy, or is made from the release files.
    Repair,
    /// An [export](crate::archive::SuiteEdit::exporting) of this suite: its indices that are made from the packages, and
    /// patches, which it does without.
    Export(Suite),
    /// After a look at both: a [refresh](crate::archive::Archive::refresh) of this suite that trusts the file without a
    /// signature.
    Sign(Suite),
    /// To finish the removal of this suite, if no other process is at it.
    Drop(Suite),
}

/// The state of an edge relative to its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FreshnessState {
    /// It shows the same generation as the origin.
    Fresh,
    /// It shows an earlier one.
    Behind,
    /// It shows a later one.
    Ahead,
    /// It shows one that the origin does not have.
    Diverged,
}

/// Compares a suite at an edge with the same suite at its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Freshness {
    /// The result.
    pub state: FreshnessState,
    /// The `Date` of the origin's generation.
    pub origin_date: Option<String>,
    /// How long the origin has had it, if the edge shows another one.
    pub behind_seconds: Option<u64>,
    /// How long the edge may show another one.
    pub allowed_seconds: u64,
}

pub(super) fn differs(listed: &Listed, found: &Digests) -> String {
    let (size, sha256) = (listed.size, listed.sha256);
    if let Some(md5) = listed.md5.filter(|_| (size, sha256) == (found.size, found.sha256)) {
        return format!("listed is MD5 {md5}, found MD5 {}; size and SHA256 are as listed", found.md5);
    }
    format!(
        "listed are {size} bytes with SHA256 {sha256}, found {} bytes with SHA256 {}",
        found.size, found.sha256
    )
}
