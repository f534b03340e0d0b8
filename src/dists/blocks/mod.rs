//! An index in blocks.
//!
//! A large index is split into blocks of about 640 KiB, at boundaries between stanzas or lines that the *content* chooses
//! (`cut.rs`): a block ends before a name with a matching hash, independent of its neighbours. An added package
//! therefore moves no other boundary, and a block with unchanged text is copied from the published file without
//! unpacking or compressing it.
//!
//! Readers see one ordinary file (`gzip.rs`, `xz.rs`, `zstd.rs`), and the positions of the blocks can be read from the
//! file itself. An index smaller than a block is one block; a file that another tool made has no known blocks, and is
//! written in blocks at its next change.
//!
//! The block size is a trade-off: for 47 MB of Debian's `Packages`, an `.xz` in blocks is a tenth larger than one
//! stream, and the main cost of a change is to compress one block. An edited index has the same bytes as one built
//! from scratch.

mod cut;
mod gzip;
mod xz;
mod zstd;
mod packed;

use std::{
    io::{self, Read as _},
    ops::Range,
};

use bytes::Bytes;
use rayon::prelude::*;

use crate::compression::Compression;
pub use cut::Unit;
use cut::{SMALLEST, cut};
use packed::Packed;

/// An index as it is published, before a change.
#[derive(Clone)]
pub struct Before {
    /// Its text.
    pub text: Bytes,
    /// The compressed file of that text.
    pub file: Bytes,
}

/// Compresses the text of an index, block by block, on all cores; unchanged blocks are copied from `before`.
///
/// # Errors
///
/// [`Compression::Lzma`] is not written.
pub fn compress(text: &Bytes, compression: Compression, before: Option<&Before>) -> io::Result<Bytes> {
    compress_units(text, compression, before, Unit::Stanza)
}

/// The same for an index of other units than stanzas.
///
/// # Errors
///
/// [`Compression::Lzma`] is not written.
pub fn compress_units(
    text: &Bytes,
    compression: Compression,
    before: Option<&Before>,
    unit: Unit,
) -> io::Result<Bytes> {
    let (unpack, pack, join): (Unpack, Pack, Join) = match compression {
        Compression::Plain => return Ok(text.clone()),
        Compression::Gzip => (gzip::unpack, gzip::pack, gzip::join),
        Compression::Xz => (xz::unpack, xz::pack, xz::join),
        // Frames are concatenated like members.
        Compression::Zstd => (zstd::unpack, zstd::pack, gzip::join),
        Compression::Bzip2 => return one_bzip2_stream(text),
        other => {
            let message = format!("indices are not written as `Packages{}`", other.extension());
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
    };
    let ranges = cut(text, unit);
    let carried = match before.and_then(|before| Some((before, unpack(&before.file)?))) {
        Some((before, blocks)) => carry(text, &ranges, &before.text, blocks),
        None => vec![None; ranges.len()],
    };
    let blocks = ranges.into_par_iter().zip(carried).map(|(range, carried)| match carried {
        Some(packed) => Ok(packed),
        None => pack(&text[range]),
    });
    Ok(join(&blocks.collect::<io::Result<Vec<Packed>>>()?))
}

/// A `.bz2` of one stream, of which apt reads no more: it has no blocks that an edit could carry over.
fn one_bzip2_stream(text: &[u8]) -> io::Result<Bytes> {
    let mut packed = Vec::new();
    bzip2::bufread::BzEncoder::new(text, bzip2::Compression::best()).read_to_end(&mut packed)?;
    Ok(packed.into())
}

/// Whether an index is large enough to have several blocks, some of which may stay unchanged.
#[must_use]
pub fn are_worth_reading(text: &Bytes) -> bool {
    text.len() > SMALLEST
}

type Unpack = fn(&Bytes) -> Option<Vec<Packed>>;
type Pack = fn(&[u8]) -> io::Result<Packed>;
type Join = fn(&[Packed]) -> Bytes;

/// For each new block, the old block with the same text, if any.
fn carry(text: &[u8], new: &[Range<usize>], old_text: &[u8], blocks: Vec<Packed>) -> Vec<Option<Packed>> {
    let mut carried = vec![None; new.len()];
    let mut old = Vec::with_capacity(blocks.len());
    let mut at = 0_usize;
    for packed in blocks {
        let end = usize::try_from(packed.length).ok().and_then(|length| at.checked_add(length));
        let Some(end) = end.filter(|&end| end <= old_text.len()) else { return carried };
        old.push((&old_text[at..end], packed));
        at = end;
    }
    if at != old_text.len() {
        return carried;
    }
    // From both ends inwards as far as they agree; the few blocks that remain have changed.
    let is_same = |range: &Range<usize>, old: &(&[u8], Packed)| text[range.clone()] == *old.0;
    let mut first = 0;
    while first < new.len() && first < old.len() && is_same(&new[first], &old[first]) {
        carried[first] = Some(old[first].1.clone());
        first += 1;
    }
    let mut last = 0;
    while last < new.len() - first
        && last < old.len() - first
        && is_same(&new[new.len() - 1 - last], &old[old.len() - 1 - last])
    {
        carried[new.len() - 1 - last] = Some(old[old.len() - 1 - last].1.clone());
        last += 1;
    }
    let between = &old[first..old.len() - last];
    for at in first..new.len() - last {
        carried[at] = between.iter().find(|old| is_same(&new[at], old)).map(|(_, packed)| packed.clone());
    }
    carried
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, HashSet},
        fmt::Write as _,
        io::Read,
    };

    use proptest::prelude::*;
    use xz2::stream::Stream;

    use super::{cut::hash, *};

    const FORMS: [Compression; 3] = [Compression::Gzip, Compression::Xz, Compression::Zstd];

    fn stanza(name: u32, version: u32) -> String {
        let noise = (0..6).fold(String::new(), |mut noise, k| {
            let _ = write!(noise, "{}", hash(format!("{name} {version} {k}").as_bytes()));
            noise
        });
        // Stanzas have much text in common, which compresses quickly.
        let filler = "as in all of them ".repeat(20);
        format!(
            "Package: name-{name:06}\nVersion: 1.{version}\nArchitecture: all\nDescription: {noise} {filler}\n\n"
        )
    }

    fn text(packages: impl IntoIterator<Item = u32>) -> Bytes {
        packages.into_iter().map(|name| stanza(name, 0)).collect::<String>().into()
    }

    fn compressed(text: &Bytes, compression: Compression) -> Bytes {
        compress(text, compression, None).unwrap()
    }

    fn plain(file: &[u8], compression: Compression) -> Vec<u8> {
        let mut out = Vec::new();
        match compression {
            Compression::Gzip => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut out).unwrap(),
            Compression::Zstd => ::zstd::Decoder::new(file).unwrap().read_to_end(&mut out).unwrap(),
            // A decoder for one stream only, as in apt.
            _ => xz2::read::XzDecoder::new_stream(file, Stream::new_stream_decoder(u64::MAX, 0).unwrap())
                .read_to_end(&mut out)
                .unwrap(),
        };
        out
    }

    /// The number of blocks that differ from those of the previous file.
    fn new_blocks(before: &Bytes, after: &Bytes, compression: Compression) -> usize {
        let unpack = match compression {
            Compression::Gzip => gzip::unpack,
            Compression::Zstd => zstd::unpack,
            _ => xz::unpack,
        };
        let before: HashSet<Bytes> = unpack(before).unwrap().into_iter().map(|packed| packed.bytes).collect();
        unpack(after).unwrap().iter().filter(|packed| !before.contains(&packed.bytes)).count()
    }

    #[test]
    fn compressed_text_round_trips() {
        for text in [text(0..0), text(0..1), text(0..9000), Bytes::from_static(b"no newline")] {
            for compression in FORMS {
                assert_eq!(plain(&compressed(&text, compression), compression), text);
            }
        }
    }

    #[test]
    fn a_bzip2_index_is_one_stream() {
        for text in [text(0..0), text(0..9000)] {
            let file = compressed(&text, Compression::Bzip2);
            // A decoder for one stream only, as in apt.
            let mut decoder = bzip2::read::BzDecoder::new(&file[..]);
            let mut out = Vec::new();
            decoder.read_to_end(&mut out).unwrap();
            assert_eq!((out, decoder.total_in()), (text.to_vec(), file.len() as u64));
        }
    }

    #[test]
    fn a_small_index_is_one_block() {
        let text = text(0..100);
        assert_eq!(gzip::unpack(&compressed(&text, Compression::Gzip)).unwrap().len(), 1);
        assert_eq!(xz::unpack(&compressed(&text, Compression::Xz)).unwrap().len(), 1);
    }

    #[test]
    fn blocks_are_found_in_own_files_and_in_no_others() {
        let text = text(0..9000);
        let ranges = cut(&text, Unit::Stanza);
        for (compression, unpack) in [
            (Compression::Gzip, gzip::unpack as Unpack),
            (Compression::Xz, xz::unpack),
            (Compression::Zstd, zstd::unpack),
        ] {
            let file = compressed(&text, compression);
            let lengths: Vec<usize> =
                unpack(&file).unwrap().iter().map(|packed| usize::try_from(packed.length).unwrap()).collect();
            assert_eq!(lengths, ranges.iter().map(Range::len).collect::<Vec<_>>());
            for end in [0, 1, 11, 40, file.len() / 2, file.len() - 1] {
                assert!(
                    end == 0 || unpack(&file.slice(..end)).is_none_or(|blocks| blocks.len() < ranges.len())
                );
            }
        }
        let mut other = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        io::Write::write_all(&mut other, &text).unwrap();
        assert_eq!(gzip::unpack(&other.finish().unwrap().into()), None);
        assert_eq!(xz::unpack(&Bytes::from_static(b"\xfd7zXZ")), None);
    }

    #[test]
    fn one_package_more_or_less_packs_a_block_or_two() {
        let all = text(0..9_000);
        for compression in FORMS {
            let before = Before { file: compressed(&all, compression), text: all.clone() };
            for at in [0, 7, 2_500, 5_678, 8_999] {
                let less = text((0..9_000).filter(|name| *name != at));
                let file = compress(&less, compression, Some(&before)).unwrap();
                assert_eq!(file, compressed(&less, compression), "as if made from nothing");
                assert!(new_blocks(&before.file, &file, compression) <= 2);
                // And back.
                let after = Before { file, text: less };
                assert_eq!(compress(&all, compression, Some(&after)).unwrap(), before.file);
            }
        }
    }

    #[test]
    fn one_path_more_or_less_packs_a_block_or_two() {
        let line =
            |n: u32| format!("usr/share/{:08x}/{n}\t    misc/package-{}\n", hash(&n.to_le_bytes()), n / 9);
        let text = |except: Option<u32>| -> Bytes {
            let mut lines: Vec<String> = (0..80_000).filter(|n| Some(*n) != except).map(line).collect();
            lines.sort_unstable();
            lines.concat().into()
        };
        let all = text(None);
        assert!(cut(&all, Unit::Line).len() > 3);
        assert_eq!(cut(&all, Unit::Line).last().unwrap().end, all.len());
        for compression in FORMS {
            let file = compress_units(&all, compression, None, Unit::Line).unwrap();
            assert_eq!(plain(&file, compression), all);
            let before = Before { file, text: all.clone() };
            for at in [0, 700, 40_000, 79_999] {
                let less = text(Some(at));
                let file = compress_units(&less, compression, Some(&before), Unit::Line).unwrap();
                assert_eq!(file, compress_units(&less, compression, None, Unit::Line).unwrap());
                assert!(new_blocks(&before.file, &file, compression) <= 2);
            }
        }
        for short in ["", "a", "a\n", "\n\n"] {
            let blocks = cut(short.as_bytes(), Unit::Line);
            assert_eq!((blocks.len(), &blocks[0]), (1, &(0..short.len())));
        }
    }

    #[test]
    fn blocks_of_another_text_are_not_reused() {
        let (one, other) = (text(0..9000), text(9000..18_000));
        for compression in FORMS {
            let expected = compressed(&other, compression);
            let file_of_one = compressed(&one, compression);
            let file_of_nothing = compressed(&Bytes::new(), compression);
            for (text, file) in [(&one, &expected), (&one, &file_of_nothing), (&Bytes::new(), &file_of_one)] {
                let before = Before { text: text.clone(), file: file.clone() };
                assert_eq!(compress(&other, compression, Some(&before)).unwrap(), expected);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

        /// Any sequence of edits gives the bytes of an index that is built from scratch.
        #[test]
        fn edits_give_what_is_made_from_nothing(
            edits in prop::collection::vec((0..3000_u32, 0..4_u32), 1..12),
        ) {
            let mut versions: BTreeMap<u32, u32> = (0..2000).map(|name| (name, 0)).collect();
            let render = |versions: &BTreeMap<u32, u32>| -> Bytes {
                versions.iter().map(|(name, version)| stanza(*name, *version)).collect::<String>().into()
            };
            let first = render(&versions);
            let mut before = FORMS.map(|compression| Before { text: first.clone(), file: compressed(&first, compression) });
            for (name, version) in edits {
                match version {
                    0 => versions.remove(&name),
                    version => versions.insert(name, version),
                };
                let text = render(&versions);
                for (before, compression) in before.iter_mut().zip(FORMS) {
                    let file = compress(&text, compression, Some(before)).unwrap();
                    *before = Before { text: text.clone(), file };
                }
            }
            for (after, compression) in before.iter().zip(FORMS) {
                prop_assert_eq!(&after.file, &compressed(&after.text, compression));
            }
        }
    }
}
