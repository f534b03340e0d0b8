//! The file and the source of a package, as an index describes them.

use crate::{
    digest::Sha256Digest,
    dists::{Entry, PackageEntry, Source},
};

/// The file of a package and the source that it was built from, as an index describes them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct PackageFile {
    /// Its path in the archive; for a source package the path of its `.dsc`.
    pub path: Option<String>,
    /// Its size.
    pub size: Option<u64>,
    /// Its SHA-256.
    pub sha256: Option<Sha256Digest>,
    /// The name of the source package.
    pub source: String,
    /// The version of the source package.
    pub source_version: String,
}

impl PackageFile {
    fn built_from(Source { name, version }: Source<'_>) -> Self {
        let (source, source_version) = (name.to_owned(), version.to_owned());
        Self { path: None, size: None, sha256: None, source, source_version }
    }
}

impl From<&PackageEntry> for PackageFile {
    fn from(entry: &PackageEntry) -> Self {
        if entry.is_source() {
            // Its files may be unreadable in the index of another tool.
            return Entry::of(entry)
                .map_or_else(|_| Self::built_from(entry.source()), |entry| Self::from(&entry));
        }
        Self {
            path: entry.filename().map(ToOwned::to_owned),
            size: entry.size(),
            sha256: entry.sha256(),
            ..Self::built_from(entry.source())
        }
    }
}

impl From<&Entry> for PackageFile {
    fn from(entry: &Entry) -> Self {
        let file = entry.main_file();
        Self {
            path: file.and_then(|file| file.path.clone()),
            size: file.and_then(|file| file.size),
            sha256: file.and_then(|file| file.sha256),
            ..Self::built_from(entry.source())
        }
    }
}
