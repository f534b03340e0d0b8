//! What a check reports: of each suite, and every fault.

use crate::{digest::Digests, dists::release::Listed, names::Suite, signing::SignatureReport};

/// What a check of an archive found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The suites that were looked at.
    pub suites: Vec<Suite>,
    /// What was seen of each.
    pub states: Vec<SuiteReport>,
    /// How many packages they hold, each counted once for a suite.
    pub packages: usize,
    /// How many files were read, or asked for, and compared.
    pub files: usize,
    /// All that is wrong.
    pub faults: Vec<Fault>,
    /// What a user should know, though no client fails.
    pub notes: Vec<String>,
    /// Whether no key was given, so that signatures were checked with the keys of the archive itself.
    pub own_keys: bool,
}

/// What was seen of a suite.
#[derive(Debug)]
#[non_exhaustive]
pub struct SuiteReport {
    /// Its name.
    pub suite: Suite,
    /// The file that clients read first; nothing where there is none.
    pub pointer: Option<String>,
    /// When this state was made.
    pub date: Option<String>,
    /// How long clients accept it; nothing for ever.
    pub valid_until: Option<String>,
    /// Whether there is a signature.
    pub signed: bool,
    /// The signatures that could be checked, and what clients make of each.
    pub signed_by: Vec<SignatureReport>,
    /// How many files it lists, each counted in every form.
    pub indices: usize,
    /// How many packages it holds.
    pub packages: usize,
    /// How many files in the pool it names.
    pub pool_files: usize,
    /// `Cache-Control` of the pointer, on the web.
    pub cache_control: Option<String>,
    /// How long caches may keep the pointer, where the web server says that.
    pub cacheable_seconds: Option<u64>,
    /// How long a cache has kept the pointer already, where it says that.
    pub age_seconds: Option<u64>,
    /// How it stands to the origin that was given.
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

/// Something that is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Fault {
    /// The file.
    pub path: String,
    /// What is wrong with it, and who suffers.
    pub problem: String,
}

/// How an edge stands to its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FreshnessState {
    /// It shows the state that the origin has.
    Fresh,
    /// It shows an earlier one.
    Behind,
    /// It shows a later one.
    Ahead,
    /// It shows one that the origin has not.
    Strange,
}

/// How a suite at an edge stands to the same at its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Freshness {
    /// In a word.
    pub standing: FreshnessState,
    /// The `Date` of the state that the origin has.
    pub origin_date: Option<String>,
    /// For how long the origin has had it, where the edge shows another.
    pub behind_seconds: Option<u64>,
    /// For how long the edge may show another one.
    pub allowed_seconds: u64,
}

pub(super) fn differs(listed: &Listed, found: &Digests) -> String {
    let (size, sha256) = (listed.size, listed.sha256);
    format!(
        "listed are {size} bytes with SHA256 {sha256}, found {} bytes with SHA256 {}",
        found.size, found.sha256
    )
}
