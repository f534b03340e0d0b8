//! Digests of a file's bytes, in the algorithms that the archive format needs.
//!
//! SHA256 is trusted by apt; MD5 is written for old readers and is never trusted here. Source packages also list SHA1,
//! which dpkg-source verifies.

use std::{
    fmt,
    io::{self, Read},
    str::FromStr,
};

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

macro_rules! digest {
    ($(#[$doc:meta])* $type:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type([u8; $bytes]);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $type {
            type Err = NotADigest;
            fn from_str(text: &str) -> Result<Self, NotADigest> {
                let digits = text.as_bytes();
                if digits.len() != 2 * $bytes {
                    return Err(NotADigest);
                }
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    let digit = |c: u8| (c as char).to_digit(16).ok_or(NotADigest);
                    *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).map_err(|_| NotADigest)?;
                }
                Ok(Self(bytes))
            }
        }

        impl From<[u8; $bytes]> for $type {
            fn from(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }
        }
    };
}

digest!(
    /// A SHA-256 digest, printed in lower-case hexadecimal.
    Sha256Digest,
    32
);
digest!(
    /// An MD5 digest, printed in lower-case hexadecimal.
    Md5Digest,
    16
);

digest!(
    /// A SHA-1 digest, printed in lower-case hexadecimal.
    Sha1Digest,
    20
);

/// A text that is not a digest of the expected length in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a digest in hexadecimal")]
pub struct NotADigest;

impl Sha256Digest {
    /// The digest of bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// Size and digests of one sequence of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// The number of bytes.
    pub size: u64,
    /// MD5, for old readers.
    pub md5: Md5Digest,
    /// SHA-256, which is trusted.
    pub sha256: Sha256Digest,
}

impl Digests {
    /// The digests of bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }
}

/// Hashes bytes piece by piece and returns [`Digests`].
#[derive(Default)]
pub struct Hasher {
    size: u64,
    md5: Md5,
    sha256: Sha256,
}

impl Hasher {
    /// Hashes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.md5.update(bytes);
        self.sha256.update(bytes);
    }

    /// Returns the size and digests of all pieces.
    #[must_use]
    pub fn finish(self) -> Digests {
        Digests {
            size: self.size,
            md5: Md5Digest(self.md5.finalize().into()),
            sha256: Sha256Digest(self.sha256.finalize().into()),
        }
    }
}

/// The digests of a file of a source package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceDigests {
    /// Size, MD5 and SHA-256.
    pub digests: Digests,
    /// SHA-1.
    pub sha1: Sha1Digest,
}

impl SourceDigests {
    /// The digests of bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { digests: Digests::of(bytes), sha1: Sha1Digest(Sha1::digest(bytes).into()) }
    }

    /// Reads to the end, in memory of constant size.
    pub fn read(mut reader: impl Read) -> io::Result<Self> {
        let (mut hasher, mut sha1) = (Hasher::default(), Sha1::new());
        let mut buffer = vec![0; 64 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    sha1.update(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { digests: hasher.finish(), sha1: Sha1Digest(sha1.finalize().into()) })
    }
}

/// A reader that hashes every byte that is read through it.
pub struct HashingReader<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> HashingReader<R> {
    /// Wraps a reader at its first byte.
    pub fn new(inner: R) -> Self {
        Self { inner, hasher: Hasher::default() }
    }

    /// Returns the digests of all bytes read so far.
    #[must_use]
    pub fn finish(self) -> Digests {
        self.hasher.finish()
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_nothing_are_the_well_known_ones() {
        let digests = Digests::of(b"");
        assert_eq!(digests.md5.to_string(), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(
            digests.sha256.to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        let digest = Sha256Digest::of(b"acpi");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.to_string().to_uppercase().parse(), Ok(digest));
        assert!("".parse::<Sha256Digest>().is_err());
        assert!("zz".repeat(32).parse::<Sha256Digest>().is_err());
    }

    #[test]
    fn the_digests_of_a_source_file_are_the_same_in_one_piece_and_in_many() {
        let text = "abc".repeat(100_000);
        assert_eq!(SourceDigests::read(text.as_bytes()).unwrap(), SourceDigests::of(text.as_bytes()));
        assert_eq!(SourceDigests::of(b"abc").sha1.to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn a_reader_hashes_what_passes() {
        let mut reader = HashingReader::new(&b"some bytes"[..]);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!(reader.finish(), Digests::of(b"some bytes"));
    }
}
