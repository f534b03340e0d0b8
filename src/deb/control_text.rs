//! The text of a `control` file as dpkg reads it, in the form in which an index has it.
//!
//! dpkg and apt skip carriage returns at the ends of lines and blanks before a colon; other readers of an index do not,
//! so these are removed. To dpkg, `#note: x` is a field, to other readers a comment: it is removed too. dpkg ignores the mark
//! with which MS-DOS ended files, and refuses a text that ends within a field.

use crate::stanza::{Error, ErrorKind, is_blank};

/// The mark of the end of a file in MS-DOS.
const END_MARK: u8 = 0x1a;

/// The text for an index, and whether it differs from the one in the package.
pub(super) struct ControlText {
    pub(super) bytes: Vec<u8>,
    pub(super) is_rewritten: bool,
}

/// Checks the ends of lines, and removes what an index must not have.
pub(super) fn read(original: &[u8]) -> Result<ControlText, Error> {
    let text =
        original.strip_suffix(b"\n").and_then(|text| text.strip_suffix(&[END_MARK])).unwrap_or(original);
    let text = text.strip_suffix(&[END_MARK]).unwrap_or(text);
    // dpkg takes a single blank at the very end for the end of the last field.
    let text = match text {
        [head @ .., b' ' | b'\t'] if head.ends_with(b"\n") => head,
        _ => text,
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut last: &[u8] = &[];
    let mut count = 0;
    let mut is_comment = false;
    for (number, full) in text.split_inclusive(|&b| b == b'\n').enumerate() {
        let fail = |kind| Err(Error { line: number + 1, kind });
        let Some(line) = full.strip_suffix(b"\n") else { return fail(ErrorKind::NoFinalNewline) };
        if !line.is_empty() && line.iter().copied().all(is_blank) {
            return fail(ErrorKind::BlankContinuation);
        }
        let mut line = line;
        while let Some(without) = line.strip_suffix(b"\r") {
            line = without;
        }
        (last, count) = (line, number + 1);
        let name = field_name(line).map_or(0, <[u8]>::len);
        is_comment =
            (is_comment && line.first().copied().is_some_and(is_blank)) || (name > 0 && line[0] == b'#');
        if is_comment {
            continue;
        }
        bytes.extend_from_slice(&line[..name]);
        let rest = &line[name..];
        bytes.extend_from_slice(if name > 0 { rest.trim_ascii_start() } else { rest });
        bytes.push(b'\n');
    }
    if let Some(name) = field_name(last)
        && last[name.len()..].trim_ascii() == b":"
    {
        let name = String::from_utf8_lossy(name).escape_debug().to_string();
        return Err(Error { line: count, kind: ErrorKind::EmptyLast(name) });
    }
    let is_rewritten = bytes != text || text.len() < original.len() && !original.ends_with(b" ");
    Ok(ControlText { bytes, is_rewritten })
}

/// The name of a field without the blanks after it; `None` for another line.
fn field_name(line: &[u8]) -> Option<&[u8]> {
    if line.first().copied().is_none_or(is_blank) {
        return None;
    }
    let name = line[..memchr::memchr(b':', line)?].trim_ascii_end();
    (!name.is_empty() && !name.iter().copied().any(is_blank)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_lines_and_blanks_before_a_colon_are_removed() {
        for (text, expected) in [
            ("A: 1\n", "A: 1\n"),
            ("A: 1\r\n b\r\r\n", "A: 1\n b\n"),
            ("A : 1\nB\t: 2 : 3\n c : d\n", "A: 1\nB: 2 : 3\n c : d\n"),
            ("A: 1\n ", "A: 1\n"),
            ("A:\n 1\n\n", "A:\n 1\n\n"),
            ("A: 1\n#note: x\n y\nB: 2\n", "A: 1\nB: 2\n"),
            ("A: 1\n# note\n", "A: 1\n# note\n"),
            ("A: 1\n\x1a", "A: 1\n"),
            ("A: 1\n\x1a\n", "A: 1\n"),
            ("", ""),
            ("no field : x\n", "no field : x\n"),
        ] {
            let found = read(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&found.bytes), expected);
            assert_eq!(found.is_rewritten, text.trim_end_matches(' ') != expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_that_dpkg_does_not_read_is_refused() {
        for (text, line, kind) in [
            ("A: 1", 1, ErrorKind::NoFinalNewline),
            ("A: 1\n 2", 2, ErrorKind::NoFinalNewline),
            ("A: 1\n  ", 2, ErrorKind::NoFinalNewline),
            ("A: 1\nB:\n", 2, ErrorKind::EmptyLast("B".into())),
            ("A: 1\nB : \r\n", 2, ErrorKind::EmptyLast("B".into())),
            ("A: 1\n \nB: 2\n", 2, ErrorKind::BlankContinuation),
            ("A: 1\n\r\n", 2, ErrorKind::BlankContinuation),
        ] {
            assert_eq!(read(text.as_bytes()).err(), Some(Error { line, kind }), "{text:?}");
        }
        assert!(read(b"A:\n\n").is_ok());
    }
}
