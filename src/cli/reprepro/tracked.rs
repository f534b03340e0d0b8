//! The files that `Tracking` keeps although no index lists them.
//!
//! The database of reprepro knows the source of each file, and is not read. So all that it may keep stays: with
//! `Tracking: keep` every file in the components of the suite, with `Tracking: all` those of each version of a source of
//! which the suite still lists a package.

use std::collections::{BTreeMap, BTreeSet};

use super::{call::Call, targets};
use crate::{cli::failure::Failure, names::Suite};

/// The files that stay.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    /// The suites with `keep`, and the folders of their components.
    keep: Vec<(Suite, Vec<String>)>,
    /// The versions of sources of which packages are listed, by the folder of their files.
    versions: BTreeMap<String, BTreeSet<String>>,
}

impl Tracked {
    /// Reads what the suites with tracking list.
    pub(super) async fn of(call: &Call<'_>) -> Result<Self, Failure> {
        let mut tracked = Self::default();
        for suite in &call.session.config.suites {
            let words = suite.tracking.as_deref().unwrap_or_default();
            let says = |word: &str| words.split_whitespace().any(|found| found == word);
            if says("keep") {
                let folders = suite.components.iter().map(|component| format!("pool/{component}/"));
                tracked.keep.push((suite.codename.clone(), folders.collect()));
            } else if says("all") {
                let published = call.published(&suite.codename).await?;
                for key in targets::of(&published, suite) {
                    for entry in published.entries(&key).await? {
                        let version = without_epoch(entry.source().version).to_owned();
                        let file = entry.main_file().and_then(|file| file.path.as_deref());
                        let Some((folder, _)) = file.and_then(|path| path.rsplit_once('/')) else { continue };
                        tracked.versions.entry(folder.to_owned()).or_default().insert(version);
                    }
                }
            }
        }
        Ok(tracked)
    }

    /// Whether no file stays for this.
    pub(super) fn is_empty(&self) -> bool {
        self.keep.is_empty() && self.versions.is_empty()
    }

    /// The value of `Tracking` that keeps a file of the pool, if one does.
    pub(super) fn why(&self, path: &str) -> Option<String> {
        let is_below = |(_, folders): &&(Suite, Vec<String>)| {
            folders.iter().any(|folder| path.starts_with(folder.as_str()))
        };
        if let Some((suite, _)) = self.keep.iter().find(is_below) {
            return Some(format!("`Tracking: keep` of suite `{suite}`"));
        }
        let (folder, name) = path.rsplit_once('/')?;
        let (_, rest) = name.split_once('_')?;
        let is_of = |version: &String| {
            let upstream = version.rsplit_once('-').map_or(version.as_str(), |(upstream, _)| upstream);
            [version.as_str(), upstream]
                .iter()
                .any(|version| rest.strip_prefix(version).is_some_and(|rest| rest.starts_with(['_', '.'])))
        };
        let is_listed = self.versions.get(folder).is_some_and(|all| all.iter().any(is_of));
        is_listed.then(|| "`Tracking: all`, since a package of the same source is listed".to_owned())
    }
}

fn without_epoch(version: &str) -> &str {
    version.split_once(':').map_or(version, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_listed_version_stay() {
        let versions = [("pool/main/a/aa".to_owned(), BTreeSet::from(["1.0-2".to_owned()]))];
        let all = Tracked { versions: versions.into(), ..Tracked::default() };
        for (path, stays) in [
            ("pool/main/a/aa/libaa_1.0-2_amd64.deb", true),
            ("pool/main/a/aa/aa_1.0.orig.tar.gz", true),
            ("pool/main/a/aa/aa_1.0-2.dsc", true),
            ("pool/main/a/aa/libaa_1.0-1_amd64.deb", false),
            ("pool/main/b/bb/bb_1.0-2_amd64.deb", false),
        ] {
            assert_eq!(all.why(path).is_some(), stays, "{path}");
        }
        let suite = Suite::parse("sid").unwrap();
        let keep = Tracked { keep: vec![(suite, vec!["pool/main/".to_owned()])], ..Tracked::default() };
        assert!(keep.why("pool/main/x").is_some() && keep.why("pool/contrib/x").is_none());
    }
}
