//! Files of credentials, which are read up to a limit.
//!
//! `object_store` reads such files itself, without a limit and whatever they are; so a file is read here first.

use std::path::Path;

use super::opened::OpenError;

/// The most bytes of a file of credentials: a token or a key has a few thousand.
const LARGEST: u64 = 1 << 20;

/// Reads a file as text.
pub(super) fn read(path: &str, what: &str) -> Result<String, OpenError> {
    let read = crate::regular::read_within(Path::new(path), LARGEST)
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8")));
    read.map_err(|error| {
        OpenError::new(
            format!("`{path}` ({what}) cannot be read: {error}"),
            "correct the path, or create the file again",
        )
    })
}

/// Checks that `object_store` can read a file. It reads the file again whenever the credentials expire.
pub(super) fn check(path: &str, what: &str) -> Result<(), OpenError> {
    read(path, what).map(drop)
}
