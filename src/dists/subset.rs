//! `Subset`: the part of a suite that a mirror carries. The release file stays as the source signed it, and lists more.

use super::{
    index_key::{ContentsOf, IndexKey},
    layout::index_of,
    release::Release,
};
use crate::names::{Architecture, Component};

/// The part of a suite that a mirror carries; the default is all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subset {
    /// The components; empty for all.
    pub components: Vec<Component>,
    /// The architectures; empty for all. Packages for all architectures are carried beside any of them.
    pub architectures: Vec<Architecture>,
    /// Whether source packages are left out.
    pub no_source: bool,
    /// Whether packages and images of the installer are left out.
    pub no_udeb: bool,
    /// Whether the lists of the files in packages are left out.
    pub no_contents: bool,
}

/// A subset of the files that a release file lists.
#[derive(Clone)]
pub(crate) struct Carried {
    subset: Subset,
    /// The components of the release file, and their last parts: `main` is the folder of `updates/main` in some suites.
    components: Vec<String>,
    architectures: Vec<String>,
}

impl Subset {
    /// Whether it is all of the suite.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// This part of a source that carries only another one. A named part stays: that the source does not have it is not
    /// hidden.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        let either = |one: bool| if one { self } else { other };
        Self {
            components: either(!self.components.is_empty()).components.clone(),
            architectures: either(!self.architectures.is_empty()).architectures.clone(),
            no_source: self.no_source || other.no_source,
            no_udeb: self.no_udeb || other.no_udeb,
            no_contents: self.no_contents || other.no_contents,
        }
    }

    /// The subset of the files of a release file.
    pub(crate) fn of(&self, release: &Release) -> Carried {
        let words = |field: &str| -> Vec<String> {
            release.field(field).unwrap_or_default().split_whitespace().map(ToOwned::to_owned).collect()
        };
        let mut components = words("Components");
        let last = |name: &String| name.rsplit_once('/').map(|(_, last)| last.to_owned());
        components.extend(components.iter().filter_map(last).collect::<Vec<_>>());
        Carried { subset: self.clone(), components, architectures: words("Architectures") }
    }

    /// Whether a component is carried, by its name in the release file or that of its folder.
    #[must_use]
    pub fn has_component(&self, name: &str) -> bool {
        let is_end =
            |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('/'));
        let is_same = |one: &str| one == name || is_end(one, name) || is_end(name, one);
        self.components.is_empty() || self.components.iter().any(|one| is_same(one.as_str()))
    }

    /// Whether an architecture is carried.
    #[must_use]
    pub fn has_architecture(&self, name: &str) -> bool {
        let is_meant = |one: &Architecture| one.as_str() == name || (name == "all" && !one.is_source());
        self.architectures.is_empty() || self.architectures.iter().any(is_meant)
    }

    /// Describes it in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        let list = |what: &str, names: Vec<&str>| match names[..] {
            [] => None,
            [one] => Some(format!("{what} {one}")),
            _ => Some(format!("{what}s {}", names.join(", "))),
        };
        parts.extend(list("component", self.components.iter().map(Component::as_str).collect()));
        parts.extend(list("architecture", self.architectures.iter().map(Architecture::as_str).collect()));
        for (is_left_out, what) in [
            (self.no_source, "no source packages"),
            (self.no_udeb, "no installer"),
            (self.no_contents, "no `Contents`"),
        ] {
            parts.extend(is_left_out.then(|| what.to_owned()));
        }
        parts.join("; ")
    }
}

impl Carried {
    /// The subset.
    pub(crate) fn subset(&self) -> &Subset {
        &self.subset
    }

    /// The components of the release file that are carried.
    pub(crate) fn components(&self, release: &Release) -> Vec<String> {
        let mut names = release.client_components();
        names.retain(|name| self.subset.has_component(name));
        names
    }

    /// Whether a listed file is carried; for a list of patches, its index decides.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let Subset { no_source, no_udeb, no_contents, .. } = self.subset;
        let has = |component: &Component| self.subset.has_component(component.as_str());
        let for_clients = |architecture: &Architecture| self.subset.has_architecture(architecture.as_str());
        match IndexKey::parse(index_of(path)) {
            IndexKey::Packages(key) | IndexKey::Debug(key) => {
                has(&key.component) && for_clients(&key.architecture)
            }
            IndexKey::Installer(key) => !no_udeb && has(&key.component) && for_clients(&key.architecture),
            IndexKey::Sources { component } => !no_source && has(&component),
            IndexKey::Translation { component, .. } => has(&component),
            IndexKey::Contents { component, of } => {
                let is_of_these = match of {
                    ContentsOf::Binaries(architecture) => for_clients(&architecture),
                    ContentsOf::Installer(architecture) | ContentsOf::Udebs(architecture) => {
                        !no_udeb && for_clients(&architecture)
                    }
                    ContentsOf::Sources => !no_source,
                };
                !no_contents && is_of_these && component.as_ref().is_none_or(has)
            }
            IndexKey::Other(path) => self.holds_other(&path),
        }
    }

    /// Whether a file that is no index is carried: its path has the names of its component and its architecture.
    fn holds_other(&self, path: &str) -> bool {
        let is_above = |component: &&String| {
            path.strip_prefix(component.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let component = self.components.iter().filter(is_above).max_by_key(|component| component.len());
        if component.is_some_and(|component| !self.subset.has_component(component)) {
            return false;
        }
        path.split('/').all(|part| {
            let stem = part.split('.').next().unwrap_or_default();
            let is_named =
                |name: &&String| stem.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('-'));
            let architecture = self.architectures.iter().filter(is_named).max_by_key(|name| name.len());
            let is_source = part == "source";
            let is_of_installer = part == "debian-installer" || part.starts_with("installer-");
            architecture.is_none_or(|name| self.subset.has_architecture(name))
                && !(is_source && self.subset.no_source)
                && !(is_of_installer && self.subset.no_udeb)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 22] = [
        "main/binary-amd64/Packages.xz",
        "main/binary-amd64/Packages.diff/Index",
        "main/binary-amd64/Release",
        "main/binary-all/Packages",
        "main/binary-i386/Packages.gz",
        "main/binary-hurd-i386/Release",
        "contrib/binary-amd64/Packages",
        "main/source/Sources.xz",
        "main/source/Release",
        "main/debian-installer/binary-amd64/Packages",
        "main/debian-installer/binary-amd64/Release",
        "main/installer-amd64/current/images/SHA256SUMS",
        "main/installer-i386/current/images/SHA256SUMS",
        "main/Contents-amd64.gz",
        "main/Contents-all.gz",
        "main/Contents-udeb-amd64.gz",
        "main/Contents-source.gz",
        "Contents-i386.gz",
        "main/i18n/Translation-en.bz2",
        "main/dep11/Components-amd64.yml.gz",
        "main/dep11/Components-i386.yml.gz",
        "contrib/dep11/icons-48x48.tar.gz",
    ];

    fn left_out(change: impl Fn(&mut Subset)) -> Vec<&'static str> {
        let text = "Components: main contrib updates/extra\nArchitectures: amd64 i386 hurd-i386\nSHA256:\n";
        let mut subset = Subset::default();
        change(&mut subset);
        let carried = subset.of(&Release::parse(text.as_bytes()).unwrap());
        PATHS.into_iter().filter(|path| !carried.holds(path)).collect()
    }

    #[test]
    fn names_and_kinds_decide() {
        let named =
            |part: &str| -> Vec<&str> { PATHS.into_iter().filter(|path| path.contains(part)).collect() };
        assert!(left_out(|_| ()).is_empty());
        assert_eq!(left_out(|subset| subset.architectures = vec!["amd64".parse().unwrap()]), named("i386"));
        assert_eq!(left_out(|subset| subset.components = vec!["main".parse().unwrap()]), named("contrib/"));
        let other: Vec<&str> = PATHS.into_iter().filter(|path| path.starts_with("main/")).collect();
        assert_eq!(left_out(|subset| subset.components = vec!["contrib".parse().unwrap()]), other);
        assert_eq!(left_out(|subset| subset.no_contents = true), named("Contents-"));
        assert_eq!(
            left_out(|subset| subset.no_source = true),
            ["main/source/Sources.xz", "main/source/Release", "main/Contents-source.gz"]
        );
        let of_installer = |path: &&str| ["installer", "udeb"].iter().any(|part| path.contains(part));
        let of_installer: Vec<&str> = PATHS.into_iter().filter(of_installer).collect();
        assert_eq!(left_out(|subset| subset.no_udeb = true), of_installer);
        // `source` alone names source packages.
        let sources = left_out(|subset| subset.architectures = vec![Architecture::source()]);
        assert!(
            sources.contains(&"main/binary-amd64/Packages.xz")
                && !sources.contains(&"main/source/Sources.xz")
        );
    }

    #[test]
    fn a_component_of_two_parts_has_two_names() {
        let subset = Subset { components: vec!["main".parse().unwrap()], ..Subset::default() };
        assert!(subset.has_component("updates/main") && subset.has_component("main"));
        assert!(!subset.has_component("domain") && !subset.has_component("contrib"));
        let long = Subset { components: vec!["updates/main".parse().unwrap()], ..Subset::default() };
        assert!(long.has_component("main") && !long.has_component("updates/contrib"));
    }

    #[test]
    fn a_subset_of_a_subset_is_smaller() {
        let names = |text: &str| text.split_whitespace().map(|name| name.parse().unwrap()).collect();
        let one = Subset { components: names("main contrib"), no_source: true, ..Subset::default() };
        let other = Subset { components: names("contrib non-free"), no_udeb: true, ..Subset::default() };
        let both = one.within(&other);
        assert_eq!(both.describe(), "components main, contrib; no source packages; no installer");
        assert_eq!(Subset::default().within(&one), one);
        assert!(Subset::default().is_whole() && !both.is_whole());
    }
}
