//! `Selection`: packages that are selected index by index, as reprepro's commands select them.
//!
//! A package for all architectures is listed in the index of each, and every listing is selected on its own. A selection
//! without a match is no error.

use std::collections::BTreeMap;

use crate::{
    dists::{Entry, IndexKey, IndexKind, PackageEntry, PackagesIndex, PackagesKey, Source},
    formula::{Formula, Subject},
    glob::Glob,
    names::{Architecture, Component},
    stanza::Stanza,
};

/// Packages of some indices of a suite.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The indices.
    pub places: Places,
    /// The packages in them.
    pub matcher: Matcher,
    /// Only the newest of the selected versions of each name in an index.
    pub newest: bool,
}

/// Indices of a suite; an empty list names all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Their components.
    pub components: Vec<Component>,
    /// The architectures whose clients read them; `source` for those of source packages.
    pub architectures: Vec<Architecture>,
    /// Their kinds.
    pub kinds: Vec<IndexKind>,
}

/// The packages of an index that are selected.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Matcher {
    /// Every package.
    All,
    /// Those of this name, or one version of them.
    Name {
        /// The name, which is not a pattern.
        name: String,
        /// The version.
        version: Option<String>,
    },
    /// Those whose names match.
    Pattern(Glob),
    /// Those that a formula selects.
    Formula(Formula),
    /// A source package, and the packages that were built from it.
    Source {
        /// The name of the source.
        name: String,
        /// The versions of the source; if empty, all of them.
        versions: Vec<String>,
    },
}

/// A package in an index.
struct Candidate<'a> {
    stanza: &'a [u8],
    name: &'a str,
    version: &'a str,
    source: Source<'a>,
}

impl Places {
    /// Whether an index is one of these.
    #[must_use]
    pub fn hold(&self, key: &IndexKey) -> bool {
        let Some(component) = key.component() else { return false };
        let source = Architecture::source();
        let architecture = key.architecture().unwrap_or(&source);
        (self.components.is_empty() || self.components.contains(component))
            && (self.architectures.is_empty() || self.architectures.contains(architecture))
            && (self.kinds.is_empty() || self.kinds.contains(&key.kind()))
    }
}

impl Selection {
    /// Selects packages of all indices.
    #[must_use]
    pub fn of(matcher: Matcher) -> Self {
        Self { places: Places::default(), matcher, newest: false }
    }

    /// Returns the selected packages of an index that edits write, sorted.
    pub(crate) fn of_index(&self, key: &PackagesKey, index: &PackagesIndex) -> Vec<PackageEntry> {
        let place = key.clone().into_index_key();
        if !self.places.hold(&place) {
            return Vec::new();
        }
        let mut entries = match &self.matcher {
            Matcher::Name { name, .. } => index.named(name),
            _ => index.entries(),
        };
        entries.retain(|entry| self.matcher.selects(&place, entry));
        if self.newest {
            // They are sorted by name and version.
            let newest: BTreeMap<String, PackageEntry> =
                entries.into_iter().map(|entry| (entry.name().to_owned(), entry)).collect();
            entries = newest.into_values().collect();
        }
        entries
    }

    /// Whether an entry of an index is selected, whatever other versions the index has.
    #[must_use]
    pub fn selects(&self, key: &IndexKey, entry: &Entry) -> bool {
        self.places.hold(key)
            && self.matcher.accepts(
                key,
                &Candidate {
                    stanza: &entry.stanza,
                    name: &entry.name,
                    version: &entry.version,
                    source: entry.source(),
                },
            )
    }
}

impl Matcher {
    /// Whether a package of an index is selected.
    pub(crate) fn selects(&self, key: &IndexKey, entry: &PackageEntry) -> bool {
        let (stanza, source) = (entry.stanza(), entry.source());
        self.accepts(key, &Candidate { stanza, name: entry.name(), version: entry.version(), source })
    }

    fn accepts(&self, key: &IndexKey, package: &Candidate<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Name { name, version } => {
                package.name == name && version.as_ref().is_none_or(|version| package.version == version)
            }
            Self::Pattern(pattern) => pattern.matches(package.name),
            Self::Formula(formula) => holds(formula, key, package),
            Self::Source { name, versions } => {
                package.source.name == name
                    && (versions.is_empty()
                        || versions.iter().any(|version| package.source.version == version))
            }
        }
    }
}

/// Whether a formula selects a package. A stanza that cannot be parsed has no fields that could be compared.
fn holds(formula: &Formula, key: &IndexKey, package: &Candidate<'_>) -> bool {
    let Ok(stanza) = Stanza::parse(package.stanza) else { return false };
    formula.selects(&Subject {
        stanza: &stanza,
        version: package.version,
        source: package.source.name,
        source_version: package.source.version,
        architecture: key.architecture().map_or("source", Architecture::as_str),
        component: key.component().map_or("", Component::as_str),
        kind: key.kind().package_type(),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::package_type::PackageType;

    const TEXT: &str = "Package: foo\nVersion: 1\nArchitecture: amd64\nSection: net\n\n\
                        Package: foo\nVersion: 2\nArchitecture: amd64\n\n\
                        Package: foo-doc\nVersion: 3\nArchitecture: all\nSource: foo (2)\n\n";

    fn selected(selection: &Selection, architecture: &str) -> String {
        let index = PackagesIndex::parse(&Bytes::from_static(TEXT.as_bytes()), PackageType::Deb).unwrap();
        let (component, architecture) = ("main".parse().unwrap(), architecture.parse().unwrap());
        let key = PackagesKey::new(&component, &architecture, PackageType::Deb);
        let found = selection.of_index(&key, &index);
        found
            .iter()
            .map(|entry| format!("{} {}", entry.name(), entry.version()))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn packages_are_selected_index_by_index() {
        let name = |name: &str, version: Option<&str>| Matcher::Name {
            name: name.to_owned(),
            version: version.map(ToOwned::to_owned),
        };
        let source = |versions: &[&str]| Matcher::Source {
            name: "foo".to_owned(),
            versions: versions.iter().map(|version| (*version).to_owned()).collect(),
        };
        let formula = |text: &str| Matcher::Formula(Formula::parse(text).unwrap());
        for (matcher, newest, expected) in [
            (Matcher::All, false, "foo 1, foo 2, foo-doc 3"),
            (Matcher::All, true, "foo 2, foo-doc 3"),
            (name("foo", None), false, "foo 1, foo 2"),
            (name("foo", None), true, "foo 2"),
            (name("foo", Some("1")), true, "foo 1"),
            // A name is not a pattern: `remove` must not remove more than it names.
            (name("foo*", None), false, ""),
            (Matcher::Pattern(Glob::new("foo*")), false, "foo 1, foo 2, foo-doc 3"),
            (Matcher::Pattern(Glob::new("foo")), true, "foo 2"),
            (source(&[]), false, "foo 1, foo 2, foo-doc 3"),
            (source(&["2"]), false, "foo 2, foo-doc 3"),
            (source(&["1", "9"]), false, "foo 1"),
            (formula("Section (== net)"), false, "foo 1"),
            (formula("$Architecture (== amd64), $Version (>> 1)"), false, "foo 2, foo-doc 3"),
        ] {
            let selection = Selection { newest, ..Selection::of(matcher) };
            assert_eq!(selected(&selection, "amd64"), expected, "{selection:?}");
        }
    }

    #[test]
    fn indices_are_restricted_by_component_architecture_and_kind() {
        let places = |change: fn(&mut Places)| {
            let mut selection = Selection::of(Matcher::All);
            change(&mut selection.places);
            [selected(&selection, "amd64"), selected(&selection, "i386")].map(|found| !found.is_empty())
        };
        assert_eq!(places(|_| ()), [true, true]);
        assert_eq!(places(|places| places.architectures = vec!["i386".parse().unwrap()]), [false, true]);
        assert_eq!(places(|places| places.components = vec!["contrib".parse().unwrap()]), [false, false]);
        assert_eq!(places(|places| places.kinds = vec![IndexKind::Sources]), [false, false]);
        assert_eq!(
            places(|places| places.kinds = vec![IndexKind::Sources, IndexKind::Packages]),
            [true, true]
        );
    }
}
