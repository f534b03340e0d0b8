//! The kind, component and architecture of a listed index.
//!
//! [`IndexKey::parse`] and [`IndexKey::path`] are inverse to each other; no other module knows the names of the
//! indices of a suite ([repository format](https://wiki.debian.org/DebianRepository/Format), "Indices" and
//! "Contents").

use std::fmt;

use super::blocks::Unit;
use crate::{
    names::{Architecture, Component},
    package_type::PackageType,
};

/// The folder of a component whose indices list installer packages.
pub(crate) const INSTALLER: &str = "debian-installer";
/// The folder of a component whose indices list packages of debug symbols.
pub(crate) const DEBUG: &str = "debug";

/// The content of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IndexKind {
    /// Binary packages.
    Packages,
    /// Installer packages (udebs).
    Installer,
    /// Packages of debug symbols (ddebs).
    Debug,
    /// Source packages.
    Sources,
    /// The paths of the files in packages.
    Contents,
    /// Translated descriptions of packages.
    Translation,
    /// Any other listed file.
    Other,
}

/// An index of packages of one component for one architecture, or of its source packages: they have the architecture
/// `source`, as in reprepro.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackagesKey {
    /// The component.
    pub component: Component,
    /// The architecture whose clients read it; a variant such as `amd64v3` is a separate architecture.
    pub architecture: Architecture,
    /// The type of its packages.
    pub package_type: PackageType,
}

/// The packages that a `Contents` file describes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ContentsOf {
    /// Binary packages of an architecture: `Contents-amd64`.
    Binaries(Architecture),
    /// Installer packages: `Contents-udeb-amd64`.
    Installer(Architecture),
    /// The same, as reprepro names the file for all components: `uContents-amd64`.
    Udebs(Architecture),
    /// Source packages: `Contents-source`.
    Sources,
}

/// A file that a `Release` lists, in any compression.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IndexKey {
    /// `main/binary-amd64/Packages`
    Packages(PackagesKey),
    /// `main/debian-installer/binary-amd64/Packages`
    Installer(PackagesKey),
    /// `main/debug/binary-amd64/Packages`
    Debug(PackagesKey),
    /// `main/source/Sources`
    Sources {
        /// The component.
        component: Component,
    },
    /// `main/Contents-amd64`, or `Contents-amd64` for all components, as before 2012.
    Contents {
        /// The component; `None` if the file describes all of them.
        component: Option<Component>,
        /// The packages.
        of: ContentsOf,
    },
    /// `main/i18n/Translation-en`
    Translation {
        /// The component.
        component: Component,
        /// The language, such as `pt_BR`.
        language: Box<str>,
    },
    /// Any other file, by its path.
    Other(Box<str>),
}

impl PackagesKey {
    /// The index of the packages of a type in a component, for an architecture.
    #[must_use]
    pub fn new(component: &Component, architecture: &Architecture, package_type: PackageType) -> Self {
        Self { component: component.clone(), architecture: architecture.clone(), package_type }
    }

    /// The index of the source packages of a component.
    #[must_use]
    pub fn of_sources(component: &Component) -> Self {
        Self::new(component, &Architecture::source(), PackageType::Dsc)
    }

    /// Whether it is an index of source packages.
    #[must_use]
    pub fn is_of_sources(&self) -> bool {
        self.package_type == PackageType::Dsc
    }

    /// The path of the uncompressed index below the suite's folder.
    #[must_use]
    pub fn path(&self) -> String {
        let Self { component, architecture, package_type } = self;
        match package_type.folder() {
            _ if self.is_of_sources() => format!("{component}/source/Sources"),
            Some(folder) => format!("{component}/{folder}/binary-{architecture}/Packages"),
            None => format!("{component}/binary-{architecture}/Packages"),
        }
    }

    /// Parses the path before `/Packages`.
    fn parse(component: &str, folder: &str, package_type: PackageType) -> Option<Self> {
        let architecture = folder.strip_prefix("binary-")?.parse().ok()?;
        Some(Self { component: component.parse().ok()?, architecture, package_type })
    }

    /// Converts it to the key of any index.
    #[must_use]
    pub fn into_index_key(self) -> IndexKey {
        match self.package_type {
            PackageType::Deb => IndexKey::Packages(self),
            PackageType::Udeb => IndexKey::Installer(self),
            PackageType::Ddeb => IndexKey::Debug(self),
            PackageType::Dsc => IndexKey::Sources { component: self.component },
        }
    }
}

impl IndexKey {
    /// Parses the path of an uncompressed file below the suite's folder.
    #[must_use]
    pub fn parse(path: &str) -> Self {
        Self::of_index(path).unwrap_or_else(|| Self::Other(path.into()))
    }

    fn of_index(path: &str) -> Option<Self> {
        let Some((folder, file)) = path.rsplit_once('/') else {
            return Some(Self::Contents { component: None, of: ContentsOf::parse(path)? });
        };
        if let Some(of) = ContentsOf::parse(file) {
            return Some(Self::Contents { component: Some(folder.parse().ok()?), of });
        }
        let (above, last) = folder.rsplit_once('/')?;
        match (last, file) {
            (_, "Packages") => {
                let (component, package_type) = match above.rsplit_once('/') {
                    Some((component, INSTALLER)) => (component, PackageType::Udeb),
                    Some((component, DEBUG)) => (component, PackageType::Ddeb),
                    _ => (above, PackageType::Deb),
                };
                Some(PackagesKey::parse(component, last, package_type)?.into_index_key())
            }
            ("source", "Sources") => Some(Self::Sources { component: above.parse().ok()? }),
            ("i18n", _) => {
                let language = file.strip_prefix("Translation-").filter(|language| !language.is_empty())?;
                Some(Self::Translation { component: above.parse().ok()?, language: language.into() })
            }
            _ => None,
        }
    }

    /// The path of the uncompressed file below the suite's folder.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Packages(key) | Self::Installer(key) | Self::Debug(key) => key.path(),
            Self::Sources { component } => format!("{component}/source/Sources"),
            Self::Contents { component: Some(component), of } => format!("{component}/{of}"),
            Self::Contents { component: None, of } => of.to_string(),
            Self::Translation { component, language } => format!("{component}/i18n/Translation-{language}"),
            Self::Other(path) => path.to_string(),
        }
    }

    /// The kind of the index.
    #[must_use]
    pub fn kind(&self) -> IndexKind {
        match self {
            Self::Packages(_) => IndexKind::Packages,
            Self::Installer(_) => IndexKind::Installer,
            Self::Debug(_) => IndexKind::Debug,
            Self::Sources { .. } => IndexKind::Sources,
            Self::Contents { .. } => IndexKind::Contents,
            Self::Translation { .. } => IndexKind::Translation,
            Self::Other(_) => IndexKind::Other,
        }
    }

    /// The units between which it may be split into blocks.
    pub(crate) fn unit(&self) -> Unit {
        if self.kind() == IndexKind::Contents { Unit::Line } else { Unit::Stanza }
    }

    /// Its component.
    #[must_use]
    pub fn component(&self) -> Option<&Component> {
        match self {
            Self::Packages(key) | Self::Installer(key) | Self::Debug(key) => Some(&key.component),
            Self::Sources { component } | Self::Translation { component, .. } => Some(component),
            Self::Contents { component, .. } => component.as_ref(),
            Self::Other(_) => None,
        }
    }

    /// Its architecture.
    #[must_use]
    pub fn architecture(&self) -> Option<&Architecture> {
        match self {
            Self::Packages(key) | Self::Installer(key) | Self::Debug(key) => Some(&key.architecture),
            Self::Contents { of, .. } => of.architecture(),
            _ => None,
        }
    }

    /// Converts a key of an index of packages, which edits write.
    #[must_use]
    pub fn into_edited(self) -> Option<PackagesKey> {
        match self {
            Self::Packages(key) | Self::Installer(key) | Self::Debug(key) => Some(key),
            Self::Sources { component } => Some(PackagesKey::of_sources(&component)),
            _ => None,
        }
    }

    /// Converts a key of an index of ordinary binary packages.
    #[must_use]
    pub fn into_packages(self) -> Option<PackagesKey> {
        match self {
            Self::Packages(key) => Some(key),
            _ => None,
        }
    }

    /// Whether it is an index whose entries name pool files.
    #[must_use]
    pub fn has_entries(&self) -> bool {
        self.entry_kind().is_some()
    }

    /// The kind of its entries, if they name pool files: the file name decides, even in a folder that is not a
    /// component.
    #[must_use]
    pub fn entry_kind(&self) -> Option<IndexKind> {
        match self {
            Self::Other(path) => match path.rsplit('/').next() {
                Some("Packages") => Some(IndexKind::Packages),
                Some("Sources") => Some(IndexKind::Sources),
                _ => None,
            },
            Self::Packages(_) | Self::Installer(_) | Self::Debug(_) | Self::Sources { .. } => {
                Some(self.kind())
            }
            Self::Contents { .. } | Self::Translation { .. } => None,
        }
    }

    /// Its component, if it is an index of packages in a component.
    #[must_use]
    pub fn component_of_entries(&self) -> Option<&Component> {
        self.component().filter(|_| self.has_entries())
    }
}

impl IndexKind {
    /// Its name in machine-readable output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Packages => "packages",
            Self::Installer => "installer",
            Self::Debug => "debug",
            Self::Sources => "sources",
            Self::Contents => "contents",
            Self::Translation => "translation",
            Self::Other => "other",
        }
    }

    /// The type of its packages, as dpkg and reprepro name it; empty for an index without packages.
    #[must_use]
    pub fn package_type(self) -> &'static str {
        self.of_packages().map_or("", PackageType::name)
    }

    /// The kind of the index that lists packages of a type.
    #[must_use]
    pub fn of_type(package_type: PackageType) -> Self {
        match package_type {
            PackageType::Deb => Self::Packages,
            PackageType::Udeb => Self::Installer,
            PackageType::Ddeb => Self::Debug,
            PackageType::Dsc => Self::Sources,
        }
    }

    /// The type of its packages; `None` for an index without packages.
    #[must_use]
    pub fn of_packages(self) -> Option<PackageType> {
        match self {
            Self::Packages => Some(PackageType::Deb),
            Self::Installer => Some(PackageType::Udeb),
            Self::Debug => Some(PackageType::Ddeb),
            Self::Sources => Some(PackageType::Dsc),
            Self::Contents | Self::Translation | Self::Other => None,
        }
    }

    /// How a component is shown beside the entries of such an index: `main|debian-installer` holds the installer
    /// packages.
    #[must_use]
    pub fn shown_in(self, component: &Component) -> String {
        match self.of_packages().and_then(PackageType::folder) {
            Some(folder) => format!("{component}|{folder}"),
            None => component.to_string(),
        }
    }
}

impl ContentsOf {
    /// The architecture of the packages.
    pub(crate) fn architecture(&self) -> Option<&Architecture> {
        match self {
            Self::Binaries(name) | Self::Installer(name) | Self::Udebs(name) => Some(name),
            Self::Sources => None,
        }
    }

    /// Whether it describes packages of the installer.
    pub(crate) fn is_of_udebs(&self) -> bool {
        matches!(self, Self::Installer(_) | Self::Udebs(_))
    }

    /// Whether the packages of an index are of this kind.
    pub(crate) fn is_kind_of(&self, index: &IndexKey) -> bool {
        match self {
            Self::Binaries(_) => matches!(index, IndexKey::Packages(_)),
            Self::Installer(_) | Self::Udebs(_) => matches!(index, IndexKey::Installer(_)),
            Self::Sources => false,
        }
    }

    fn parse(file: &str) -> Option<Self> {
        if let Some(architecture) = file.strip_prefix("uContents-") {
            return Some(Self::Udebs(architecture.parse().ok()?));
        }
        let named = file.strip_prefix("Contents-")?;
        if named == "source" {
            return Some(Self::Sources);
        }
        Some(match named.strip_prefix("udeb-") {
            Some(architecture) => Self::Installer(architecture.parse().ok()?),
            None => Self::Binaries(named.parse().ok()?),
        })
    }
}

impl fmt::Display for ContentsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binaries(architecture) => write!(f, "Contents-{architecture}"),
            Self::Installer(architecture) => write!(f, "Contents-udeb-{architecture}"),
            Self::Udebs(architecture) => write!(f, "uContents-{architecture}"),
            Self::Sources => f.write_str("Contents-source"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Uncompressed paths that the `Release` files of Debian 12, Ubuntu 24.04, reprepro, aptly and apt-ftparchive
    /// list.
    const PATHS: [(&str, IndexKind); 29] = [
        ("main/binary-amd64/Packages", IndexKind::Packages),
        ("main/binary-amd64v3/Packages", IndexKind::Packages),
        ("updates/main/binary-all/Packages", IndexKind::Packages),
        ("debian-installer/binary-amd64/Packages", IndexKind::Packages),
        ("non-free-firmware/binary-kfreebsd-amd64/Packages", IndexKind::Packages),
        ("main/debian-installer/binary-amd64/Packages", IndexKind::Installer),
        ("updates/main/debian-installer/binary-all/Packages", IndexKind::Installer),
        ("main/debug/binary-amd64/Packages", IndexKind::Debug),
        ("debug/binary-amd64/Packages", IndexKind::Packages),
        ("main/source/Sources", IndexKind::Sources),
        ("updates/main/source/Sources", IndexKind::Sources),
        ("main/Contents-amd64", IndexKind::Contents),
        ("main/Contents-all", IndexKind::Contents),
        ("main/Contents-source", IndexKind::Contents),
        ("main/Contents-udeb-amd64", IndexKind::Contents),
        ("Contents-i386", IndexKind::Contents),
        ("Contents-udeb-i386", IndexKind::Contents),
        ("uContents-i386", IndexKind::Contents),
        ("main/i18n/Translation-en", IndexKind::Translation),
        ("main/i18n/Translation-pt_BR", IndexKind::Translation),
        ("main/i18n/Translation-sr@latin", IndexKind::Translation),
        ("main/i18n/Index", IndexKind::Other),
        ("main/binary-amd64/Release", IndexKind::Other),
        ("main/source/Release", IndexKind::Other),
        ("main/dep11/Components-amd64.yml", IndexKind::Other),
        ("main/dep11/icons-64x64.tar", IndexKind::Other),
        ("main/cnf/Commands-amd64", IndexKind::Other),
        ("main/installer-amd64/current/images/SHA256SUMS", IndexKind::Other),
        ("Release", IndexKind::Other),
    ];

    #[test]
    fn paths_of_real_archives_go_both_ways() {
        for (path, kind) in PATHS {
            let key = IndexKey::parse(path);
            assert_eq!((key.kind(), key.path().as_str()), (kind, path));
        }
    }

    #[test]
    fn edits_write_the_indices_of_packages_and_sources() {
        for (path, _) in PATHS {
            if let Some(key) = IndexKey::parse(path).into_edited() {
                assert_eq!(key.path(), path);
            }
        }
        let edited = |path| IndexKey::parse(path).into_edited().map(|key| key.is_of_sources());
        assert_eq!(edited("updates/main/source/Sources"), Some(true));
        assert_eq!(edited("main/binary-amd64/Packages"), Some(false));
        assert_eq!(edited("main/debian-installer/binary-amd64/Packages"), Some(false));
        assert_eq!(edited("main/Contents-amd64"), None);
    }

    #[test]
    fn a_path_without_valid_names_is_another_file() {
        for path in [
            "",
            "Packages",
            "binary-amd64/Packages",
            "/binary-amd64/Packages",
            "main/binary-/Packages",
            "main/binary-AMD64/Packages",
            "../binary-amd64/Packages",
            "main/binary-source/Packages",
            "main/installer/Packages",
            "source/Sources",
            "main/Sources",
            "main/i18n/Translation-",
            "i18n/Translation-en",
            "Contents-",
            "main/Contents-udeb-",
        ] {
            assert_eq!(IndexKey::parse(path), IndexKey::Other(path.into()), "{path}");
        }
    }

    fn keys() -> impl Strategy<Value = IndexKey> {
        // In a path, `main/debian-installer` and the architecture `udeb-amd64` mean the installer, `main/debug` debug symbols.
        let component = "[a-z][a-z0-9._+~-]{0,6}(/[a-z][a-z0-9]{0,6})?";
        let component = component.prop_filter_map("a component", |text| {
            text.parse::<Component>().ok().filter(|_| PackageType::of_folder(&text).is_none())
        });
        let architecture = "[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,6})?";
        let architecture = architecture.prop_filter_map("an architecture", |text| {
            text.parse::<Architecture>().ok().filter(|name| !name.as_str().starts_with("udeb-"))
        });
        let language = "[a-z]{2}(_[A-Z]{2})?";
        (0..9_u8, component, architecture, language, any::<bool>()).prop_map(
            |(kind, component, architecture, language, has_component)| {
                let packages = |of| PackagesKey::new(&component, &architecture, of);
                let of = match kind {
                    0 => return IndexKey::Packages(packages(PackageType::Deb)),
                    1 => return IndexKey::Installer(packages(PackageType::Udeb)),
                    7 => return IndexKey::Debug(packages(PackageType::Ddeb)),
                    2 => return IndexKey::Sources { component },
                    3 => return IndexKey::Translation { component, language: language.into() },
                    4 => ContentsOf::Binaries(architecture),
                    5 => ContentsOf::Installer(architecture),
                    8 => ContentsOf::Udebs(architecture),
                    _ => ContentsOf::Sources,
                };
                IndexKey::Contents { component: has_component.then_some(component), of }
            },
        )
    }

    proptest! {
        #[test]
        fn a_key_is_found_again_by_its_path(key in keys()) {
            prop_assert_eq!(IndexKey::parse(&key.path()), key);
        }

        #[test]
        fn any_path_stays_what_it_is(path in "([a-z-]{0,9}/){0,3}(Packages|Sources|Contents-|Translation-)?[a-z]{0,3}") {
            prop_assert_eq!(IndexKey::parse(&path).path(), path);
        }
    }
}
