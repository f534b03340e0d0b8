//! `NewPackage`: a package to add, and how it is listed.

use super::read_debs::Incoming;
use crate::names::{Architecture, Component};

/// A package to add.
pub struct NewPackage {
    /// The package.
    pub incoming: Incoming,
    /// Its component; by default the one where the suite has the package, then the one of its section, then the first
    /// component of the suite.
    pub component: Option<Component>,
    /// Whether it was found in a folder: one that `Limit` would remove at once, or a source package for a suite without
    /// source packages, is left out then, and not an error.
    pub found: bool,
    /// Its section in the index, in place of its own.
    pub section: Option<String>,
    /// Its priority in the index, in place of its own.
    pub priority: Option<String>,
    /// How it is listed, where its file does not decide that.
    pub placement: Placement,
}

/// How a package is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// The architectures whose indices list it, if it is for all architectures; empty for all of them.
    pub architectures: Vec<Architecture>,
    /// Whether its section alone decides its component, even where the suite has the package in another one.
    pub by_section: bool,
    /// Whether its section and priority are those of the command line, which win over overrides.
    pub forced: bool,
    /// Whether its path in the pool contains its digest, because its own path has the bytes of a removed package.
    pub own_path: bool,
}

impl From<Incoming> for NewPackage {
    fn from(incoming: Incoming) -> Self {
        Self {
            incoming,
            component: None,
            found: false,
            section: None,
            priority: None,
            placement: Placement::default(),
        }
    }
}
