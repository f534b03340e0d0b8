//! The entries of an index that name pool files: packages, installer packages and source packages alike.
//!
//! All readers of published indices use this module; [`PackagesIndex`] edits them.

use std::{cmp::Ordering, collections::BTreeSet};

use bytes::Bytes;

use super::{
    index_key::{IndexKey, IndexKind},
    package_entry::{SOURCE, Source, order_of_versions, phased_of, source_of},
    packages::{self, PackageEntry, PackagesIndex},
    sources::{self, SourcePackage},
};
use crate::digest::{Md5Digest, Sha256Digest};

/// One entry of an index.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Entry {
    /// The kind of the index.
    pub kind: IndexKind,
    /// The name of the package.
    pub name: Box<str>,
    /// Its version.
    pub version: Box<str>,
    /// Its architecture, or the variant of one; `source` for a source package.
    pub architecture: Box<str>,
    /// The stanza as in the index, with its last newline.
    pub stanza: Bytes,
    /// The files that it names: one, or those of a source package.
    pub files: Vec<EntryFile>,
}

/// A file that an entry names; fields that the entry does not have are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryFile {
    /// Its path below the root of the archive.
    pub path: Option<String>,
    /// Its size.
    pub size: Option<u64>,
    /// Its SHA-256.
    pub sha256: Option<Sha256Digest>,
    /// Its MD5.
    pub md5: Option<Md5Digest>,
}

/// Why an index cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not an index of packages.
    #[error(transparent)]
    Packages(#[from] packages::Error),
    /// It is not an index of source packages.
    #[error(transparent)]
    Sources(#[from] sources::Error),
}

/// Reads the entries of an index; an index whose entries name no files has none.
pub fn entries(key: &IndexKey, text: &Bytes) -> Result<Vec<Entry>, Error> {
    Ok(match key.entry_kind() {
        None => Vec::new(),
        Some(IndexKind::Sources) => sources::packages(text)?.into_iter().map(Entry::from).collect(),
        Some(kind) => {
            let packages = PackagesIndex::parse(text, kind.of_packages().unwrap_or_default())?.entries();
            packages.iter().map(|package| Entry::of_package(kind, package)).collect()
        }
    })
}

impl Entry {
    fn of_package(kind: IndexKind, package: &PackageEntry) -> Self {
        let path = package.filename().map(|path| path.strip_prefix("./").unwrap_or(path).to_owned());
        Self {
            kind,
            name: package.name().into(),
            version: package.version().into(),
            architecture: package.index_architecture().into(),
            stanza: package.shared_stanza(),
            files: vec![EntryFile {
                path,
                size: package.size(),
                sha256: package.sha256(),
                md5: package.md5(),
            }],
        }
    }

    /// The files of a package of an index.
    ///
    /// # Errors
    /// The files of a source package cannot be read.
    pub fn of(package: &PackageEntry) -> Result<Self, sources::Error> {
        if !package.is_source() {
            return Ok(Self::of_package(IndexKind::of_type(package.package_type()), package));
        }
        let mut found = sources::packages(&package.shared_stanza())?;
        found.pop().map(Self::from).ok_or(sources::Error::Field { line: 1, field: "Package" })
    }

    /// The main file: the only one, or the `.dsc` of a source package.
    #[must_use]
    pub fn main_file(&self) -> Option<&EntryFile> {
        let is_description = |file: &&EntryFile| {
            file.path
                .as_deref()
                .and_then(|path| path.rsplit_once('.'))
                .is_some_and(|(_, ending)| ending == "dsc")
        };
        self.files.iter().find(is_description).or(self.files.first())
    }

    /// The source that the package was built from; for a source package, itself.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        let package = Source { name: &self.name, version: &self.version };
        if self.kind == IndexKind::Sources { package } else { source_of(&self.stanza, package) }
    }

    /// The percentage of machines that this version is offered to; 100 if it is not phased.
    #[must_use]
    pub fn phased(&self) -> u8 {
        phased_of(&self.stanza)
    }

    /// Compares versions as dpkg does; versions that Policy does not allow come first, in the order of their text.
    #[must_use]
    pub fn order_of_versions(&self, other: &Self) -> Ordering {
        order_of_versions(&self.version, &other.version)
    }

    /// Whether both name the same files; if one has no SHA256, size and MD5 are compared.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        if self.stanza == other.stanza {
            return true;
        }
        match (self.all_sha256(), other.all_sha256()) {
            (Some(one), Some(other)) => one == other,
            _ => self.all_md5() == other.all_md5(),
        }
    }

    fn all_sha256(&self) -> Option<BTreeSet<Sha256Digest>> {
        self.files.iter().map(|file| file.sha256).collect()
    }

    fn all_md5(&self) -> Vec<(Option<u64>, Option<String>)> {
        let digests = self.files.iter().map(|file| (file.size, file.md5.map(|md5| md5.to_string())));
        let mut digests: Vec<_> = digests.collect();
        digests.sort();
        digests
    }
}

impl From<SourcePackage> for Entry {
    fn from(package: SourcePackage) -> Self {
        let SourcePackage { name, version, stanza, files } = package;
        let files = files.into_iter().map(|file| EntryFile {
            path: Some(file.path),
            size: Some(file.size),
            sha256: file.sha256,
            md5: file.md5,
        });
        Self {
            kind: IndexKind::Sources,
            name,
            version,
            architecture: SOURCE.into(),
            stanza,
            files: files.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, text: &str) -> Vec<Entry> {
        entries(&IndexKey::parse(path), &Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn shown(entry: &Entry) -> (IndexKind, &str, &str, &str, usize) {
        (entry.kind, &entry.name, &entry.version, &entry.architecture, entry.files.len())
    }

    #[test]
    fn every_kind_of_index_gives_entries_and_other_files_none() {
        let package = "Package: a\nVersion: 1\nArchitecture: amd64\nFilename: ./pool/a.odd\nSize: 3\n";
        let source = "Package: a\nVersion: 1\nArchitecture: any\nDirectory: pool/a\nFiles:\n \
                      d41d8cd98f00b204e9800998ecf8427e 0 a.tar.xz\n d41d8cd98f00b204e9800998ecf8427e 0 a.dsc\n";
        for (path, kind) in [
            ("main/binary-amd64/Packages", IndexKind::Packages),
            ("main/debian-installer/binary-amd64/Packages", IndexKind::Installer),
            ("flat/Packages", IndexKind::Packages),
        ] {
            let found = read(path, package);
            assert_eq!(shown(&found[0]), (kind, "a", "1", "amd64", 1), "{path}");
            assert_eq!(found[0].main_file().unwrap().path.as_deref(), Some("pool/a.odd"));
        }
        let found = read("main/source/Sources", source);
        assert_eq!(shown(&found[0]), (IndexKind::Sources, "a", "1", "source", 2));
        assert_eq!(found[0].main_file().unwrap().path.as_deref(), Some("pool/a/a.dsc"));
        assert_eq!(found[0].stanza, source);
        assert!(read("main/Contents-amd64", package).is_empty());
    }

    #[test]
    fn files_are_the_same_in_any_order_and_by_what_both_say() {
        let file = |digit: &str| format!(" {} 1 {digit}.x\n", digit.repeat(64));
        let source = |files: &[&str]| {
            let files: String = files.iter().map(|digit| file(digit)).collect();
            let text = format!("Package: a\nVersion: 1\nDirectory: pool\nChecksums-Sha256:\n{files}");
            read("main/source/Sources", &text).remove(0)
        };
        assert!(source(&["a", "b"]).is_same_file(&source(&["b", "a"])));
        assert!(!source(&["a", "b"]).is_same_file(&source(&["a"])));
        assert!(!source(&["a"]).is_same_file(&source(&["b"])));
    }
}
