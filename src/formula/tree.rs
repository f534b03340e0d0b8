//! The tree of a formula, and what it selects.

use std::{borrow::Cow, cmp::Ordering};

use crate::{glob::Glob, stanza::Stanza, version::Version};

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

#[derive(Debug, Clone)]
pub(super) enum Node {
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
pub(super) enum Value {
    Field(String),
    Property(Property),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    Version,
    Source,
    SourceVersion,
    Architecture,
    Component,
    PackageType,
    Section,
}

#[derive(Debug, Clone)]
pub(super) enum Test {
    Matches(Glob),
    MatchesNot(Glob),
    Ordered { accepted: &'static [Ordering], than: String },
}

impl Node {
    pub(super) fn holds(&self, subject: &Subject<'_>) -> bool {
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
    fn of<'a>(self, subject: &Subject<'a>) -> Cow<'a, str> {
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
