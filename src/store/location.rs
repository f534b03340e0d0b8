//! Where a store is, as a user writes it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The place of an archive: a folder; buckets come with `sync`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder, by its absolute path.
    Folder(PathBuf),
    /// The memory of this process, for tests.
    Memory,
}

/// Says why a text is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a location: {why}")]
pub struct Error {
    text: String,
    why: &'static str,
}

impl Location {
    /// Understands `./folder`, `/folder`, `file:///folder` and `memory:`; relative paths start at `current`.
    pub fn parse(text: &str, current: &Path) -> Result<Self, Error> {
        let fail = |why| Err(Error { text: text.to_owned(), why });
        if text.is_empty() {
            return fail("it is empty; give a folder such as `./archive`");
        }
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        let path = match text.split_once(':') {
            Some(("file", path)) => match path.strip_prefix("//") {
                None => path,
                Some(path) if path.starts_with('/') => path,
                Some(_) => return fail("write `file:///folder`, with three slashes"),
            },
            Some((scheme, rest))
                if rest.starts_with("//") && scheme.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                return fail("only folders can hold an archive yet");
            }
            _ => text,
        };
        Ok(Self::Folder(normal(&current.join(path))))
    }

    /// The folder, where it is one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(path) => Some(path),
            Self::Memory => None,
        }
    }
}

/// Takes `.` and doubled slashes out of a path; `..` stays, since symbolic links give it a meaning of its own.
fn normal(path: &Path) -> PathBuf {
    path.components().collect()
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(text: &str) -> PathBuf {
        match Location::parse(text, Path::new("/here")) {
            Ok(Location::Folder(path)) => path,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn folders_in_every_spelling() {
        assert_eq!(folder("public"), Path::new("/here/public"));
        assert_eq!(folder("./public/"), Path::new("/here/public"));
        assert_eq!(folder("."), Path::new("/here"));
        assert_eq!(folder("/srv/apt"), Path::new("/srv/apt"));
        assert_eq!(folder("file:///srv/apt"), Path::new("/srv/apt"));
        assert_eq!(folder("file:/srv/apt"), Path::new("/srv/apt"));
        assert_eq!(folder("a:b"), Path::new("/here/a:b"));
    }

    #[test]
    fn what_is_no_folder_says_so() {
        for bad in ["", "file://srv/apt", "s3://bucket/apt", "https://example.org/apt"] {
            assert!(Location::parse(bad, Path::new("/here")).is_err(), "{bad}");
        }
    }
}
