//! Stanzas: the `Field: value` text of control files, indices, `Release` and the configuration (deb822(5)).
//!
//! A [`Stanza`] borrows its text; nothing is copied and no byte is changed, so a control file is written to an index
//! exactly as its author wrote it. The parser is strict: it refuses text that apt, dpkg or a reader in another
//! language might read differently.

use std::{collections::HashSet, fmt};

/// Up to this many fields, comparing each pair is faster than a set; few stanzas have more.
const FEW: usize = 32;

/// One stanza: fields in order, over borrowed bytes.
#[derive(Clone)]
pub struct Stanza<'a> {
    text: &'a [u8],
    fields: Vec<Field<'a>>,
}

/// One field of a stanza.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// The name as written.
    pub name: &'a str,
    /// The value as written: folded lines included, without the blanks around the first line and the final newline.
    pub value: &'a [u8],
    /// All bytes of the field, from its name to the last newline.
    pub raw: &'a [u8],
}

/// Where and why a text is not a stanza.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
#[non_exhaustive]
pub struct Error {
    /// The line in the given text, counted from 1.
    pub line: usize,
    /// The problem in that line.
    pub kind: ErrorKind,
}

/// The problems that a line of a stanza can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A line that is neither `Name: value` nor a continuation.
    #[error("expected `Field: value`, found `{0}`")]
    NotAField(String),
    /// A field name with characters that are not allowed.
    #[error("`{0}` cannot be the name of a field")]
    BadName(String),
    /// The same field a second time (names are compared without regard to case).
    #[error("field `{0}` occurs twice")]
    Twice(String),
    /// A continuation line before any field.
    #[error("a continuation line before the first field")]
    Orphan,
    /// A continuation line of only blanks, which some readers take for the end of the stanza.
    #[error("a line of only blanks inside a field")]
    BlankContinuation,
    /// A control character: carriage return, NUL…
    #[error("a control character (0x{0:02x}); lines must end in a newline alone")]
    ControlCharacter(u8),
    /// The text ends within a line, which dpkg does not read.
    #[error("the last line does not end in a newline")]
    NoFinalNewline,
    /// The last field is empty, which dpkg takes for a truncated file.
    #[error("field `{0}` is empty, and dpkg does not read an empty field at the end of the file")]
    EmptyLast(String),
    /// A byte order mark.
    #[error("a byte order mark; the file must be plain UTF-8")]
    ByteOrderMark,
    /// No field.
    #[error("no field")]
    Empty,
    /// A second stanza where only one is allowed.
    #[error("a second stanza; only one is allowed here")]
    Second,
}

impl<'a> Stanza<'a> {
    /// Parses exactly one stanza; empty lines before and after it are skipped.
    pub fn parse(text: &'a [u8]) -> Result<Self, Error> {
        Self::only(Stanzas::new(text))
    }

    fn only(mut all: Stanzas<'a>) -> Result<Self, Error> {
        let only = all.next().unwrap_or(Err(Error { line: 1, kind: ErrorKind::Empty }))?;
        match all.next() {
            None => Ok(only),
            Some(_) => Err(Error { line: all.block_line, kind: ErrorKind::Second }),
        }
    }

    /// Parses the lines of one stanza, which has no empty lines; `line` is the number of its first line in error
    /// messages.
    pub fn parse_lines(text: &'a [u8], line: usize) -> Result<Self, Error> {
        Self::parse_block(text, line, Dialect::Strict)
    }

    /// Parses the stanza of a control file, in which dpkg and apt accept control characters.
    pub fn parse_control(text: &'a [u8]) -> Result<Self, Error> {
        Self::only(Stanzas { dialect: Dialect::Control, ..Stanzas::new(text) })
    }

    fn parse_block(text: &'a [u8], mut line: usize, dialect: Dialect) -> Result<Self, Error> {
        let mut fields: Vec<Field<'a>> = Vec::with_capacity(24);
        // For a stanza with very many fields, comparing each pair would take minutes.
        let mut names: HashSet<String> = HashSet::new();
        let mut rest = text;
        while !rest.is_empty() {
            let fail = |kind| Err(Error { line, kind });
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (full, after) = rest.split_at(end);
            let content = full.strip_suffix(b"\n").unwrap_or(full);
            if let Some(&byte) = content.iter().find(|&&b| dialect.forbids(b)) {
                return fail(ErrorKind::ControlCharacter(byte));
            }
            match content.first() {
                Some(b'#') if dialect == Dialect::Commented => {}
                Some(b' ' | b'\t') => {
                    let Some(field) = fields.last_mut() else {
                        return fail(ErrorKind::Orphan);
                    };
                    if content.iter().copied().all(is_blank) {
                        return fail(ErrorKind::BlankContinuation);
                    }
                    // Both slices are part of `text`, the field directly before this line (or before comments).
                    let start = offset(text, field.raw);
                    let stop = offset(text, full) + full.len();
                    field.raw = &text[start..stop];
                    let start = offset(text, field.value);
                    field.value = text[start..stop].strip_suffix(b"\n").unwrap_or(&text[start..stop]);
                }
                _ => {
                    if content.starts_with("\u{feff}".as_bytes()) {
                        return fail(ErrorKind::ByteOrderMark);
                    }
                    let Some(colon) = memchr::memchr(b':', content) else {
                        return fail(ErrorKind::NotAField(excerpt(content)));
                    };
                    let name = &content[..colon];
                    let fits = |b: &u8| b.is_ascii_graphic();
                    if name.is_empty() || !name.iter().all(fits) || matches!(name[0], b'-' | b'#') {
                        return fail(ErrorKind::BadName(excerpt(name)));
                    }
                    let Ok(name) = std::str::from_utf8(name) else {
                        return fail(ErrorKind::BadName(excerpt(name)));
                    };
                    let is_there = if fields.len() < FEW {
                        fields.iter().any(|field| field.name.eq_ignore_ascii_case(name))
                    } else {
                        if names.is_empty() {
                            names.extend(fields.iter().map(|field| field.name.to_ascii_lowercase()));
                        }
                        !names.insert(name.to_ascii_lowercase())
                    };
                    if is_there {
                        return fail(ErrorKind::Twice(name.to_owned()));
                    }
                    fields.push(Field { name, value: trim(&content[colon + 1..]), raw: full });
                }
            }
            rest = after;
            line += 1;
        }
        if fields.is_empty() {
            return Err(Error { line, kind: ErrorKind::Empty });
        }
        Ok(Self { text, fields })
    }

    /// The value of a field; the name is compared without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    /// The value of a field as text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<std::borrow::Cow<'a, str>> {
        self.get(name).map(String::from_utf8_lossy)
    }

    /// How many lines of the stanza precede a field, comments included.
    #[must_use]
    pub fn lines_before(&self, name: &str) -> Option<usize> {
        let field = self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        Some(memchr::memchr_iter(b'\n', &self.text[..offset(self.text, field.raw)]).count())
    }

    /// All fields in order, each with the number of lines before it, comments included.
    pub fn fields_with_lines(&self) -> impl Iterator<Item = (&Field<'a>, usize)> {
        let (mut lines, mut at) = (0, 0);
        self.fields.iter().map(move |field| {
            let start = offset(self.text, field.raw);
            lines += memchr::memchr_iter(b'\n', &self.text[at..start]).count();
            at = start;
            (field, lines)
        })
    }

    /// All fields in order.
    #[must_use]
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The bytes that were parsed, without the empty lines around them.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.text
    }
}

impl fmt::Debug for Stanza<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text))
    }
}

/// Iterates over the stanzas of a text, which are separated by empty lines.
pub struct Stanzas<'a> {
    rest: &'a [u8],
    line: usize,
    block_line: usize,
    dialect: Dialect,
}

/// The rules for the lines of a stanza.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Index and release files.
    Strict,
    /// A configuration file: with comments.
    Commented,
    /// A control file: with control characters other than NUL, at which some readers end the text.
    Control,
}

impl Dialect {
    fn forbids(self, byte: u8) -> bool {
        match self {
            Self::Strict | Self::Commented => (byte < b' ' && byte != b'\t') || byte == 0x7f,
            Self::Control => byte == 0,
        }
    }
}

impl<'a> Stanzas<'a> {
    /// Reads an index, a `Release` or a control file.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: text, line: 1, block_line: 1, dialect: Dialect::Strict }
    }

    /// Reads a file written by people, in which lines that start with `#` are comments.
    #[must_use]
    pub fn with_comments(text: &'a [u8]) -> Self {
        Self { dialect: Dialect::Commented, ..Self::new(text) }
    }

    /// The first line of the stanza that was returned last, counted from 1.
    #[must_use]
    pub fn block_line(&self) -> usize {
        self.block_line
    }

    /// The bytes of the next stanza, unparsed, with its last newline; for iterating over a large index.
    pub fn next_block(&mut self) -> Option<&'a [u8]> {
        while let Some(rest) = self.rest.strip_prefix(b"\n") {
            self.rest = rest;
            self.line += 1;
        }
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memmem::find(self.rest, b"\n\n").map_or(self.rest.len(), |at| at + 1);
        let (block, rest) = self.rest.split_at(end);
        self.block_line = self.line;
        self.line += memchr::memchr_iter(b'\n', block).count();
        self.rest = rest;
        Some(block)
    }
}

impl<'a> Iterator for Stanzas<'a> {
    type Item = Result<Stanza<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let block = self.next_block()?;
            let only_comments =
                || block.split(|&b| b == b'\n').all(|line| line.is_empty() || line[0] == b'#');
            if !(self.dialect == Dialect::Commented && only_comments()) {
                return Some(Stanza::parse_block(block, self.block_line, self.dialect));
            }
        }
    }
}

/// The names and values of the fields of one stanza from any source, as dpkg and apt find them; lines that are no field
/// are skipped. The name is without the blanks before the colon.
pub fn raw_fields(stanza: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let line = stanza.get(at..).filter(|rest| !rest.is_empty())?;
            let end =
                |from: usize| memchr::memchr(b'\n', &stanza[from..]).map_or(stanza.len(), |end| from + end);
            let mut stop = end(at);
            let colon = memchr::memchr(b':', &stanza[at..stop]);
            while stanza.get(stop + 1).is_some_and(|&b| b != b'\n' && is_blank(b)) {
                stop = end(stop + 1);
            }
            let start = std::mem::replace(&mut at, stop + 1);
            if let Some(colon) = colon.filter(|_| !is_blank(line[0])) {
                return Some((
                    stanza[start..start + colon].trim_ascii_end(),
                    &stanza[start + colon + 1..stop],
                ));
            }
        }
    })
}

/// Whether a byte is a blank of C, as dpkg and apt use them.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The offset at which `part`, a slice of `whole`, begins.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> ErrorKind {
        Stanza::parse(text.as_bytes()).unwrap_err().kind
    }

    #[test]
    fn fields_keep_their_bytes_and_order() {
        let text = "Package: acpi\nX-Odd:   spaced  \nDescription: short\n long\n  indented\n .\n end\nTag:\n a,\n b\n";
        let stanza = Stanza::parse(text.as_bytes()).unwrap();
        assert_eq!(stanza.as_bytes(), text.as_bytes());
        assert_eq!(stanza.get("package"), Some(&b"acpi"[..]));
        assert_eq!(stanza.get("X-ODD"), Some(&b"spaced"[..]));
        assert_eq!(stanza.get("Description"), Some(&b"short\n long\n  indented\n .\n end"[..]));
        assert_eq!(stanza.get("Tag"), Some(&b"\n a,\n b"[..]));
        let raw: Vec<u8> = stanza.fields().iter().flat_map(|field| field.raw).copied().collect();
        assert_eq!(raw, text.as_bytes());
    }

    #[test]
    fn empty_lines_around_and_a_missing_last_newline_are_fine() {
        let stanza = Stanza::parse(b"\n\nA: 1\n\n\n").unwrap();
        assert_eq!(stanza.as_bytes(), b"A: 1\n");
        assert_eq!(Stanza::parse(b"A: 1").unwrap().get("a"), Some(&b"1"[..]));
    }

    #[test]
    fn refuses_what_readers_would_read_differently() {
        assert_eq!(kind("A: 1\r\n"), ErrorKind::ControlCharacter(b'\r'));
        assert_eq!(kind("A: \0\n"), ErrorKind::ControlCharacter(0));
        assert_eq!(kind("\u{feff}A: 1\n"), ErrorKind::ByteOrderMark);
        assert_eq!(kind("A: 1\na: 2\n"), ErrorKind::Twice("a".into()));
        assert_eq!(kind("A: 1\n \t\nB: 2\n"), ErrorKind::BlankContinuation);
        assert_eq!(kind(" A: 1\n"), ErrorKind::Orphan);
        assert_eq!(kind("A B: 1\n"), ErrorKind::BadName("A B".into()));
        assert_eq!(kind("-A: 1\n"), ErrorKind::BadName("-A".into()));
        assert_eq!(kind("#A: 1\n"), ErrorKind::BadName("#A".into()));
        assert_eq!(kind(": 1\n"), ErrorKind::BadName(String::new()));
        assert_eq!(kind("hello\n"), ErrorKind::NotAField("hello".into()));
        assert_eq!(kind(""), ErrorKind::Empty);
        assert_eq!(kind("A: 1\n\nB: 2\n"), ErrorKind::Second);
    }

    #[test]
    fn a_control_file_may_have_control_characters_that_end_no_line() {
        let stanza = Stanza::parse_control(b"A: 1\x0c\n x\x1b\x7f\n").unwrap();
        assert_eq!(stanza.get("a"), Some(&b"1\x0c\n x\x1b\x7f"[..]));
        assert_eq!(Stanza::parse_control(b"A: \0\n").unwrap_err().kind, ErrorKind::ControlCharacter(0));
        assert_eq!(Stanza::parse_control(b"A: 1\n \x0c\n").unwrap_err().kind, ErrorKind::BlankContinuation);
    }

    #[test]
    fn raw_fields_are_found_as_dpkg_finds_them() {
        let text = b" orphan\nA: 1\nno field\nB \t: 2\n 3\n\t4\nC:\n: 5\nD:6";
        let found: Vec<_> = raw_fields(text).map(|(name, value)| [name, b"=", value].concat()).collect();
        assert_eq!(found, [&b"A= 1"[..], b"B= 2\n 3\n\t4", b"C=", b"= 5", b"D=6"]);
        assert_eq!(raw_fields(b"").count(), 0);
    }

    #[test]
    fn very_many_fields_are_compared_in_no_time() {
        use std::fmt::Write as _;
        let mut text = String::new();
        for number in 0..300_000 {
            writeln!(text, "X{number}: a").unwrap();
        }
        // Comparing each pair would take a quarter of an hour.
        let began = std::time::Instant::now();
        assert_eq!(Stanza::parse(text.as_bytes()).unwrap().fields().len(), 300_000);
        assert!(began.elapsed().as_secs() < 300, "{:?}", began.elapsed());
        for twice in ["x5", "X31", "x32", "X299999"] {
            assert_eq!(kind(&format!("{text}{twice}: b\n")), ErrorKind::Twice(twice.into()));
        }
    }

    #[test]
    fn errors_count_lines_over_stanzas() {
        let mut all = Stanzas::new(b"A: 1\n\n\nB: 2\nC\n");
        assert!(all.next().unwrap().is_ok());
        assert_eq!(all.next().unwrap().unwrap_err().line, 5);
    }

    #[test]
    fn comments_only_where_people_write() {
        let text = b"# head\n\nA: 1\n# inside\n more\nB: 2\n";
        let all: Vec<_> = Stanzas::with_comments(text).map(Result::unwrap).collect();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].get("B"), Some(&b"2"[..]));
        assert_eq!((all[0].lines_before("a"), all[0].lines_before("b")), (Some(0), Some(3)));
        assert_eq!(all[0].lines_before("c"), None);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept() {
        let stanza = Stanza::parse(b"Maintainer: Jos\xe9\n").unwrap();
        assert_eq!(stanza.get("maintainer"), Some(&b"Jos\xe9"[..]));
        assert_eq!(stanza.text_of("maintainer").unwrap(), "Jos\u{fffd}");
    }
}
