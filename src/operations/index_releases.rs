//! The `Release` beside each index: written where the configuration asks for it, and kept up to date where a suite has it.

use super::plan::Plan;
use crate::{
    config::SuiteConfig,
    dists::{IndexFile, IndexKey, Release, index_release, layout::plain_path, release::Listed},
};

impl Plan {
    /// Lists the file beside each index of a new release file, and unlists those that are no longer configured.
    pub(super) fn list_index_releases(&mut self, new: &mut Release, config: &SuiteConfig) {
        let mut keys: Vec<IndexKey> =
            new.own_files().map(|(path, _)| IndexKey::parse(plain_path(path))).collect();
        keys.dedup();
        let mut described = new.clone();
        if config.component_prefix.is_some() {
            described.set("Suite", config.suite.clone());
        }
        for key in keys {
            let asked = match key {
                IndexKey::Packages(_) => config.index_releases,
                IndexKey::Sources { .. } => config.source_releases,
                _ => continue,
            };
            let path = index_release::path(&key);
            let before = new.files().get(&path).copied();
            if !asked.unwrap_or(before.is_some()) {
                new.retain(|listed| listed != path);
                continue;
            }
            let file = IndexFile::new(path, index_release::render(&described, &key).into());
            let listed = Listed::from(file.digests());
            if before.is_none_or(|before| (before.size, before.sha256) != (listed.size, listed.sha256)) {
                new.list(file.path().to_owned(), listed);
                self.beside.push(file);
            }
        }
    }
}
