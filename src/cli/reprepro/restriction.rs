//! `--restrict` and its relatives: the packages that `update` and `pull` act on.

use std::path::PathBuf;

use super::options::Options;
use crate::{
    config::{FilterAction, FilterLists},
    dists::PackageEntry,
};

/// The packages that a call is restricted to; without any option all of them.
#[derive(Default)]
pub(super) struct Restriction {
    sources: Vec<(String, Option<String>)>,
    binaries: Vec<(String, Option<String>)>,
    source_lists: Option<FilterLists>,
    binary_lists: Option<FilterLists>,
}

impl Restriction {
    /// Reads the options and the files that they name.
    pub(super) fn of(options: &Options) -> Result<Self, String> {
        let named = |texts: &[String]| {
            texts
                .iter()
                .map(|text| match text.split_once('=') {
                    Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
                    None => (text.clone(), None),
                })
                .collect()
        };
        let lists = |files: &[String]| {
            let files: Vec<_> = files.iter().map(|file| options.folders.hook(file)).collect();
            let read = FilterLists::read(FilterAction::Hold, files.iter().map(PathBuf::as_path));
            (!files.is_empty()).then_some(read).transpose()
        };
        let asked = &options.restricted;
        Ok(Self {
            sources: named(&asked.sources),
            binaries: named(&asked.binaries),
            source_lists: lists(&asked.source_files)?,
            binary_lists: lists(&asked.binary_files)?,
        })
    }

    fn is_empty(&self) -> bool {
        self.sources.is_empty()
            && self.binaries.is_empty()
            && self.source_lists.is_none()
            && self.binary_lists.is_none()
    }

    /// Whether a package is one of these.
    pub(super) fn selects(&self, entry: &PackageEntry) -> bool {
        if self.is_empty() {
            return true;
        }
        let source = entry.source();
        let is = |all: &[(String, Option<String>)], name: &str, found: &str| {
            let fits = |version: &String| version == found;
            all.iter().any(|(known, version)| known == name && version.as_ref().is_none_or(fits))
        };
        let listed = |lists: &Option<FilterLists>, name: &str, version: &str| {
            let act = [FilterAction::Install, FilterAction::UpgradeOnly, FilterAction::Supersede];
            lists.as_ref().is_some_and(|lists| act.contains(&lists.action(name, version)))
        };
        is(&self.sources, source.name, source.version)
            || listed(&self.source_lists, source.name, source.version)
            || !entry.is_source()
                && (is(&self.binaries, entry.name(), entry.version())
                    || listed(&self.binary_lists, entry.name(), entry.version()))
    }
}
