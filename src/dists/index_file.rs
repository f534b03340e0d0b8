//! A published index file: its bytes, digests and both paths, kept together.

use bytes::Bytes;

use super::layout::uncompressed;
use crate::{
    compression::Compression,
    digest::{Digests, Sha256Digest},
};

/// An index in one compression, such as `main/binary-amd64/Packages.xz`.
#[derive(Debug, Clone)]
pub struct IndexFile {
    path: String,
    bytes: Bytes,
    digests: Digests,
    is_stored: bool,
}

impl IndexFile {
    /// Hashes the bytes of the file at `path` below the suite's folder.
    #[must_use]
    pub fn new(path: String, bytes: Bytes) -> Self {
        let digests = Digests::of(&bytes);
        Self { path, bytes, digests, is_stored: true }
    }

    /// The same file, listed but not stored: apt needs the digests of the uncompressed form of an index.
    #[must_use]
    pub fn listed_only(self) -> Self {
        Self { is_stored: false, ..self }
    }

    /// Whether it is stored.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.is_stored
    }

    /// The path below the suite's folder, for clients without by-hash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The content-addressed path.
    #[must_use]
    pub fn by_hash_path(&self) -> String {
        by_hash_path(&self.path, &self.digests.sha256)
    }

    /// The compression of this form.
    #[must_use]
    pub fn compression(&self) -> Compression {
        uncompressed(&self.path).1
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Their digests.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        &self.digests
    }
}

/// The by-hash path of the file at `path`: in `by-hash/SHA256/` beside it.
#[must_use]
pub fn by_hash_path(path: &str, sha256: &Sha256Digest) -> String {
    let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    format!("{folder}by-hash/SHA256/{sha256}")
}
