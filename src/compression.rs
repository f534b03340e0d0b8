//! Compression: the formats of package members and indices.
//!
//! This module decompresses. Every decoder streams, needs no more memory than [`MEMORY_LIMIT`] whatever its input
//! claims, checks the checksum of its format, and reports input that ends early. Formats: RFC 1952 (gzip), the .xz file
//! format, RFC 8878 (zstd), bzip2, and the headerless .lzma of old packages.
//!
//! A member of a package is one compressed stream, since dpkg reads no more than that; only gzip may have several, and gzip
//! and xz zeros at the end. An index may be several concatenated streams, such as an index in blocks.

use std::io::{self, BufRead, BufReader, Read};

/// The memory limit of one decoder: enough for a dictionary or window of 128 MiB, twice that of `xz -9`.
pub const MEMORY_LIMIT: u64 = 160 << 20;

/// The largest zstd window, as a power of two: 128 MiB, the limit of the zstd tool.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The size of the read buffer, for readers without one of their own.
const BUFFER: usize = 64 << 10;

/// A compression format, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Not compressed.
    Plain,
    /// gzip, `.gz`.
    Gzip,
    /// xz, `.xz`.
    Xz,
    /// Zstandard, `.zst`.
    Zstd,
    /// bzip2, `.bz2`; found in old packages and archives.
    Bzip2,
    /// LZMA without a container, `.lzma`; found in old packages and archives.
    Lzma,
}

impl Compression {
    /// Every format, the plain one first.
    pub const ALL: [Self; 6] = [Self::Plain, Self::Gzip, Self::Xz, Self::Zstd, Self::Bzip2, Self::Lzma];

    /// The extension that the format adds to a file name, with its dot; empty for [`Compression::Plain`].
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Xz => ".xz",
            Self::Zstd => ".zst",
            Self::Bzip2 => ".bz2",
            Self::Lzma => ".lzma",
        }
    }

    /// The first bytes of every stream of the format; none where it has no such bytes.
    pub(crate) const fn magic(self) -> &'static [u8] {
        match self {
            Self::Plain | Self::Lzma => &[],
            Self::Gzip => &[0x1f, 0x8b],
            Self::Xz => &[0xfd, b'7', b'z', b'X', b'Z', 0],
            Self::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
            Self::Bzip2 => b"BZh",
        }
    }

    /// The format of an extension; the inverse of [`Compression::extension`].
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension() == extension)
    }

    /// Decodes a member of a package; anything else after the end of its stream is an error.
    pub fn decoder<'a>(self, reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        match self {
            Self::Plain => Ok(Box::new(reader)),
            _ => self.buffered_decoder(BufReader::with_capacity(BUFFER, reader)),
        }
    }

    /// Decodes a member of a package from a reader that has its own buffer; anything else after the end of its stream is an
    /// error.
    pub fn buffered_decoder<'a>(self, reader: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Plain => Box::new(reader),
            Self::Gzip => Box::new(GzipMembers(Some(flate2::bufread::GzDecoder::new(reader)))),
            Self::Xz => Box::new(Only { decoder: xz(reader, 0)?, ended: false, is_padded: true }),
            Self::Zstd => only(zstd(reader)?.single_frame()),
            Self::Bzip2 => only(bzip2::bufread::BzDecoder::new(reader)),
            Self::Lzma => only(lzma(reader)?),
        })
    }

    /// Decodes an index: one compressed stream, or several concatenated ones.
    pub fn index_decoder<'a>(self, reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        if self == Self::Plain {
            return Ok(Box::new(reader));
        }
        let reader = BufReader::with_capacity(BUFFER, reader);
        Ok(match self {
            Self::Plain | Self::Lzma => return self.buffered_decoder(reader),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
            Self::Xz => Box::new(xz(reader, xz2::stream::CONCATENATED)?),
            Self::Zstd => Box::new(zstd(reader)?),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(reader)),
        })
    }
}

fn xz<R: BufRead>(reader: R, flags: u32) -> io::Result<xz2::bufread::XzDecoder<R>> {
    let stream = xz2::stream::Stream::new_stream_decoder(MEMORY_LIMIT, flags)?;
    Ok(xz2::bufread::XzDecoder::new_stream(reader, stream))
}

fn lzma<R: BufRead>(reader: R) -> io::Result<xz2::bufread::XzDecoder<R>> {
    let stream = xz2::stream::Stream::new_lzma_decoder(MEMORY_LIMIT)?;
    Ok(xz2::bufread::XzDecoder::new_stream(reader, stream))
}

fn zstd<'a, R: BufRead>(reader: R) -> io::Result<zstd::Decoder<'a, R>> {
    let mut decoder = zstd::Decoder::with_buffer(reader)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

/// A decoder of one stream that reads no byte beyond the end of that stream.
trait StreamDecoder: Read {
    /// The reader behind it.
    fn input(&mut self) -> &mut dyn BufRead;
}

macro_rules! stream_decoder {
    ($($type:ty),*) => {
        $(impl<R: BufRead> StreamDecoder for $type {
            fn input(&mut self) -> &mut dyn BufRead {
                self.get_mut()
            }
        })*
    };
}

stream_decoder!(xz2::bufread::XzDecoder<R>, zstd::Decoder<'_, R>, bzip2::bufread::BzDecoder<R>);

/// Reads one stream and verifies that the input ends there too.
struct Only<D> {
    decoder: D,
    ended: bool,
    /// Whether zeros may follow.
    is_padded: bool,
}

fn only<'a, D: StreamDecoder + 'a>(decoder: D) -> Box<dyn Read + 'a> {
    Box::new(Only { decoder, ended: false, is_padded: false })
}

impl<D: StreamDecoder> Read for Only<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let count = self.decoder.read(buffer)?;
        if count == 0 {
            let input = self.decoder.input();
            if self.is_padded {
                skip_zeros(input)?;
            }
            if !input.fill_buf()?.is_empty() {
                return Err(after_the_end());
            }
            self.ended = true;
        }
        Ok(count)
    }
}

/// Reads gzip members, as parallel compressors write them; `None` after the end.
struct GzipMembers<R>(Option<flate2::bufread::GzDecoder<R>>);

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = self.0.as_mut().filter(|_| !buffer.is_empty()) else { return Ok(0) };
            let count = decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let input = decoder.get_mut();
            skip_zeros(input)?;
            match input.fill_buf()?.first() {
                None => self.0 = None,
                Some(0x1f) => {
                    self.0 = self.0.take().map(|ended| flate2::bufread::GzDecoder::new(ended.into_inner()));
                }
                Some(_) => return Err(after_the_end()),
            }
        }
    }
}

/// Skips the zeros with which some writers fill the last block.
fn skip_zeros(input: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let piece = input.fill_buf()?;
        let zeros = piece.iter().take_while(|&&b| b == 0).count();
        if zeros == 0 {
            return Ok(());
        }
        input.consume(zeros);
    }
}

/// The input of a decoder of members goes on after the end of its stream.
#[derive(Debug, thiserror::Error)]
#[error("data after the end of the compressed stream")]
struct AfterEnd;

pub(crate) fn after_the_end() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, AfterEnd)
}

/// Whether a decoder of members has returned its whole output, and found data after the end of the stream.
pub(crate) fn is_after_the_end(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<AfterEnd>)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use super::*;

    /// Compresses bytes in memory, as a second half for the tests.
    pub(crate) fn encode(format: Compression, bytes: &[u8]) -> Vec<u8> {
        use xz2::stream::{LzmaOptions, Stream};
        let all = |reader: &mut dyn Read| {
            let mut out = Vec::new();
            reader.read_to_end(&mut out).unwrap();
            out
        };
        match format {
            Compression::Plain => bytes.to_vec(),
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Xz => all(&mut xz2::bufread::XzEncoder::new(bytes, 0)),
            Compression::Zstd => zstd::encode_all(bytes, 3).unwrap(),
            Compression::Bzip2 => all(&mut bzip2::bufread::BzEncoder::new(bytes, bzip2::Compression::fast())),
            Compression::Lzma => {
                let stream = Stream::new_lzma_encoder(&LzmaOptions::new_preset(0).unwrap()).unwrap();
                all(&mut xz2::bufread::XzEncoder::new_stream(bytes, stream))
            }
        }
    }

    fn decode(format: Compression, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        format.decoder(bytes)?.read_to_end(&mut out).map(|_| out)
    }

    fn decode_index(format: Compression, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        format.index_decoder(bytes)?.read_to_end(&mut out).map(|_| out)
    }

    const COMPRESSED: [Compression; 5] =
        [Compression::Gzip, Compression::Xz, Compression::Zstd, Compression::Bzip2, Compression::Lzma];

    fn text() -> Vec<u8> {
        (0..3000_u32)
            .flat_map(|n| format!("Package: p{}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    #[test]
    fn extensions_go_both_ways() {
        for format in Compression::ALL {
            assert_eq!(Compression::from_extension(format.extension()), Some(format));
        }
        for other in [".lz", "gz", ".GZ", ".gz ", "."] {
            assert_eq!(Compression::from_extension(other), None, "{other}");
        }
    }

    #[test]
    fn every_format_comes_back() {
        for format in Compression::ALL {
            for bytes in [Vec::new(), b"one".to_vec(), text()] {
                let packed = encode(format, &bytes);
                assert_eq!(decode(format, &packed).unwrap(), bytes, "{format:?}");
                assert_eq!(decode_index(format, &packed).unwrap(), bytes, "{format:?}");
            }
        }
    }

    #[test]
    fn input_that_ends_early_is_an_error_at_every_byte() {
        let bytes = &text()[..2000];
        for format in COMPRESSED {
            let packed = encode(format, bytes);
            for end in 0..packed.len() {
                assert!(decode(format, &packed[..end]).is_err(), "{format:?} cut at {end}");
                // Empty input is valid as an index: a concatenation of no streams.
                let index = decode_index(format, &packed[..end]);
                assert!(index.is_err() || end == 0, "{format:?} index cut at {end}");
            }
        }
    }

    #[test]
    fn data_after_the_stream_is_an_error() {
        for format in COMPRESSED {
            let packed = encode(format, &text());
            let mut all = vec![&b"junk"[..], b"\0junk"];
            // dpkg reads several gzip members, and zeros after them or after xz.
            match format {
                Compression::Gzip => {}
                Compression::Xz => all.push(&packed),
                _ => all.extend([&b"\0"[..], b"\0\0\0\0", &packed]),
            }
            for more in all {
                let error = decode(format, &[&packed, more].concat()).unwrap_err();
                assert_eq!(error.to_string(), "data after the end of the compressed stream", "{format:?}");
            }
        }
    }

    #[test]
    fn a_member_may_be_several_gzip_members_and_padded() {
        let bytes = text();
        let (head, tail) = bytes.split_at(bytes.len() / 3);
        let both = [encode(Compression::Gzip, head), encode(Compression::Gzip, tail)].concat();
        let padded = |packed: &[u8]| [packed, &vec![0; 70_000][..]].concat();
        for packed in [&both, &padded(&both)] {
            assert_eq!(decode(Compression::Gzip, packed).unwrap(), bytes);
        }
        assert_eq!(decode(Compression::Xz, &padded(&encode(Compression::Xz, head))).unwrap(), head);
        for cut in [1, 7, 12] {
            assert!(decode(Compression::Gzip, &both[..both.len() - cut]).is_err());
        }
    }

    #[test]
    fn an_index_may_be_several_streams() {
        let bytes = text();
        let (head, tail) = bytes.split_at(bytes.len() / 3);
        for format in &COMPRESSED[..4] {
            let mut packed = encode(*format, head);
            packed.extend(encode(*format, tail));
            assert_eq!(decode_index(*format, &packed).unwrap(), bytes, "{format:?}");
            for cut in [1, 7, 12] {
                assert!(decode_index(*format, &packed[..packed.len() - cut]).is_err());
            }
        }
    }

    #[test]
    fn memory_is_limited() {
        use xz2::stream::{Check, Filters, LzmaOptions, Stream};
        let mut options = LzmaOptions::new_preset(0).unwrap();
        options.dict_size(1 << 30);
        let mut alone = encode(Compression::Lzma, b"text");
        alone[1..5].copy_from_slice(&(1_u32 << 30).to_le_bytes());
        assert!(decode(Compression::Lzma, &alone).is_err());

        // The dictionary of an xz block is one byte of its header: 36 stands for 1 GiB. Its checksum covers it.
        let stream = {
            let mut filters = Filters::new();
            let mut small = LzmaOptions::new_preset(0).unwrap();
            small.dict_size(4096);
            filters.lzma2(&small);
            Stream::new_stream_encoder(&filters, Check::Crc32).unwrap()
        };
        let mut packed = Vec::new();
        xz2::bufread::XzEncoder::new_stream(&b"text"[..], stream).read_to_end(&mut packed).unwrap();
        assert_eq!(decode(Compression::Xz, &packed).unwrap(), b"text");
        let header = 12..12 + (usize::from(packed[12]) + 1) * 4 - 4;
        assert_eq!(packed[16], 0, "dictionary of 4 KiB");
        packed[16] = 36;
        let mut sum = flate2::Crc::new();
        sum.update(&packed[header.clone()]);
        packed[header.end..header.end + 4].copy_from_slice(&sum.sum().to_le_bytes());
        let error = decode(Compression::Xz, &packed).unwrap_err();
        assert!(error.to_string().contains("memory limit"), "{error}");

        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(28).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&text()).unwrap();
        let packed = encoder.finish().unwrap();
        let error = decode(Compression::Zstd, &packed).unwrap_err();
        assert!(error.to_string().contains("too much memory"), "{error}");
    }
}
