//! An index in blocks.
//!
//! A large `Packages` is cut into blocks of about 1 MiB at stanza boundaries that the *content* chooses: a block ends
//! before a name whose hash says so, whatever stands around it. So one more package moves no other boundary, and the
//! blocks can be compressed independently: in parallel today, and carried over unchanged where their bytes are.
//!
//! What readers see is one ordinary file:
//!
//! * `.gz`: one gzip member per block, which may simply follow one another (RFC 1952, 2.2).
//! * `.xz`: **one** stream with one block each. Streams that follow one another are legal xz too, but apt 2.6 and 3.0
//!   answer them with "Hash Sum mismatch"; so each block is compressed as a stream of its own, its block is cut out, and
//!   all are put between one header and one index and footer
//!   ([the .xz file format](https://tukaani.org/xz/xz-file-format.txt), sections 2 to 4).
//!
//! An index smaller than a block is one block: the same file that any compressor makes.

use std::{
    io::{self, Write},
    ops::Range,
};

use bytes::Bytes;
use flate2::{Crc, GzBuilder};
use rayon::prelude::*;
use xz2::stream::{Check, Filters, LzmaOptions, MatchFinder, Stream};

use crate::compression::Compression;

/// Blocks are of this size on average…
const TARGET: usize = 1 << 20;
/// …never smaller than this, but for the last…
const SMALLEST: usize = TARGET / 4;
/// …and end at the next name past this.
const LARGEST: usize = TARGET * 4;
/// A name ends the block before it if its hash is a multiple of this: stanzas are of about 800 bytes.
const ONE_IN: u32 = 1024;

/// Higher levels of the gzip compressor give larger files that take longer to make.
const GZIP_LEVEL: u32 = 6;
/// Past this level blocks are not smaller, since the dictionary holds all of a block already.
const XZ_LEVEL: u32 = 6;
/// A match of so many bytes is taken without looking for a longer one. Half of what the level says: with the settings in
/// [`xz_encoder`] it takes 28 % less time and 1.1 % more space (7 MB of Debian's `Packages`, in blocks).
const XZ_NICE: u32 = 32;

/// Compresses the text of an index, block by block, on all cores.
///
/// # Errors
/// Only [`Compression::Plain`], [`Compression::Gzip`] and [`Compression::Xz`] are written.
pub fn compress(text: &Bytes, compression: Compression) -> io::Result<Bytes> {
    if compression == Compression::Plain {
        return Ok(text.clone());
    }
    let blocks: Vec<&[u8]> = cut(text).into_iter().map(|range| &text[range]).collect();
    match compression {
        Compression::Gzip => {
            let members: Vec<Vec<u8>> =
                blocks.par_iter().map(|block| gzip_member(block)).collect::<io::Result<_>>()?;
            Ok(members.concat().into())
        }
        Compression::Xz => {
            let blocks: Vec<XzBlock> =
                blocks.par_iter().map(|block| XzBlock::compress(block)).collect::<io::Result<_>>()?;
            Ok(splice(&blocks).into())
        }
        other => {
            let message = format!("indices are not written as `Packages{}`", other.extension());
            Err(io::Error::new(io::ErrorKind::Unsupported, message))
        }
    }
}

/// Where the blocks of an index begin and end; an empty index is one empty block.
fn cut(text: &[u8]) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let mut previous: &[u8] = b"";
    while text.len() - start > SMALLEST {
        let Some(end) = memchr::memmem::find(&text[at..], b"\n\n") else { break };
        at += end + 2;
        let name = first_line(&text[at..]);
        let length = at - start;
        // Stanzas of one name stay together, so that the boundary is a property of names alone.
        let boundary = name != previous && (length >= LARGEST || hash(name).is_multiple_of(ONE_IN));
        if length >= SMALLEST && boundary && at < text.len() {
            blocks.push(start..at);
            start = at;
        }
        previous = name;
    }
    blocks.push(start..text.len());
    blocks
}

/// `Package: name`, which stands first in the stanzas that are written here.
fn first_line(stanza: &[u8]) -> &[u8] {
    &stanza[..memchr::memchr(b'\n', stanza).unwrap_or(stanza.len())]
}

/// A hash that must never change: it decides where published files are cut.
fn hash(name: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(name);
    // The low bits of a CRC are as good as its high ones only after mixing.
    crc.sum().wrapping_mul(0x9e37_79b1) >> 8
}

fn gzip_member(block: &[u8]) -> io::Result<Vec<u8>> {
    // No file name and no time: the same text gives the same bytes.
    let level = flate2::Compression::new(GZIP_LEVEL);
    let mut encoder = GzBuilder::new().write(Vec::with_capacity(block.len() / 4), level);
    encoder.write_all(block)?;
    encoder.finish()
}

/// One compressed block as it stands in an `.xz` file, and what the index at its end says of it.
struct XzBlock {
    bytes: Vec<u8>,
    unpadded: u64,
    uncompressed: u64,
}

const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
/// Stream flags: blocks end in a CRC64 of their text.
const XZ_FLAGS: [u8; 2] = [0, 4];
const XZ_HEADER: usize = 12;
const XZ_FOOTER: usize = 12;

impl XzBlock {
    /// Compresses a block as a stream of its own and cuts out what lies between header and index.
    fn compress(block: &[u8]) -> io::Result<Self> {
        let mut stream = Vec::with_capacity(block.len() / 4 + 1024);
        let mut writer = xz2::write::XzEncoder::new_stream(&mut stream, xz_encoder()?);
        writer.write_all(block)?;
        writer.finish()?;
        if block.is_empty() {
            // An empty stream has no block at all.
            return Ok(Self { bytes: Vec::new(), unpadded: 0, uncompressed: 0 });
        }
        let odd = || io::Error::other("the xz encoder made a stream of an unknown form");
        let footer = stream.len().checked_sub(XZ_FOOTER).ok_or_else(odd)?;
        let size =
            stream.get(footer + 4..footer + 8).and_then(|field| field.try_into().ok()).ok_or_else(odd)?;
        let index = footer.checked_sub((u32::from_le_bytes(size) as usize + 1) * 4).ok_or_else(odd)?;
        // The index: a zero byte, the number of blocks, then two numbers for each.
        let mut records = stream.get(index + 1..footer).ok_or_else(odd)?;
        let count = number(&mut records).ok_or_else(odd)?;
        let unpadded = number(&mut records).ok_or_else(odd)?;
        let uncompressed = number(&mut records).ok_or_else(odd)?;
        if count != 1 || uncompressed != block.len() as u64 || index < XZ_HEADER {
            return Err(odd());
        }
        stream.truncate(index);
        stream.drain(..XZ_HEADER);
        Ok(Self { bytes: stream, unpadded, uncompressed })
    }
}

/// An encoder for text: no position matters more than another, and more of what went before says what comes.
fn xz_encoder() -> io::Result<Stream> {
    let mut options = LzmaOptions::new_preset(XZ_LEVEL).map_err(io::Error::from)?;
    options.position_bits(0).literal_position_bits(0).literal_context_bits(4);
    options.match_finder(MatchFinder::BinaryTree3).nice_len(XZ_NICE);
    let mut filters = Filters::new();
    filters.lzma2(&options);
    Stream::new_stream_encoder(&filters, Check::Crc64).map_err(io::Error::from)
}

/// Puts blocks into one stream: a header, the blocks, one index of them all, a footer.
fn splice(blocks: &[XzBlock]) -> Vec<u8> {
    let blocks: Vec<&XzBlock> = blocks.iter().filter(|block| !block.bytes.is_empty()).collect();
    let mut index = vec![0];
    put_number(&mut index, blocks.len() as u64);
    for block in &blocks {
        put_number(&mut index, block.unpadded);
        put_number(&mut index, block.uncompressed);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    let check = crc32(&index);
    index.extend_from_slice(&check);

    let size: usize = blocks.iter().map(|block| block.bytes.len()).sum();
    let mut file = Vec::with_capacity(XZ_HEADER + size + index.len() + XZ_FOOTER);
    file.extend_from_slice(&XZ_MAGIC);
    file.extend_from_slice(&XZ_FLAGS);
    file.extend_from_slice(&crc32(&XZ_FLAGS));
    for block in &blocks {
        file.extend_from_slice(&block.bytes);
    }
    file.extend_from_slice(&index);
    // The size of an index is bounded by the number of blocks in memory, far below what the field can hold.
    let backward = u32::try_from(index.len() / 4 - 1).unwrap_or(u32::MAX).to_le_bytes();
    let end = [backward[0], backward[1], backward[2], backward[3], XZ_FLAGS[0], XZ_FLAGS[1]];
    file.extend_from_slice(&crc32(&end));
    file.extend_from_slice(&end);
    file.extend_from_slice(b"YZ");
    file
}

fn crc32(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

/// Reads a number of the xz format: seven bits a byte, the lowest first.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_number(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push((value & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fmt::Write as _, io::Read};

    fn text(packages: std::ops::Range<u32>, without: Option<u32>) -> Bytes {
        let mut text = String::new();
        for n in packages.filter(|n| Some(*n) != without) {
            let noise: Vec<String> =
                (0..40).map(|k| hash(format!("{n} {k}").as_bytes()).to_string()).collect();
            let noise = noise.concat();
            let _ = writeln!(
                text,
                "Package: name-{n:06}\nVersion: 1.{n}\nArchitecture: all\nDescription: {noise}\n"
            );
        }
        text.into()
    }

    fn plain(file: &[u8], compression: Compression) -> Vec<u8> {
        let mut out = Vec::new();
        match compression {
            Compression::Gzip => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut out).unwrap(),
            // A decoder for one stream only, as apt has.
            _ => xz2::read::XzDecoder::new_stream(file, Stream::new_stream_decoder(u64::MAX, 0).unwrap())
                .read_to_end(&mut out)
                .unwrap(),
        };
        out
    }

    #[test]
    fn what_goes_in_comes_out() {
        for text in
            [text(0..0, None), text(0..1, None), text(0..9000, None), Bytes::from_static(b"no newline")]
        {
            for compression in [Compression::Gzip, Compression::Xz] {
                assert_eq!(plain(&compress(&text, compression).unwrap(), compression), text);
            }
        }
    }

    #[test]
    fn a_small_index_is_an_ordinary_file() {
        let text = text(0..100, None);
        let mut ordinary = xz2::write::XzEncoder::new_stream(Vec::new(), xz_encoder().unwrap());
        ordinary.write_all(&text).unwrap();
        assert_eq!(compress(&text, Compression::Xz).unwrap(), ordinary.finish().unwrap());
    }

    #[test]
    fn blocks_cover_the_text_and_end_between_stanzas() {
        let text = text(0..20_000, None);
        let blocks = cut(&text);
        assert!(blocks.len() > 4, "{}", blocks.len());
        assert_eq!(blocks[0].start, 0);
        assert_eq!(blocks.last().unwrap().end, text.len());
        for pair in blocks.windows(2) {
            assert_eq!(pair[0].end, pair[1].start);
            assert!(text[..pair[0].end].ends_with(b"\n\n"));
            assert!(text[pair[1].start..].starts_with(b"Package: "));
            assert!(pair[0].len() >= SMALLEST && pair[0].len() < LARGEST + 100_000);
        }
    }

    #[test]
    fn one_package_less_changes_one_or_two_blocks() {
        let all = text(0..20_000, None);
        let blocks: std::collections::HashSet<Vec<u8>> =
            cut(&all).into_iter().map(|range| all[range].to_vec()).collect();
        let mut changed = 0;
        let tried = [0, 7, 5_000, 12_345, 19_999];
        for without in tried {
            let less = text(0..20_000, Some(without));
            changed += cut(&less).into_iter().filter(|range| !blocks.contains(&less[range.clone()])).count();
        }
        // Where a boundary itself goes, its two blocks become one.
        assert!(changed <= 2 * tried.len(), "{changed}");
    }
}
