//! Splits an index at names or paths that the content chooses.

use std::ops::Range;

use flate2::Crc;

/// The target size of a block…
const TARGET: usize = 640 << 10;
/// …the minimum of every block but the last…
pub(super) const SMALLEST: usize = TARGET / 2;
/// …and the size after which a block ends at the next name.
const LARGEST: usize = TARGET * 2;
/// A name starts a new block if its hash is a multiple of this: rarely while the block is small…
const ONE_IN: u32 = 4096;
/// …and soon once the block has its target size. Few blocks are therefore much larger than others, and a change is as
/// likely to be in a small one; stanzas have about 800 bytes.
const THEN_ONE_IN: u32 = 160;
/// The same for lines, of about 80 bytes.
const LINE_ONE_IN: u32 = 40960;
const LINE_THEN_ONE_IN: u32 = 1600;

/// The units of an index, between which it may be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A stanza, with the empty line after it.
    Stanza,
    /// A line that begins with a path.
    Line,
}

/// The ranges of the blocks of an index; an empty index is one empty block.
pub(super) fn cut(text: &[u8], unit: Unit) -> Vec<Range<usize>> {
    match unit {
        Unit::Stanza => cut_stanzas(text),
        Unit::Line => cut_lines(text),
    }
}

fn cut_lines(text: &[u8]) -> Vec<Range<usize>> {
    let (mut blocks, mut start) = (Vec::new(), 0);
    // No boundary is closer to the last one.
    while let Some(near) = text.get(start + SMALLEST - 1..) {
        let ends = memchr::memchr_iter(b'\n', near).map(|at| start + SMALLEST + at);
        let is_chosen = |end: &usize| {
            let length = end - start;
            let one_in = if length < TARGET { LINE_ONE_IN } else { LINE_THEN_ONE_IN };
            *end < text.len() && (length >= LARGEST || hash(path(&text[*end..])).is_multiple_of(one_in))
        };
        let Some(end) = ends.into_iter().find(is_chosen) else { break };
        blocks.push(start..end);
        start = end;
    }
    blocks.push(start..text.len());
    blocks
}

/// The path of a line, up to its first blank: its packages may change.
fn path(line: &[u8]) -> &[u8] {
    &line[..memchr::memchr3(b' ', b'\t', b'\n', line).unwrap_or(line.len())]
}

fn cut_stanzas(text: &[u8]) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut start = 0;
    let mut stanza = 0;
    for end in memchr::memmem::find_iter(text, b"\n\n").map(|end| end + 2) {
        let last = std::mem::replace(&mut stanza, end);
        let length = end - start;
        if length < SMALLEST || end == text.len() {
            continue;
        }
        let name = first_line(&text[end..]);
        let one_in = if length < TARGET { ONE_IN } else { THEN_ONE_IN };
        // Stanzas of one name stay together, so that a boundary depends on names alone.
        let chosen = length >= LARGEST || hash(name).is_multiple_of(one_in);
        if chosen && name != first_line(&text[last..]) {
            blocks.push(start..end);
            start = end;
        }
    }
    blocks.push(start..text.len());
    blocks
}

/// `Package: name`, the first field of the stanzas that are written here.
fn first_line(stanza: &[u8]) -> &[u8] {
    &stanza[..memchr::memchr(b'\n', stanza).unwrap_or(stanza.len())]
}

/// A hash that must never change: it decides where published files are split.
pub(super) fn hash(name: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(name);
    // The low bits of a CRC need mixing to be as good as its high bits.
    crc.sum().wrapping_mul(0x9e37_79b1) >> 8
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn blocks_cover_the_text_and_end_between_stanzas() {
        let mut text = String::new();
        for n in 0..20_000 {
            let noise: String = (0..40).map(|k| hash(format!("{n} {k}").as_bytes()).to_string()).collect();
            let _ =
                write!(text, "Package: name-{n:06}\nVersion: 1\nArchitecture: all\nDescription: {noise}\n\n");
        }
        let text = text.as_bytes();
        let blocks = cut(text, Unit::Stanza);
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
}
