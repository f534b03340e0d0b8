//! Why a file is not a package that can be published, with remedies.

use std::{fmt, io};

use super::{control_fault::ControlFault, relationship::BadRelationship};
use crate::{
    names::{self, Architecture},
    package_type::PackageType,
    stanza, version,
};

/// Why a file is not a package that can be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file itself cannot be read.
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    /// Some other kind of file.
    #[error("not a Debian package: {0}")]
    NotADeb(LooksLike),
    /// The file is truncated.
    #[error("the file ends early, after {size} bytes: {place}")]
    Truncated {
        /// The length of the file.
        size: u64,
        /// Where the file ends.
        place: Place,
    },
    /// The container is damaged.
    #[error("the file is damaged at byte {position}: {what}")]
    Damaged {
        /// The position of the damage.
        position: u64,
        /// The problem.
        what: &'static str,
    },
    /// The members are not those of a package.
    #[error("{0}")]
    Layout(Layout),
    /// A format version other than 2.
    #[error("the package format is `{0}`, but only 2.x is supported")]
    FormatVersion(String),
    /// The control member does not decompress.
    #[error("the control member cannot be decompressed")]
    Decompress(#[source] io::Error),
    /// The control member does not contain a tar archive.
    #[error("the control member contains no readable tar archive")]
    Tar(#[source] io::Error),
    /// The control archive is not valid.
    #[error("in the control archive: {0}")]
    Control(ControlFault),
    /// The control file is not a stanza.
    #[error("in the control file")]
    Stanza(#[source] stanza::Error),
    /// A required field is missing.
    #[error("the control file has no field `{0}`, or an empty one")]
    NoField(&'static str),
    /// A field has a value that cannot be published.
    #[error("in field `{field}` of the control file")]
    BadField {
        /// The name of the field.
        field: &'static str,
        /// The problem with its value.
        #[source]
        why: BadField,
    },
    /// A relationship field that dpkg or apt cannot read.
    #[error("in the control file")]
    Relationship(#[from] BadRelationship),
    /// A kind of package that is not supported.
    #[error("packages of type `{0}` are not known: expected `deb`, `udeb` or `ddeb`")]
    PackageType(String),
    /// The control file and the file name say different types.
    #[error("the control file has `{field}: {text}`, and the file name ends in `.{named}`")]
    OtherType {
        /// The field that says the type.
        field: &'static str,
        /// Its value.
        text: String,
        /// The type that the file name says.
        named: PackageType,
    },
    /// A variant of another architecture.
    #[error("`Architecture-Variant: {variant}` is not a variant of `{architecture}`")]
    Variant {
        /// The variant.
        variant: Architecture,
        /// The architecture.
        architecture: Architecture,
    },
}

/// The longest value that apt can store in its cache.
pub(super) const LONGEST: usize = u16::MAX as usize;

/// Why a stanza of an index must not be published: dpkg never installs its package, or apt stops at it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadStanza {
    /// A relationship field that dpkg or apt cannot read.
    #[error(transparent)]
    Relationship(#[from] BadRelationship),
    /// Another field that dpkg or apt cannot read.
    #[error("field `{field}`: {why}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The problem with its value.
        why: BadField,
    },
    /// A field that dpkg and apt read differently.
    #[error("field `{0}` occurs twice: dpkg reads no such package, and apt takes the last value")]
    Twice(String),
    /// A digest that apt compares as text.
    #[error("field `SHA256` has upper-case letters: apt finds a hash sum mismatch")]
    UpperCase,
}

/// The apparent kind of a file that is not a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LooksLike {
    /// An empty file.
    Empty,
    /// A file that starts with zeros.
    Zeros,
    /// A web page, or an answer in XML or JSON.
    WebPage,
    /// A package for rpm.
    Rpm,
    /// A Git LFS pointer file.
    GitLfs,
    /// A `.dsc`, `.changes` or `.buildinfo`.
    SourceControl,
    /// A package of the format that dpkg had before 1995.
    OldDeb,
    /// Another container or compressed file.
    Other(&'static str),
    /// An unknown kind.
    Unknown,
}

impl LooksLike {
    pub(super) fn from_head(head: &[u8]) -> Self {
        let text = head.trim_ascii_start();
        let begins = |with: &str| {
            text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
        };
        let any = |list: &[&str]| list.iter().any(|with| begins(with));
        match head {
            [] => Self::Empty,
            _ if head.iter().all(|&b| b == 0) => Self::Zeros,
            [0xed, 0xab, 0xee, 0xdb, ..] => Self::Rpm,
            [b'0', b'.', b'9', ..] => Self::OldDeb,
            [0x1f, 0x8b, ..] => Self::Other("a gzip file"),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Other("an xz file"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Other("a zstd file"),
            [b'B', b'Z', b'h', ..] => Self::Other("a bzip2 file"),
            [b'P', b'K', 3 | 5, 4 | 6, ..] => Self::Other("a zip file"),
            [0x7f, b'E', b'L', b'F', ..] => Self::Other("a program"),
            _ if head.get(257..262) == Some(b"ustar") => Self::Other("a tar archive"),
            _ if begins("version https://git-lfs") => Self::GitLfs,
            _ if any(&["<!doctype", "<html", "<head", "<?xml", "<error", "<!--", "{\"", "{\n"]) => {
                Self::WebPage
            }
            _ if any(&["format: ", "-----begin pgp signed"]) => Self::SourceControl,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for LooksLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the file is empty",
            Self::Zeros => "the file starts with only zeros",
            Self::WebPage => "it looks like a web page or the answer of a server",
            Self::Rpm => "it looks like a package for rpm",
            Self::GitLfs => "it is a Git LFS pointer file",
            Self::SourceControl => "it looks like a `.dsc`, `.changes` or `.buildinfo` file",
            Self::OldDeb => "it looks like a package of the format before 1995",
            Self::Other(what) => return write!(f, "it looks like {what}"),
            Self::Unknown => "it does not start like an `ar` archive",
        })
    }
}

/// Where a truncated file ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Place {
    /// In the first eight bytes.
    #[error("within the signature of an `ar` archive")]
    Magic,
    /// In the header of a member.
    #[error("in the header of a member")]
    Header,
    /// In the contents of a member.
    #[error("`{name}` is missing {missing} bytes")]
    Member {
        /// The name of the member.
        name: String,
        /// The number of missing bytes.
        missing: u64,
    },
}

/// A fault in the sequence of members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Layout {
    /// The first member is not `debian-binary`.
    #[error("the first member is `{0}`, not `debian-binary`: an `ar` archive, but not a Debian package")]
    First(String),
    /// No member at all.
    #[error("an `ar` archive without members")]
    Empty,
    /// No control member.
    #[error("no member `control.tar`")]
    NoControl,
    /// A data member or another one in the place of the control member.
    #[error("`{0}` is in the place of `control.tar`")]
    NotControl(String),
    /// A member with a compression that dpkg does not read there.
    #[error("dpkg does not read the compression of `{0}`")]
    Compression(String),
    /// A second control member.
    #[error("a second control member, `{0}`")]
    SecondControl(String),
    /// A data member in another format than its name says.
    #[error("the content of `{0}` is not in the format of its name")]
    Content(String),
    /// No data member.
    #[error("no member `data.tar`")]
    NoData,
    /// Another member in the place of the data member.
    #[error("`{0}` is in the place of `data.tar`")]
    NotData(String),
    /// A second data member.
    #[error("a second data member, `{0}`")]
    SecondData(String),
}

/// A fault in the value of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadField {
    /// Not a valid name.
    #[error(transparent)]
    Name(#[from] names::Error),
    /// Not a valid version.
    #[error(transparent)]
    Version(#[from] version::Error),
    /// A field of dpkg's own records.
    #[error("dpkg refuses it in a package: it belongs to the records of installed packages")]
    OfStatus,
    /// A value that dpkg does not accept.
    #[error("`{text}` is not {known}")]
    Value {
        /// The value.
        text: String,
        /// The accepted values.
        known: &'static str,
    },
    /// `Multi-Arch: same` in a package for all architectures.
    #[error("`same` is not possible with `Architecture: all`")]
    SameForAll,
    /// Not a list of files with digests.
    #[error("expected one file with its MD5 in each line after the first; dpkg stops at {0}")]
    Conffiles(String),
    /// An obsolete field that dpkg appends to the version, and apt does not.
    #[error("dpkg appends it to the version, which apt then reads differently, or dpkg not at all")]
    Revision,
    /// Another number of words than in the other fields about the file.
    #[error("dpkg requires as many words as in `{other}`")]
    Words {
        /// The other field.
        other: &'static str,
    },
    /// Not the MD5 of a description: apt then reads no index at all.
    #[error("`{0}` is not an MD5 of 32 hexadecimal digits; apt stops at it and reads no package at all")]
    DescriptionMd5(String),
    /// Longer than apt can store: it aborts.
    #[error("it has {0} bytes; apt aborts at more than {LONGEST}")]
    Long(usize),
    /// Not UTF-8 text.
    #[error("the value is not UTF-8")]
    NotUtf8,
    /// Name, version and architecture together are longer than a file name may be.
    #[error("`{0}` would be longer than a file name may be (255 bytes)")]
    TooLong(String),
}

impl Error {
    /// Returns a remedy.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        const AGAIN: &str =
            "a build, copy or download did not finish; compare the size with the original, or fetch it again";
        const DAMAGED: &str = "compare the file with the original, or build it again with `dpkg-deb --build`";
        const REBUILD: &str = "build the package again with `dpkg-deb --build`";
        let hint = match self {
            Self::Read(_) => return None,
            Self::NotADeb(looks) => match looks {
                LooksLike::Empty | LooksLike::Zeros => AGAIN,
                LooksLike::WebPage => {
                    "a download probably saved an error page in place of the package; fetch it again"
                }
                LooksLike::Rpm => "convert it with `alien`, or publish it in a repository for rpm",
                LooksLike::GitLfs => "fetch the file itself with `git lfs pull`",
                LooksLike::SourceControl => "name the `.deb` and `.dsc` files themselves",
                LooksLike::OldDeb => "unpack it with `dpkg-deb --raw-extract` and build it again",
                LooksLike::Other(_) | LooksLike::Unknown => {
                    "packages (`.deb`, `.udeb`, `.ddeb`), sources (`.dsc`) and uploads (`.changes`) can be added; run `file` on it to see its type"
                }
            },
            Self::Truncated { .. } | Self::Layout(Layout::NoControl | Layout::NoData | Layout::Empty) => {
                AGAIN
            }
            Self::Damaged { .. } | Self::Decompress(_) | Self::Tar(_) => DAMAGED,
            Self::FormatVersion(_) => "look for a newer `publish`, or build the package in format 2.0",
            Self::Layout(Layout::First(_)) => "run `ar t` on it to see its members",
            Self::Layout(Layout::Compression(_)) => {
                "build it with `dpkg-deb -Zxz`; dpkg reads `.gz`, `.xz`, `.zst` and uncompressed members everywhere, `.bz2` and `.lzma` for `data.tar` only"
            }
            Self::Control(ControlFault::TooLarge | ControlFault::ControlTooLarge) => {
                "move large files from the control archive to the data of the package"
            }
            Self::Layout(_) | Self::Control(_) => REBUILD,
            Self::Stanza(error) => match error.kind {
                stanza::ErrorKind::NoFinalNewline => {
                    "add a newline at the end of `DEBIAN/control`, then build the package again"
                }
                stanza::ErrorKind::ByteOrderMark => {
                    "save the control file as UTF-8 without a byte order mark, then build the package again"
                }
                _ => "correct `DEBIAN/control`, then build the package again",
            },
            Self::NoField(field) => {
                return Some(format!("add `{field}:` to the control file, then build the package again"));
            }
            Self::BadField { field, .. } => {
                return Some(format!("correct `{field}:` in the control file, then build the package again"));
            }
            Self::Relationship(bad) => {
                let field = bad.field;
                return Some(format!(
                    "correct `{field}:` in the control file, then build the package again; `dpkg --dry-run -i FILE` reads it as clients do"
                ));
            }
            Self::PackageType(_) => "build it again as one of these types, or leave it out",
            Self::Variant { .. } => {
                "the name of a variant begins with that of its architecture, such as `amd64v3`; build the package again"
            }
            Self::OtherType { field: "Section", .. } => {
                "a package of the installer is a `.udeb`: rename the file, or build it with another `Section:`"
            }
            Self::OtherType { .. } => {
                "rename the file to end in its type, such as `.udeb`, or build it again as an ordinary package"
            }
        };
        Some(hint.to_owned())
    }
}
