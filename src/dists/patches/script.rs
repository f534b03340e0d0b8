//! Ed scripts: the difference between two texts in the subset of ed(1) that apt reads (`12,14d`, `7a`, `3,5c`, with
//! descending line numbers).
//!
//! The texts are compared by units in their order: stanzas, or lines. So the cost is one comparison of the bytes and the
//! size of the change. Another order than the expected one makes a larger script, never a wrong one.

use std::{cmp::Ordering, ops::Range};

use memchr::{memchr, memchr_iter, memmem, memrchr};

/// apt reads lines into a buffer of 512 KiB and counts a longer one as several, so its line numbers would be wrong.
const LONGEST_LINE: usize = (512 << 10) - 2;

/// The units of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Stanzas, each followed by an empty line.
    Stanza,
    /// Lines.
    Line,
}

/// Why a script cannot be applied to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The script has a line that is no command of the subset.
    #[error("line {line} is not a command of a patch")]
    Command {
        /// The line of the script.
        line: usize,
    },
    /// The text has fewer lines than a command names, or the commands are not in descending order.
    #[error("the command in line {line} names lines that do not exist or were changed before")]
    Lines {
        /// The line of the script.
        line: usize,
    },
    /// The result is larger than it may be.
    #[error("it makes the text larger than {limit} bytes")]
    TooLarge {
        /// The largest possible size.
        limit: u64,
    },
}

/// Lines of the old text that are replaced by lines of the new one; both are ranges of bytes.
struct Hunk {
    old: Range<usize>,
    new: Range<usize>,
}

impl Unit {
    const fn end(self) -> &'static [u8] {
        match self {
            Self::Stanza => b"\n\n",
            Self::Line => b"\n",
        }
    }

    /// The first unit of a text.
    fn first(self, text: &[u8]) -> &[u8] {
        let end = memmem::find(text, self.end()).map_or(text.len(), |at| at + self.end().len());
        &text[..end]
    }

    /// The end of the last whole unit of a text.
    fn last_end(self, text: &[u8]) -> usize {
        memmem::rfind(text, self.end()).map_or(0, |at| at + self.end().len())
    }
}

/// Returns the script that makes `new` of `old`; `None` if a script cannot express it: a text does not end with a newline,
/// a new line is a single dot, which ends the input of ed, or a line is longer than apt reads.
///
/// `order` compares two units; both texts should be sorted by it.
#[must_use]
pub fn between(
    old: &[u8],
    new: &[u8],
    unit: Unit,
    order: impl Fn(&[u8], &[u8]) -> Ordering,
) -> Option<Vec<u8>> {
    let is_whole = |text: &[u8]| text.is_empty() || text.ends_with(b"\n");
    if [old, new].into_iter().any(|text| !is_whole(text) || has_long_line(text)) {
        return None;
    }
    let hunks = hunks(old, new, unit, order);
    let mut numbers = LineNumbers { text: old, at: 0, line: 0 };
    // The numbers ascend with the hunks, and the commands descend.
    let mut commands = Vec::with_capacity(hunks.len());
    for Hunk { old: gone, new: added } in hunks {
        let added = &new[added];
        if added.starts_with(b".\n") || memmem::find(added, b"\n.\n").is_some() {
            return None;
        }
        let (first, last) = (numbers.before(gone.start) + 1, numbers.before(gone.end));
        let lines = if first == last { first.to_string() } else { format!("{first},{last}") };
        let command = match (gone.is_empty(), added.is_empty()) {
            (true, _) => format!("{last}a\n"),
            (false, true) => format!("{lines}d\n"),
            (false, false) => format!("{lines}c\n"),
        };
        commands.push((command, added));
    }
    let mut script = Vec::new();
    for (command, added) in commands.into_iter().rev() {
        script.extend_from_slice(command.as_bytes());
        if !added.is_empty() {
            script.extend_from_slice(added);
            script.extend_from_slice(b".\n");
        }
    }
    Some(script)
}

/// Whether a line is longer than apt reads. Looks at one line of each 512 KiB.
fn has_long_line(text: &[u8]) -> bool {
    let mut rest = text;
    while rest.len() > LONGEST_LINE {
        let Some(at) = memrchr(b'\n', &rest[..LONGEST_LINE]) else { return true };
        rest = &rest[at + 1..];
    }
    false
}

/// Applies a script.
///
/// # Errors
/// The script is invalid, does not fit the text, or makes more than `limit` bytes of it.
pub fn apply(script: &[u8], old: &[u8], limit: u64) -> Result<Vec<u8>, Error> {
    // Each command changes lines above those of the command before it, so the parts are collected from the end.
    let starts: Vec<usize> = std::iter::once(0).chain(memchr_iter(b'\n', old).map(|at| at + 1)).collect();
    let count = starts.len() - 1;
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut end = old.len();
    let mut size = 0_u64;
    let (mut at, mut line) = (0, 0);
    while at < script.len() {
        line += 1;
        let command_line = line;
        let command = first_line(&script[at..]);
        at += command.len();
        let (first, last, action) = parse(command).ok_or(Error::Command { line })?;
        let wrong = Error::Lines { line: command_line };
        // `7a` adds lines after the seventh.
        let (from, to) = match action {
            b'a' => (last, last),
            _ => (first.checked_sub(1).ok_or(wrong)?, last),
        };
        let is_range = (from < to) != (action == b'a');
        if !is_range || to > count || starts[to] > end {
            return Err(wrong);
        }
        let mut added: &[u8] = &[];
        if action != b'd' {
            let start = at;
            loop {
                let text = first_line(&script[at..]);
                if text.is_empty() {
                    return Err(Error::Command { line });
                }
                at += text.len();
                line += 1;
                if text == b".\n" {
                    break;
                }
            }
            added = &script[start..at - 2];
        }
        for part in [&old[starts[to]..end], added] {
            size += part.len() as u64;
            parts.push(part);
        }
        end = starts[from];
    }
    parts.push(&old[..end]);
    if size + end as u64 > limit {
        return Err(Error::TooLarge { limit });
    }
    parts.reverse();
    Ok(parts.concat())
}

/// Parses `FIRST,LAST` or `LINE`, and a command.
fn parse(command: &[u8]) -> Option<(usize, usize, u8)> {
    let (&action, numbers) = command.strip_suffix(b"\n")?.split_last()?;
    let numbers = std::str::from_utf8(numbers).ok()?;
    let (first, last) = numbers.split_once(',').unwrap_or((numbers, numbers));
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    matches!(action, b'a' | b'c' | b'd').then_some(())?;
    Some((number(first)?, number(last)?, action))
}

fn first_line(text: &[u8]) -> &[u8] {
    &text[..memchr(b'\n', text).map_or(text.len(), |at| at + 1)]
}

/// Finds the differences, in ascending order, none next to another.
fn hunks(old: &[u8], new: &[u8], unit: Unit, order: impl Fn(&[u8], &[u8]) -> Ordering) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = Vec::new();
    let (mut at, mut to) = (0, 0);
    loop {
        let same = common_prefix(&old[at..], &new[to..]);
        let skip = unit.last_end(&old[at..at + same]);
        (at, to) = (at + skip, to + skip);
        if at == old.len() && to == new.len() {
            break;
        }
        let (gone, added) = (unit.first(&old[at..]), unit.first(&new[to..]));
        let (gone, added) = match (gone, added) {
            (_, []) => (gone.len(), 0),
            ([], _) => (0, added.len()),
            _ => match order(gone, added) {
                Ordering::Less => (gone.len(), 0),
                Ordering::Greater => (0, added.len()),
                Ordering::Equal => (gone.len(), added.len()),
            },
        };
        let hunk = Hunk { old: at..at + gone, new: to..to + added };
        (at, to) = (hunk.old.end, hunk.new.end);
        match hunks.last_mut() {
            Some(last) if last.old.end == hunk.old.start && last.new.end == hunk.new.start => {
                (last.old.end, last.new.end) = (at, to);
            }
            _ => hunks.push(hunk),
        }
    }
    for hunk in &mut hunks {
        trim(hunk, old, new);
    }
    hunks.retain(|hunk| !hunk.old.is_empty() || !hunk.new.is_empty());
    hunks
}

/// Leaves out lines that begin or end both sides.
fn trim(hunk: &mut Hunk, old: &[u8], new: &[u8]) {
    let (gone, added) = (&old[hunk.old.clone()], &new[hunk.new.clone()]);
    let same = common_prefix(gone, added);
    let begin = Unit::Line.last_end(&gone[..same]);
    let (gone, added) = (&gone[begin..], &added[begin..]);
    let same = gone.iter().rev().zip(added.iter().rev()).take_while(|(one, other)| one == other).count();
    // The common end begins after a newline that is common too, or where one side begins.
    let tail = &gone[gone.len() - same..];
    let is_whole = same == gone.len()
        && (same == added.len() || added[..added.len() - same].ends_with(b"\n"))
        || same == added.len() && gone[..gone.len() - same].ends_with(b"\n");
    let end = if is_whole { same } else { memchr(b'\n', tail).map_or(0, |at| tail.len() - at - 1) };
    hunk.old = hunk.old.start + begin..hunk.old.end - end;
    hunk.new = hunk.new.start + begin..hunk.new.end - end;
}

/// The length of the common beginning.
fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    const CHUNK: usize = 1 << 12;
    let end = one.len().min(other.len());
    let mut at = 0;
    while at + CHUNK <= end && one[at..at + CHUNK] == other[at..at + CHUNK] {
        at += CHUNK;
    }
    at + one[at..end].iter().zip(&other[at..end]).take_while(|(one, other)| one == other).count()
}

/// Counts the lines of a text, from the beginning to ascending places.
struct LineNumbers<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl LineNumbers<'_> {
    fn before(&mut self, place: usize) -> usize {
        self.line += memchr_iter(b'\n', &self.text[self.at..place]).count();
        self.at = place;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_name(one: &[u8], other: &[u8]) -> Ordering {
        first_line(one).cmp(first_line(other))
    }

    fn stanzas(old: &str, new: &str) -> Option<String> {
        let script = between(old.as_bytes(), new.as_bytes(), Unit::Stanza, by_name)?;
        Some(String::from_utf8(script).unwrap())
    }

    fn fits(script: &[u8], old: &[u8], new: &[u8]) {
        assert_eq!(apply(script, old, u64::MAX).unwrap(), new, "{}", String::from_utf8_lossy(script));
    }

    #[test]
    fn stanzas_are_added_removed_and_changed() {
        let (a, b, c) = ("P: a\nV: 1\n\n", "P: b\nV: 1\n\n", "P: c\nV: 1\n\n");
        let all = [a, b, c].concat();
        for (old, new, script) in [
            ("", "", ""),
            ("", a, "0a\nP: a\nV: 1\n\n.\n"),
            (a, "", "1,3d\n"),
            (&all, &all, ""),
            (&all, &[a, c].concat(), "4,6d\n"),
            (&[a, c].concat(), &all, "3a\nP: b\nV: 1\n\n.\n"),
            (&all, &[a, "P: b\nV: 2\n\n", c].concat(), "5c\nV: 2\n.\n"),
            (&all, &[b].concat(), "7,9d\n1,3d\n"),
            (&[b].concat(), &all, "3a\nP: c\nV: 1\n\n.\n0a\nP: a\nV: 1\n\n.\n"),
        ] {
            assert_eq!(stanzas(old, new).as_deref(), Some(script), "{old:?} {new:?}");
            fits(script.as_bytes(), old.as_bytes(), new.as_bytes());
        }
    }

    #[test]
    fn a_text_that_ed_cannot_write_has_no_script() {
        assert_eq!(stanzas("a\n\n", "a\n\nb"), None);
        assert_eq!(stanzas("a", "a\n"), None);
        assert_eq!(stanzas("", "a\n.\n"), None);
        assert_eq!(stanzas("", ".\nb\n\n"), None);
        assert_eq!(stanzas("a\n.\n\n", "").as_deref(), Some("1,3d\n"));
    }

    #[test]
    fn a_line_that_apt_does_not_read_whole_has_no_script() {
        let of = |length: usize| format!("Package: a\n\nPackage: b\nX: {}\n\n", "x".repeat(length - 4));
        let (longest, longer) = (of(LONGEST_LINE), of(LONGEST_LINE + 1));
        assert!(stanzas("Package: a\n\n", &longest).is_some());
        assert_eq!(stanzas("Package: a\n\n", &longer), None);
        assert_eq!(stanzas(&longer, "Package: a\n\n"), None);
    }

    #[test]
    fn a_bad_script_is_an_error() {
        let bad = |script: &str| apply(script.as_bytes(), b"a\nb\nc\n", 100).unwrap_err();
        for script in
            ["x\n", "1\n", "1x\n", "-1d\n", "+1d\n", "1,d\n", "1d", "s/a/b/\n", "1a\nb\n", "1a\n", "\n"]
        {
            assert!(matches!(bad(script), Error::Command { .. }), "{script:?}");
        }
        for script in
            ["0d\n", "4d\n", "2,1d\n", "1d\n2d\n", "1,2d\n2d\n", "4a\nx\n.\n", "99999999999999999999d\n"]
        {
            assert!(matches!(bad(script), Error::Lines { .. } | Error::Command { .. }), "{script:?}");
        }
        assert_eq!(apply(b"3a\nxx\n.\n", b"a\nb\nc\n", 8), Err(Error::TooLarge { limit: 8 }));
        assert_eq!(apply(b"3a\nxx\n.\n", b"a\nb\nc\n", 9).unwrap(), b"a\nb\nc\nxx\n");
    }

    proptest! {
        #[test]
        fn the_script_makes_the_new_text(
            old in prop::collection::vec(("[a-c]{0,2}", "[x\n.]{0,6}"), 0..9),
            new in prop::collection::vec(("[a-c]{0,2}", "[x\n.]{0,6}"), 0..9),
            is_sorted in any::<bool>(),
            unit in prop_oneof![Just(Unit::Stanza), Just(Unit::Line)],
        ) {
            let text = |mut all: Vec<(String, String)>| {
                if is_sorted {
                    all.sort();
                }
                all.iter().map(|(name, text)| [name, "\n", text, "\n\n"].concat()).collect::<Vec<_>>().concat()
            };
            let (old, new) = (text(old), text(new));
            let script = between(old.as_bytes(), new.as_bytes(), unit, by_name);
            let has_dot = new.starts_with(".\n") || new.contains("\n.\n");
            prop_assert!(script.is_some() || has_dot);
            if let Some(script) = script {
                fits(&script, old.as_bytes(), new.as_bytes());
            }
        }

        #[test]
        fn no_script_panics(script in "[0-3,acd.\n]{0,12}", text in "[a\n]{0,6}") {
            let _ = apply(script.as_bytes(), text.as_bytes(), 20);
        }
    }
}
