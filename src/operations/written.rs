//! `Written`: an object that a command writes, and its size.

/// An object that was written, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Its path in the archive.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

impl Written {
    pub(crate) fn of(path: &str, bytes: u64) -> Self {
        Self { path: path.to_owned(), bytes }
    }
}
