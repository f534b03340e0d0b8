//! The type of a package: it decides the extension of its file and the index that lists it.

use std::fmt;

/// The type of a package, as dpkg and reprepro name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum PackageType {
    /// An ordinary binary package.
    #[default]
    Deb,
    /// A package of the installer, which installed systems must not see.
    Udeb,
    /// A package of debug symbols, as Ubuntu builds them.
    Ddeb,
    /// A source package.
    Dsc,
}

impl PackageType {
    /// The types whose indices are in a folder of their own in each component.
    pub(crate) const SEPARATE: [Self; 2] = [Self::Udeb, Self::Ddeb];

    /// Its name, which is also the extension of the main file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Udeb => "udeb",
            Self::Ddeb => "ddeb",
            Self::Dsc => "dsc",
        }
    }

    /// Parses a name in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Deb, Self::Udeb, Self::Ddeb, Self::Dsc];
        all.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// The type whose packages a component lists in a folder of this name: `main/debug` is no component of its own.
    #[must_use]
    pub(crate) fn of_folder(component: &str) -> Option<Self> {
        let (_, last) = component.rsplit_once('/')?;
        Self::SEPARATE.into_iter().find(|package_type| package_type.folder() == Some(last))
    }

    /// The folder of a component whose indices list packages of this type, if they are apart.
    #[must_use]
    pub(crate) fn folder(self) -> Option<&'static str> {
        match self {
            Self::Deb | Self::Dsc => None,
            Self::Udeb => Some("debian-installer"),
            Self::Ddeb => Some("debug"),
        }
    }
}

impl fmt::Display for PackageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
