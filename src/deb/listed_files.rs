//! The files that a `.dsc` or a `.changes` file lists, each with its size and digests (`Files`, `Checksums-*`).

use std::{collections::HashMap, io};

use crate::{
    digest::{Digests, Md5Digest, Sha1Digest, Sha256Digest, SourceDigests},
    stanza::Stanza,
};

/// The fields that list the files, each with its digest.
pub(super) const LISTS: [&str; 3] = ["Files", "Checksums-Sha1", "Checksums-Sha256"];
/// The longest file name that common file systems store.
pub(super) const LONGEST_NAME: usize = 255;

/// A file as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    name: Box<str>,
    size: u64,
    md5: Md5Digest,
    sha1: Option<Sha1Digest>,
    sha256: Option<Sha256Digest>,
}

/// Why a list of files cannot be used, or a listed file is another one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesFault {
    /// It lists no files.
    #[error("it has no field `Files`, or an empty one")]
    NoFiles,
    /// A list that is not UTF-8.
    #[error("its field `{0}` is not UTF-8")]
    NotText(&'static str),
    /// A line of a list that cannot be read.
    #[error("its field `{field}` has the line `{line}`; expected `{expected}`")]
    Line {
        /// The list.
        field: &'static str,
        /// The line.
        line: String,
        /// The parts of a line.
        expected: &'static str,
    },
    /// A file that is listed twice.
    #[error("its field `{field}` lists `{file}` twice")]
    Twice {
        /// The list.
        field: &'static str,
        /// The file.
        file: String,
    },
    /// Two lists that differ.
    #[error("its fields `Files` and `{field}` do not agree on `{file}`")]
    Lists {
        /// The other list.
        field: &'static str,
        /// The file.
        file: String,
    },
    /// A file that is not in the same folder.
    #[error("`{file}`, which it lists, is not in the same folder")]
    Missing {
        /// The file.
        file: String,
    },
    /// A file that cannot be read.
    #[error("`{file}`, which it lists, cannot be read")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file with other bytes than listed.
    #[error("`{file}` has {found}, and it is listed with {listed}")]
    Differs {
        /// The file.
        file: String,
        /// The size or digest in the list.
        listed: String,
        /// The size or digest of the file.
        found: String,
    },
}

impl ListedFile {
    /// Its name, without a folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its size and all digests, if the lists have them.
    #[must_use]
    pub fn digests(&self) -> Option<SourceDigests> {
        let (sha1, sha256) = (self.sha1?, self.sha256?);
        Some(SourceDigests { digests: Digests { size: self.size, md5: self.md5, sha256 }, sha1 })
    }

    /// Returns the fault of a file that cannot be opened or read.
    #[must_use]
    pub fn unreadable(&self, source: io::Error) -> FilesFault {
        let file = self.name.to_string();
        match source.kind() {
            io::ErrorKind::NotFound => FilesFault::Missing { file },
            _ => FilesFault::Unreadable { file, source },
        }
    }

    /// Checks the size alone, before the file is read.
    pub fn check_size(&self, found: u64) -> Result<(), FilesFault> {
        if found == self.size {
            return Ok(());
        }
        let [listed, found] = [self.size, found].map(|size| format!("{size} bytes"));
        Err(FilesFault::Differs { file: self.name.to_string(), listed, found })
    }

    /// Compares a file that was read with its description; SHA-1 is compared if it is known.
    pub fn check(&self, found: &Digests, sha1: Option<Sha1Digest>) -> Result<(), FilesFault> {
        self.check_size(found.size)?;
        let differs = |algorithm: &str, listed: String, found: String| {
            let [listed, found] = [listed, found].map(|digest| format!("{algorithm} {digest}"));
            Err(FilesFault::Differs { file: self.name.to_string(), listed, found })
        };
        if let Some(sha256) = self.sha256.filter(|sha256| *sha256 != found.sha256) {
            return differs("SHA256", sha256.to_string(), found.sha256.to_string());
        }
        if let (Some(listed), Some(found)) = (self.sha1, sha1)
            && listed != found
        {
            return differs("SHA1", listed.to_string(), found.to_string());
        }
        if self.md5 != found.md5 {
            return differs("MD5", self.md5.to_string(), found.md5.to_string());
        }
        Ok(())
    }
}

/// Reads the lists of files, which must all name the same ones. `expected` names the parts of a line of `Files`; returns
/// those between the size and the name beside each file.
///
/// dpkg-source merges the lists and apt reads the strongest: if they differed, the two would use different files.
pub(super) fn read<'a, F: From<FilesFault>>(
    stanza: &Stanza<'a>,
    expected: &'static str,
    check_name: impl Fn(&str) -> Result<(), F>,
) -> Result<Vec<(ListedFile, Vec<&'a str>)>, F> {
    let [all, checksums @ ..] = LISTS;
    let mut files = Vec::new();
    let mut places = HashMap::new();
    for (line, words) in lines(stanza, all, expected)?.unwrap_or_default() {
        let bad = || line.fault();
        let &[md5, size, ref more @ .., name] = &words[..] else { return Err(bad().into()) };
        check_name(name)?;
        let (size, md5) = (size.parse().map_err(|_| bad())?, md5.parse().map_err(|_| bad())?);
        if places.insert(name, files.len()).is_some() {
            return Err(FilesFault::Twice { field: all, file: name.to_owned() }.into());
        }
        let file = ListedFile { name: name.into(), size, md5, sha1: None, sha256: None };
        files.push((file, more.to_vec()));
    }
    if files.is_empty() {
        return Err(FilesFault::NoFiles.into());
    }
    for field in checksums {
        let Some(lines) = lines(stanza, field, "DIGEST SIZE NAME")? else { continue };
        for (line, words) in lines {
            let &[digest, size, name] = &words[..] else { return Err(line.fault().into()) };
            let size: u64 = size.parse().map_err(|_| line.fault())?;
            let file = places.get(name).map(|at| &mut files[*at].0).filter(|file| file.size == size);
            let disagree = || FilesFault::Lists { field, file: name.escape_debug().to_string() };
            let file = file.ok_or_else(disagree)?;
            let is_there = if field == "Checksums-Sha1" {
                file.sha1.replace(digest.parse().map_err(|_| line.fault())?).is_some()
            } else {
                file.sha256.replace(digest.parse().map_err(|_| line.fault())?).is_some()
            };
            if is_there {
                return Err(FilesFault::Twice { field, file: name.to_owned() }.into());
            }
        }
        let has_none = |file: &&ListedFile| match field {
            "Checksums-Sha1" => file.sha1.is_none(),
            _ => file.sha256.is_none(),
        };
        if let Some(file) = files.iter().map(|(file, _)| file).find(has_none) {
            return Err(FilesFault::Lists { field, file: file.name.to_string() }.into());
        }
    }
    Ok(files)
}

/// A line of a list.
struct Line<'a> {
    field: &'static str,
    text: &'a str,
    expected: &'static str,
}

impl Line<'_> {
    fn fault(&self) -> FilesFault {
        let Self { field, text, expected } = self;
        FilesFault::Line { field, line: text.escape_debug().to_string(), expected }
    }
}

/// Returns the lines of a list with their words, which must be as many as expected; `None` if there is no such list.
#[expect(clippy::type_complexity, reason = "pairs of a line and its words")]
fn lines<'a>(
    stanza: &Stanza<'a>,
    field: &'static str,
    expected: &'static str,
) -> Result<Option<Vec<(Line<'a>, Vec<&'a str>)>>, FilesFault> {
    let Some(text) = stanza.get(field) else { return Ok(None) };
    let text = std::str::from_utf8(text).map_err(|_| FilesFault::NotText(field))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.map(|text| {
        let (line, words) =
            (Line { field, text, expected }, text.split_ascii_whitespace().collect::<Vec<_>>());
        if words.len() == expected.split(' ').count() { Ok((line, words)) } else { Err(line.fault()) }
    });
    lines.collect::<Result<_, _>>().map(Some)
}

/// Whether dpkg-source accepts a character in a file name.
pub(super) fn is_allowed_in_a_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b':' | b'.' | b',' | b'=' | b'_' | b'~')
}
