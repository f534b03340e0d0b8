//! Whether a file is a package whose members are whole, as its bytes pass: the same rules for them as when it is read, but
//! nothing is decompressed. A file that was cut off before a tool listed it has the size and digests of its index, and dpkg
//! can never unpack it.

use std::io::{self, Read, Seek, SeekFrom};

use super::{
    ar::{HEADER, MAGIC, MemberName, begins_as_other, is_filler, parse_header},
    error::{Error, Layout, LooksLike, Place},
    members::{self, FORMAT_LIMIT},
};
use crate::compression::Compression;

/// The number of first bytes that tell the format of a member.
const HEAD: u64 = 6;
/// The buffer size for a file: more than two headers with `debian-binary`.
const PIECE: usize = 512;

/// The next thing to collect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// The first eight bytes.
    Magic,
    /// The header of a member, or the end of the file.
    Header,
    /// The text of `debian-binary`.
    Format,
    /// The first bytes of the data archive.
    Data(Compression),
    /// Nothing: what follows is ignored by dpkg, or there is a fault.
    Done,
}

/// The members that came so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Nothing,
    Format,
    Control,
    All,
}

/// Watches the bytes of a package pass.
pub(crate) struct Container {
    at: At,
    came: Came,
    /// The current member.
    name: MemberName,
    /// The number of bytes of it that are left, and of the padding after it.
    left: u64,
    padding: u64,
    /// The number of bytes to collect, and those that are.
    wanted: u64,
    part: Vec<u8>,
    /// The number of bytes so far.
    position: u64,
    fault: Option<Error>,
}

impl Default for Container {
    fn default() -> Self {
        Self {
            at: At::Magic,
            came: Came::Nothing,
            name: MemberName::default(),
            left: 0,
            padding: 0,
            wanted: MAGIC.len() as u64,
            part: Vec::new(),
            position: 0,
            fault: None,
        }
    }
}

impl Container {
    /// Checks a file from its beginning; only its headers are read.
    pub(crate) fn check(file: &mut (impl Read + Seek)) -> Result<(), Error> {
        let (mut container, mut piece) = (Self::default(), [0; PIECE]);
        let size = file.seek(SeekFrom::End(0)).map_err(Error::Read)?;
        while container.at != At::Done {
            let skipped = container.unread().min(size.saturating_sub(container.position));
            container.skip(skipped);
            file.seek(SeekFrom::Start(container.position)).map_err(Error::Read)?;
            match file.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => container.pass(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Read(error)),
            }
        }
        container.finish()
    }

    /// Takes the next bytes of the file.
    pub(crate) fn pass(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() && self.at != At::Done {
            let skipped = at_most(self.unread(), piece);
            self.skip(skipped as u64);
            piece = &piece[skipped..];
            let taken = at_most(self.wanted - self.part.len() as u64, piece);
            self.part.extend_from_slice(&piece[..taken]);
            self.position += taken as u64;
            piece = &piece[taken..];
            if self.unread() == 0 && self.part.len() as u64 == self.wanted {
                let part = std::mem::take(&mut self.part);
                if let Err(fault) = self.collected(&part) {
                    self.fault = Some(fault);
                    self.at = At::Done;
                }
            }
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// dpkg cannot read it.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let truncated = |place| Err(Error::Truncated { size: self.position, place });
        match self.at {
            At::Done => Ok(()),
            At::Magic if self.part.is_empty() || !MAGIC.starts_with(&self.part) => {
                Err(Error::NotADeb(LooksLike::from_head(&self.part)))
            }
            At::Magic => truncated(Place::Magic),
            At::Format | At::Data(_) => {
                let missing = self.left + self.wanted - self.part.len() as u64;
                truncated(Place::Member { name: self.name.shown(), missing })
            }
            // dpkg ignores a member after the data, and so its loss.
            At::Header if self.left > 0 && (self.came != Came::All || self.name.is_data()) => {
                truncated(Place::Member { name: self.name.shown(), missing: self.left })
            }
            At::Header if self.came == Came::All => Ok(()),
            At::Header if !is_filler(&self.part) => truncated(Place::Header),
            At::Header => self.header(&[0; HEADER]),
        }
    }

    /// The number of next bytes that are not read.
    fn unread(&self) -> u64 {
        if self.at == At::Header && self.part.is_empty() { self.left + self.padding } else { 0 }
    }

    fn skip(&mut self, count: u64) {
        self.position += count;
        let of_member = count.min(self.left);
        self.left -= of_member;
        self.padding -= count - of_member;
    }

    fn collected(&mut self, part: &[u8]) -> Result<(), Error> {
        match self.at {
            At::Magic if part != MAGIC => return Err(Error::NotADeb(LooksLike::from_head(part))),
            At::Format => members::check_format(part, self.left == 0)?,
            At::Data(format) if begins_as_other(part, format) => {
                return Err(Error::Layout(Layout::Content(self.name.shown())));
            }
            At::Header => return self.header(part.first_chunk().unwrap_or(&[0; HEADER])),
            At::Magic | At::Data(_) | At::Done => {}
        }
        (self.at, self.wanted) = (At::Header, HEADER as u64);
        Ok(())
    }

    /// Takes the header of a member.
    fn header(&mut self, header: &[u8; HEADER]) -> Result<(), Error> {
        if is_filler(header) {
            self.at = At::Done;
            let missing = match self.came {
                Came::Nothing => Layout::Empty,
                Came::Format => Layout::NoControl,
                Came::Control => Layout::NoData,
                Came::All => return Ok(()),
            };
            return Err(Error::Layout(missing));
        }
        let (name, size) = match parse_header(header) {
            Ok(parsed) => parsed,
            // dpkg does not read on.
            Err(_) if self.came == Came::All => {
                self.at = At::Done;
                return Ok(());
            }
            Err(what) => return Err(Error::Damaged { position: self.position - HEADER as u64, what }),
        };
        self.name = name;
        let mut read = 0;
        match self.came {
            Came::Nothing => {
                members::check_first(name)?;
                (self.at, self.came) = (At::Format, Came::Format);
                read = size.min(FORMAT_LIMIT);
            }
            Came::Format | Came::Control if name.is_ignored() => {}
            Came::Format => {
                members::control_format(name)?;
                self.came = Came::Control;
            }
            Came::Control => {
                (self.at, self.came) = (At::Data(members::data_format(name)?), Came::All);
                read = size.min(HEAD);
            }
            Came::All => members::check_later(name)?,
        }
        (self.left, self.padding) = (size - read, size % 2);
        self.wanted = if self.at == At::Header { HEADER as u64 } else { read };
        if self.wanted == 0 { self.collected(&[]) } else { Ok(()) }
    }
}

/// The number of bytes of a piece, up to a limit.
fn at_most(limit: u64, piece: &[u8]) -> usize {
    usize::try_from(limit).map_or(piece.len(), |limit| limit.min(piece.len()))
}
