//! Oddities that dpkg and apt accept in a package and other tools may not: it is published with a warning.

use std::fmt;

/// An oddity of a package that does not change its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// The control text has parts that an index must not have; they are omitted.
    Rewritten,
    /// Bytes after the last member that are no member.
    AfterMembers,
    /// Bytes after the end of the control archive, or after its compressed stream.
    AfterControl,
    /// A path of the control file that is neither `control` nor `./control`.
    ControlPath,
}

/// The oddities of a package, in a byte, because many packages are held in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Oddities(u8);

impl Oddities {
    const ALL: [Oddity; 4] =
        [Oddity::Rewritten, Oddity::AfterMembers, Oddity::AfterControl, Oddity::ControlPath];

    pub(super) fn insert(&mut self, oddity: Oddity) {
        self.0 |= 1 << oddity as u8;
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Oddity> {
        Self::ALL.into_iter().filter(move |oddity| self.0 >> *oddity as u8 & 1 == 1)
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rewritten => {
                "carriage returns at the ends of lines, blanks before `:`, fields whose names begin with `#` and a mark of \
                 the end of the file are omitted from the index"
            }
            Self::AfterMembers => {
                "data follows the last member; dpkg ignores it, `apt install ./FILE` and apt-ftparchive refuse the file"
            }
            Self::AfterControl => {
                "data follows the end of the control archive; dpkg and apt ignore it, some tools refuse the file"
            }
            Self::ControlPath => {
                "the control file is neither `control` nor `./control` in its archive; dpkg accepts that, other tools do \
                 not find it"
            }
        })
    }
}
