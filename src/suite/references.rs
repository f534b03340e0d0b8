//! The files that a suite references: those that its `Release` lists, and the pool files in its indices.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::error::Error;
use crate::{
    digest::{Digests, Md5Digest, Sha256Digest},
    dists::{self, Entry, IndexKey, entries::EntryFile, layout::ArchivePath, release::Listed},
    pool::{self, PoolPath},
    store::StoredObject,
};

/// The size and digests that a reference records for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) size: u64,
    pub(crate) sha256: Option<Sha256Digest>,
    pub(crate) md5: Option<Md5Digest>,
}

impl Expected {
    /// Whether the store's own checksum proves that these are the bytes; `false` proves nothing.
    pub(crate) fn matches_checksum(&self, found: &StoredObject) -> bool {
        self.size == found.size && self.md5.is_some() && self.md5 == found.md5
    }

    /// Whether both can describe the same bytes: no size or digest that both have differs.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        let sha256 = self.sha256.zip(other.sha256).is_none_or(|(one, other)| one == other);
        let md5 = self.md5.zip(other.md5).is_none_or(|(one, other)| one == other);
        self.size == other.size && sha256 && md5
    }

    /// Whether a file that was read matches; SHA256 decides if it is known.
    pub(crate) fn is(&self, found: &Digests) -> bool {
        let by_md5 = || self.md5.is_none_or(|md5| md5 == found.md5);
        self.size == found.size && self.sha256.map_or_else(by_md5, |sha256| sha256 == found.sha256)
    }
}

impl From<&Listed> for Expected {
    fn from(listed: &Listed) -> Self {
        Self { size: listed.size, sha256: Some(listed.sha256), md5: listed.md5 }
    }
}

/// Pool files by their path in the archive.
pub(crate) type PoolFiles = BTreeMap<String, Expected>;

/// Parses the entries of an index; `path` is for errors.
pub(crate) fn entries(key: &IndexKey, path: &str, text: &Bytes) -> Result<Vec<Entry>, Error> {
    let path = || path.to_owned();
    dists::entries(key, text).map_err(|error| match error {
        dists::entries::Error::Packages(source) => Error::Index { path: path(), source },
        dists::entries::Error::Sources(source) => Error::Sources { path: path(), source },
    })
}

/// Collects the pool files that an index references.
pub(crate) fn pool_files(
    key: &IndexKey,
    path: &str,
    text: &Bytes,
    found: &mut PoolFiles,
) -> Result<(), Error> {
    files_of(&entries(key, path, text)?, path, found)
}

/// Collects the pool files of the entries of an index.
pub(crate) fn files_of(entries: &[Entry], path: &str, found: &mut PoolFiles) -> Result<(), Error> {
    for entry in entries {
        for EntryFile { path: file, size, sha256, md5 } in &entry.files {
            let incomplete =
                |field| Error::Incomplete { path: path.to_owned(), package: entry.name.to_string(), field };
            let file = file.as_deref().ok_or_else(|| incomplete("Filename"))?;
            let size = size.ok_or_else(|| incomplete("Size"))?;
            if sha256.is_none() && md5.is_none() {
                return Err(incomplete("SHA256"));
            }
            if !is_shown(file) {
                return Err(Error::Unsafe { path: path.to_owned(), names: file.to_owned() });
            }
            found.insert(file.to_owned(), Expected { size, sha256: *sha256, md5: *md5 });
        }
    }
    Ok(())
}

/// Whether a path in an index is one of a public package file.
pub(crate) fn is_shown(path: &str) -> bool {
    // The prefix is gone where an index was read.
    !path.starts_with("./") && listed_path(path).is_ok()
}

/// Checks a `Filename`, which can reference anything: it is the path of a public file that clients can request.
///
/// apt requests `pool//x` as it is: a bucket has no such file, though a server with folders has.
pub(crate) fn listed_path(filename: &str) -> Result<PoolPath, pool::Error> {
    let path = PoolPath::of_any_name(filename)?;
    if ArchivePath::of(path.as_str()).may_be_named() {
        return Ok(path);
    }
    Err(pool::Error::new(filename, "it is outside the archive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_descriptions_agree_unless_a_digest_that_both_have_differs() {
        let one = Digests::of(b"one");
        let other = Digests::of(b"two");
        let full = Expected { size: 3, sha256: Some(one.sha256), md5: Some(one.md5) };
        assert!(full.agrees(&Expected { sha256: None, ..full }));
        assert!(full.agrees(&Expected { md5: None, ..full }));
        assert!(!full.agrees(&Expected { size: 4, ..full }));
        assert!(!full.agrees(&Expected { sha256: Some(other.sha256), ..full }));
        assert!(!full.agrees(&Expected { sha256: None, md5: Some(other.md5), ..full }));
    }

    #[test]
    fn an_index_cannot_reference_private_files() {
        for bad in [
            "conf/x",
            "../x",
            "pool/../conf/x",
            "pool/.x",
            "/etc/passwd",
            "dists/x",
            "dists/stable/InRelease",
            "dists/stable/main/binary-amd64/Packages",
            "dists/stable/main/binary-amd64/by-hash/SHA256/a.deb",
            "db/a",
            "pool//x",
            "a\\b",
            "",
            "a\nb",
        ] {
            assert!(!is_shown(bad), "{bad}");
        }
        for good in [
            "pool/main/a/a+b~1.deb",
            "pool/main/a/a.odd",
            "pool/main/a/a b.deb",
            "a.deb",
            "packages/a",
            "dists/stable/main/binary-amd64/a.deb",
        ] {
            assert!(is_shown(good), "{good}");
        }
    }
}
