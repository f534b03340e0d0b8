//! Why the files of a package cannot be listed.

use std::io;

use super::error::Error;

/// Why the files of a package cannot be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataFault {
    /// The container is damaged.
    #[error(transparent)]
    Container(#[from] Error),
    /// The data member does not decompress.
    #[error("the data member cannot be decompressed")]
    Decompress(#[source] io::Error),
    /// The data member is not a tar archive that dpkg can unpack.
    #[error("in the data archive")]
    Header(#[from] HeaderFault),
    /// The data member unpacks to a multiple of its size.
    #[error("the data archive is hundreds of times larger than the package")]
    Bomb,
    /// The paths are too many or too long.
    #[error("the data archive has more than 64 MiB of paths, or a path of more than 64 KiB")]
    TooManyNames,
}

/// A header of a tar archive that dpkg refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// The archive ends in a header.
    #[error("it ends in the middle of a header")]
    Partial,
    /// The archive ends in a file.
    #[error("it ends in the middle of a file")]
    Ends,
    /// The checksum of a header is wrong.
    #[error("a header has a wrong checksum")]
    Checksum,
    /// The size in a header is not a number.
    #[error("a header has no valid size")]
    Size,
    /// A path has a newline.
    #[error("the path `{0}` has a newline, which dpkg refuses")]
    Newline(String),
    /// An entry of a type that dpkg does not unpack.
    #[error("it has an entry of type `{}`, which dpkg does not unpack{}", .0.escape_default(), hint(*.0))]
    Kind(char),
}

fn hint(kind: char) -> &'static str {
    if matches!(kind, 'x' | 'g') { " (a pax header; build it with `tar --format=gnu`)" } else { "" }
}

impl DataFault {
    /// Whether dpkg cannot unpack the package either.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Bomb | Self::TooManyNames)
    }
}
