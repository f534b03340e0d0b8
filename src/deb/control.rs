//! Reads the text of the `control` file from the control member (deb(5), deb-control(5)).
//!
//! dpkg has GNU tar unpack the whole archive into a folder and then opens `control` there. Nothing is unpacked here,
//! so anything that could replace `control` in that folder (a second entry, a link, a path with `..`, an extension
//! header that renames) is refused.

use std::{
    collections::HashSet,
    io::{self, BufReader, Read},
};

use super::lenience::{Oddities, Oddity};
use super::{
    ar::Archive,
    control_fault::{ARCHIVE_LIMIT, CONTROL_LIMIT, ControlFault, LONGEST_NAME},
    control_members as members,
    error::Error,
};
use crate::compression::{Compression, after_the_end, is_after_the_end};

/// The size of a decompressed chunk: headers are short, and each chunk costs a decoder call and the start of a
/// checksum.
const BUFFER: usize = 16 << 10;

/// The padding at the end of a tar archive, as long as GNU tar usually writes it; comparing is faster than counting.
static ZEROS: [u8; 10 << 10] = [0; 10 << 10];

/// The unit of a tar archive.
const BLOCK: usize = 512;

/// The limit on the length of a global extended header.
const GLOBAL_LIMIT: u64 = 64 << 10;
/// The records of a global extended header that do not change which entries there are.
const HARMLESS: [&[u8]; 8] = [b"comment", b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname"];

/// Why reading stopped, before the failing layer is known.
enum Stop {
    Io(io::Error),
    Fault(ControlFault),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ControlFault> for Stop {
    fn from(fault: ControlFault) -> Self {
        Self::Fault(fault)
    }
}

/// The `control` file of a package.
pub(super) struct ControlFile {
    pub(super) text: Vec<u8>,
    pub(super) oddities: Oddities,
    /// Whether the archive ends with its mark, after which readers stop.
    has_end: bool,
}

/// Reads the current member, a control archive, to its end and returns its `control` file.
pub(super) fn read(archive: &mut Archive<'_>, format: Compression) -> Result<ControlFile, Error> {
    let (found, goes_on, too_large, failure) = {
        let decoder = format.buffered_decoder(&mut *archive).map_err(Error::Decompress)?;
        let mut unpacked =
            Unpacked { decoder, left: ARCHIVE_LIMIT, too_large: false, goes_on: false, failure: None };
        let found = walk(BufReader::with_capacity(BUFFER, &mut unpacked));
        (found, unpacked.goes_on, unpacked.too_large, unpacked.failure)
    };
    // The lowest failing layer is the cause: the file, the compressed stream, or the tar in it.
    match found {
        // Other readers go on with a second stream, where the archive may go on too.
        Ok(found) if goes_on && !found.has_end => Err(Error::Decompress(after_the_end())),
        Ok(mut found) => {
            if goes_on {
                found.oddities.insert(Oddity::AfterControl);
            }
            Ok(found)
        }
        Err(Stop::Fault(fault)) => Err(Error::Control(fault)),
        Err(Stop::Io(error)) => Err(match (archive.take_failure(), failure) {
            (Some(cause), _) => cause,
            (None, Some(cause)) => Error::Decompress(cause),
            (None, None) if too_large => Error::Control(ControlFault::TooLarge),
            (None, None) => Error::Tar(error),
        }),
    }
}

/// The output of a decoder, limited in size; stores why it stopped, since the tar reader replaces errors.
struct Unpacked<'a> {
    decoder: Box<dyn Read + 'a>,
    left: u64,
    too_large: bool,
    /// Whether data follows the compressed stream.
    goes_on: bool,
    failure: Option<io::Error>,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(out) {
            Ok(count) if count as u64 > self.left => {
                self.too_large = true;
                Err(io::ErrorKind::FileTooLarge.into())
            }
            Ok(count) => {
                self.left -= count as u64;
                Ok(count)
            }
            // Required by `Read`: the caller tries again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            // dpkg reads one stream.
            Err(error) if self.goes_on || is_after_the_end(&error) => {
                self.goes_on = true;
                Ok(0)
            }
            Err(error) => {
                let kind = error.kind();
                self.failure = Some(error);
                Err(kind.into())
            }
        }
    }
}

/// A reader that knows whether it was read to its end.
struct Watched<R> {
    reader: R,
    is_at_end: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(out)?;
        self.is_at_end = count == 0 && !out.is_empty();
        Ok(count)
    }
}

fn walk(unpacked: impl Read) -> Result<ControlFile, Stop> {
    let mut unpacked = Watched { reader: unpacked, is_at_end: false };
    let (mut control, mut oddities) = (None, Oddities::default());
    let mut links = false;
    let mut archive = tar::Archive::new(&mut unpacked);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            check_global(&mut entry)?;
            continue;
        }
        if kind.is_pax_local_extensions() || kind.is_gnu_longname() || kind.is_gnu_longlink() {
            return Err(ControlFault::Extension.into());
        }
        check_extensions(&mut entry)?;
        let path = entry.path_bytes();
        let fault = || ControlFault::Path(String::from_utf8_lossy(&path).escape_debug().to_string());
        // GNU tar truncates a name at a NUL.
        if path.contains(&0) {
            return Err(fault().into());
        }
        let mut parts = path.split(|&b| b == b'/').filter(|part| !matches!(*part, b"" | b"."));
        let (first, deeper) = (parts.next(), parts.next().is_some());
        if path.split(|&b| b == b'/').any(|part| part == b"..") {
            return Err(fault().into());
        }
        if deeper && links {
            // Through a link to `.`, an entry `x/control` would become `control`.
            return Err(fault().into());
        }
        links |= kind.is_symlink();
        if deeper || first != Some(b"control") {
            let Some(name) = first else { continue };
            let shown = || String::from_utf8_lossy(&path).escape_debug().to_string();
            // dpkg reads its members as files: it stops at a folder, and waits for the writer of a pipe.
            if deeper || !(kind.is_file() || kind.is_symlink() || kind.is_hard_link()) {
                return Err(ControlFault::Member(shown()).into());
            }
            if name.len() > LONGEST_NAME {
                return Err(ControlFault::LongName(shown()).into());
            }
            if let Some(check) = members::rule_of(name).filter(|_| kind.is_file()) {
                drop(path);
                check(&read_text(&mut entry)?)?;
            }
            continue;
        }
        if control.is_some() {
            return Err(ControlFault::Twice.into());
        }
        if !kind.is_file() {
            return Err(ControlFault::NotAFile.into());
        }
        if !matches!(&*path, b"control" | b"./control") {
            if path.ends_with(b"/") {
                return Err(fault().into());
            }
            oddities.insert(Oddity::ControlPath);
        }
        drop(path);
        control = Some(read_text(&mut entry)?);
    }
    let has_end = !unpacked.is_at_end;
    if has_unknown_end(&mut unpacked)? {
        oddities.insert(Oddity::AfterControl);
    }
    let text = control.ok_or(ControlFault::Missing)?;
    Ok(ControlFile { text, oddities, has_end })
}

/// Reads the rest of an archive, to verify the checksums of the compressed stream: whether it has other data than zeros.
fn has_unknown_end(unpacked: &mut impl Read) -> Result<bool, Stop> {
    let mut rest = [0; ZEROS.len()];
    let mut is_known = true;
    loop {
        let mut count = 0;
        while count < rest.len() {
            match unpacked.read(&mut rest[count..]) {
                Ok(0) => break,
                Ok(read) => count += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if count == 0 {
            return Ok(!is_known);
        }
        if rest[..count] != ZEROS[..count] {
            is_known = false;
            // Readers that go on after the mark would find another entry.
            if rest[..count].chunks_exact(BLOCK).any(is_header) {
                return Err(ControlFault::AfterEnd.into());
            }
        }
    }
}

/// Whether a block is the header of an entry.
fn is_header(block: &[u8]) -> bool {
    let header = tar::Header::from_byte_slice(block);
    let sum = |part: &[u8]| part.iter().map(|&b| u32::from(b)).sum::<u32>();
    let blank = 8 * u32::from(b' ');
    header.cksum().is_ok_and(|found| found == sum(&block[..148]) + blank + sum(&block[156..]))
}

/// Reads a file of the control archive whole.
fn read_text(entry: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, Stop> {
    let size = entry.size();
    if size > CONTROL_LIMIT {
        return Err(ControlFault::ControlTooLarge.into());
    }
    let mut text = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    entry.read_to_end(&mut text)?;
    if text.len() as u64 != size {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(text)
}

/// Refuses a global header, such as `git archive` writes, that changes the names or sizes of entries.
fn check_global(entry: &mut impl Read) -> Result<(), Stop> {
    let mut records = Vec::new();
    entry.take(GLOBAL_LIMIT + 1).read_to_end(&mut records)?;
    if records.len() as u64 > GLOBAL_LIMIT {
        return Err(ControlFault::Extension.into());
    }
    for record in tar::PaxExtensions::new(&records) {
        if !HARMLESS.contains(&record?.key_bytes()) {
            return Err(ControlFault::Extension.into());
        }
    }
    Ok(())
}

/// Refuses extended headers that give an entry a different name or size than GNU tar would use.
fn check_extensions(entry: &mut tar::Entry<'_, impl Read>) -> Result<(), Stop> {
    let mut keys: HashSet<Box<[u8]>> = HashSet::new();
    let mut name = None;
    if let Some(extensions) = entry.pax_extensions()? {
        for extension in extensions {
            let extension = extension?;
            let key = extension.key_bytes();
            if key.starts_with(b"GNU.sparse") || !keys.insert(key.into()) {
                return Err(ControlFault::Extension.into());
            }
            if key == b"path" {
                name = Some(extension.value_bytes().to_vec());
            }
        }
    }
    match name {
        Some(name) if *name != *entry.path_bytes() => Err(ControlFault::Extension.into()),
        _ => Ok(()),
    }
}
