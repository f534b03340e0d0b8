//! Lists the files that a package installs, from its data archive (deb(5), tar(5)).
//!
//! The archive is read as dpkg reads it: the same headers, the same limits of the format. An archive that dpkg cannot
//! unpack is an error of its own kind, since such a package must not be published. Nothing is unpacked, and memory is
//! bounded by [`NAMES_LIMIT`] whatever the archive claims.

use std::io::{self, BufRead, BufReader, Read};

use crate::compression::{Compression, is_after_the_end};

use super::{
    ar::Archive,
    data_fault::{DataFault, HeaderFault},
    error::{Error, Layout},
    file_list::FileList,
};

/// The limit on the paths of a package: about a million files.
pub(super) const NAMES_LIMIT: usize = 64 << 20;
/// The limit on a path in an extension header.
const PATH_LIMIT: u64 = 64 << 10;
/// Up to this size an archive may have any ratio of compression…
const SMALL: u64 = 1 << 30;
/// …and a larger one no more than this: files compress by a factor of ten, a bomb by a thousand.
const RATIO: u64 = 500;
const BLOCK: usize = 512;
const BUFFER: usize = 64 << 10;

/// Lists the files that a package installs.
///
/// # Errors
/// [`DataFault::is_fatal`] if dpkg cannot unpack the package either.
pub fn list_files(mut deb: impl Read) -> Result<FileList, DataFault> {
    let mut archive = Archive::open_unhashed(&mut deb)?;
    let mut members = 0;
    let member = loop {
        let member = archive.next_relevant()?.ok_or(Error::Layout(Layout::NoData))?;
        // After `debian-binary` and `control.tar`.
        members += 1;
        if member.is_data() || members > 2 {
            break member;
        }
    };
    let format =
        member.compression(b"data.tar").ok_or_else(|| Error::Layout(Layout::Compression(member.shown())))?;
    // dpkg reads gzip by zlib, which takes no bytes for an empty stream.
    let format = if archive.left() == 0 && format == Compression::Gzip { Compression::Plain } else { format };
    let limit = archive.left().saturating_mul(RATIO).max(SMALL);
    let (found, failure) = {
        let decoder = format.buffered_decoder(&mut archive).map_err(DataFault::Decompress)?;
        let mut unpacked = Unpacked { decoder, left: limit, failure: None };
        let found = walk(&mut BufReader::with_capacity(BUFFER, &mut unpacked));
        (found, unpacked.failure)
    };
    found.map_err(|fault| match (fault, failure, archive.take_failure()) {
        (_, _, Some(cause)) => cause.into(),
        (_, Some(fault), _) | (fault, None, None) => fault,
    })
}

/// The output of a decoder, limited in size; stores why it stopped, since readers on top replace errors.
struct Unpacked<'a> {
    decoder: Box<dyn Read + 'a>,
    left: u64,
    failure: Option<DataFault>,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(out) {
            Ok(count) if count as u64 > self.left => {
                self.failure = Some(DataFault::Bomb);
                Err(io::ErrorKind::FileTooLarge.into())
            }
            Ok(count) => {
                self.left -= count as u64;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            // dpkg reads one stream.
            Err(error) if is_after_the_end(&error) => Ok(0),
            Err(error) => {
                let kind = error.kind();
                self.failure = Some(DataFault::Decompress(error));
                Err(kind.into())
            }
        }
    }
}

/// Reads an archive to its end, so that its checksum is verified too.
fn walk(tar: &mut impl BufRead) -> Result<FileList, DataFault> {
    let mut names = Names::default();
    let mut long_name = None;
    let mut block = [0; BLOCK];
    loop {
        match fill(tar, &mut block)? {
            0 => break,
            BLOCK => {}
            _ => return Err(HeaderFault::Partial.into()),
        }
        // dpkg takes a block without a name for the end, whatever follows.
        if block[0] == 0 {
            break;
        }
        let header = Header::parse(&block)?;
        match header.kind {
            b'L' => long_name = Some(read_path(tar, header.size)?),
            b'K' => drop(read_path(tar, header.size)?),
            b'5' => long_name = None,
            b'0' | 0 | b'7' => {
                let path = long_name.take().unwrap_or(header.path);
                // A folder in archives that are older than POSIX.
                if !path.ends_with(b"/") {
                    names.add(&path)?;
                }
                skip(tar, header.size)?;
            }
            b'1' | b'2' | b'3' | b'4' | b'6' => names.add(&long_name.take().unwrap_or(header.path))?,
            kind => return Err(HeaderFault::Kind(char::from(kind)).into()),
        }
    }
    drain(tar)?;
    Ok(FileList::of(names.text, names.left_out))
}

/// The paths so far.
#[derive(Default)]
struct Names {
    text: Vec<u8>,
    left_out: usize,
}

impl Names {
    /// Adds a path in the form of an index: relative to the root, without `.` parts.
    fn add(&mut self, path: &[u8]) -> Result<(), DataFault> {
        // dpkg refuses these.
        if path.contains(&b'\n') {
            return Err(HeaderFault::Newline(String::from_utf8_lossy(path).escape_debug().to_string()).into());
        }
        let start = self.text.len();
        for part in path.split(|&b| b == b'/').filter(|part| !matches!(*part, b"" | b".")) {
            if part == b".." {
                self.text.truncate(start);
                self.left_out += 1;
                return Ok(());
            }
            if self.text.len() > start {
                self.text.push(b'/');
            }
            self.text.extend_from_slice(part);
        }
        match self.text.last() {
            _ if self.text.len() == start => return Ok(()),
            // A line of `Contents` ends a path at the last blank before the packages.
            Some(last) if last.is_ascii_whitespace() || *last == 0x0b => {
                self.text.truncate(start);
                self.left_out += 1;
            }
            _ => self.text.push(b'\n'),
        }
        if self.text.len() > NAMES_LIMIT { Err(DataFault::TooManyNames) } else { Ok(()) }
    }
}

/// The relevant fields of a header.
struct Header {
    path: Vec<u8>,
    size: u64,
    kind: u8,
}

impl Header {
    fn parse(block: &[u8; BLOCK]) -> Result<Self, HeaderFault> {
        let sum = |from: usize, to: usize| block[from..to].iter().map(|&b| u64::from(b)).sum::<u64>();
        // The checksum field itself counts as blanks.
        let sum = sum(0, 148) + 8 * u64::from(b' ') + sum(156, BLOCK);
        if number(&block[148..156]) != Some(sum) {
            return Err(HeaderFault::Checksum);
        }
        let size = number(&block[124..136]).ok_or(HeaderFault::Size)?;
        let text = |range: std::ops::Range<usize>| {
            let field = &block[range];
            &field[..memchr::memchr(0, field).unwrap_or(field.len())]
        };
        let prefix = if &block[257..263] == b"ustar\0" { text(345..500) } else { &[] };
        let name = text(0..100);
        let path = if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() };
        Ok(Self { path, size, kind: block[156] })
    }
}

/// Parses a number: octal digits among blanks, or binary with a mark in the first bit (GNU).
fn number(field: &[u8]) -> Option<u64> {
    if field[0] == 0x80 {
        return field[1..].iter().try_fold(0_u64, |number, &b| Some(number.checked_mul(256)? + u64::from(b)));
    }
    let digits = field.iter().skip_while(|&&b| b == b' ').take_while(|&&b| !matches!(b, 0 | b' '));
    digits.copied().try_fold(0_u64, |number, b| {
        matches!(b, b'0'..=b'7').then(|| number.checked_mul(8)?.checked_add(u64::from(b - b'0')))?
    })
}

/// Fills a block, up to the end of the archive.
fn fill(tar: &mut impl BufRead, block: &mut [u8; BLOCK]) -> Result<usize, DataFault> {
    let mut done = 0;
    while done < BLOCK {
        match tar.read(&mut block[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DataFault::Decompress(error)),
        }
    }
    Ok(done)
}

/// Reads the path in an extension header of GNU tar.
fn read_path(tar: &mut impl BufRead, size: u64) -> Result<Vec<u8>, DataFault> {
    if size > PATH_LIMIT {
        return Err(DataFault::TooManyNames);
    }
    let mut path = Vec::new();
    tar.by_ref().take(size).read_to_end(&mut path).map_err(DataFault::Decompress)?;
    if path.len() as u64 != size {
        return Err(HeaderFault::Partial.into());
    }
    let padding = size.next_multiple_of(BLOCK as u64) - size;
    skip_bytes(tar, padding)?;
    path.truncate(memchr::memchr(0, &path).unwrap_or(path.len()));
    Ok(path)
}

/// Skips the content of a file, with its padding.
fn skip(tar: &mut impl BufRead, size: u64) -> Result<(), DataFault> {
    skip_bytes(tar, size.checked_next_multiple_of(BLOCK as u64).ok_or(HeaderFault::Size)?)
}

fn skip_bytes(tar: &mut impl BufRead, mut left: u64) -> Result<(), DataFault> {
    while left > 0 {
        let piece = match tar.fill_buf() {
            Ok([]) => return Err(HeaderFault::Ends.into()),
            Ok(piece) => piece.len(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(DataFault::Decompress(error)),
        };
        let count = usize::try_from(left).map_or(piece, |left| piece.min(left));
        tar.consume(count);
        left -= count as u64;
    }
    Ok(())
}

fn drain(tar: &mut impl BufRead) -> Result<(), DataFault> {
    loop {
        let count = match tar.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(piece) => piece.len(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(DataFault::Decompress(error)),
        };
        tar.consume(count);
    }
}
