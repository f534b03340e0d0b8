//! The output of `check`.

use serde::Serialize;

use super::{
    document::Document,
    keys::{Verdict, verdicts},
};
use crate::{
    archive::{self, FreshnessState, Repaired, SuiteReport},
    signing::SignatureReport,
};

/// The result of a check.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Checked {
    suites: Vec<CheckedSuite>,
    packages: usize,
    files: usize,
    faults: Vec<Fault>,
    notes: Vec<String>,
    hints: Vec<String>,
    restored: Vec<String>,
    removed: Vec<String>,
    rolled_back: Vec<WentBack>,
    lost: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CheckedSuite {
    suite: String,
    release_file: Option<String>,
    date: Option<String>,
    valid_until: Option<String>,
    signed: bool,
    signatures: Vec<CheckedSignature>,
    indices: usize,
    packages: usize,
    pool_files: usize,
    cache_control: Option<String>,
    cacheable_seconds: Option<u64>,
    age_seconds: Option<u64>,
    freshness: Option<Freshness>,
}

#[derive(Debug, Serialize)]
struct CheckedSignature {
    fingerprint: String,
    user_ids: Vec<String>,
    known: bool,
    hash: String,
    expires: Option<String>,
    days_left: Option<i64>,
    verdicts: Vec<Verdict>,
}

#[derive(Debug, Serialize)]
struct Freshness {
    state: &'static str,
    origin_date: Option<String>,
    behind_seconds: Option<u64>,
    allowed_seconds: u64,
}

#[derive(Debug, Serialize)]
struct Fault {
    path: String,
    problem: String,
}

#[derive(Debug, Serialize)]
struct WentBack {
    suite: String,
    from: String,
    to: String,
    generation: String,
}

impl From<&archive::WentBack> for WentBack {
    fn from(went: &archive::WentBack) -> Self {
        let archive::WentBack { suite, from, to, generation, .. } = went;
        Self {
            suite: suite.to_string(),
            from: from.to_string(),
            to: to.to_string(),
            generation: generation.clone(),
        }
    }
}

impl Document for Checked {}

impl Checked {
    pub(in crate::cli) fn new(report: &archive::Report, repaired: Repaired, hints: Vec<String>) -> Self {
        let fault =
            |fault: &archive::Fault| Fault { path: fault.path.clone(), problem: fault.problem.clone() };
        let Repaired { restored, removed, rolled_back, lost, .. } = repaired;
        Self {
            suites: report.states.iter().map(CheckedSuite::from).collect(),
            packages: report.packages,
            files: report.files,
            faults: report.faults.iter().map(fault).collect(),
            notes: report.notes.clone(),
            hints,
            restored,
            removed,
            rolled_back: rolled_back.iter().map(WentBack::from).collect(),
            lost,
        }
    }
}

impl From<&SuiteReport> for CheckedSuite {
    fn from(seen: &SuiteReport) -> Self {
        Self {
            suite: seen.suite.to_string(),
            release_file: seen.pointer.clone(),
            date: seen.date.clone(),
            valid_until: seen.valid_until.clone(),
            signed: seen.signed,
            signatures: seen.signed_by.iter().map(CheckedSignature::from).collect(),
            indices: seen.indices,
            packages: seen.packages,
            pool_files: seen.pool_files,
            cache_control: seen.cache_control.clone(),
            cacheable_seconds: seen.cacheable_seconds,
            age_seconds: seen.age_seconds,
            freshness: seen.freshness.as_ref().map(Freshness::from),
        }
    }
}

impl From<&SignatureReport> for CheckedSignature {
    fn from(signature: &SignatureReport) -> Self {
        let SignatureReport { key, user_ids, known, hash, expires, days_left, verdicts: judged, .. } =
            signature.clone();
        Self { fingerprint: key, user_ids, known, hash, expires, days_left, verdicts: verdicts(&judged) }
    }
}

impl From<&archive::Freshness> for Freshness {
    fn from(freshness: &archive::Freshness) -> Self {
        Self {
            state: match freshness.state {
                FreshnessState::Fresh => "fresh",
                FreshnessState::Behind => "behind",
                FreshnessState::Ahead => "ahead",
                FreshnessState::Diverged => "diverged",
            },
            origin_date: freshness.origin_date.clone(),
            behind_seconds: freshness.behind_seconds,
            allowed_seconds: freshness.allowed_seconds,
        }
    }
}
