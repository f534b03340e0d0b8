//! The outer container of a package, an `ar` archive (deb(5), ar(5) of the common System V kind), read as a stream.
//!
//! The whole file passes through one buffer, which each thread reuses for its next package; the bytes are hashed in
//! the same large pieces and never copied to find a header. Names have at most 16 bytes: the long names of GNU and BSD
//! are not part of the package format, and no header value controls an allocation.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
};

use super::error::{Error, LooksLike, Place};
use crate::{
    compression::Compression,
    digest::{Digests, HashingReader},
};

pub(super) const MAGIC: &[u8; 8] = b"!<arch>\n";
pub(super) const HEADER: usize = 60;
const BUFFER: usize = 128 << 10;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The buffer of this thread, returned when dropped.
struct Buffer(Vec<u8>);

impl Buffer {
    fn take() -> Self {
        let mut bytes = SPARE.take();
        bytes.resize(BUFFER, 0);
        Self(bytes)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        SPARE.set(std::mem::take(&mut self.0));
    }
}

/// The file behind an archive.
enum Source<'a> {
    Hashed(HashingReader<&'a mut dyn Read>),
    Known(&'a mut dyn Read),
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Hashed(reader) => reader.read(out),
            Self::Known(reader) => reader.read(out),
        }
    }
}

/// An `ar` archive, positioned in one of its members. As a reader it returns the rest of that member.
pub(super) struct Archive<'a> {
    source: Source<'a>,
    buffer: Buffer,
    /// The part of the buffer that is read and not yet consumed.
    start: usize,
    end: usize,
    /// The number of bytes consumed so far.
    position: u64,
    /// The current member, its remaining bytes, and whether a byte of padding follows.
    name: MemberName,
    left: u64,
    padded: bool,
    /// The error below a decoder, which can only pass on an [`io::Error`].
    failure: Option<Error>,
}

/// The name of a member without padding and trailing slash.
#[derive(Clone, Copy, Default)]
pub(super) struct MemberName {
    bytes: [u8; 16],
    length: usize,
}

impl MemberName {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Whether readers ignore it (deb(5)).
    pub(super) fn is_ignored(&self) -> bool {
        self.as_bytes().starts_with(b"_")
    }

    /// Whether this is the control archive, in any compression.
    pub(super) fn is_control(&self) -> bool {
        self.is_tar(b"control.tar")
    }

    /// Whether this is the data archive, in any compression.
    pub(super) fn is_data(&self) -> bool {
        self.is_tar(b"data.tar")
    }

    fn is_tar(&self, name: &[u8]) -> bool {
        let extension = self.as_bytes().strip_prefix(name);
        extension.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
    }

    /// The compression of a member whose name begins like this; `None` if dpkg does not know it.
    pub(super) fn compression(&self, name: &[u8]) -> Option<Compression> {
        let extension = std::str::from_utf8(self.as_bytes().strip_prefix(name)?).ok()?;
        Compression::from_extension(extension)
    }

    /// The name for an error message.
    pub(super) fn shown(&self) -> String {
        String::from_utf8_lossy(self.as_bytes()).escape_debug().to_string()
    }

    fn parse(field: &[u8; 16]) -> Self {
        let blanks = field.iter().rev().take_while(|&&b| b == b' ').count();
        let name = &field[..16 - blanks];
        let length = name.strip_suffix(b"/").unwrap_or(name).len();
        Self { bytes: *field, length }
    }
}

impl<'a> Archive<'a> {
    /// Reads the magic bytes.
    pub(super) fn open(reader: &'a mut dyn Read) -> Result<Self, Error> {
        Self::open_source(Source::Hashed(HashingReader::new(reader)))
    }

    /// Reads the magic bytes of a file whose digests are known.
    pub(super) fn open_unhashed(reader: &'a mut dyn Read) -> Result<Self, Error> {
        Self::open_source(Source::Known(reader))
    }

    fn open_source(source: Source<'a>) -> Result<Self, Error> {
        let mut archive = Self {
            source,
            buffer: Buffer::take(),
            start: 0,
            end: 0,
            position: 0,
            name: MemberName::default(),
            left: 0,
            padded: false,
            failure: None,
        };
        let mut magic = [0; MAGIC.len()];
        let count = archive.take_bytes(&mut magic)?;
        if count == MAGIC.len() && magic == *MAGIC {
            return Ok(archive);
        }
        if count > 0 && MAGIC.starts_with(&magic[..count]) {
            return Err(archive.truncated(Place::Magic));
        }
        archive.fill().map_err(Error::Read)?;
        let mut head = magic[..count].to_vec();
        head.extend_from_slice(&archive.buffer.0[archive.start..archive.end.min(archive.start + 512)]);
        Err(Error::NotADeb(LooksLike::from_head(&head)))
    }

    /// Passes over the rest of the current member.
    pub(super) fn pass_member(&mut self, mut see: impl FnMut(&[u8])) -> Result<(), Error> {
        loop {
            let count = match self.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(piece) => {
                    see(piece);
                    piece.len()
                }
                Err(error) => return Err(self.failure.take().unwrap_or(Error::Read(error))),
            };
            self.consume(count);
        }
    }

    /// Passes over the rest of the file, whatever it is.
    pub(super) fn pass_file(&mut self) -> Result<(), Error> {
        self.left = 0;
        loop {
            self.fill().map_err(Error::Read)?;
            if self.start == self.end {
                return Ok(());
            }
            self.advance(self.end - self.start);
        }
    }

    /// Skips the rest of the current member and reads the next header; `None` at the end of the file.
    pub(super) fn next_member(&mut self) -> Result<Option<MemberName>, Error> {
        self.pass_member(|_| ())?;
        if self.padded {
            // The writer may have omitted the padding of the last member.
            self.padded = false;
            self.take_bytes(&mut [0])?;
        }
        let position = self.position;
        let mut header = [0; HEADER];
        let count = self.take_bytes(&mut header)?;
        if is_filler(&header[..count]) {
            return self.skip_filler(position);
        }
        if count < HEADER {
            return Err(self.truncated(Place::Header));
        }
        (self.name, self.left) = parse_header(&header).map_err(|what| Error::Damaged { position, what })?;
        self.padded = self.left % 2 == 1;
        Ok(Some(self.name))
    }

    /// The next member that readers do not ignore.
    pub(super) fn next_relevant(&mut self) -> Result<Option<MemberName>, Error> {
        loop {
            match self.next_member()? {
                Some(member) if member.is_ignored() => {}
                other => return Ok(other),
            }
        }
    }

    /// Reads filler up to the end of the file.
    fn skip_filler(&mut self, position: u64) -> Result<Option<MemberName>, Error> {
        let mut piece = [0; HEADER];
        loop {
            match self.take_bytes(&mut piece)? {
                0 => return Ok(None),
                count if is_filler(&piece[..count]) => {}
                _ => return Err(Error::Damaged { position, what: NO_HEADER }),
            }
        }
    }

    /// Whether the rest of the member begins with the magic bytes of another format than this one.
    pub(super) fn begins_as_other(&mut self, format: Compression) -> Result<bool, Error> {
        match self.fill_buf() {
            Ok(head) => Ok(begins_as_other(head, format)),
            Err(error) => Err(self.take_failure().unwrap_or(Error::Read(error))),
        }
    }

    /// The number of remaining bytes of the current member.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The underlying error, when a decoder on top of this reader failed.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// The digests of the whole file, after [`Archive::next_member`] reached its end.
    pub(super) fn finish(self) -> Digests {
        match self.source {
            Source::Hashed(reader) => reader.finish(),
            Source::Known(_) => unreachable!("only a file with unknown digests is hashed"),
        }
    }

    /// Fills `out`, up to the end of the file.
    fn take_bytes(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let mut done = 0;
        while done < out.len() {
            self.fill().map_err(Error::Read)?;
            let count = (self.end - self.start).min(out.len() - done);
            if count == 0 {
                break;
            }
            out[done..done + count].copy_from_slice(&self.buffer.0[self.start..self.start + count]);
            self.advance(count);
            done += count;
        }
        Ok(done)
    }

    /// Reads the next chunk if the buffer is empty; it stays empty at the end of the file.
    fn fill(&mut self) -> io::Result<()> {
        while self.start == self.end {
            match self.source.read(&mut self.buffer.0) {
                Ok(count) => {
                    (self.start, self.end) = (0, count);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, count: usize) {
        self.start += count;
        self.position += count as u64;
    }

    fn truncated(&self, place: Place) -> Error {
        Error::Truncated { size: self.position, place }
    }
}

impl BufRead for Archive<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        if let Err(error) = self.fill() {
            let kind = error.kind();
            self.failure = Some(Error::Read(error));
            return Err(kind.into());
        }
        if self.start == self.end {
            self.failure =
                Some(self.truncated(Place::Member { name: self.name.shown(), missing: self.left }));
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end =
            usize::try_from(self.left).map_or(self.end, |left| self.end.min(self.start.saturating_add(left)));
        Ok(&self.buffer.0[self.start..end])
    }

    fn consume(&mut self, count: usize) {
        self.advance(count);
        self.left -= count as u64;
    }
}

impl Read for Archive<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let count = piece.len().min(out.len());
        out[..count].copy_from_slice(&piece[..count]);
        self.consume(count);
        Ok(count)
    }
}

const NO_HEADER: &str = "a member header is missing";

/// Whether bytes between members are no header: some writers add a newline, or fill the last block with zeros.
pub(super) fn is_filler(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| matches!(b, 0 | b'\n'))
}

/// Whether the first bytes of a member are the magic bytes of another format than this one.
pub(super) fn begins_as_other(head: &[u8], format: Compression) -> bool {
    let is_other = |other: Compression| other != format && !other.magic().is_empty();
    Compression::ALL.into_iter().any(|other| is_other(other) && head.starts_with(other.magic()))
}

/// Returns the name and the size of a member, or what is wrong with its header.
pub(super) fn parse_header(header: &[u8; HEADER]) -> Result<(MemberName, u64), &'static str> {
    let (fields, end) = header.split_at(HEADER - 2);
    if end != b"`\n" {
        return Err(NO_HEADER);
    }
    // The other fields (time, owner, mode) are not used; some tools leave them blank.
    let size = parse_size(&fields[48..58]).ok_or("the size of a member is not a number")?;
    let mut name = [0; 16];
    name.copy_from_slice(&fields[..16]);
    Ok((MemberName::parse(&name), size))
}

/// Parses a decimal number with trailing blanks.
fn parse_size(field: &[u8]) -> Option<u64> {
    let end = field.iter().position(|&b| b == b' ').unwrap_or(field.len());
    let (digits, blanks) = field.split_at(end);
    if digits.is_empty() || blanks.iter().any(|&b| b != b' ') {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}
