//! `conf/destinations`: the other stores that serve this archive, and the options of each.
//!
//! The format is that of `conf/distributions`. Locations are not parsed or contacted here. An unknown field is a
//! warning; an invalid value is an error, because its effect (deleted files, cache lifetimes) would be noticed too
//! late.

use std::{collections::HashSet, fmt, path::Path, time::Duration};

use super::{
    error::Error,
    lines::{Lines, missing, text_of},
    values::{CACHE_CONTROL, GENERATIONS, SPAN, cache_control, generations, is_public_url, span},
};
use crate::{
    dists::subset::Subset,
    names::{Architecture, Component, Suite},
    nearest::nearest,
    stanza::{Stanza, Stanzas},
};

/// The fields of a destination.
const FIELDS: [&str; 15] = [
    "Name",
    "Location",
    "Suites",
    "Components",
    "Architectures",
    "Without",
    "IgnoreMissing",
    "Include",
    "Public-Url",
    "IndexCacheControl",
    "PoolCacheControl",
    "Delete",
    "KeepFor",
    "KeepGenerations",
    "Purge",
];

/// The destinations of an archive.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Destinations {
    /// The destinations, in the order of the file.
    pub all: Vec<Destination>,
    /// Warnings for the user, such as unknown fields.
    pub warnings: Vec<String>,
}

/// A store that serves the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// Its location, as written.
    pub location: String,
    /// The suites to copy, by any of their names; empty for all.
    pub suites: Vec<Suite>,
    /// The part of each suite to copy.
    pub subset: Subset,
    /// Whether files that the source lists and does not have are left out.
    pub ignore_missing: bool,
    /// Globs of further files to copy.
    pub include: Vec<String>,
    /// The URL at which clients read it.
    pub public_url: Option<String>,
    /// The `Cache-Control` of files that change.
    pub index_cache_control: Option<String>,
    /// The `Cache-Control` of immutable files.
    pub pool_cache_control: Option<String>,
    /// Whether files that no retained generation references are deleted there.
    pub delete: bool,
    /// How long a generation is retained there.
    pub keep_for: Option<Duration>,
    /// How many generations are retained there, including the current one.
    pub keep_generations: Option<usize>,
    /// The caches to purge after a change.
    pub purge: Vec<PurgeRule>,
}

/// A way to purge caches after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PurgeRule {
    /// A command of the user, run by `sh -c`.
    Command(String),
    /// Amazon `CloudFront`.
    CloudFront {
        /// The ID of the distribution.
        distribution: String,
    },
    /// Fastly.
    Fastly {
        /// The ID of the service.
        service: String,
    },
    /// Cloudflare.
    Cloudflare {
        /// The ID of the zone.
        zone: String,
    },
}

impl Destinations {
    /// Reads a file, or all `*.conf` files of a folder.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = Lines::open_without_comments(path)?;
        let mut read = Self::default();
        let mut known = HashSet::new();
        let mut stanzas = Stanzas::with_comments(&text.bytes);
        while let Some(stanza) = stanzas.next() {
            let stanza = stanza.map_err(|error| {
                let (path, line) = text.origin(error.line);
                Error::Stanza { path, line, kind: error.kind }
            })?;
            let reader = Reader { stanza, text: &text, line: stanzas.block_line() };
            let destination = reader.destination()?;
            if !known.insert(destination.name.clone()) {
                let why = format!("the name `{}` is already used in an earlier stanza", destination.name);
                return Err(reader.wrong(why));
            }
            reader.warn_of_unknown_fields(&mut read.warnings);
            read.all.push(destination);
        }
        Ok(read)
    }

    /// The destination with a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Destination> {
        self.all.iter().find(|destination| destination.name == name)
    }
}

/// A stanza and its position.
struct Reader<'a> {
    stanza: Stanza<'a>,
    text: &'a Lines,
    /// The line at which the stanza begins.
    line: usize,
}

impl Reader<'_> {
    fn destination(&self) -> Result<Destination, Error> {
        Ok(Destination {
            name: self.needed("Name", "letters, digits, `.`, `_`, `+` and `-`", |value| {
                is_word(value, b"._+-").then(|| value.to_owned())
            })?,
            location: self.needed("Location", "one location, such as `s3://bucket/prefix`", one_line)?,
            suites: self
                .parsed("Suites", "names of suites", |value| {
                    value.split_whitespace().map(|word| Suite::parse(word).ok()).collect()
                })?
                .unwrap_or_default(),
            subset: self.subset()?,
            ignore_missing: self.parsed("IgnoreMissing", "`yes` or `no`", yes_or_no)?.unwrap_or_default(),
            include: self
                .parsed("Include", "globs of paths below the archive, such as `*.html`", globs)?
                .unwrap_or_default(),
            public_url: self.parsed(
                "Public-Url",
                "the `http://` or `https://` address where clients read the archive",
                |value| is_public_url(value).then(|| value.to_owned()),
            )?,
            index_cache_control: self.parsed("IndexCacheControl", CACHE_CONTROL, cache_control)?,
            pool_cache_control: self.parsed("PoolCacheControl", CACHE_CONTROL, cache_control)?,
            delete: self.parsed("Delete", "`yes` or `no`", yes_or_no)?.unwrap_or_default(),
            keep_for: self.parsed("KeepFor", SPAN, span)?,
            keep_generations: self.parsed("KeepGenerations", GENERATIONS, generations)?,
            purge: self
                .parsed("Purge", PURGE, |value| value.lines().map(PurgeRule::parse).collect())?
                .unwrap_or_default(),
        })
    }

    fn subset(&self) -> Result<Subset, Error> {
        let components = self.parsed("Components", "names of components", |value| {
            value.split_whitespace().map(|word| Component::parse(word).ok()).collect()
        })?;
        let architectures = self.parsed("Architectures", "names of architectures", |value| {
            value.split_whitespace().map(|word| Architecture::parse_selector(word).ok()).collect()
        })?;
        let without = self.parsed("Without", "some of `source`, `udeb` and `contents`", |value| {
            let words: Vec<&str> = value.split_whitespace().collect();
            let is_known = words.iter().all(|word| ["source", "udeb", "contents"].contains(word));
            let has = |kind: &str| words.contains(&kind);
            is_known.then(|| [has("source"), has("udeb"), has("contents")])
        })?;
        let [no_source, no_udeb, no_contents] = without.unwrap_or_default();
        let (components, architectures) = (components.unwrap_or_default(), architectures.unwrap_or_default());
        Ok(Subset { components, architectures, no_source, no_udeb, no_contents })
    }

    /// The value of an optional field; an empty one is an error, since it cannot be intended.
    fn parsed<T>(
        &self,
        field: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = text_of(&self.stanza, field).map_err(|why| self.wrong(why))? else {
            return Ok(None);
        };
        let value = value.trim();
        if let Some(parsed) = Some(value).filter(|value| !value.is_empty()).and_then(parse) {
            return Ok(Some(parsed));
        }
        let (path, line) = self.origin_of(field);
        Err(Error::Value { path, line, field, value: value.to_owned(), expected })
    }

    fn needed<T>(
        &self,
        field: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let none = || self.wrong(format!("{}; expected {expected}", missing(&self.stanza, field)));
        self.parsed(field, expected, parse)?.ok_or_else(none)
    }

    fn warn_of_unknown_fields(&self, warnings: &mut Vec<String>) {
        for (field, line) in self.stanza.fields_with_lines() {
            if !FIELDS.iter().any(|known| known.eq_ignore_ascii_case(field.name)) {
                let (path, line) = self.text.origin(self.line + line);
                let (path, name) = (path.display(), field.name);
                let near = nearest(name, FIELDS);
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                warnings
                    .push(format!("`{path}` line {line}: field `{name}` is unknown and has no effect{near}"));
            }
        }
    }

    fn wrong(&self, why: String) -> Error {
        let (path, line) = self.text.origin(self.line);
        Error::Field { path, line, why }
    }

    fn origin_of(&self, field: &str) -> (std::path::PathBuf, usize) {
        self.text.origin(self.line + self.stanza.lines_before(field).unwrap_or_default())
    }
}

const PURGE: &str = "on each line one of `cloudfront DISTRIBUTION-ID`, `fastly SERVICE-ID`, `cloudflare ZONE-ID` or \
    `!COMMAND`";

impl PurgeRule {
    /// Parses one line of `Purge`; a line without a built-in keyword is a command.
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if let Some(command) = line.strip_prefix('!').map(str::trim) {
            return (!command.is_empty()).then(|| Self::Command(command.to_owned()));
        }
        let mut words = line.split_whitespace();
        let service = words.next()?;
        let mut rule = |make: fn(String) -> Self| match (words.next(), words.next()) {
            (Some(id), None) if is_word(id, b"_-") => Some(make(id.to_owned())),
            _ => None,
        };
        match service {
            "cloudfront" => rule(|distribution| Self::CloudFront { distribution }),
            "fastly" => rule(|service| Self::Fastly { service }),
            "cloudflare" => rule(|zone| Self::Cloudflare { zone }),
            _ => Some(Self::Command(line.to_owned())),
        }
    }
}

impl fmt::Display for PurgeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Any word of a command may be a password.
            Self::Command(command) => write!(f, "`{}`", program_of(command)),
            Self::CloudFront { distribution } => write!(f, "CloudFront distribution `{distribution}`"),
            Self::Fastly { service } => write!(f, "Fastly service `{service}`"),
            Self::Cloudflare { zone } => write!(f, "Cloudflare zone `{zone}`"),
        }
    }
}

/// Returns the program that a command runs first, and `…` for its arguments.
fn program_of(command: &str) -> String {
    let mut words = command.split_whitespace();
    // Assignments come before the program, and may contain a secret too.
    let program = words.find(|word| !word.contains('=')).unwrap_or("…");
    if command.trim() == program { program.to_owned() } else { format!("{program} …") }
}

fn is_word(text: &str, more: &[u8]) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
}

fn one_line(value: &str) -> Option<String> {
    (!value.contains('\n')).then(|| value.to_owned())
}

/// Globs are matched against paths without a leading slash and without `..`.
fn globs(value: &str) -> Option<Vec<String>> {
    let glob = |word: &str| {
        let below = !word.starts_with('/') && word.split('/').all(|part| part != "..");
        below.then(|| word.to_owned())
    };
    value.split_whitespace().map(glob).collect()
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Some(true),
        "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Reads `files`; the first is the configuration.
    fn read(files: &[(&str, &str)]) -> Result<Destinations, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let shown = |text: &str| text.replace(&folder.path().display().to_string(), "CONF");
        let mut read =
            Destinations::read(&folder.path().join(files[0].0)).map_err(|error| shown(&error.to_string()))?;
        read.warnings.iter_mut().for_each(|warning| *warning = shown(warning));
        Ok(read)
    }

    const GOLDEN: &str = r"# Where `publish sync` brings this archive.
Name: cdn
Location: s3://packages.example.org/apt
Suites: bookworm
# an old one
 trixie
Components: main contrib
Architectures: amd64
Without: contents
 source
IgnoreMissing: yes
Include: *.html doc/**
Public-Url: https://packages.example.org/apt/
IndexCacheControl: max-age=60,
 must-revalidate
PoolCacheControl: public, max-age=31536000, immutable
Delete: yes
KeepFor: 1w 24h
KeepGenerations: 20
Purge:
 cloudfront E2QWRUHEXAMPLE
 fastly SU1Z0isxPaozGVKXdv0eY
# a command gets the changed addresses, one per line
 cloudflare 023e105f4ecef8ad9ca31a8372d0c353
 xargs -n 1 curl -fsS -X PURGE
 !fastly purge --file -

name: backup
LOCATION: /srv/backup/my archive
";

    #[test]
    fn reads_every_field() {
        let read = read(&[("destinations", GOLDEN)]).unwrap();
        assert_eq!(read.warnings, [""; 0]);
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let cdn = Destination {
            name: "cdn".into(),
            location: "s3://packages.example.org/apt".into(),
            suites: vec![Suite::parse("bookworm").unwrap(), Suite::parse("trixie").unwrap()],
            subset: Subset {
                components: vec!["main".parse().unwrap(), "contrib".parse().unwrap()],
                architectures: vec!["amd64".parse().unwrap()],
                no_source: true,
                no_contents: true,
                ..Subset::default()
            },
            ignore_missing: true,
            include: owned(&["*.html", "doc/**"]),
            public_url: Some("https://packages.example.org/apt/".into()),
            index_cache_control: Some("max-age=60, must-revalidate".into()),
            pool_cache_control: Some("public, max-age=31536000, immutable".into()),
            delete: true,
            keep_for: Some(Duration::from_secs(8 * 24 * 3600)),
            keep_generations: Some(20),
            purge: vec![
                PurgeRule::CloudFront { distribution: "E2QWRUHEXAMPLE".into() },
                PurgeRule::Fastly { service: "SU1Z0isxPaozGVKXdv0eY".into() },
                PurgeRule::Cloudflare { zone: "023e105f4ecef8ad9ca31a8372d0c353".into() },
                PurgeRule::Command("xargs -n 1 curl -fsS -X PURGE".into()),
                PurgeRule::Command("fastly purge --file -".into()),
            ],
        };
        let backup = Destination {
            name: "backup".into(),
            location: "/srv/backup/my archive".into(),
            suites: vec![],
            subset: Subset::default(),
            ignore_missing: false,
            include: vec![],
            public_url: None,
            index_cache_control: None,
            pool_cache_control: None,
            delete: false,
            keep_for: None,
            keep_generations: None,
            purge: vec![],
        };
        assert_eq!(read.all, [cdn, backup]);
        assert_eq!(read.find("backup"), Some(&read.all[1]));
        assert_eq!(read.find("Backup"), None);
    }

    const LEAST: &str = "Name: cdn\nLocation: s3://bucket\n";

    #[test]
    fn an_unknown_field_is_a_warning_with_its_line() {
        let read = read(&[
            ("destinations", "\n# mine\nName: cdn\n!include: rest\n"),
            ("rest", "# where\nlocation: x\nPURGE-URL: y\n"),
        ])
        .unwrap();
        assert_eq!(read.all.len(), 1);
        assert_eq!(read.warnings, ["`CONF/rest` line 3: field `PURGE-URL` is unknown and has no effect"]);
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_expected() {
        let fails = |text: &str| read(&[("destinations", text)]).unwrap_err();
        assert_eq!(
            fails(&format!("{LEAST}# soon\nKeepFor: 7\n")),
            "`CONF/destinations` line 4: field `KeepFor` is `7`; expected a span such as `12h`, `7d`, `2w`, `1m` or `1y`"
        );
        assert_eq!(
            fails("Location: x\n"),
            "`CONF/destinations`, the stanza at line 1: field `Name` is missing; expected letters, digits, `.`, `_`, `+` and `-`"
        );
        assert!(fails("\n\nName: x\n").contains("the stanza at line 3: field `Location` is missing"));
        assert_eq!(
            fails(&format!("{LEAST}\n{LEAST}")),
            "`CONF/destinations`, the stanza at line 4: the name `cdn` is already used in an earlier stanza"
        );
        for (field, value) in [
            ("Suites", "../x"),
            ("Suites", ""),
            ("Components", "a/.."),
            ("Architectures", "any"),
            ("Without", "everything"),
            ("IgnoreMissing", ""),
            ("Include", "a /etc/passwd"),
            ("Include", "a/../../b"),
            ("Public-Url", "packages.example.org"),
            ("Public-Url", "ftp://example.org/"),
            ("Public-Url", "https://"),
            ("Public-Url", "https:/example.org/"),
            ("Public-Url", "https:///example.org/"),
            ("Public-Url", "https://exa[mple.org/"),
            ("Public-Url", "https://me:secret@example.org/"),
            ("Public-Url", "https://example.org/?x"),
            ("Public-Url", "https://example.org/ x"),
            ("IndexCacheControl", ""),
            ("PoolCacheControl", "max-age=é"),
            ("Delete", ""),
            ("Delete", "perhaps"),
            ("KeepFor", "m"),
            ("KeepFor", "é"),
            ("KeepFor", "+1d"),
            ("KeepFor", "0d"),
            ("KeepFor", "99999999999999999999d"),
            ("KeepFor", "9999999999w"),
            ("KeepGenerations", "0"),
            ("KeepGenerations", "-1"),
            ("Purge", ""),
            ("Purge", "!"),
            ("Purge", "cloudfront"),
            ("Purge", "cloudfront a b"),
            ("Purge", "cloudflare a/b"),
            ("Purge", "true\n fastly"),
        ] {
            let error = fails(&format!("{LEAST}{field}: {value}\n"));
            let expected = format!("line 3: field `{field}` is `{}`; expected ", value.escape_debug());
            assert!(error.contains(&expected), "{error}");
        }
        for bad in ["Name: a b\nLocation: x\n", "Name: a/b\nLocation: x\n", "Name: x\nLocation: a\n b\n"] {
            assert!(fails(bad).contains("; expected "), "{bad}");
        }
        assert!(fails("Name: x\nName: y\n").contains("line 2: field `Name` occurs twice"));
    }
}
