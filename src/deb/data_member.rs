//! Whether the data member of a package looks whole, without decompressing it.
//!
//! A package whose data is cut off can never be unpacked. Decompressing every data member would catch all damage, but costs
//! too much: 24 % more CPU time for 10,000 packages of 7 KiB, 2.2 times as much for one of 170 MiB in zstd, and 13 times as
//! much for one of 150 MiB in xz, since the digests of a file are cheap to compute. So only the frame is checked, for a cost
//! that cannot be measured; a member that fails is *doubtful*, and is then read whole, which decides. Where `Contents` is
//! published, every member is read whole anyway.
//!
//! - xz has its sizes in an index at the end (the .xz file format, section 4).
//! - zstd has the size of each block before it (RFC 8878, section 3.1.1).
//! - gzip ends with the size of its output (RFC 1952, section 2.3.1), which for a tar archive is a multiple of 512. After a
//!   cut, other bytes are in that place, which pass once in more than 512 cases.
//! - The other formats are rare, and always read whole.

use crate::compression::Compression;

/// The number of last bytes that are kept; the index of an xz file has about 8 bytes for each 24 MiB.
const TAIL: usize = 4096;
/// The largest expansion of gzip.
const GZIP_RATIO: u64 = 1032;
/// The unit of a tar archive.
const BLOCK: u64 = 512;
/// The largest window that dpkg reads, which is the limit of libzstd: 128 MiB.
const LARGEST_WINDOW: u64 = 128 << 20;
/// The descriptor of such a window: the exponent above 10, and the mantissa in the last three bits.
const LARGEST_DESCRIPTOR: u8 = 17 << 3;
const XZ_HEADER: usize = 12;
const XZ_FOOTER: usize = 12;

/// Watches the bytes of a data member pass.
pub(super) struct DataMember {
    format: Compression,
    length: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
    zstd: ZstdFrame,
}

impl DataMember {
    pub(super) fn new(format: Compression) -> Self {
        Self { format, length: 0, head: Vec::new(), tail: Vec::new(), zstd: ZstdFrame::default() }
    }

    /// Takes the next bytes of the member.
    pub(super) fn pass(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        match self.format {
            Compression::Zstd => self.zstd.pass(piece),
            Compression::Gzip | Compression::Xz => {
                let missing = XZ_HEADER.saturating_sub(self.head.len()).min(piece.len());
                self.head.extend_from_slice(&piece[..missing]);
                if piece.len() >= TAIL {
                    self.tail.clear();
                }
                self.tail.extend_from_slice(&piece[piece.len().saturating_sub(TAIL)..]);
                let surplus = self.tail.len().saturating_sub(TAIL);
                self.tail.drain(..surplus);
            }
            _ => {}
        }
    }

    /// Whether the member has the frame of its format, from its first byte to its last one.
    pub(super) fn looks_whole(&self) -> bool {
        match self.format {
            Compression::Zstd => self.zstd.at == ZstdPlace::End,
            Compression::Gzip => self.is_whole_gzip(),
            Compression::Xz => self.is_whole_xz().unwrap_or(false),
            _ => false,
        }
    }

    fn is_whole_gzip(&self) -> bool {
        let Some(size) = self.tail.last_chunk::<4>() else { return false };
        let size = u64::from(u32::from_le_bytes(*size));
        // Beyond 4 GiB the size is truncated.
        let is_in_range = size <= self.length.saturating_mul(GZIP_RATIO)
            && (size + size / 1024 + BLOCK >= self.length || self.length > u64::from(u32::MAX / 2));
        size > 0 && size.is_multiple_of(BLOCK) && is_in_range
    }

    /// `None` if it ends early.
    fn is_whole_xz(&self) -> Option<bool> {
        let footer = self.tail.last_chunk::<XZ_FOOTER>()?;
        let flags = self.head.get(6..8)?;
        let is_footer =
            footer.ends_with(b"YZ") && footer[8..10] == *flags && crc(&footer[4..10]) == number(footer)?;
        if !is_footer {
            return Some(false);
        }
        let backward = (u64::from(number(&footer[4..])?) + 1) * 4;
        let before = &self.tail[..self.tail.len() - XZ_FOOTER];
        let Some(start) = usize::try_from(backward).ok().and_then(|size| before.len().checked_sub(size))
        else {
            // A longer index than any package has: only its place can be checked.
            return Some(backward < self.length);
        };
        let (index, sum) = before[start..].split_last_chunk::<4>()?;
        if crc(index) != u32::from_le_bytes(*sum) {
            return Some(false);
        }
        let mut rest = index.strip_prefix(&[0])?;
        let mut blocks = 0_u64;
        for _ in 0..variable(&mut rest)? {
            blocks = blocks.checked_add(variable(&mut rest)?.checked_next_multiple_of(4)?)?;
            variable(&mut rest)?;
        }
        let frame = (XZ_HEADER + XZ_FOOTER) as u64;
        Some(blocks.checked_add(backward)?.checked_add(frame)? == self.length)
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Reads an integer of the xz format: seven bits a byte, the lowest first.
fn variable(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// A place in a zstd frame.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum ZstdPlace {
    /// In the magic bytes, the descriptor of the header, and the byte after it.
    #[default]
    Start,
    /// In the rest of the header, which has this length.
    Header(usize),
    /// In the header of a block.
    Block,
    /// In the last block, or in the checksum.
    Last,
    /// After the frame.
    End,
    /// In bytes that are no frame.
    Lost,
}

/// Walks over the blocks of one zstd frame.
#[derive(Default)]
struct ZstdFrame {
    at: ZstdPlace,
    /// The bytes to skip.
    skip: u64,
    /// The part that is collected.
    part: Vec<u8>,
    has_checksum: bool,
    /// The length of the size of the content, in a frame whose window is that size.
    window: usize,
}

impl ZstdFrame {
    fn pass(&mut self, mut piece: &[u8]) {
        loop {
            let skipped = usize::try_from(self.skip).map_or(piece.len(), |skip| skip.min(piece.len()));
            self.skip -= skipped as u64;
            piece = &piece[skipped..];
            if self.skip > 0 {
                return;
            }
            let wanted = match self.at {
                ZstdPlace::Start => 6,
                ZstdPlace::Block => 3,
                ZstdPlace::Header(length) => length,
                ZstdPlace::Last => {
                    self.at = ZstdPlace::End;
                    continue;
                }
                ZstdPlace::End if piece.is_empty() => return,
                ZstdPlace::End => return self.at = ZstdPlace::Lost,
                ZstdPlace::Lost => return,
            };
            let taken = (wanted - self.part.len()).min(piece.len());
            self.part.extend_from_slice(&piece[..taken]);
            piece = &piece[taken..];
            if self.part.len() < wanted {
                return;
            }
            let part = std::mem::take(&mut self.part);
            match self.at {
                ZstdPlace::Start => self.begin(&part),
                ZstdPlace::Header(_) => self.header(&part),
                _ => self.block(&part),
            }
        }
    }

    /// Reads the descriptor of the header, which gives the length of the rest, and the descriptor of the window.
    fn begin(&mut self, part: &[u8]) {
        if !part.starts_with(Compression::Zstd.magic()) {
            return self.at = ZstdPlace::Lost;
        }
        let descriptor = part[4];
        let is_single = descriptor & 0x20 != 0;
        let size = [usize::from(is_single), 2, 4, 8][usize::from(descriptor >> 6)];
        let dictionary = [0_usize, 1, 2, 4][usize::from(descriptor & 3)];
        self.has_checksum = descriptor & 4 != 0;
        // dpkg refuses a larger window; so does a reader of the whole member.
        if !is_single && part[5] > LARGEST_DESCRIPTOR {
            return self.at = ZstdPlace::Lost;
        }
        self.window = if is_single { size } else { 0 };
        self.part.push(part[5]);
        self.at = ZstdPlace::Header(usize::from(!is_single) + dictionary + size);
    }

    /// Reads the rest of the header: without a descriptor, the window is as large as the content.
    fn header(&mut self, part: &[u8]) {
        let window = part[part.len() - self.window..].iter().rev();
        let window = window.fold(0, |size: u64, &byte| size << 8 | u64::from(byte));
        self.at = if window > LARGEST_WINDOW { ZstdPlace::Lost } else { ZstdPlace::Block };
    }

    /// Reads the header of a block: whether it is the last one, its type and its size.
    fn block(&mut self, part: &[u8]) {
        let header = u32::from_le_bytes([part[0], part[1], part[2], 0]);
        let size = u64::from(header >> 3);
        self.skip = match header >> 1 & 3 {
            0 | 2 => size,
            1 => 1,
            _ => return self.at = ZstdPlace::Lost,
        };
        if header & 1 == 1 {
            self.at = ZstdPlace::Last;
            self.skip += if self.has_checksum { 4 } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use xz2::stream::{Action, Check, Stream};

    use super::*;
    use crate::compression::tests::encode;

    const CHECKED: [Compression; 3] = [Compression::Gzip, Compression::Xz, Compression::Zstd];

    /// Whether bytes look whole, in pieces of a length.
    fn looks_whole(format: Compression, bytes: &[u8], length: usize) -> bool {
        let mut member = DataMember::new(format);
        bytes.chunks(length).for_each(|piece| member.pass(piece));
        member.looks_whole()
    }

    /// A zstd frame whose window is its content: zeros, in blocks of one repeated byte.
    fn zeros_in_one_segment(size: u32) -> Vec<u8> {
        let mut frame = [Compression::Zstd.magic(), &[0xa0], &size.to_le_bytes()].concat();
        let mut left = size;
        while left > 0 {
            let block = left.min(128 << 10);
            left -= block;
            let header = block << 3 | 1 << 1 | u32::from(left == 0);
            frame.extend([&header.to_le_bytes()[..3], &[0]].concat());
        }
        frame
    }

    fn archive(blocks: u32) -> Vec<u8> {
        (0..blocks * 512).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3] & 15).collect()
    }

    #[test]
    fn whole_members_look_whole_in_pieces_of_any_length() {
        for format in CHECKED {
            for blocks in [2, 20, 2000] {
                let packed = encode(format, &archive(blocks));
                for length in [1, 7, 4096, 5000, 1 << 20] {
                    assert!(looks_whole(format, &packed, length), "{format:?} {blocks} {length}");
                }
            }
        }
        // With a checksum and a size, as the zstd tool writes it.
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.set_pledged_src_size(Some(1024)).unwrap();
        std::io::Write::write_all(&mut encoder, &archive(2)).unwrap();
        assert!(looks_whole(Compression::Zstd, &encoder.finish().unwrap(), 3));
        for (exponent, is_accepted) in [(27, true), (28, false)] {
            let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
            encoder.window_log(exponent).unwrap();
            std::io::Write::write_all(&mut encoder, &archive(2)).unwrap();
            let packed = encoder.finish().unwrap();
            assert_eq!(looks_whole(Compression::Zstd, &packed, 100), is_accepted, "2^{exponent}");
        }
        for (size, is_accepted) in [(1 << 27, true), ((1 << 27) + 512, false)] {
            let packed = zeros_in_one_segment(size);
            assert_eq!(looks_whole(Compression::Zstd, &packed, 7), is_accepted, "{size} bytes");
            let read = Compression::Zstd.decoder(&packed[..]).unwrap();
            assert_eq!(io::copy(&mut { read }, &mut io::sink()).is_ok(), is_accepted, "{size} bytes");
        }
        // Several blocks, as `xz -T` writes them.
        let mut stream = Stream::new_easy_encoder(0, Check::Crc64).unwrap();
        let mut packed = Vec::with_capacity(4 << 20);
        for piece in archive(2000).chunks(100_000) {
            stream.process_vec(piece, &mut packed, Action::FullFlush).unwrap();
        }
        stream.process_vec(b"", &mut packed, Action::Finish).unwrap();
        assert!(looks_whole(Compression::Xz, &packed, 1000));
    }

    #[test]
    fn members_that_are_cut_off_are_doubtful() {
        for format in CHECKED {
            let packed = encode(format, &archive(20));
            let passed = (0..packed.len()).filter(|&end| looks_whole(format, &packed[..end], 100));
            // The bytes in the place of the size may be one by chance.
            let allowed = if format == Compression::Gzip { packed.len() / 128 } else { 0 };
            assert!(passed.count() <= allowed, "{format:?}");
            let longer = [&packed[..], b"more"].concat();
            assert!(!looks_whole(format, &longer, 100), "{format:?}");
        }
        let mut packed = encode(Compression::Xz, &archive(20));
        let length = packed.len();
        packed[length - 16] ^= 1;
        assert!(!looks_whole(Compression::Xz, &packed, 100), "a damaged index");
        for format in [Compression::Plain, Compression::Bzip2, Compression::Lzma] {
            assert!(!looks_whole(format, &encode(format, &archive(20)), 100), "always read");
        }
    }
}
