//! Formulas that select packages, in reprepro's language: `Section (== net), $Version (<< 2.0) | !Depends`.
//!
//! A comma means *and*, `|` means *or* and binds stronger, `!` negates the condition behind it. A condition names a field,
//! and may compare its value: `==`, `!=`, `<<`, `<=`, `>=`, `>>` by bytes, `%` and `!%` with a [`Glob`]. Fields that
//! begin with `$` are properties of the package; `$Version` and `$SourceVersion` are compared as dpkg does.
//!
//! [`Formula::parse_query`] reads the common forms of aptly's queries as well: `Name` is the name of the package, `Priority (required)` compares
//! with `==`, and a word that begins with a small letter and is not the name of a field is a package: `nginx`,
//! `nginx (>= 1.22) {amd64}`, `nginx_1.22-1_amd64`. Where `,` and `|` are mixed, the rule of reprepro applies.

use std::cmp::Ordering;

use crate::{glob::Glob, stanza::Stanza, version::Version};

/// Deeper nesting is no formula that a person wrote, and could exhaust the stack.
const DEEPEST: usize = 50;

/// A parsed formula.
#[derive(Debug, Clone)]
pub struct Formula(Node);

/// The package that a formula is applied to.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its stanza in the index.
    pub stanza: &'a Stanza<'a>,
    /// Its version.
    pub version: &'a str,
    /// The name of the source that it was built from.
    pub source: &'a str,
    /// The version of that source.
    pub source_version: &'a str,
    /// The architecture of the index.
    pub architecture: &'a str,
    /// The component of the index.
    pub component: &'a str,
    /// The kind of the package: `deb`, `udeb` or `dsc`.
    pub kind: &'a str,
}

/// Why a text is not a formula.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a formula: at character {at}: {why}", text.escape_debug())]
pub struct Error {
    text: String,
    why: String,
    /// Counted from 1.
    at: usize,
}

#[derive(Debug, Clone)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Exists(String),
    /// The package provides a name.
    Provides(String),
    Compares {
        value: Value,
        test: Test,
    },
}

/// The left side of a comparison.
#[derive(Debug, Clone)]
enum Value {
    Field(String),
    Property(Property),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Property {
    Version,
    Source,
    SourceVersion,
    Architecture,
    Component,
    PackageType,
    Section,
}

#[derive(Debug, Clone)]
enum Test {
    Matches(Glob),
    MatchesNot(Glob),
    Ordered { accepted: &'static [Ordering], than: String },
}

/// The comparison operators: a longer one comes before one that it begins with. A lone `<` or `>` includes equality, as
/// the obsolete relations of dpkg do.
const ORDERS: &[(&str, &[Ordering])] = &[
    ("==", &[Ordering::Equal]),
    ("=", &[Ordering::Equal]),
    ("!=", &[Ordering::Less, Ordering::Greater]),
    ("<<", &[Ordering::Less]),
    ("<=", &[Ordering::Less, Ordering::Equal]),
    ("<", &[Ordering::Less, Ordering::Equal]),
    (">>", &[Ordering::Greater]),
    (">=", &[Ordering::Greater, Ordering::Equal]),
    (">", &[Ordering::Greater, Ordering::Equal]),
];

const PROPERTIES: &[(&str, Property)] = &[
    ("Version", Property::Version),
    ("Source", Property::Source),
    ("SourceVersion", Property::SourceVersion),
    ("Architecture", Property::Architecture),
    ("Component", Property::Component),
    ("PackageType", Property::PackageType),
    ("Type", Property::PackageType),
    ("Section", Property::Section),
];

impl Formula {
    /// Parses a formula.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(Parser { text, at: 0, depth: 0, is_query: false })
    }

    /// Parses a formula, or a query in the common forms of aptly.
    pub fn parse_query(text: &str) -> Result<Self, Error> {
        Self::read(Parser { text, at: 0, depth: 0, is_query: true })
    }

    fn read(mut parser: Parser<'_>) -> Result<Self, Error> {
        let node = parser.all()?;
        match parser.peek() {
            None => Ok(Self(node)),
            Some(')') => Err(parser.error("unexpected `)`")),
            Some(_) => Err(parser.error("expected `,` or `|`")),
        }
    }

    /// Whether it selects a package.
    #[must_use]
    pub fn selects(&self, subject: &Subject<'_>) -> bool {
        self.0.holds(subject)
    }
}

impl Node {
    fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(subject)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(subject)),
            Self::Not(node) => !node.holds(subject),
            Self::Provides(name) => {
                let provided = subject.stanza.text_of("Provides").unwrap_or_default();
                provided.split(',').any(|one| one.split(['(', ':']).next().map(str::trim) == Some(name))
            }
            Self::Exists(field) => subject.stanza.get(field).is_some(),
            Self::Compares { value, test } => test.accepts(value, subject),
        }
    }
}

impl Test {
    fn accepts(&self, value: &Value, subject: &Subject<'_>) -> bool {
        let left = match value {
            Value::Property(property) => Some(property.of(subject)),
            Value::Field(field) => subject.stanza.text_of(field),
        };
        match (self, left) {
            // A field that does not exist differs from every value.
            (Self::MatchesNot(_), None) => true,
            (Self::Ordered { accepted, .. }, None) => *accepted == [Ordering::Less, Ordering::Greater],
            (Self::Matches(_), None) => false,
            (Self::Matches(glob), Some(left)) => glob.matches(&left),
            (Self::MatchesNot(glob), Some(left)) => !glob.matches(&left),
            (Self::Ordered { accepted, than }, Some(left)) => {
                let order = match value {
                    Value::Property(Property::Version | Property::SourceVersion) => versions(&left, than),
                    _ => Some((*left).cmp(than)),
                };
                order.is_some_and(|order| accepted.contains(&order))
            }
        }
    }
}

/// Compares as dpkg does; a text that is no version, which an index of another tool may have, has no order.
fn versions(one: &str, other: &str) -> Option<Ordering> {
    Some(Version::parse(one).ok()?.cmp(&Version::parse(other).ok()?))
}

impl Property {
    fn of<'a>(self, subject: &Subject<'a>) -> std::borrow::Cow<'a, str> {
        match self {
            Self::Version => subject.version.into(),
            Self::Source => subject.source.into(),
            Self::SourceVersion => subject.source_version.into(),
            Self::Architecture => subject.architecture.into(),
            Self::Component => subject.component.into(),
            Self::PackageType => subject.kind.into(),
            Self::Section => subject.stanza.text_of("Section").unwrap_or_default(),
        }
    }
}

/// The fields of a stanza whose names may be written in small letters; any other word that begins with a small letter is a
/// package, as in aptly.
const FIELDS: [&str; 38] = [
    "architecture",
    "binary",
    "breaks",
    "build-conflicts",
    "build-depends",
    "build-depends-arch",
    "build-depends-indep",
    "build-essential",
    "bugs",
    "conflicts",
    "depends",
    "description",
    "directory",
    "enhances",
    "essential",
    "filename",
    "format",
    "homepage",
    "installed-size",
    "license",
    "maintainer",
    "multi-arch",
    "origin",
    "package",
    "package-type",
    "pre-depends",
    "priority",
    "protected",
    "provides",
    "recommends",
    "replaces",
    "section",
    "size",
    "source",
    "suggests",
    "tag",
    "uploaders",
    "version",
];

/// Whether a word is the name of a package, not that of a field.
fn names_a_package(word: &str) -> bool {
    let is_small = word.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_custom = word.starts_with("x-") || word.starts_with("xb-") || word.starts_with("checksums-");
    is_small && !is_custom && !FIELDS.contains(&word.to_ascii_lowercase().as_str())
}

/// A recursive descent over the text.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// Whether the forms of aptly are read as well.
    is_query: bool,
}

impl<'a> Parser<'a> {
    fn error(&self, why: impl Into<String>) -> Error {
        let at = self.text[..self.at].chars().count() + 1;
        Error { text: self.text.to_owned(), why: why.into(), at }
    }

    /// Skips blanks, and returns the next character.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, what: &str) -> bool {
        let found = self.peek().is_some() && self.text[self.at..].starts_with(what);
        self.at += if found { what.len() } else { 0 };
        found
    }

    fn all(&mut self) -> Result<Node, Error> {
        let mut nodes = vec![self.any()?];
        while self.take(",") {
            nodes.push(self.any()?);
        }
        Ok(Node::All(nodes))
    }

    fn any(&mut self) -> Result<Node, Error> {
        let mut nodes = vec![self.condition()?];
        while self.take("|") {
            nodes.push(self.condition()?);
        }
        Ok(Node::Any(nodes))
    }

    fn condition(&mut self) -> Result<Node, Error> {
        if self.take("!") {
            return Ok(Node::Not(Box::new(self.nested(Self::condition)?)));
        }
        if self.take("(") {
            let node = self.nested(Self::all)?;
            return if self.take(")") { Ok(node) } else { Err(self.error("expected `)`")) };
        }
        if self.is_query
            && let Some(name) = self.quoted()?
        {
            return self.package(name);
        }
        let is_property = self.take("$");
        let name = self.name()?;
        if self.is_query && !is_property && names_a_package(name) {
            return self.package(name);
        }
        let name = if self.is_query && name == "Name" { "Package" } else { name };
        if !self.take("(") {
            return if is_property {
                Err(self.error(format!("`${name}` always exists; compare it, as in `${name} (== VALUE)`")))
            } else {
                Ok(Node::Exists(name.to_owned()))
            };
        }
        // aptly compares versions as dpkg does.
        let is_property = is_property || self.is_query && name == "Version";
        let value =
            if is_property { Value::Property(self.property(name)?) } else { Value::Field(name.to_owned()) };
        let test = self.test(&value)?;
        Ok(Node::Compares { value, test })
    }

    /// A package, as aptly names it: `NAME`, `NAME (>= VERSION) {ARCHITECTURE}` or `NAME_VERSION_ARCHITECTURE`.
    fn package(&mut self, name: &str) -> Result<Node, Error> {
        let equals = |value: Value, text: &str| Node::Compares {
            value,
            test: Test::Ordered { accepted: &[Ordering::Equal], than: text.to_owned() },
        };
        let named = |name: &str| equals(Value::Field("Package".to_owned()), name);
        let (version, architecture) =
            (Value::Property(Property::Version), Value::Property(Property::Architecture));
        if let [name, own_version, own_architecture] = name.split('_').collect::<Vec<_>>()[..] {
            Version::parse(own_version).map_err(|why| self.error(why.to_string()))?;
            let parts = [equals(version, own_version), equals(architecture, own_architecture)];
            return Ok(Node::All([named(name)].into_iter().chain(parts).collect()));
        }
        let mut nodes = Vec::new();
        if self.take("(") {
            let test = self.test(&version)?;
            nodes.extend([named(name), Node::Compares { value: version, test }]);
        } else {
            nodes.push(Node::Any(vec![named(name), Node::Provides(name.to_owned())]));
        }
        if self.take("{") {
            let rest = &self.text[self.at..];
            let end = rest.find('}').ok_or_else(|| self.error("expected `}`"))?;
            nodes.push(equals(architecture, rest[..end].trim()));
            self.at += end + 1;
        }
        Ok(Node::All(nodes))
    }

    /// A text in quotes.
    fn quoted(&mut self) -> Result<Option<&'a str>, Error> {
        let Some(quote) = self.peek().filter(|c| matches!(c, '"' | '\'')) else { return Ok(None) };
        let rest = &self.text[self.at + 1..];
        let end = rest
            .find(quote)
            .ok_or_else(|| self.error(format!("expected `{quote}` at the end of the text")))?;
        self.at += end + 2;
        Ok(Some(&rest[..end]))
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Result<Node, Error>) -> Result<Node, Error> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("too many nested parentheses"));
        }
        let node = parse(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn name(&mut self) -> Result<&'a str, Error> {
        let found = self.peek();
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| c.is_whitespace() || "()|,!${}".contains(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error(match found {
                None => "expected the name of a field, found the end".to_owned(),
                Some(found) => format!("expected the name of a field, found `{found}`"),
            }));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn property(&self, name: &str) -> Result<Property, Error> {
        let found = PROPERTIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, property)| *property).ok_or_else(|| {
            let known: Vec<&str> = PROPERTIES.iter().map(|(known, _)| *known).collect();
            self.error(format!("`${name}` is unknown; there are `${}`", known.join("`, `$")))
        })
    }

    /// Parses an operator and its value, up to the closing parenthesis.
    fn test(&mut self, value: &Value) -> Result<Test, Error> {
        let glob = if self.take("!%") { Some(false) } else { self.take("%").then_some(true) };
        let order = match glob {
            None => ORDERS.iter().find(|(operator, _)| self.take(operator)),
            Some(_) => None,
        };
        if self.is_query && glob.is_none() && self.take("~") {
            return Err(self.error("`~` compares with a regular expression, which is not supported; use `%` with a pattern, such as `% lib*`"));
        }
        // aptly compares with a value alone.
        let order = order.or_else(|| {
            let is_value = self.is_query && glob.is_none() && self.peek().is_some_and(char::is_alphanumeric);
            is_value.then_some(&ORDERS[0])
        });
        if glob.is_none() && order.is_none() {
            return Err(self.error("expected one of `==`, `!=`, `<<`, `<=`, `>=`, `>>`, `%`, `!%`"));
        }
        self.peek();
        let quoted = if self.is_query { self.quoted()? } else { None };
        let rest = &self.text[self.at..];
        let Some(end) = rest.find(')') else { return Err(self.error("expected a value and `)`")) };
        let text = rest[..end].trim_end();
        let is_value = !text.is_empty() && !text.starts_with(['=', '<', '>', '!', '%']);
        if is_value == quoted.is_some() {
            return Err(self.error(if is_value { "expected `)`" } else { "expected a value" }));
        }
        let text = quoted.unwrap_or(text);
        let is_version = matches!(value, Value::Property(Property::Version | Property::SourceVersion));
        if order.is_some() && is_version {
            Version::parse(text).map_err(|why| self.error(why.to_string()))?;
        }
        self.at += end + 1;
        Ok(match (glob, order) {
            (Some(true), _) => Test::Matches(Glob::new(text)),
            (Some(false), _) => Test::MatchesNot(Glob::new(text)),
            (None, order) => {
                let accepted = order.map_or(&[][..], |(_, accepted)| accepted);
                Test::Ordered { accepted, than: text.to_owned() }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOO: &str = "Package: foo\nVersion: 1:1.0-1\nSection: net\nDepends: bar\n";
    const DOC: &str = "Package: libdoc\nVersion: 10\nProvides: doc-base, manual (= 2)\nSource: doc (9)\nSection: contrib/doc\nX-Long: a\n";

    fn selected(formula: &str) -> String {
        selected_by(&Formula::parse(formula).unwrap_or_else(|error| panic!("{error}")))
    }

    fn selected_by(formula: &Formula) -> String {
        let of = |text: &str, subject: [&str; 5]| {
            let stanza = Stanza::parse(text.as_bytes()).unwrap();
            let [version, source, source_version, architecture, component] = subject;
            let subject = Subject {
                stanza: &stanza,
                version,
                source,
                source_version,
                architecture,
                component,
                kind: "deb",
            };
            formula.selects(&subject)
        };
        let foo = of(FOO, ["1:1.0-1", "foo", "1:1.0-1", "amd64", "main"]);
        let doc = of(DOC, ["10", "doc", "9", "amd64", "contrib"]);
        [(foo, "foo"), (doc, "doc")]
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, name)| *name)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn formulas_select_as_in_reprepro() {
        for (formula, expected) in [
            ("Package (== foo)", "foo"),
            ("package(==foo )", "foo"),
            (" Package ( = foo ) ", "foo"),
            ("Package (!= foo)", "doc"),
            ("Package (>> foo)", "doc"),
            ("Package (>= foo)", "foo doc"),
            ("Package (> foo)", "foo doc"),
            ("Package (<< foo)", ""),
            ("Package (% [fg]o*)", "foo"),
            ("Package (!% fo*)", "doc"),
            ("Depends", "foo"),
            ("!Depends", "doc"),
            ("! ( Depends | X-Long )", ""),
            ("((Depends))", "foo"),
            ("Depends | X-Long, Section (== net)", "foo"),
            ("Section (== net), Depends | X-Long", "foo"),
            ("(Section (== net), Depends) | X-Long", "foo doc"),
            // A field that does not exist differs from everything, and is in no order.
            ("X-Long (!= b)", "foo doc"),
            ("X-Long (!% b*)", "foo doc"),
            ("X-Long (<< b)", "doc"),
            ("$Version (>= 1:0)", "foo"),
            ("Version (>> 1:0)", "foo"),
            ("$Version (<< 1:1.0)", "doc"),
            ("$Version (% 1*)", "foo doc"),
            ("$version (== 10)", "doc"),
            ("$Source (== doc)", "doc"),
            ("$SourceVersion (<< 10)", "doc"),
            ("$Architecture (== amd64)", "foo doc"),
            ("$Component (== contrib)", "doc"),
            ("$PackageType (== deb)", "foo doc"),
            ("$Type (== udeb)", ""),
        ] {
            assert_eq!(selected(formula), expected, "{formula}");
        }
    }

    #[test]
    fn queries_have_the_forms_of_aptly() {
        for (query, expected) in [
            ("foo", "foo"),
            ("foo | libdoc", "foo doc"),
            ("foo (>= 1:0.9)", "foo"),
            ("foo (>> 1:1.0-1)", ""),
            ("foo (1:1.0-1)", "foo"),
            ("foo {amd64}", "foo"),
            ("foo (>= 1:0.9) {i386}", ""),
            ("foo_1:1.0-1_amd64", "foo"),
            ("foo_2_amd64 | !foo", "doc"),
            ("'foo'", "foo"),
            ("\"foo\" (>= '1:0.9')", "foo"),
            ("Name (= 'foo') | Name (% \"lib*\")", "foo doc"),
            ("Version (>= 5)", "foo doc"),
            ("$Version (<< '1:0')", "doc"),
            ("manual", "doc"),
            ("manual (>= 1)", ""),
            ("Name (= foo)", "foo"),
            ("Name (% lib*)", "doc"),
            ("Section (net)", "foo"),
            ("$Source (doc), $Architecture (amd64)", "doc"),
            ("$Version (>= 1:0)", "foo"),
            // Names of fields may be written in small letters, as in reprepro.
            ("section (== net)", "foo"),
            ("x-long", "doc"),
            ("Depends, !X-Long", "foo"),
        ] {
            let formula = Formula::parse_query(query).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(selected_by(&formula), expected, "{query}");
        }
        for (bad, expected) in [
            ("Name (~ ^lib)", "regular expression"),
            ("foo (~ 1)", "regular expression"),
            ("foo {amd64", "expected `}` at character 6"),
            ("foo 'bar", "expected `,` or `|`"),
            ("Name (= 'foo)", "expected `'` at the end"),
            ("Name (= 'foo' x)", "expected `)`"),
            ("foo (>= a b)", "version `a b` is not allowed"),
            ("foo_a b_amd64", "at character"),
        ] {
            let error = Formula::parse_query(bad).unwrap_err().to_string();
            assert!(says(&error, expected), "{bad}: {error}");
            assert!(Formula::parse(bad).is_err() || bad.contains("foo"), "{bad}");
        }
    }

    /// Whether an error says this; `WHY at character AT` names both.
    fn says(error: &str, expected: &str) -> bool {
        match expected.split_once(" at character ") {
            Some((why, at)) => error.contains(why) && error.contains(&format!("at character {at}: ")),
            None => error.contains(expected),
        }
    }

    #[test]
    fn errors_name_the_place() {
        for (bad, expected) in [
            ("", "expected the name of a field, found the end at character 1"),
            ("Depends ,", "found the end at character 10"),
            (", Depends", "found `,` at character 1"),
            ("Depends || Section", "found `|` at character 10"),
            ("Depends Section", "expected `,` or `|` at character 9"),
            ("(Depends", "expected `)` at character 9"),
            ("Depends)", "unexpected `)` at character 8"),
            ("()", "found `)` at character 2"),
            ("Package ()", "expected one of `==`"),
            ("Package (==", "expected a value and `)` at character 12"),
            ("Package (== )", "expected a value at character 13"),
            ("Package (=== foo)", "expected a value"),
            ("Package (<> foo)", "expected a value"),
            ("Package (foo)", "expected one of `==`"),
            ("Package (== x (y))", "unexpected `)`"),
            ("$Version", "`$Version` always exists"),
            ("$Nothing (== x)", "`$Nothing` is unknown; there are `$Version`, `$Source`"),
            ("$Version (<< foo bar)", "version `foo bar` is not allowed"),
            ("Grüße (== x), (", "found the end at character 16"),
        ] {
            let error = Formula::parse(bad).unwrap_err().to_string();
            assert!(says(&error, expected), "{bad}: {error}");
        }
        for deep in ["(", "!"] {
            assert!(Formula::parse(&deep.repeat(100_000)).unwrap_err().to_string().contains("nested"));
        }
    }
}
