//! The output of the `key` subcommands.

use serde::Serialize;

use super::{document::Document, publication::Publication};
use crate::{
    archive::{self, Step},
    signing::{self, KeyReport, Level},
};

/// A key and the file of its secret part.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct KeyFile {
    pub(in crate::cli) fingerprint: String,
    pub(in crate::cli) file: String,
}

/// The output of `key generate`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct NewKey {
    pub(in crate::cli) fingerprint: String,
    pub(in crate::cli) file: String,
    pub(in crate::cli) name: String,
    pub(in crate::cli) expires: Option<String>,
    pub(in crate::cli) protected: bool,
    pub(in crate::cli) sign_with: String,
}

/// The output of `key show`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Keys {
    keys: Vec<Key>,
}

#[derive(Debug, Serialize)]
struct Key {
    fingerprint: String,
    user_ids: Vec<String>,
    algorithm: String,
    signing_subkey: Option<String>,
    created: String,
    expires: Option<String>,
    days_left: Option<i64>,
    revoked: Option<String>,
    verdicts: Vec<Verdict>,
}

/// The judgement of an apt on a key or a signature.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    reader: &'static str,
    when: &'static str,
    level: &'static str,
    text: String,
}

/// The output of `key export`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ExportedKeys {
    pub(in crate::cli) file: Option<String>,
    pub(in crate::cli) armored: Option<String>,
}

/// The output of `key package`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct KeyPackage {
    pub(in crate::cli) dry_run: bool,
    pub(in crate::cli) name: String,
    pub(in crate::cli) version: String,
    pub(in crate::cli) fingerprints: Vec<String>,
    pub(in crate::cli) file: Option<String>,
    pub(in crate::cli) present_in: Vec<String>,
    pub(in crate::cli) suites: Vec<Publication>,
}

/// The output of `key rotate`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Rotated {
    pub(in crate::cli) dry_run: bool,
    pub(in crate::cli) step: &'static str,
    pub(in crate::cli) rotations: Vec<Rotation>,
    pub(in crate::cli) created: Vec<KeyFile>,
    pub(in crate::cli) config_files: Vec<String>,
    pub(in crate::cli) package: Option<PackageVersion>,
    pub(in crate::cli) since: Option<String>,
    pub(in crate::cli) finish: Option<String>,
    pub(in crate::cli) suites: Vec<Publication>,
}

/// The keyring package that suites get.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct PackageVersion {
    pub(in crate::cli) name: String,
    pub(in crate::cli) version: String,
}

/// A suite whose key changes.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Rotation {
    pub(in crate::cli) suite: String,
    pub(in crate::cli) old_fingerprints: Vec<String>,
    pub(in crate::cli) new_fingerprints: Vec<String>,
}

impl From<&archive::Rotated> for Rotated {
    fn from(report: &archive::Rotated) -> Self {
        let change = |change: &archive::KeyChange| Rotation {
            suite: change.suite.to_string(),
            old_fingerprints: change.old.clone(),
            new_fingerprints: change.new.clone(),
        };
        let file = |key: &archive::NewKeyReport| {
            let file = key.file.as_ref()?.display().to_string();
            Some(KeyFile { fingerprint: key.fingerprint.clone(), file })
        };
        Self {
            dry_run: report.dry_run,
            step: match report.step {
                Step::Begun => "begun",
                Step::UnderWay => "in-progress",
                Step::Finished => "finished",
                Step::Nothing => "nothing",
            },
            rotations: report.changes.iter().map(change).collect(),
            created: report.new_keys.iter().filter_map(file).collect(),
            config_files: report.config.iter().map(|file| file.display().to_string()).collect(),
            package: report.package.as_ref().map(|(name, version, _)| PackageVersion {
                name: name.to_string(),
                version: version.to_string(),
            }),
            since: report.since.clone(),
            finish: report.finish.clone(),
            suites: report.suites.iter().map(Publication::from).collect(),
        }
    }
}

impl Document for NewKey {}
impl Document for Keys {}
impl Document for ExportedKeys {}
impl Document for KeyPackage {}
impl Document for Rotated {}

impl Keys {
    pub(in crate::cli) fn new(reports: &[KeyReport]) -> Self {
        Self { keys: reports.iter().map(Key::from).collect() }
    }
}

impl From<&KeyReport> for Key {
    fn from(report: &KeyReport) -> Self {
        Self {
            fingerprint: report.fingerprint.clone(),
            user_ids: report.user_ids.clone(),
            algorithm: report.algorithm.clone(),
            signing_subkey: report.signing_subkey.clone(),
            created: report.created.clone(),
            expires: report.expires.clone(),
            days_left: report.days_left,
            revoked: report.revoked.clone(),
            verdicts: verdicts(&report.verdicts),
        }
    }
}

/// Converts the verdict of each reader.
pub(super) fn verdicts(all: &[signing::Verdict]) -> Vec<Verdict> {
    let verdict = |verdict: &signing::Verdict| Verdict {
        reader: verdict.reader,
        when: if verdict.when == "now" { "now" } else { "in-a-year" },
        level: match verdict.level {
            Level::Ok => "ok",
            Level::Warn => "warning",
            Level::Unknown => "unknown",
            Level::Refused => "refused",
        },
        text: verdict.text.clone(),
    };
    all.iter().map(verdict).collect()
}
