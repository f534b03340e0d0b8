//! The members that dpkg reads of a package, in their order (deb(5)): `debian-binary`, the control archive, the data archive.

use super::{
    ar::MemberName,
    error::{Error, Layout},
};
use crate::compression::Compression;

/// The limit on `debian-binary`, which has a few bytes in every package.
pub(super) const FORMAT_LIMIT: u64 = 1024;

/// Checks the name of the first member.
pub(super) fn check_first(name: MemberName) -> Result<(), Error> {
    if name.as_bytes() == b"debian-binary" { Ok(()) } else { Err(Error::Layout(Layout::First(name.shown()))) }
}

/// Checks the beginning of `debian-binary`, which may be all of it.
pub(super) fn check_format(text: &[u8], is_all: bool) -> Result<(), Error> {
    let line = text.split(|&b| b == b'\n').next().unwrap_or_default();
    let minor = line.strip_prefix(b"2.").unwrap_or_default();
    let whole = line.len() < text.len() && is_all;
    if whole && !minor.is_empty() && minor.iter().all(u8::is_ascii_digit) {
        return Ok(());
    }
    let shown: String = String::from_utf8_lossy(line).chars().take(40).collect();
    Err(Error::FormatVersion(shown.escape_debug().to_string()))
}

/// Returns the format of the control archive, by its name.
pub(super) fn control_format(name: MemberName) -> Result<Compression, Error> {
    if !name.as_bytes().starts_with(b"control.tar") {
        return Err(Error::Layout(Layout::NotControl(name.shown())));
    }
    // dpkg reads no other format here.
    let is_read = |format: &Compression| !matches!(format, Compression::Bzip2 | Compression::Lzma);
    let format = name.compression(b"control.tar").filter(is_read);
    format.ok_or_else(|| Error::Layout(Layout::Compression(name.shown())))
}

/// Returns the format of the data archive, by its name.
pub(super) fn data_format(name: MemberName) -> Result<Compression, Error> {
    if name.is_control() {
        return Err(Error::Layout(Layout::SecondControl(name.shown())));
    }
    if !name.is_data() {
        return Err(Error::Layout(Layout::NotData(name.shown())));
    }
    name.compression(b"data.tar").ok_or_else(|| Error::Layout(Layout::Compression(name.shown())))
}

/// Checks the name of a member after the data, which dpkg ignores.
///
/// # Errors
/// A second member of the control or the data: readers that look members up by name may find it.
pub(super) fn check_later(name: MemberName) -> Result<(), Error> {
    if name.is_control() {
        return Err(Error::Layout(Layout::SecondControl(name.shown())));
    }
    if name.is_data() {
        return Err(Error::Layout(Layout::SecondData(name.shown())));
    }
    Ok(())
}
