//! Why a `.dsc` and its files are not a source package that can be published, with remedies.

use super::{error::BadField, listed_files::FilesFault};
use crate::{signing, size, stanza};

/// The limit on the size of a `.dsc`; the largest of Debian has about 300 KiB.
pub const DSC_LIMIT: u64 = 8 << 20;
/// The formats that dpkg-source knows; apt-get source downloads all of them.
pub(super) const FORMATS: [&str; 7] =
    ["1.0", "2.0", "3.0 (native)", "3.0 (quilt)", "3.0 (git)", "3.0 (bzr)", "3.0 (custom)"];

/// Why a `.dsc` and its files are not a source package that can be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DscFault {
    /// The frame of its signature is damaged.
    #[error("the frame of its signature is damaged")]
    Signature(#[source] signing::Distrust),
    /// It is not a stanza.
    #[error("it is not one stanza, as a `.dsc` is")]
    Stanza(#[source] stanza::Error),
    /// It is larger than any `.dsc`.
    #[error("it has more than {} and is not the description of a source package", size::bytes(DSC_LIMIT))]
    TooLarge,
    /// It describes an upload.
    #[error("it is a `.changes` file, not the description of a source package")]
    Changes,
    /// A format that is not supported.
    #[error("the source format `{0}` is not supported; known are {formats}", formats = formats())]
    Format(String),
    /// A required field is missing.
    #[error("it has no field `{0}`, or an empty one")]
    NoField(&'static str),
    /// A field has a value that cannot be published.
    #[error("in its field `{field}`")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The problem with its value.
        #[source]
        why: BadField,
    },
    /// A file name that is not allowed.
    #[error("the file name `{name}` is not allowed: {why}")]
    Name {
        /// The name.
        name: String,
        /// The problem with it.
        why: NameFault,
    },
    /// It lists no file of a kind that dpkg-source requires.
    #[error("it lists no file `{form}`, without which dpkg-source does not unpack the format `{format}`")]
    NoFile {
        /// The form of its name.
        form: String,
        /// The format.
        format: String,
    },
    /// Its lists of files, or one of the files.
    #[error(transparent)]
    Files(#[from] FilesFault),
}

/// Why a file of a source package cannot have a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameFault {
    /// A character that dpkg-source refuses.
    #[error("only letters, digits and `-+:.,=_~` are allowed")]
    Character,
    /// It is too long.
    #[error("it is longer than 255 bytes")]
    TooLong,
    /// It does not belong to this source.
    #[error("it must start with `{0}_`")]
    OtherSource(String),
    /// Its version is not that of the description, or the format has no such file.
    #[error(
        "dpkg-source does not unpack it with `Version: {version}` and `Format: {format}`, which have {known}"
    )]
    OtherVersion {
        /// The version in the description.
        version: String,
        /// The format.
        format: String,
        /// The forms of the names that it would accept.
        known: String,
    },
    /// It is not a file that dpkg-source knows.
    #[error("it does not have the extension of a tarball, a diff or the signature of a tarball")]
    Extension,
}

fn formats() -> String {
    FORMATS.map(|format| format!("`{format}`")).join(", ")
}

impl DscFault {
    /// Returns a remedy.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Signature(_) => "sign it again with `debsign`",
            Self::Changes => "name the `.dsc` and `.deb` files themselves",
            Self::Format(_) => {
                "build it in the format `3.0 (quilt)` or `3.0 (native)` (debian/source/format)"
            }
            Self::Files(FilesFault::Missing { .. }) => {
                "put all files of the source package into one folder, such as with `dget URL-OF-THE-DSC`"
            }
            Self::Files(FilesFault::Unreadable { .. }) => return None,
            Self::Files(FilesFault::Differs { .. }) => {
                "compare the file with the original, or build the source package again with `dpkg-source --build`"
            }
            Self::TooLarge
            | Self::Stanza(_)
            | Self::NoField(_)
            | Self::NoFile { .. }
            | Self::Field { .. }
            | Self::Name { .. }
            | Self::Files(_) => "build the source package again with `dpkg-source --build`",
        };
        Some(hint.to_owned())
    }
}
