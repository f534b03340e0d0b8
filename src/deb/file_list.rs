//! `FileList`: the paths of the files that a package installs.

use bytes::Bytes;

/// The paths of the files that a package installs: relative to the root, sorted, without folders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileList {
    /// One path a line.
    text: Bytes,
    left_out: usize,
}

impl FileList {
    /// Sorts paths, each with its newline.
    pub(super) fn of(text: Vec<u8>, left_out: usize) -> Self {
        let mut paths: Vec<&[u8]> = lines(&text).collect();
        if paths.is_sorted_by(|one, next| one < next) {
            return Self { text: text.into(), left_out };
        }
        paths.sort_unstable();
        paths.dedup();
        let mut sorted = Vec::with_capacity(text.len());
        for path in paths {
            sorted.extend_from_slice(path);
            sorted.push(b'\n');
        }
        Self { text: sorted.into(), left_out }
    }

    /// Reads the text of a list; `None` if it is not one.
    #[must_use]
    pub fn parse(text: Bytes) -> Option<Self> {
        let is_path = |path: &[u8]| {
            let is_part = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
            path.split(|&b| b == b'/').all(is_part) && !path.last().is_some_and(u8::is_ascii_whitespace)
        };
        let is_whole = text.is_empty() || text.ends_with(b"\n");
        let is_list = is_whole
            && lines(&text).all(is_path)
            && lines(&text).collect::<Vec<_>>().is_sorted_by(|one, next| one < next);
        is_list.then_some(Self { text, left_out: 0 })
    }

    /// The paths, one a line.
    #[must_use]
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The paths.
    pub fn paths(&self) -> impl Iterator<Item = &[u8]> {
        lines(&self.text)
    }

    /// The number of paths that an index cannot express: those with `..`, and those that end in a blank.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&b| b == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}
