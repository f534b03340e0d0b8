//! Blocks of a `.gz`: one gzip member each; members may follow one another (RFC 1952, 2.2).
//!
//! A member does not contain its length, so each has it in an extra field of its header (2.3.1.1), which readers skip.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::GzBuilder;

use super::packed::Packed;

/// Higher levels of this compressor take longer and give larger files.
const LEVEL: u32 = 6;

/// The fixed part of a header, up to the length of the extra field.
const MAGIC: [u8; 4] = [0x1f, 0x8b, 8, 4];
/// Our extra field: its name and the length of its value, the size of the whole member.
const FIELD: [u8; 6] = [8, 0, b'P', b'b', 4, 0];
/// The offsets of the extra field and of its value.
const EXTRA: usize = 10;
const VALUE: usize = EXTRA + FIELD.len();

/// Compresses a block.
pub(super) fn pack(block: &[u8]) -> io::Result<Packed> {
    // No file name and no time, so that the same text gives the same bytes.
    let extra = [&FIELD[2..], &[0; 4]].concat();
    let mut encoder = GzBuilder::new()
        .extra(extra)
        .write(Vec::with_capacity(block.len() / 4 + 64), flate2::Compression::new(LEVEL));
    encoder.write_all(block)?;
    let mut member = encoder.finish()?;
    let size = u32::try_from(member.len()).map_err(io::Error::other)?;
    if member[EXTRA..VALUE] != FIELD {
        return Err(io::Error::other("the gzip encoder made a header of an unknown form"));
    }
    member[VALUE..VALUE + 4].copy_from_slice(&size.to_le_bytes());
    Ok(Packed { bytes: member.into(), unpadded: size.into(), length: block.len() as u64 })
}

/// The members of a file that was written here; `None` for any other file.
pub(super) fn unpack(file: &Bytes) -> Option<Vec<Packed>> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let rest = file.slice(at..);
        let ours = rest.starts_with(&MAGIC) && rest.get(EXTRA..VALUE)? == FIELD;
        let size = u32::from_le_bytes(rest.get(VALUE..VALUE + 4)?.try_into().ok()?) as usize;
        // The last four bytes of a member are the size of its text.
        let end = size.checked_sub(4).filter(|&end| ours && end > VALUE)?;
        let length = u32::from_le_bytes(rest.get(end..size)?.try_into().ok()?);
        let (unpadded, length) = (size as u64, length.into());
        blocks.push(Packed { bytes: rest.slice(..size), unpadded, length });
        at += size;
    }
    Some(blocks)
}

/// Concatenates blocks.
pub(super) fn join(blocks: &[Packed]) -> Bytes {
    let size = blocks.iter().map(|block| block.bytes.len()).sum();
    let mut file = Vec::with_capacity(size);
    for block in blocks {
        file.extend_from_slice(&block.bytes);
    }
    file.into()
}
