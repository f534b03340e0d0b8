//! Relationship fields (`Depends`, `Provides`…), read by the grammar of dpkg (deb-control(5)).
//!
//! A field that dpkg cannot read makes a package that cannot be installed. One that apt cannot read is worse: apt then
//! reads no package of any archive. Both are refused before they reach an index. Measured with dpkg 1.21 and apt 2.6;
//! the tests compare with the real ones.

mod dependency;

use std::fmt;

pub(crate) use dependency::Dependency;

use crate::{
    stanza::{self, is_blank},
    version::{self, Version},
};

/// The longest name or version that apt can store in its cache.
const LONGEST: usize = u16::MAX as usize;
/// The longest part of a field that a message shows, in characters.
const SHOWN: usize = 60;

/// How a field is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Relationships that may have alternatives.
    Alternatives,
    /// Relationships without alternatives.
    Plain,
    /// As [`Kind::Plain`], and only `=` is meaningful.
    Provides,
    /// Only read by tools for source packages: dpkg and apt ignore it.
    Informative,
    /// Of a source package: with alternatives, and with restrictions such as `[amd64] <!nocheck>`.
    Build,
}

/// The relationship fields of a source package.
const BUILD_FIELDS: [&str; 6] = [
    "Build-Depends",
    "Build-Depends-Indep",
    "Build-Depends-Arch",
    "Build-Conflicts",
    "Build-Conflicts-Indep",
    "Build-Conflicts-Arch",
];

/// The relationship fields of a binary package; `Recommended` and `Optional` are obsolete names that dpkg still reads.
const FIELDS: [(&str, Kind); 13] = [
    ("Pre-Depends", Kind::Alternatives),
    ("Depends", Kind::Alternatives),
    ("Recommends", Kind::Alternatives),
    ("Suggests", Kind::Alternatives),
    ("Enhances", Kind::Alternatives),
    ("Conflicts", Kind::Plain),
    ("Breaks", Kind::Plain),
    ("Replaces", Kind::Plain),
    ("Provides", Kind::Provides),
    ("Built-Using", Kind::Informative),
    ("Static-Built-Using", Kind::Informative),
    ("Recommended", Kind::Alternatives),
    ("Optional", Kind::Alternatives),
];

/// A relationship field that dpkg or apt cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}`, {place}: {fault}{}", if *stops_apt { "; apt stops at it and reads no package at all" } else { "" })]
#[non_exhaustive]
pub struct BadRelationship {
    /// The name of the field.
    pub field: &'static str,
    /// The place in the field.
    pub place: Place,
    /// The problem.
    pub fault: Fault,
    /// Whether apt reads no package of any archive as long as it is published.
    pub stops_apt: bool,
}

/// A place in a relationship field: one of the parts between `,` and `|`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The number of the part, counted from 1.
    pub number: usize,
    /// The text from its start on.
    pub text: String,
}

/// The problem with a relationship.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing where a name is expected: `a,,b`, a comma at the end.
    #[error("a package name is missing")]
    NoName,
    /// A name that no package can have.
    #[error("`{0}` cannot be the name of a package")]
    Name(String),
    /// A variable of debian/control that was not replaced.
    #[error("the variable `{0}` was not replaced by the build")]
    Variable(String),
    /// An architecture qualifier that no architecture can have.
    #[error("{} cannot be an architecture", if .0.is_empty() { "nothing after `:`".to_owned() } else { format!("`{}` after `:`", .0) })]
    Architecture(String),
    /// An unknown operator.
    #[error("the operator `{0}` is unknown; those of versions are `<<`, `<=`, `=`, `>=` and `>>`")]
    Operator(String),
    /// Parentheses without a version.
    #[error("there is no version in the parentheses")]
    NoVersion,
    /// No closing parenthesis.
    #[error("the closing parenthesis is missing")]
    Open,
    /// A version that is not valid.
    #[error(transparent)]
    Version(#[from] version::Error),
    /// A last version that apt takes for a field that was cut off: `foo (=1)`.
    #[error("apt needs four characters after the last `(`; write `(= 1)` instead of `(=1)` or `(1)`")]
    TooShort,
    /// Text after the version, within the parentheses.
    #[error("`{0}` after the version, in the parentheses")]
    AfterVersion(String),
    /// Text after a relationship.
    #[error("`{0}` where `,` or `|` is expected")]
    After(String),
    /// A restriction that only source packages have: `[amd64]`, `<!nocheck>`.
    #[error("the restriction `{0}` is only allowed in source packages")]
    Restriction(String),
    /// Alternatives in a field that has none.
    #[error("alternatives (`|`) are not allowed in this field")]
    Alternatives,
    /// A name or version longer than apt can store: it aborts.
    #[error("it has {0} bytes; apt aborts at more than {LONGEST}")]
    Long(usize),
    /// A field whose value begins on the next line, where dpkg does not look for the first name.
    #[error(
        "dpkg expects the first name on the line of the field name; write `Depends: foo`, and continue on the next line after a comma"
    )]
    NextLine,
    /// A field without a value, which apt does not accept.
    #[error("the field is empty")]
    Empty,
}

/// A remark about a relationship that dpkg and apt can read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// `<` or `>`, which dpkg and apt interpret differently.
    Obsolete {
        /// The field.
        field: &'static str,
        /// The operator.
        operator: char,
    },
    /// A version in `Provides` without `=`, which dpkg and apt ignore.
    NotExact,
    /// A field that dpkg and apt ignore, and that tools for source packages cannot read.
    Ignored(BadRelationship),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.text {
            "" => write!(f, "part {}", self.number),
            text => write!(f, "part {}, at `{text}`", self.number),
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Obsolete { field, operator } => write!(
                f,
                "field `{field}`: the operator `{operator}` is obsolete: dpkg reads it as `{operator}=`, apt as `{operator}{operator}`"
            ),
            Self::NotExact => f.write_str(
                "field `Provides`: only `=` is meaningful before a version; dpkg and apt warn about others",
            ),
            Self::Ignored(bad) => write!(f, "{bad}; dpkg and apt ignore the field"),
        }
    }
}

/// Reads all relationship fields of a stanza; the first bad one is an error.
pub fn check(stanza: &[u8]) -> Result<Vec<Remark>, BadRelationship> {
    let mut remarks = Vec::new();
    for (name, value) in stanza::raw_fields(stanza) {
        let Some(&(field, kind)) =
            FIELDS.iter().find(|(field, _)| field.as_bytes().eq_ignore_ascii_case(name))
        else {
            continue;
        };
        let mut reader = Reader { field, kind, value, at: 0, start: 0, number: 1, remarks: &mut remarks };
        let Err(fault) = reader.read() else { continue };
        let text = excerpt(value[reader.start..].trim_ascii());
        let place = Place { number: reader.number, text };
        let stops_apt = kind != Kind::Informative && !apt_reads(value, kind);
        let bad = BadRelationship { field, place, fault, stops_apt };
        match kind {
            Kind::Informative => remarks.push(Remark::Ignored(bad)),
            _ => return Err(bad),
        }
    }
    Ok(remarks)
}

/// Reads all relationship fields of the stanza of a source package; returns the first bad one, with which apt finds no
/// build dependencies of this package.
#[must_use]
pub fn bad_build_field(stanza: &[u8]) -> Option<BadRelationship> {
    let mut remarks = Vec::new();
    stanza::raw_fields(stanza).find_map(|(name, value)| {
        let field = *BUILD_FIELDS.iter().find(|field| field.as_bytes().eq_ignore_ascii_case(name))?;
        let kind = Kind::Build;
        let mut reader = Reader { field, kind, value, at: 0, start: 0, number: 1, remarks: &mut remarks };
        let fault = reader.read().err()?;
        let text = excerpt(value[reader.start..].trim_ascii());
        let place = Place { number: reader.number, text };
        Some(BadRelationship { field, place, fault, stops_apt: false })
    })
}

/// A position in the value of a field.
struct Reader<'a, 'b> {
    field: &'static str,
    kind: Kind,
    value: &'a [u8],
    at: usize,
    /// The start and number of the current part.
    start: usize,
    number: usize,
    remarks: &'b mut Vec<Remark>,
}

impl<'a> Reader<'a, '_> {
    fn read(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        if self.peek().is_none() {
            // dpkg ignores an empty field, apt only one that is not `Provides`.
            return if self.kind == Kind::Provides { Err(Fault::Empty) } else { Ok(()) };
        }
        let is_read_by_dpkg = !matches!(self.kind, Kind::Informative | Kind::Build);
        if is_read_by_dpkg && self.value[..self.at].contains(&b'\n') {
            return Err(Fault::NextLine);
        }
        loop {
            self.skip_blanks();
            self.start = self.at;
            if self.kind == Kind::Build && self.peek().is_none() {
                // A comma at the end.
                return Ok(());
            }
            self.one()?;
            if self.kind == Kind::Build {
                self.restrictions()?;
            }
            self.skip_blanks();
            match self.peek() {
                None => return Ok(()),
                Some(b'|') if matches!(self.kind, Kind::Plain | Kind::Provides) => {
                    return Err(Fault::Alternatives);
                }
                Some(b',' | b'|') => {}
                Some(b'[' | b'<') => return Err(Fault::Restriction(self.rest())),
                Some(_) => return Err(Fault::After(self.rest())),
            }
            self.at += 1;
            self.number += 1;
        }
    }

    /// Reads `[ARCHITECTURE...]` and `<PROFILE...>`, as many as there are.
    fn restrictions(&mut self) -> Result<(), Fault> {
        loop {
            self.skip_blanks();
            let end = match self.peek() {
                Some(b'[') => b']',
                Some(b'<') => b'>',
                _ => return Ok(()),
            };
            let rest = self.rest();
            self.take_until(|b| b == end || b == b',' || b == b'|');
            if self.peek() != Some(end) {
                return Err(Fault::After(rest));
            }
            self.at += 1;
        }
    }

    /// Reads `NAME[:ARCHITECTURE] [(OPERATOR VERSION)]`.
    fn one(&mut self) -> Result<(), Fault> {
        let is_build = self.kind == Kind::Build;
        let ends =
            |b: u8| matches!(b, b'(' | b',' | b'|') || is_blank(b) || (is_build && matches!(b, b'[' | b'<'));
        let name = self.take_until(|b| ends(b) || b == b':');
        if name.starts_with(b"${") || name.starts_with(b"$(") {
            let all =
                self.value[self.start..].split(|&b| matches!(b, b',' | b'|')).next().unwrap_or_default();
            return Err(Fault::Variable(excerpt(all.trim_ascii())));
        }
        check_name(name)?;
        check_length(name)?;
        if self.peek() == Some(b':') {
            self.at += 1;
            let architecture = self.take_until(ends);
            let fits = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
            let begins = architecture.first().is_some_and(u8::is_ascii_alphanumeric);
            if !begins || !architecture.iter().all(fits) {
                return Err(Fault::Architecture(excerpt(architecture)));
            }
        }
        self.skip_blanks();
        if self.peek() == Some(b'(') {
            self.at += 1;
            self.version()?;
        }
        Ok(())
    }

    /// Reads `OPERATOR VERSION)`.
    fn version(&mut self) -> Result<(), Fault> {
        self.skip_blanks();
        let long_enough = is_long_enough_for_apt(&self.value[self.at..]);
        let operator = self.take_until(|b| !matches!(b, b'<' | b'>' | b'=' | b'!' | b'~' | b'^'));
        match operator {
            b"<<" | b"<=" | b">=" | b">>" if self.kind == Kind::Provides => {
                self.remarks.push(Remark::NotExact);
            }
            // dpkg reads a missing operator as `=`.
            b"" | b"=" | b"<<" | b"<=" | b">=" | b">>" => {}
            b"<" | b">" => {
                let operator = char::from(operator[0]);
                self.remarks.push(Remark::Obsolete { field: self.field, operator });
            }
            other => return Err(Fault::Operator(excerpt(other))),
        }
        self.skip_blanks();
        let version = self.take_until(|b| b == b')' || is_blank(b));
        if version.is_empty() {
            return Err(if self.peek().is_none() { Fault::Open } else { Fault::NoVersion });
        }
        self.skip_blanks();
        match self.peek() {
            None => return Err(Fault::Open),
            Some(b')') => self.at += 1,
            Some(_) => {
                let rest = self.take_until(|b| b == b')');
                return Err(Fault::AfterVersion(excerpt(rest.trim_ascii())));
            }
        }
        check_length(version)?;
        Version::parse(&String::from_utf8_lossy(version))?;
        if long_enough || matches!(self.kind, Kind::Informative | Kind::Build) {
            Ok(())
        } else {
            Err(Fault::TooShort)
        }
    }

    fn peek(&self) -> Option<u8> {
        self.value.get(self.at).copied()
    }

    fn take_until(&mut self, ends: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.value[self.at..];
        let length = rest.iter().position(|&b| ends(b)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn skip_blanks(&mut self) {
        self.take_until(|b| !is_blank(b));
    }

    fn rest(&self) -> String {
        let rest = &self.value[self.at..];
        excerpt(rest.split(|&b| matches!(b, b',' | b'|')).next().unwrap_or_default().trim_ascii())
    }
}

fn check_length(part: &[u8]) -> Result<(), Fault> {
    if part.len() > LONGEST { Err(Fault::Long(part.len())) } else { Ok(()) }
}

fn check_name(name: &[u8]) -> Result<(), Fault> {
    let fits = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_');
    match name.first() {
        None => Err(Fault::NoName),
        Some(first) if first.is_ascii_alphanumeric() && name.iter().all(fits) => Ok(()),
        Some(_) => Err(Fault::Name(excerpt(name))),
    }
}

/// Whether apt reads the value. It accepts any names and versions, and only fails where a part has no name, no version
/// in its parentheses, or something after them.
fn apt_reads(value: &[u8], kind: Kind) -> bool {
    let mut rest = value.trim_ascii();
    if rest.is_empty() {
        return kind != Kind::Provides;
    }
    while !rest.is_empty() {
        let ends =
            |b: &u8| matches!(b, b'(' | b')' | b',' | b'|' | b'[' | b']' | b'<' | b'>') || is_blank(*b);
        let name = rest.iter().position(ends).unwrap_or(rest.len());
        rest = rest[name..].trim_ascii_start();
        if name == 0 || rest.first() == Some(&b')') {
            return false;
        }
        if let Some(version) = rest.strip_prefix(b"(") {
            let version = version.trim_ascii_start();
            if !is_long_enough_for_apt(version) {
                return false;
            }
            let operator = version.iter().take(2).take_while(|b| matches!(b, b'<' | b'>' | b'=')).count();
            let operator = if version.starts_with(b"=") { 1 } else { operator };
            let version = version[operator..].trim_ascii_start();
            let Some(end @ 1..) = version.iter().position(|&b| b == b')') else { return false };
            rest = version[end + 1..].trim_ascii_start();
        }
        match rest {
            [] => {}
            [b',' | b'|', after @ ..] => rest = after.trim_ascii_start(),
            _ => return false,
        }
    }
    true
}

/// Whether apt goes on to read the version after a parenthesis: it stops where fewer than four characters are left, which
/// are an operator, a blank, a digit and the other parenthesis.
fn is_long_enough_for_apt(rest: &[u8]) -> bool {
    rest.trim_ascii_end().len() >= 4
}

fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    // As in other messages, quotes are no reason to escape.
    short.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"")
}

#[cfg(test)]
mod tests;
