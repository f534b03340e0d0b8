//! The text of a configuration (one file, a folder of files, included files), with the origin of each line.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::error::Error;
use crate::{
    nearest::nearest,
    stanza::{Stanza, Stanzas},
};

/// The limit on nested includes.
const DEEPEST: usize = 10;

/// The folder that relative names in a configuration are resolved against.
pub(super) fn folder_of(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) }
}

/// The value of a field as text; comment lines inside a folded field are not part of it.
pub(super) fn text_of(stanza: &Stanza<'_>, name: &str) -> Result<Option<String>, String> {
    let Some(value) = stanza.get(name) else { return Ok(None) };
    let value = std::str::from_utf8(value).map_err(|_| format!("field `{name}` is not UTF-8"))?;
    let lines: Vec<&str> = value.split('\n').filter(|line| !line.starts_with('#')).collect();
    Ok(Some(lines.join("\n")))
}

/// The error for a field that is missing; it names the field that was mistyped.
pub(super) fn missing(stanza: &Stanza<'_>, name: &str) -> String {
    let typo = stanza.fields().iter().find(|field| nearest(field.name, [name]).is_some());
    match typo {
        Some(typo) => {
            format!("field `{name}` is missing, and field `{}` is unknown; did you mean `{name}`?", typo.name)
        }
        None => format!("field `{name}` is missing"),
    }
}

/// Where the comment of a line begins: reprepro takes everything from `#` on as one, also within a word.
pub(super) fn end_of_value(line: &[u8]) -> usize {
    line.iter().position(|&b| b == b'#').unwrap_or(line.len())
}

/// Files to be read with other contents, by their canonical paths.
pub(super) type Overlay = BTreeMap<PathBuf, Vec<u8>>;

/// The text of a configuration with its included files, and the origin of each line.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    origins: Vec<(PathBuf, usize)>,
    /// The number of bytes read so far, because a file can include others many times, recursively.
    read: u64,
    /// Whether `#` is a letter like any other, except at the beginning of a line.
    has_no_comments: bool,
}

impl Lines {
    /// Reads a file, or all `*.conf` files of a folder.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, &Overlay::default())
    }

    /// Opens a file of this program alone, whose values may have a `#`.
    pub(super) fn open_without_comments(path: &Path) -> Result<Self, Error> {
        Self { has_no_comments: true, ..Self::default() }.with(path, &Overlay::default())
    }

    /// Opens it with some files changed.
    pub(super) fn open_with(path: &Path, overlay: &Overlay) -> Result<Self, Error> {
        Self::default().with(path, overlay)
    }

    fn with(self, path: &Path, overlay: &Overlay) -> Result<Self, Error> {
        let mut text = self;
        if !path.is_dir() {
            text.read(path, folder_of(path), 0, overlay)?;
            return Ok(text);
        }
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            // As for reprepro, a file such as the one that an editor keeps is none.
            let is_hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if !is_hidden && file.extension().is_some_and(|extension| extension == "conf") {
                files.push(file);
            }
        }
        if files.is_empty() {
            let known = ["distributions", "destinations"].into_iter().find(|name| path.join(name).exists());
            let hint = known.map(|name| format!("; name the file `{}`", path.join(name).display()));
            let why = format!("the folder has no `*.conf` files{}", hint.unwrap_or_default());
            return Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidInput, why)));
        }
        files.sort_unstable();
        for file in files {
            text.read(&file, path, 0, overlay)?;
            text.end_stanza(&file);
        }
        Ok(text)
    }

    /// Parses the stanzas of a file or a folder of files, each of which has a name.
    pub(super) fn named_stanzas<T>(
        path: &Path,
        mut parse: impl FnMut(&Stanza<'_>) -> Result<T, String>,
        name: impl Fn(&T) -> &str,
    ) -> Result<Vec<T>, Error> {
        let mut all: Vec<T> = Vec::new();
        Self::open(path)?.each_stanza(|stanza, _| {
            let new = parse(stanza)?;
            if all.iter().any(|other| name(other) == name(&new)) {
                return Err(format!("name `{}` is already used in an earlier stanza", name(&new)));
            }
            all.push(new);
            Ok(())
        })?;
        Ok(all)
    }

    /// Takes each stanza, with the file and the line where it begins; an error is about that place.
    pub(super) fn each_stanza(
        &self,
        mut take: impl FnMut(&Stanza<'_>, (&Path, usize)) -> Result<(), String>,
    ) -> Result<(), Error> {
        let mut stanzas = Stanzas::with_comments(&self.bytes);
        while let Some(stanza) = stanzas.next() {
            let stanza = stanza.map_err(|error| {
                let (path, line) = self.origin(error.line);
                Error::Stanza { path, line, kind: error.kind }
            })?;
            let (path, line) = self.origin(stanzas.block_line());
            take(&stanza, (&path, line)).map_err(|why| Error::Field { path: path.clone(), line, why })?;
        }
        Ok(())
    }

    fn read(&mut self, path: &Path, folder: &Path, depth: usize, overlay: &Overlay) -> Result<(), Error> {
        let changed = || overlay.get(&fs::canonicalize(path).ok()?).cloned();
        let text = match Some(overlay).filter(|overlay| !overlay.is_empty()).and_then(|_| changed()) {
            Some(text) => text,
            None => {
                crate::regular::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?
            }
        };
        self.read = self.read.saturating_add(text.len() as u64);
        if self.read > crate::regular::LARGEST {
            let why = format!(
                "with its included files it is larger than {}",
                crate::size::bytes(crate::regular::LARGEST)
            );
            let source = std::io::Error::new(std::io::ErrorKind::FileTooLarge, why);
            return Err(Error::Read { path: path.to_owned(), source });
        }
        for (count, line) in text.split_inclusive(|&b| b == b'\n').enumerate() {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if let Some(name) = line.strip_prefix(b"!include:") {
                let wrong =
                    |why: &str| Error::Field { path: path.to_owned(), line: count + 1, why: why.to_owned() };
                let name =
                    std::str::from_utf8(name).map_err(|_| wrong("the name of the file is not UTF-8"))?;
                if depth == DEEPEST {
                    return Err(wrong("files are included too deep; check whether a file includes itself"));
                }
                self.read(&folder.join(name.trim()), folder, depth + 1, overlay)?;
            } else {
                self.put(line, path, count + 1);
            }
        }
        Ok(())
    }

    fn put(&mut self, line: &[u8], path: &Path, number: usize) {
        let end = if self.has_no_comments { line.len() } else { end_of_value(line) };
        // Written by people, perhaps on another system.
        let value = line[..end].trim_ascii_end();
        // A line of a folded field that is only a comment does not end the stanza.
        self.bytes.extend_from_slice(if value.is_empty() && end < line.len() { b"#" } else { value });
        self.bytes.push(b'\n');
        self.origins.push((path.to_owned(), number));
    }

    fn end_stanza(&mut self, path: &Path) {
        self.put(b"", path, 0);
    }

    /// Returns the file and line of origin of line `number`.
    pub(super) fn origin(&self, number: usize) -> (PathBuf, usize) {
        let last = self.origins.len().saturating_sub(1);
        self.origins.get(number.saturating_sub(1).min(last)).cloned().unwrap_or_default()
    }
}
