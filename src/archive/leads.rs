//! What the pointer of a suite leads to: the files that its `Release` lists, and the pool files that its indices name.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{Error, PublishedSuite};
use crate::{
    digest::{Digests, Md5Digest, Sha256Digest},
    dists::{
        PackagesIndex, Release,
        layout::{ArchivePath, names_packages, plain_path},
        release::Listed,
        sources,
    },
    pool::PoolPath,
    store::Found,
};

/// What is known of the bytes of a file before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) size: u64,
    pub(super) sha256: Option<Sha256Digest>,
    pub(super) md5: Option<Md5Digest>,
}

impl Expected {
    /// Whether the store itself vouches that these are the bytes; that it does not proves nothing.
    pub(super) fn surely_is(&self, found: &Found) -> bool {
        self.size == found.size && self.md5.is_some() && self.md5 == found.md5
    }

    /// Whether both can be the same bytes, by all that is known of both.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let sha256 = self.sha256.zip(other.sha256).is_none_or(|(one, other)| one == other);
        let md5 = self.md5.zip(other.md5).is_none_or(|(one, other)| one == other);
        self.size == other.size && sha256 && md5
    }

    /// Whether a file that was read is the one that is meant; SHA256 decides where it is known.
    pub(super) fn is(&self, found: &Digests) -> bool {
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
pub(super) type PoolFiles = BTreeMap<String, Expected>;

/// The plain paths of all indices that name pool files.
pub(super) fn indices(published: &PublishedSuite) -> BTreeSet<&str> {
    let plain =
        published.release().into_iter().flat_map(Release::own_files).map(|(path, _)| plain_path(path));
    plain.filter(|path| names_packages(path)).collect()
}

/// The pool files that an index names.
pub(super) fn pool_files(index: &str, text: &Bytes, found: &mut PoolFiles) -> Result<(), Error> {
    let path = || index.to_owned();
    if index.ends_with("Sources") {
        for file in sources::files(text).map_err(|source| Error::Sources { path: path(), source })? {
            let expected = Expected { size: file.size, sha256: file.sha256, md5: file.md5 };
            found.insert(safe(index, &file.path)?, expected);
        }
        return Ok(());
    }
    let packages = PackagesIndex::parse(text).map_err(|source| Error::Index { path: path(), source })?;
    for entry in packages.entries() {
        let incomplete = |field| Error::Incomplete { path: path(), package: entry.name().to_owned(), field };
        let file = entry.filename().ok_or_else(|| incomplete("Filename"))?;
        let size = entry.size().ok_or_else(|| incomplete("Size"))?;
        let (sha256, md5) = (entry.sha256(), entry.md5());
        if sha256.is_none() && md5.is_none() {
            return Err(incomplete("SHA256"));
        }
        let file = file.strip_prefix("./").unwrap_or(file);
        PoolPath::parse(file).map_err(|_| Error::Unsafe { path: path(), names: file.to_owned() })?;
        found.insert(safe(index, file)?, Expected { size, sha256, md5 });
    }
    Ok(())
}

/// Refuses the name of a file that does not belong to what an archive shows to the world: an index can name anything.
fn safe(index: &str, path: &str) -> Result<String, Error> {
    let kind = ArchivePath::of(path);
    let is_odd = path.contains('\\') || path.chars().any(char::is_control);
    if is_odd || matches!(kind, ArchivePath::Private | ArchivePath::Dists(_)) {
        return Err(Error::Unsafe { path: index.to_owned(), names: path.to_owned() });
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_descriptions_agree_unless_both_know_a_digest_and_differ() {
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
    fn an_index_cannot_make_us_carry_what_is_private() {
        for bad in [
            "conf/x",
            "../x",
            "pool/../conf/x",
            "pool/.x",
            "/etc/passwd",
            "dists/x",
            "db/a",
            "pool//x",
            "a\\b",
        ] {
            assert!(safe("Packages", bad).is_err(), "{bad}");
        }
        assert_eq!(safe("Packages", "pool/main/a/a+b~1.deb").unwrap(), "pool/main/a/a+b~1.deb");
    }
}
