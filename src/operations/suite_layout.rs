//! `SuiteLayout`: the components and architectures of a suite, and the indices that list a package.

use std::collections::BTreeMap;

use super::copied_package::CopiedPackage;
use crate::{
    config::Sources,
    dists::{IndexKey, PackagesKey, index_key::ContentsOf, layout::index_of},
    names::{Architecture, Component, Suite},
    package_type::PackageType,
    suite::refusal::Reason,
};

/// Why packages are left out of a suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LeftOut {
    /// It takes no packages of this type.
    Type(PackageType),
    /// It has no index of this architecture.
    Architecture(Architecture),
}

/// The components and architectures of a suite.
pub(crate) struct SuiteLayout {
    pub(crate) components: Vec<Component>,
    pub(crate) architectures: Vec<Architecture>,
    pub(crate) sources: Sources,
    /// The configured components with indices of udebs and of ddebs; a type that is not in it may be in any.
    pub(crate) separate: BTreeMap<PackageType, Vec<Component>>,
    /// Packages that are not added because the suite has none of their type.
    pub(crate) left_out: BTreeMap<LeftOut, Vec<String>>,
    /// Those that leave the suite.
    pub(crate) retired: Retired,
}

/// Components and architectures that leave a suite.
#[derive(Debug, Default)]
pub(crate) struct Retired {
    pub(crate) components: Vec<Component>,
    pub(crate) architectures: Vec<Architecture>,
}

impl SuiteLayout {
    /// Returns the indices that list a package: that of its architecture, of which `base` is itself or the architecture of
    /// the variant, or those of all architectures.
    pub(crate) fn targets(&self, key: &PackagesKey, base: &str) -> Result<Vec<PackagesKey>, Reason> {
        let PackagesKey { component, architecture, package_type } = key;
        let package_type = *package_type;
        let of = |architecture: &Architecture| PackagesKey::new(component, architecture, package_type);
        if let Some(known) = self.separate.get(&package_type).filter(|known| !known.contains(component)) {
            return Err(Reason::NotListed {
                package_type,
                component: component.clone(),
                known: known.clone(),
            });
        }
        if architecture.is_all() && !self.architectures.is_empty() {
            return Ok(self.architectures.iter().map(of).collect());
        }
        let is_listed = if architecture.is_source() {
            self.sources != Sources::Refused
        } else {
            self.architectures.iter().any(|known| known.as_str() == base)
        };
        if is_listed {
            return Ok(vec![of(architecture)]);
        }
        Err(Reason::Architecture { architecture: architecture.clone(), known: self.architectures.clone() })
    }

    /// Whether the suite has an index for a package that is copied index by index; others are copied without this
    /// condition. An open suite gets the architectures of its packages.
    pub(crate) fn has_place_for(&self, package: &CopiedPackage, is_open: bool) -> bool {
        let Some(only) = &package.only else { return true };
        // The index of a variant is beside that of its architecture, which alone is one of the suite's.
        let base = package.entry.architecture();
        let is_of_variant = base != package.architecture.as_str();
        let is_listed = |name: &Architecture| only.contains(name) || (is_of_variant && name.as_str() == base);
        let has_architecture =
            package.architecture.is_source() || is_open || self.architectures.iter().any(is_listed);
        has_architecture
            && (self.components.is_empty() || self.components.contains(&package.component))
            && !self.refuses(package.entry.package_type(), &package.component)
    }

    /// Whether the suite has no place for packages of a type in a component.
    pub(crate) fn refuses(&self, package_type: PackageType, component: &Component) -> bool {
        match package_type {
            PackageType::Dsc => self.sources == Sources::Refused,
            _ => self.separate.get(&package_type).is_some_and(|known| !known.contains(component)),
        }
    }

    /// Whether a component has indices of packages of a type even if they are empty.
    pub(crate) fn lists(&self, package_type: PackageType, component: &Component) -> bool {
        match package_type {
            PackageType::Deb => true,
            PackageType::Dsc => matches!(self.sources, Sources::Listed | Sources::Alone),
            _ => self.separate.get(&package_type).is_some_and(|known| known.contains(component)),
        }
    }

    /// The indices of packages of a type that the suite may have.
    pub(crate) fn keys_of(&self, package_type: PackageType) -> Vec<PackagesKey> {
        if package_type == PackageType::Dsc {
            return self.components.iter().map(PackagesKey::of_sources).collect();
        }
        let of = |component| {
            let architectures = self.architectures.iter();
            architectures.map(move |architecture| PackagesKey::new(component, architecture, package_type))
        };
        self.components.iter().flat_map(of).collect()
    }

    /// Why the suite has no place for a package of a component that it has.
    pub(crate) fn left_out_for(&self, package: &CopiedPackage, component: &Component) -> LeftOut {
        let package_type = package.entry.package_type();
        if self.refuses(package_type, component) {
            LeftOut::Type(package_type)
        } else {
            LeftOut::Architecture(package.architecture.clone())
        }
    }

    /// Returns a note for each kind of packages that are left out.
    pub(crate) fn notes_of_left_out(&self, suite: &Suite) -> Vec<String> {
        let note = |(why, packages): (&LeftOut, &Vec<String>)| {
            let (kind, without) = match why {
                LeftOut::Type(PackageType::Dsc) => ("source package", "`source`".to_owned()),
                LeftOut::Type(other) => ("package", format!("packages of type `{other}` in their component")),
                LeftOut::Architecture(architecture) => ("package", format!("architecture `{architecture}`")),
            };
            let (packages, are) = match &packages[..] {
                [only] => (format!("{kind} `{only}`"), "is"),
                several => (format!("{} {kind}s", several.len()), "are"),
            };
            format!("{packages} {are} left out: suite `{suite}` is configured without {without}")
        };
        self.left_out.iter().map(note).collect()
    }

    /// Whether a listed file belongs to a component or an architecture that leaves the suite.
    pub(super) fn retires(&self, path: &str) -> bool {
        let Retired { components, architectures } = &self.retired;
        if components.is_empty() && architectures.is_empty() {
            return false;
        }
        // `updates/main` may be a component beside `updates`.
        let known = self.components.iter().chain(components).filter(|name| is_in(path, name.as_str()));
        let component = known.max_by_key(|name| name.as_str().len());
        component.is_some_and(|name| components.contains(name))
            || architectures.iter().any(|name| describes(path, name))
    }
}

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|below| below.starts_with('/'))
}

/// Whether a listed file describes packages of an architecture: its indices, the `Release` beside them, `Contents`, and
/// files that other tools derive from packages.
fn describes(path: &str, architecture: &Architecture) -> bool {
    let index = index_of(path);
    if architecture.is_source() {
        let is_index = |key| {
            matches!(key, IndexKey::Sources { .. } | IndexKey::Contents { of: ContentsOf::Sources, .. })
        };
        return is_index(IndexKey::parse(index)) || index.ends_with("/source/Release");
    }
    if let Some(of) = IndexKey::parse(index).architecture() {
        return of == architecture;
    }
    let folder = format!("binary-{architecture}");
    let file = index.rsplit('/').next().unwrap_or_default();
    let named = file.split_once('-').filter(|(kind, _)| matches!(*kind, "Components" | "Commands"));
    index.split('/').any(|part| part == folder)
        || named.is_some_and(|(_, name)| name.split('.').next() == Some(architecture.as_str()))
}
