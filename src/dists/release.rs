//! `Release`: the names of a suite, and the digests of its indices.
//!
//! Content that `publish` does not write (Contents, Sources, fields of other tools) is carried over.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    ops::Bound,
};

use jiff::{Timestamp, fmt::rfc2822, tz::TimeZone};

use super::layout::{SuitePath, patched_by, plain_path};
use crate::{
    digest::{Digests, Md5Digest, Sha256Digest},
    names::{Architecture, Component},
    stanza::Stanza,
};

/// The order in which fields are written; any others follow in their previous order.
const ORDER: [&str; 14] = [
    "Origin",
    "Label",
    "Suite",
    "Codename",
    "Version",
    "Date",
    "Valid-Until",
    "NotAutomatic",
    "ButAutomaticUpgrades",
    "Acquire-By-Hash",
    "Architectures",
    "Components",
    "Description",
    "Signed-By",
];

/// The sections that list files.
const LISTS: [&str; 4] = ["MD5Sum", "SHA1", "SHA256", "SHA512"];

const ARCHITECTURES: &str = "Architectures";
/// The name of source packages among architectures.
const SOURCE: &str = "source";

/// A `Release` file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    fields: Vec<(String, String)>,
    files: BTreeMap<String, Listed>,
}

/// The `Release` entry of one file below the suite's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, which apt requires.
    pub sha256: Sha256Digest,
    /// Its MD5.
    pub md5: Option<Md5Digest>,
}

impl From<&Digests> for Listed {
    fn from(digests: &Digests) -> Self {
        Self { size: digests.size, sha256: digests.sha256, md5: Some(digests.md5) }
    }
}

/// Why a text is not a `Release`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not a stanza.
    #[error("it is not a `Release` file")]
    Stanza(#[from] crate::stanza::Error),
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    NotText,
    /// It lists no SHA256 digests.
    #[error("it has no field `SHA256`, so its files cannot be verified")]
    NoSha256,
    /// A line in a list of files is not `digest size path`.
    #[error("expected `digest size path` in field `{field}`, found `{}`", line.escape_debug())]
    BadLine {
        /// The section.
        field: &'static str,
        /// The line.
        line: String,
    },
    /// A required field is missing, or has an invalid value.
    #[error("field `{field}` is missing or invalid{}", found.as_ref().map(|text| format!(": `{}`", text.escape_debug())).unwrap_or_default())]
    Field {
        /// The field.
        field: &'static str,
        /// The invalid value.
        found: Option<String>,
    },
}

impl Release {
    /// Reads a `Release` from any tool.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let stanza = Stanza::parse(text)?;
        let mut release = Self::default();
        for field in stanza.fields() {
            if !LISTS.iter().any(|list| list.eq_ignore_ascii_case(field.name)) {
                let value = std::str::from_utf8(field.value).map_err(|_| Error::NotText)?;
                release.fields.push((field.name.to_owned(), value.to_owned()));
            }
        }
        let sha256 = stanza.text_of("SHA256").ok_or(Error::NoSha256)?;
        for (digest, size, path) in lines("SHA256", &sha256)? {
            release.files.insert(path.to_owned(), Listed { size, sha256: digest, md5: None });
        }
        let md5 = stanza.text_of("MD5Sum").unwrap_or_default();
        for (digest, size, path) in lines("MD5Sum", &md5)? {
            if let Some(file) = release.files.get_mut(path).filter(|file| file.size == size) {
                file.md5 = Some(digest);
            }
        }
        Ok(release)
    }

    /// Renders the file; it ends in one newline and has no trailing blanks, which signing would remove.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = String::new();
        let mut put = |name: &str, value: &str| {
            let _ = write!(text, "{name}:");
            for (count, line) in value.split('\n').enumerate() {
                let line = line.trim_end();
                let blank = if count == 0 && !line.is_empty() { " " } else { "" };
                let _ = writeln!(text, "{blank}{line}");
            }
        };
        for name in ORDER {
            if let Some(value) = self.field(name) {
                put(name, value);
            }
        }
        for (name, value) in &self.fields {
            if !ORDER.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                put(name, value);
            }
        }
        text.push_str("MD5Sum:\n");
        for (path, file) in &self.files {
            if let Some(md5) = file.md5 {
                let _ = writeln!(text, " {md5} {} {path}", file.size);
            }
        }
        text.push_str("SHA256:\n");
        for (path, file) in &self.files {
            let _ = writeln!(text, " {} {} {path}", file.sha256, file.size);
        }
        text.into_bytes()
    }

    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether both list the same files and have the same fields, in any order.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let sorted = |release: &Self| {
            let mut fields: Vec<(String, String)> = release
                .fields
                .iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
                .collect();
            fields.sort_unstable();
            fields
        };
        self.files == other.files && sorted(self) == sorted(other)
    }

    /// Sets or removes a field.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        self.fields.retain(|(field, _)| !field.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            self.fields.push((name.to_owned(), value));
        }
    }

    /// The listed files that belong to the suite itself and are copied with it: its indices and other files of its
    /// own.
    ///
    /// Release files are not among them, nor are the files of another suite below this one, which
    /// `apt-ftparchive release` lists as well: a change of this suite must not revert that one.
    pub fn own_files(&self) -> impl Iterator<Item = (&String, &Listed)> {
        let nested = Folders::of(self.files.keys().filter_map(|path| match SuitePath::of(path) {
            SuitePath::Release { folder, .. } if !folder.is_empty() => Some(folder),
            _ => None,
        }));
        self.files.iter().filter(move |(path, _)| SuitePath::of(path).is_own_file() && !nested.hold(path))
    }

    /// The listed files without the lists of patches, which describe how the indices came about, and not the content.
    pub fn content(&self) -> impl Iterator<Item = (&String, &Listed)> {
        self.files.iter().filter(|(path, _)| patched_by(plain_path(path)).is_none())
    }

    /// All listed files, by path.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, Listed> {
        &self.files
    }

    /// Adds a file to the list.
    pub fn list(&mut self, path: String, file: Listed) {
        self.files.insert(path, file);
    }

    /// Retains only the listed files that satisfy the predicate.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.files.retain(|path, _| keep(path));
    }

    /// The components as clients name them. Some archives list `updates/main` for the component whose files are in `main`.
    #[must_use]
    pub fn client_components(&self) -> Vec<String> {
        let has_files = |name: &str| {
            let folder = format!("{name}/");
            self.files().range(folder.clone()..).next().is_some_and(|(path, _)| path.starts_with(&folder))
        };
        let words = self.field("Components").unwrap_or_default().split_whitespace();
        let own = |word: &str| {
            let last = word
                .rsplit_once('/')
                .map(|(_, last)| last)
                .filter(|last| has_files(last) && !has_files(word));
            last.unwrap_or(word).to_owned()
        };
        words.map(own).collect()
    }

    /// The names in `Components`.
    pub fn components(&self) -> Result<Vec<Component>, Error> {
        self.words("Components")
    }

    /// The names in `Architectures`; `source`, which some tools write there too, is not the architecture of a package.
    pub fn architectures(&self) -> Result<Vec<Architecture>, Error> {
        self.words(ARCHITECTURES)
    }

    /// Whether `Architectures` names `source` too.
    #[must_use]
    pub fn names_source(&self) -> bool {
        self.field(ARCHITECTURES).is_some_and(|words| words.split_whitespace().any(|word| word == SOURCE))
    }

    fn words<T: std::str::FromStr>(&self, field: &'static str) -> Result<Vec<T>, Error> {
        let found = self.field(field).unwrap_or_default();
        let words = found.split_whitespace().filter(|&word| field != ARCHITECTURES || word != SOURCE);
        let words = words.map(str::parse).collect::<Result<_, _>>();
        words.map_err(|_| Error::Field { field, found: Some(found.to_owned()) })
    }

    /// The time in `Date`.
    pub fn date(&self) -> Result<Timestamp, Error> {
        self.time("Date")?.ok_or(Error::Field { field: "Date", found: None })
    }

    /// The time in `Valid-Until`; as for apt, an empty field is none.
    pub fn valid_until(&self) -> Result<Option<Timestamp>, Error> {
        let is_empty = self.field("Valid-Until").is_some_and(|text| text.trim().is_empty());
        if is_empty { Ok(None) } else { self.time("Valid-Until") }
    }

    fn time(&self, field: &'static str) -> Result<Option<Timestamp>, Error> {
        let Some(text) = self.field(field) else { return Ok(None) };
        let time = parse_date(text).ok_or_else(|| Error::Field { field, found: Some(text.to_owned()) })?;
        Ok(Some(time))
    }
}

/// Folders, none of which contains another: each as its path with a trailing slash.
struct Folders(BTreeSet<String>);

impl Folders {
    fn of<'a>(folders: impl Iterator<Item = &'a str>) -> Self {
        let sorted: BTreeSet<String> = folders.map(|folder| format!("{folder}/")).collect();
        let mut all = Self(BTreeSet::new());
        // A path sorts directly after its prefix, so one comparison shows whether a folder is inside another one.
        for folder in sorted {
            if !all.hold(&folder) {
                all.0.insert(folder);
            }
        }
        all
    }

    /// Whether a path is inside one of them; fast, because a release file can list a hundred thousand of each.
    fn hold(&self, path: &str) -> bool {
        let before = self.0.range::<str, _>((Bound::Unbounded, Bound::Included(path))).next_back();
        before.is_some_and(|folder| path.starts_with(folder.as_str()))
    }
}

fn lines<'a, D: std::str::FromStr>(
    field: &'static str,
    list: &'a str,
) -> Result<Vec<(D, u64, &'a str)>, Error> {
    let understand = |line: &'a str| {
        let mut words = line.split_ascii_whitespace();
        let (digest, size, path) = (words.next()?, words.next()?, words.next()?);
        Some((digest.parse().ok()?, size.parse().ok()?, path)).filter(|_| words.next().is_none())
    };
    let full = list.lines().filter(|line| !line.trim().is_empty());
    full.map(|line| understand(line).ok_or_else(|| Error::BadLine { field, line: line.to_owned() })).collect()
}

/// Formats a time as `Release` does: RFC 1123 in UTC, which apt requires to be named.
#[must_use]
pub fn render_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string()
}

/// Parses a time as tools write it: the zones that apt accepts, a wrong weekday, a day or hour of one digit.
#[must_use]
pub fn parse_date(text: &str) -> Option<Timestamp> {
    let mut words: Vec<String> = text.split_ascii_whitespace().map(ToOwned::to_owned).collect();
    let zone = words.last_mut()?;
    if !matches!(zone.as_str(), "UTC" | "GMT" | "Z" | "+0000" | "-0000") {
        return None;
    }
    "+0000".clone_into(zone);
    let time = words.iter_mut().rev().nth(1)?;
    if time.find(':') == Some(1) {
        time.insert(0, '0');
    }
    let parser = rfc2822::DateTimeParser::new().relaxed_weekday(true);
    let zoned = parser.parse_zoned(words.join(" ")).ok()?;
    Some(zoned.with_time_zone(TimeZone::UTC).timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Origin: Example\nSuite: stable\nCodename: bookworm\n\
        Date: Sun, 22 Nov 2026 21:08:25 UTC\nAcquire-By-Hash: yes\nArchitectures: amd64 arm64\nComponents: main\nDescription: two\n lines\n\
        Changelogs: no\nMD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages\nSHA256:\n \
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 main/binary-amd64/Packages\n";

    #[test]
    fn goes_both_ways() {
        let release = Release::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(release.render()).unwrap(), TEXT);
        assert_eq!(release.components().unwrap(), ["main".parse().unwrap()]);
        assert_eq!(release.files()["main/binary-amd64/Packages"], Listed::from(&Digests::of(b"")));
        assert_eq!(render_date(release.date().unwrap()), "Sun, 22 Nov 2026 21:08:25 UTC");
    }

    #[test]
    fn a_suite_below_is_known_by_its_folder_among_very_many() {
        let mut release = Release::parse(TEXT.as_bytes()).unwrap();
        let listed = Listed::from(&Digests::of(b""));
        // Comparing each pair would take minutes.
        for number in 0..30_000 {
            release.list(format!("a{number}/Release"), listed);
            release.list(format!("b{number}/x"), listed);
        }
        for path in ["a1/main/x", "a1/b/Release", "a1/b/x", "a1-b/x", "a1", "c/x", "c!/Release", "c!/d/x"] {
            release.list(path.to_owned(), listed);
        }
        let own: Vec<&str> = release
            .own_files()
            .map(|(path, _)| path.as_str())
            .filter(|path| !path.starts_with('b'))
            .collect();
        assert_eq!(own, ["a1", "a1-b/x", "c/x", "main/binary-amd64/Packages"]);
    }

    #[test]
    fn source_among_the_architectures_is_no_architecture() {
        let release = Release::parse(TEXT.replace("amd64 arm64", "amd64 source").as_bytes()).unwrap();
        assert_eq!(release.architectures().unwrap(), ["amd64".parse().unwrap()]);
        assert!(release.names_source());
        assert!(!Release::parse(TEXT.as_bytes()).unwrap().names_source());
    }

    #[test]
    fn dates_of_other_tools_are_understood() {
        let expected = parse_date("Sun, 22 Jul 2012 02:36:05 UTC");
        assert!(expected.is_some());
        for text in [
            "Sat, 22 Jul 2012 02:36:05 UTC",
            "Sun, 22 Jul 2012 2:36:05 GMT",
            "Sun, 22 Jul 2012  02:36:05 +0000",
            "22 Jul 2012 02:36:05 Z",
        ] {
            assert_eq!(parse_date(text), expected, "{text}");
        }
        for text in ["", "yesterday", "Sun, 22 Jul 2012 02:36:05 CEST", "Sun, 22 Jul 2012 02:36:05 +0200"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn release_files_that_apt_refuses_are_refused() {
        assert_eq!(Release::parse(b"Suite: x\nMD5Sum:\n"), Err(Error::NoSha256));
        let odd = Release::parse(b"Suite: x\nSHA256:\n main/Packages 0 e3b0\n");
        assert!(matches!(odd, Err(Error::BadLine { field: "SHA256", .. })), "{odd:?}");
        assert!(Release::parse(b"<html>").is_err());
    }

    #[test]
    fn the_content_of_a_suite_below_is_not_its_own() {
        let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let paths = [
            "main/binary-amd64/Packages",
            "main/binary-amd64/Release",
            "updates/InRelease",
            "updates/main/binary-amd64/Packages",
            "updates-more/main/binary-amd64/Packages",
            "main/binary-amd64/Packages.diff/Index",
        ];
        let lines = paths.map(|path| format!(" {digest} 0 {path}")).join("\n");
        let release = Release::parse(format!("Codename: bookworm\nSHA256:\n{lines}\n").as_bytes()).unwrap();
        let own: Vec<&str> = release.own_files().map(|(path, _)| path.as_str()).collect();
        assert_eq!(own, [paths[0], paths[5], paths[1], paths[4]]);
    }
}
