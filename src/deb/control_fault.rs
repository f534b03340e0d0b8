//! The faults of a control archive, and the limits on its size.

/// The limit on the unpacked size of a control archive.
pub(super) const ARCHIVE_LIMIT: u64 = 64 << 20;
/// The limit on the length of the `control` file.
pub(super) const CONTROL_LIMIT: u64 = 1 << 20;

/// The longest name of a file in a control archive that dpkg accepts.
pub(super) const LONGEST_NAME: usize = 100;

/// A fault of a control archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlFault {
    /// There is no `control`.
    #[error("no file `control`")]
    Missing,
    /// There is a second `control`.
    #[error("two files `control`; readers differ in which one they use")]
    Twice,
    /// `control` is a link, a folder or a device.
    #[error("`control` is not a regular file")]
    NotAFile,
    /// A path that readers resolve in different ways.
    #[error("the path `{0}` is outside the archive, or readers resolve it differently")]
    Path(String),
    /// A header that changes the meaning of entries in some readers.
    #[error("an extension header that readers interpret differently")]
    Extension,
    /// A folder or a device, at which dpkg stops.
    #[error("`{0}` is in a folder or not a regular file; dpkg does not unpack the package")]
    Member(String),
    /// A name at which dpkg stops.
    #[error("the file name `{0}` is longer than {LONGEST_NAME} bytes; dpkg does not unpack the package")]
    LongName(String),
    /// A line of `conffiles` that dpkg cannot read.
    #[error("`conffiles`, line {line}: {why}")]
    Conffiles {
        /// The number of the line.
        line: usize,
        /// The problem.
        why: &'static str,
    },
    /// A line of `triggers` that dpkg cannot read.
    #[error("`triggers`, line {line}: {why}")]
    Triggers {
        /// The number of the line.
        line: usize,
        /// The problem.
        why: &'static str,
    },
    /// Non-zero data after the end mark.
    #[error("data after the end of the archive")]
    AfterEnd,
    /// It unpacks to more than any package needs.
    #[error("it unpacks to more than {} MiB", ARCHIVE_LIMIT >> 20)]
    TooLarge,
    /// A file is longer than any package needs.
    #[error("a file in it is longer than {} MiB", CONTROL_LIMIT >> 20)]
    ControlTooLarge,
}
