//! Size limits of reads, independent of the size that the other side announces.
//!
//! A server may announce any length and send another, and a folder may contain a sparse file of any size. So the
//! announced size is checked first, then the bytes are counted as they arrive, and memory is allocated as they
//! arrive.

use super::{error::Error, pace::Pace};

/// The most bytes that a read accepts: a size from an index, or a named constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(u64);

impl Limit {
    /// A number of bytes.
    #[must_use]
    pub const fn bytes(count: u64) -> Self {
        Self(count)
    }

    /// A number of mebibytes.
    #[must_use]
    pub const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }

    /// Returns the number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Rejects an object by its announced size.
    pub(super) fn admit(self, path: &str, announced: u64) -> Result<(), Error> {
        if announced <= self.0 { Ok(()) } else { Err(self.exceeded(path, Some(announced))) }
    }

    pub(super) fn exceeded(self, path: &str, announced: Option<u64>) -> Error {
        Error::TooLarge { path: path.to_owned(), limit: self.0, announced }
    }
}

/// Counts the bytes of an object as they arrive.
pub(super) struct Meter<'a> {
    path: &'a str,
    limit: Limit,
    pace: Pace,
}

impl<'a> Meter<'a> {
    pub(super) fn new(path: &'a str, limit: Limit) -> Self {
        Self { path, limit, pace: Pace::begin() }
    }

    /// Counts one piece, and returns the bytes so far; fails also if the stream is too slow.
    pub(super) fn count(&mut self, piece: &[u8]) -> Result<u64, Error> {
        let seen = self.pace.count(piece.len() as u64).map_err(|source| Error::Failed {
            action: "read",
            path: self.path.to_owned(),
            source: Box::new(source),
        })?;
        if seen <= self.limit.0 { Ok(seen) } else { Err(self.limit.exceeded(self.path, None)) }
    }
}

/// Treats an object above its limit as absent: it cannot be the expected one.
pub fn unless_larger<T>(read: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match read {
        Err(Error::TooLarge { .. }) => Ok(None),
        read => read,
    }
}
