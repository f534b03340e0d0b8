//! `Lookup`: the published versions of the added names, read once for each index: a folder can hold thousands of one name.

use std::collections::HashMap;

use super::edited_indices::Indices;
use crate::{
    dists::{Entry, PackageEntry, PackagesKey},
    pool::PoolPath,
    suite::{references::listed_path, refusal::Reason},
};

/// Finds published versions in the indices of an edit.
pub(crate) struct Lookup<'a> {
    pub(crate) indices: &'a Indices,
    known: HashMap<(&'a PackagesKey, String), Versions>,
}

/// The published versions of one name in one index.
#[derive(Default)]
struct Versions {
    newest: Option<PackageEntry>,
    by_file: HashMap<Box<str>, PackageEntry>,
    by_version: HashMap<Box<str>, Vec<PackageEntry>>,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(indices: &'a Indices) -> Self {
        Self { indices, known: HashMap::new() }
    }

    /// Refuses a package that an index cannot list beside the published versions.
    pub(crate) fn check_beside(
        &mut self,
        entry: &PackageEntry,
        path: &str,
        target: &PackagesKey,
        is_surplus: bool,
    ) -> Result<(), Reason> {
        let Some(versions) = self.versions(entry.name(), target) else { return Ok(()) };
        if let Some(twin) = versions.by_file.get(path) {
            let (package, other, path) = (describe(entry), describe(twin), path.to_owned());
            return Err(Reason::SameFile { package, other, path });
        }
        let same = versions.by_version.get(entry.version()).map(Vec::as_slice).unwrap_or_default();
        match same.iter().find(|other| other.architecture() != entry.architecture()) {
            // Packages that another tool published together also move together.
            Some(other) if !is_surplus => {
                Err(Reason::OtherArchitecture { package: describe(entry), other: describe(other) })
            }
            _ => Ok(()),
        }
    }

    /// Returns the newest published version of the same name, if it is newer.
    pub(crate) fn newer(&mut self, entry: &PackageEntry, targets: &[PackagesKey]) -> Option<String> {
        let mut newest: Option<PackageEntry> = None;
        for target in targets {
            let Some(other) = self.versions(entry.name(), target).and_then(|all| all.newest.clone()) else {
                continue;
            };
            if newest.as_ref().is_none_or(|known| known.order_of_versions(&other).is_lt()) {
                newest = Some(other);
            }
        }
        newest
            .filter(|newest| newest.order_of_versions(entry).is_gt())
            .map(|newest| newest.version().to_owned())
    }

    fn versions(&mut self, name: &str, target: &PackagesKey) -> Option<&Versions> {
        let indices = self.indices;
        let (key, index) = indices.all.get_key_value(target)?;
        Some(self.known.entry((key, name.to_owned())).or_insert_with(|| {
            let mut versions = Versions::default();
            for entry in index.named(name) {
                let source = if entry.is_source() { main_path(&entry) } else { None };
                if let Some(file) = source.as_ref().map(PoolPath::as_str).or(entry.filename()) {
                    versions.by_file.entry(file.into()).or_insert_with(|| entry.clone());
                }
                versions.by_version.entry(entry.version().into()).or_default().push(entry.clone());
                versions.newest = Some(entry);
            }
            versions
        }))
    }
}

/// The path of the file of a package, or of the `.dsc` of a source package.
pub(crate) fn main_path(entry: &PackageEntry) -> Option<PoolPath> {
    if !entry.is_source() {
        return listed_path(entry.filename()?).ok();
    }
    let entry = Entry::of(entry).ok()?;
    PoolPath::parse_source(entry.main_file()?.path.as_deref()?).ok()
}

/// A package, for a message.
pub(crate) fn describe(entry: &PackageEntry) -> String {
    format!("`{}` {} {}", entry.name(), entry.version(), entry.index_architecture())
}
