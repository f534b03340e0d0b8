//! Why a `.changes` file and its files are not an upload that can be published, with remedies.

use super::{error::BadField, listed_files::FilesFault};
use crate::{signing, size, stanza};

/// The limit on the size of a `.changes` file.
pub const CHANGES_LIMIT: u64 = 8 << 20;

/// Why a `.changes` file and its files are not an upload that can be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangesFault {
    /// The frame of its signature is damaged.
    #[error("the frame of its signature is damaged")]
    Frame(#[source] signing::Distrust),
    /// Its signature does not verify.
    #[error("its signature is not valid")]
    Signature(#[source] signing::Distrust),
    /// It has no signature, and one is required.
    #[error("it has no signature")]
    Unsigned,
    /// It is not a stanza.
    #[error("it is not one stanza, as a `.changes` file is")]
    Stanza(#[source] stanza::Error),
    /// It is larger than any `.changes` file.
    #[error("it has more than {} and is not the description of an upload", size::bytes(CHANGES_LIMIT))]
    TooLarge,
    /// A required field is missing.
    #[error("it has no field `{0}`, or an empty one")]
    NoField(&'static str),
    /// A field has a value that cannot be used.
    #[error("in its field `{field}`")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The problem with its value.
        #[source]
        why: BadField,
    },
    /// A file name that is not allowed.
    #[error("the file name `{name}` is not allowed: it must name a file in the same folder")]
    Name {
        /// The name.
        name: String,
    },
    /// Its lists of files, or one of the files.
    #[error(transparent)]
    Files(#[from] FilesFault),
    /// A package that is not of this upload.
    #[error("`{file}` has the {part} `{found}`, and the `.changes` file has `{listed}`")]
    Other {
        /// The file.
        file: String,
        /// The part of its identity.
        part: &'static str,
        /// Its value in the package.
        found: String,
        /// The value in the `.changes` file.
        listed: String,
    },
    /// A file of a source package that is listed without its description.
    #[error("`{file}` belongs to a source package, and no `.dsc` file of the upload lists it")]
    WithoutDescription {
        /// The file.
        file: String,
    },
    /// It has no packages.
    #[error("it lists no packages")]
    Empty,
    /// The list of uploaders does not allow it.
    #[error("`{list}` does not allow it for suite `{suite}`: {by}")]
    NotAllowed {
        /// The list of uploaders.
        list: String,
        /// The suite.
        suite: String,
        /// The signers, or that there are none.
        by: String,
    },
}

impl ChangesFault {
    /// Returns a remedy.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Frame(_) | Self::Unsigned => "sign it again with `debsign`",
            Self::Signature(_) => {
                "sign it again with `debsign`, and name the public key of its uploader with `UploaderKeys:` in conf/distributions"
            }
            Self::Files(FilesFault::Missing { .. }) => {
                "put all files of the upload into one folder, such as with `dcmd cp FILE.changes FOLDER`"
            }
            Self::Files(FilesFault::Unreadable { .. }) => return None,
            Self::Files(FilesFault::Differs { .. }) => {
                "compare the file with the original, or update the `.changes` file with `changestool FILE.changes updatechecksums` and sign it again"
            }
            Self::NotAllowed { .. } => {
                "allow the key in the file that `Uploaders:` names, such as `allow * by key KEYID`; a subkey of it needs `key KEYID+`"
            }
            Self::TooLarge
            | Self::Stanza(_)
            | Self::NoField(_)
            | Self::Field { .. }
            | Self::Name { .. }
            | Self::Files(_)
            | Self::Other { .. }
            | Self::WithoutDescription { .. }
            | Self::Empty => "build it again with `dpkg-genchanges`",
        };
        Some(hint.to_owned())
    }
}
