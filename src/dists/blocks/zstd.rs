//! Blocks of a `.zst`: one frame each; frames may follow one another (RFC 8878, 3).
//!
//! A frame contains the size of its text if the encoder writes it, and its blocks contain their lengths, so frames can
//! be found from the file alone.

use std::io;

use bytes::Bytes;
use zstd::{bulk::Compressor, zstd_safe};

use super::packed::Packed;

/// Users of `.zst` want fast decompression; higher levels that keep it are not smaller.
const LEVEL: i32 = 19;

/// Compresses a block; its frame ends in a checksum of the text.
pub(super) fn pack(block: &[u8]) -> io::Result<Packed> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    let frame = compressor.compress(block)?;
    let unpadded = frame.len() as u64;
    Ok(Packed { bytes: frame.into(), unpadded, length: block.len() as u64 })
}

/// The frames of a file in which each has the size of its text; `None` for any other file.
pub(super) fn unpack(file: &Bytes) -> Option<Vec<Packed>> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let size = zstd_safe::find_frame_compressed_size(&file[at..]).ok()?;
        let bytes = file.slice(at..at + size);
        let length = zstd_safe::get_frame_content_size(&bytes).ok()??;
        blocks.push(Packed { bytes, unpadded: size as u64, length });
        at += size;
    }
    Some(blocks)
}
