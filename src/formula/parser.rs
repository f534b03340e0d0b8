//! The parser of formulas.

use std::cmp::Ordering;

use super::tree::{Node, Property, Test, Value};
use crate::{glob::Glob, version::Version};

/// Deeper nesting is no formula that a person wrote, and could exhaust the stack.
const DEEPEST: usize = 50;

/// Why a text is not a formula.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a formula: at character {at}: {why}", text.escape_debug())]
pub struct Error {
    text: String,
    why: String,
    /// Counted from 1.
    at: usize,
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

/// Parses a formula; a query may have the forms of aptly as well.
pub(super) fn parse(text: &str, is_query: bool) -> Result<Node, Error> {
    let mut parser = Parser { text, at: 0, depth: 0, is_query };
    let node = parser.all()?;
    match parser.peek() {
        None => Ok(node),
        Some(')') => Err(parser.error("unexpected `)`")),
        Some(_) => Err(parser.error("expected `,` or `|`")),
    }
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
            let begins_value = |c: char| c.is_alphanumeric() || matches!(c, '"' | '\'');
            let is_value = self.is_query && glob.is_none() && self.peek().is_some_and(begins_value);
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
