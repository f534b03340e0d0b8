//! Reads one installed file of a small package in memory, to inspect a published package.

use std::io::Read;

use super::{
    ar::Archive,
    error::{Error, Layout},
};
use crate::compression::Compression;

/// The limit on the unpacked data that is searched for a file.
const LIMIT: u64 = 16 << 20;

/// A file that a package installs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstalledFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its time, in seconds since 1970.
    pub time: u64,
}

/// Reads the file that a package installs at a path without a leading slash; `None` for a link or a folder.
pub fn read_file(deb: &[u8], path: &str) -> Result<Option<InstalledFile>, Error> {
    Ok(read_among(deb, path)?.0)
}

/// Returns the paths of all other entries that are not folders as well.
pub fn read_among(mut deb: &[u8], path: &str) -> Result<(Option<InstalledFile>, Vec<String>), Error> {
    let (mut file, mut others) = (None, Vec::new());
    let mut archive = Archive::open(&mut deb)?;
    let member = loop {
        match archive.next_member()? {
            Some(member) if member.is_data() => break member,
            Some(_) => {}
            None => return Err(Error::Layout(Layout::NoData)),
        }
    };
    let extension = member.as_bytes().strip_prefix(b"data.tar").unwrap_or_default();
    let format = std::str::from_utf8(extension).ok().and_then(Compression::from_extension);
    let format = format.ok_or_else(|| Error::Layout(Layout::Compression(member.shown())))?;
    let decoder = format.buffered_decoder(&mut archive).map_err(Error::Decompress)?;
    let mut files = tar::Archive::new(decoder.take(LIMIT));
    for entry in files.entries().map_err(Error::Tar)? {
        let mut entry = entry.map_err(Error::Tar)?;
        let name = entry.path_bytes().into_owned();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        if name == path.as_bytes() && entry.header().entry_type().is_file() {
            let time = entry.header().mtime().map_err(Error::Tar)?;
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(Error::Tar)?;
            file.get_or_insert(InstalledFile { bytes, time });
        } else if !entry.header().entry_type().is_dir() {
            others.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok((file, others))
}
