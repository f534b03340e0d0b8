//! `Packages.diff/Index`: the patches of an index, from the oldest text to the current one.

use std::{fmt::Write as _, str::FromStr as _};

use crate::{
    digest::{Digests, Sha256Digest},
    stanza::Stanzas,
};

/// The largest number of patches. A client that is further behind downloads the whole index, and each patch makes the
/// `Index` longer, which every client downloads.
pub const MOST: usize = 30;

/// How far back a history goes.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Limits {
    /// The largest number of patches.
    pub most: usize,
    /// The largest size of all files together, in bytes: more would cost a client as much as the index.
    pub largest: u64,
    /// The beginning of the name of the oldest patch that is kept: a time.
    pub since: String,
    /// How many patches are kept that are older than that.
    pub at_least: usize,
}

/// The patches of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The text that the last patch makes.
    pub current: Text,
    /// The patches, the oldest first.
    pub patches: Vec<Patch>,
    /// Whether each patch makes the current text (`X-Patch-Precedence: merged`), and not the next older one.
    pub merged: bool,
}

/// A patch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Patch {
    /// Its name, without `.gz`.
    pub name: String,
    /// The text that it applies to.
    pub from: Text,
    /// The patch, uncompressed.
    pub script: Text,
    /// The file to download.
    pub file: Text,
}

/// The digest and size of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Its SHA-256.
    pub sha256: Sha256Digest,
    /// Its size.
    pub size: u64,
}

impl From<&Digests> for Text {
    fn from(digests: &Digests) -> Self {
        Self { sha256: digests.sha256, size: digests.size }
    }
}

impl Text {
    /// Hashes bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: Sha256Digest::of(bytes), size: bytes.len() as u64 }
    }
}

/// Why an `Index` of patches cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not a stanza, or a field is missing.
    #[error("it is not an index of patches: field `{0}` is missing")]
    Missing(&'static str),
    /// It has only digests that clients do not trust.
    #[error("it is an index of patches without SHA-256 digests; clients trust no weaker ones")]
    Weak,
    /// A line of a field is not a digest, a size and a name.
    #[error("field `{field}` has the line `{line}`; expected a SHA-256, a size and the name of a patch")]
    Line {
        /// The field.
        field: &'static str,
        /// The line.
        line: String,
    },
    /// The three fields do not list the same patches.
    #[error("the patch `{0}` is not listed in every field")]
    Unlisted(String),
}

/// How much of a line a message shows, in characters.
const SHOWN: usize = 120;
const CURRENT: &str = "SHA256-Current";
const WEAK_CURRENT: &str = "SHA1-Current";
const HISTORY: &str = "SHA256-History";
const PATCHES: &str = "SHA256-Patches";
const DOWNLOAD: &str = "SHA256-Download";
const PRECEDENCE: &str = "X-Patch-Precedence";

impl History {
    /// Parses an `Index`.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let stanza = Stanzas::new(text).next().and_then(Result::ok).ok_or(Error::Missing(CURRENT))?;
        let field = |name: &'static str| stanza.text_of(name).ok_or(Error::Missing(name));
        if stanza.text_of(CURRENT).is_none() && stanza.text_of(WEAK_CURRENT).is_some() {
            return Err(Error::Weak);
        }
        let current = field(CURRENT)?;
        let Some((current, None)) = line(&current) else {
            return Err(Error::Line { field: CURRENT, line: excerpt(&current) });
        };
        let lines = |name: &'static str| -> Result<Vec<(Text, String)>, Error> {
            let text = field(name)?;
            let lines = text.lines().map(str::trim).filter(|text| !text.is_empty());
            lines
                .map(|text| match line(text) {
                    Some((found, Some(file))) if is_name(file) => Ok((found, file.to_owned())),
                    _ => Err(Error::Line { field: name, line: excerpt(text) }),
                })
                .collect()
        };
        let (from, scripts, files) = (lines(HISTORY)?, lines(PATCHES)?, lines(DOWNLOAD)?);
        if scripts.len() != from.len() || files.len() != from.len() {
            let longest = [from, scripts, files].into_iter().max_by_key(Vec::len).unwrap_or_default();
            return Err(Error::Unlisted(longest.last().map_or_else(String::new, |(_, name)| name.clone())));
        }
        let mut patches = Vec::with_capacity(from.len());
        for (((from, name), (script, other)), (file, download)) in from.into_iter().zip(scripts).zip(files) {
            if name != other || download.strip_suffix(".gz") != Some(&name) {
                return Err(Error::Unlisted(name));
            }
            patches.push(Patch { name, from, script, file });
        }
        let merged = stanza.text_of(PRECEDENCE).is_some_and(|value| value.trim() == "merged");
        Ok(Self { current, patches, merged })
    }

    /// Renders the `Index`.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = format!("{CURRENT}: {} {}\n", self.current.sha256, self.current.size);
        let mut list = |field: &str, ending: &str, of: fn(&Patch) -> &Text| {
            let _ = writeln!(text, "{field}:");
            for patch in &self.patches {
                let Text { sha256, size } = of(patch);
                let _ = writeln!(text, " {sha256} {size} {}{ending}", patch.name);
            }
        };
        list(HISTORY, "", |patch| &patch.from);
        list(PATCHES, "", |patch| &patch.script);
        list(DOWNLOAD, ".gz", |patch| &patch.file);
        text
    }

    /// Whether apt, which applies patches in the order of their names, applies them in the listed order.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.patches.is_sorted_by(|one, next| one.name < next.name)
    }

    /// Drops the oldest patches, as many as apt would apply in another order.
    pub fn drop_unordered(&mut self) {
        if let Some(at) = self.patches.windows(2).rposition(|pair| pair[0].name >= pair[1].name) {
            self.patches.drain(..=at);
        }
    }

    /// Adds a patch that makes `current` of the last text, and drops the oldest patches.
    #[must_use]
    pub fn extended(mut self, patch: Patch, current: Text, limits: &Limits) -> Self {
        // The names are those of files: one that is used again would have two meanings.
        if let Some(at) = self.patches.iter().position(|earlier| earlier.name == patch.name) {
            self.patches.drain(..=at);
        }
        self.patches.push(patch);
        self.current = current;
        let mut total = 0;
        let kept = self.patches.iter().rev().enumerate().take(limits.most).take_while(|(newer, patch)| {
            total += patch.file.size;
            total <= limits.largest && (*newer < limits.at_least || patch.name >= limits.since)
        });
        let kept = kept.count();
        let dropped = self.patches.len() - kept;
        self.patches.drain(..dropped);
        self
    }
}

/// Parses `DIGEST SIZE [NAME]`.
fn line(text: &str) -> Option<(Text, Option<&str>)> {
    let mut words = text.split_ascii_whitespace();
    let sha256 = Sha256Digest::from_str(words.next()?).ok()?;
    let size = words.next()?.parse().ok()?;
    let name = words.next();
    words.next().is_none().then_some((Text { sha256, size }, name))
}

/// The beginning of a line, for a message.
fn excerpt(text: &str) -> String {
    text.trim().chars().take(SHOWN).collect::<String>().escape_debug().to_string()
}

/// Whether a text can be the name of a patch: of one file, in the folder of the `Index`.
fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &str) -> Text {
        Text::of(content.as_bytes())
    }

    fn patch(name: &str, size: u64) -> Patch {
        let file = Text { size, ..text(name) };
        Patch { name: name.to_owned(), from: text("from"), script: text("script"), file }
    }

    fn limits(most: usize, largest: u64) -> Limits {
        Limits { most, largest, ..Limits::default() }
    }

    fn names(history: &History) -> Vec<&str> {
        history.patches.iter().map(|patch| patch.name.as_str()).collect()
    }

    #[test]
    fn an_index_round_trips() {
        let empty = History { current: text("a"), patches: Vec::new(), merged: false };
        let limits = limits(9, 9);
        let history = empty.extended(patch("one", 1), text("b"), &limits);
        let history = history.extended(patch("two", 1), text("c"), &limits);
        let rendered = history.render();
        assert_eq!(History::parse(rendered.as_bytes()).unwrap(), history);
        assert_eq!(rendered.lines().filter(|line| line.ends_with(" two.gz")).count(), 1);
        let merged = format!("{rendered}X-Patch-Precedence: merged\n");
        assert!(History::parse(merged.as_bytes()).unwrap().merged);
    }

    #[test]
    fn the_oldest_patches_are_dropped() {
        let mut history = History { current: text("a"), patches: Vec::new(), merged: false };
        for name in ["1", "2", "3", "4"] {
            history = history.extended(patch(name, 10), text(name), &limits(3, 100));
        }
        assert_eq!(names(&history), ["2", "3", "4"]);
        let extended = |name: &str, size: u64, limits: &Limits| {
            let history = history.clone().extended(patch(name, size), text("5"), limits);
            names(&history).join(" ")
        };
        assert_eq!(extended("5", 10, &limits(9, 25)), "4 5");
        assert_eq!(extended("5", 30, &limits(9, 25)), "");
        // A name that is used again.
        assert_eq!(extended("3", 10, &limits(9, 100)), "4 3");
        let old =
            |since: &str, at_least: usize| Limits { since: since.to_owned(), at_least, ..limits(9, 100) };
        assert_eq!(extended("5", 10, &old("4", 1)), "4 5");
        assert_eq!(extended("5", 10, &old("6", 3)), "3 4 5");
    }

    #[test]
    fn patches_that_apt_would_apply_in_another_order_are_dropped() {
        let of = |names: &[&str]| {
            let patches = names.iter().map(|name| patch(name, 1)).collect();
            History { current: text("a"), patches, merged: false }
        };
        for (all, kept) in [("1 2 3", "1 2 3"), ("1 3 2 4", "2 4"), ("2 1", "1"), ("1 1", "1"), ("", "")] {
            let mut history = of(&all.split_whitespace().collect::<Vec<_>>());
            assert_eq!(history.is_ordered(), all == kept);
            history.drop_unordered();
            assert_eq!(names(&history).join(" "), kept);
        }
    }

    #[test]
    fn a_bad_index_is_an_error() {
        let good = History { current: text("a"), patches: vec![patch("one", 1)], merged: false }.render();
        for (change, to) in [
            ("SHA256-Current", "Other"),
            ("SHA256-Download", "Other"),
            (" one.gz", " ../one.gz"),
            (" one.gz", " two.gz"),
            (" one.gz", " one"),
            (" one\n", "\n"),
            (" 6 one\n", " six one\n"),
            (" 6 one\n", " 6 one more\n"),
        ] {
            assert_ne!(good.replace(change, to), good);
            History::parse(good.replace(change, to).as_bytes()).unwrap_err();
        }
        History::parse(b"").unwrap_err();
        History::parse(b"\xff").unwrap_err();
    }
}
