//! The dependencies of a package, as far as they decide which other packages it needs.

use std::cmp::Ordering;

use crate::{stanza, version::Version};

/// One relationship: a name, and perhaps the versions that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The name of the package, or one that it provides.
    pub(crate) name: String,
    /// Whether a package of another architecture will do (`:any`), which only one with `Multi-Arch: allowed` offers.
    is_for_any: bool,
    version: Option<(&'static [Ordering], String)>,
}

/// The operators, a longer one before one that it begins with.
const OPERATORS: [(&str, &[Ordering]); 7] = [
    ("<<", &[Ordering::Less]),
    ("<=", &[Ordering::Less, Ordering::Equal]),
    (">>", &[Ordering::Greater]),
    (">=", &[Ordering::Greater, Ordering::Equal]),
    ("<", &[Ordering::Less, Ordering::Equal]),
    (">", &[Ordering::Greater, Ordering::Equal]),
    ("=", &[Ordering::Equal]),
];

impl Dependency {
    /// The relationships of a package that must be fulfilled: for each, the alternatives.
    pub(crate) fn required(stanza: &[u8]) -> Vec<Vec<Self>> {
        let fields = ["Pre-Depends", "Depends"];
        let values = stanza::raw_fields(stanza)
            .filter(|(name, _)| fields.iter().any(|field| field.as_bytes().eq_ignore_ascii_case(name)));
        let mut all = Vec::new();
        for (_, value) in values {
            let text = String::from_utf8_lossy(value).into_owned();
            let alternatives = |part: &str| part.split('|').filter_map(Self::parse).collect::<Vec<_>>();
            all.extend(text.split(',').map(alternatives).filter(|alternatives| !alternatives.is_empty()));
        }
        all
    }

    /// The names that a package provides, with their versions.
    pub(crate) fn provided(stanza: &[u8]) -> Vec<(String, Option<String>)> {
        let value = stanza::raw_fields(stanza).find(|(name, _)| name.eq_ignore_ascii_case(b"Provides"));
        let text = value.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default();
        let provided = text.split(',').filter_map(Self::parse);
        provided.map(|one| (one.name, one.version.map(|(_, version)| version))).collect()
    }

    /// Whether a package offers itself for the dependency, whatever its version.
    pub(crate) fn is_offered_by(&self, stanza: &[u8]) -> bool {
        let allows = |(name, value): (&[u8], &[u8])| {
            name.eq_ignore_ascii_case(b"Multi-Arch") && value.trim_ascii() == b"allowed"
        };
        !self.is_for_any || stanza::raw_fields(stanza).any(allows)
    }

    /// Parses `NAME[:ARCHITECTURE] [(OPERATOR VERSION)]`.
    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('(').unwrap_or((text, ""));
        let name = name.split(['[', '<']).next()?;
        let (name, qualifier) = name.split_once(':').unwrap_or((name, ""));
        let (name, is_for_any) = (name.trim(), qualifier.trim() == "any");
        let rest = rest.split(')').next()?.trim();
        let operator = OPERATORS.iter().find(|(operator, _)| rest.starts_with(operator));
        let version = operator.map_or(rest, |(operator, _)| rest[operator.len()..].trim());
        // dpkg reads a missing operator as `=`.
        let accepted = operator.map_or(&[Ordering::Equal][..], |(_, accepted)| accepted);
        let version = (!version.is_empty()).then(|| (accepted, version.to_owned()));
        (!name.is_empty()).then(|| Self { name: name.to_owned(), is_for_any, version })
    }

    /// Whether a version fits; a name that is provided without a version fits only where none is asked for.
    pub(crate) fn fits(&self, version: Option<&str>) -> bool {
        let Some((accepted, than)) = &self.version else { return true };
        let (Some(Ok(version)), Ok(than)) = (version.map(Version::parse), Version::parse(than)) else {
            return false;
        };
        accepted.contains(&version.cmp(&than))
    }
}

impl std::fmt::Display for Dependency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        f.write_str(if self.is_for_any { ":any" } else { "" })?;
        let Some((accepted, version)) = &self.version else { return Ok(()) };
        let operator = OPERATORS.iter().find(|(_, orders)| orders == accepted).map_or("=", |(name, _)| name);
        write!(f, " ({operator} {version})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_with_alternatives_and_versions() {
        let stanza = b"Package: a\nPre-Depends: libc6 (>= 2.3)\nDepends: b:any | c (<< 2),\n d [amd64], e (1)\nRecommends: x\n";
        let shown: Vec<String> = Dependency::required(stanza)
            .iter()
            .map(|group| group.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "))
            .collect();
        assert_eq!(shown, ["libc6 (>= 2.3)", "b:any | c (<< 2)", "d", "e (= 1)"]);
        let provided = Dependency::provided(b"Package: a\nProvides: mail, x (= 2)\n");
        assert_eq!(provided, [("mail".to_owned(), None), ("x".to_owned(), Some("2".to_owned()))]);
        assert!(Dependency::required(b"Package: a\nDepends: ,|,\n").is_empty());
    }

    #[test]
    fn versions_are_compared_as_by_dpkg() {
        let one = |text: &str| Dependency::parse(text).unwrap();
        for (text, version, fits) in [
            ("a", None, true),
            ("a (>= 1.10)", Some("1.9"), false),
            ("a (>= 1.9)", Some("1.10"), true),
            ("a (<< 1:0)", Some("9"), true),
            ("a (= 1)", None, false),
            ("a (>> x y)", Some("1"), false),
        ] {
            assert_eq!(one(text).fits(version), fits, "{text} {version:?}");
        }
    }
}
