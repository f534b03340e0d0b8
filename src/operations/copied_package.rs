//! `CopiedPackage`: a package to copy from another suite, with the parsed fields of its stanza.

use crate::{
    dists::{PackageEntry, PackagesKey},
    names::{Architecture, Component},
    pool::PoolPath,
    suite::{error::Error, published::PublishedSuite},
};

/// A package of another suite, whose stanza any tool may have written.
#[derive(Clone)]
pub(crate) struct CopiedPackage {
    pub(crate) entry: PackageEntry,
    /// The component that lists it.
    pub(crate) component: Component,
    pub(crate) architecture: Architecture,
    pub(crate) path: PoolPath,
    pub(crate) size: u64,
}

impl CopiedPackage {
    /// Parses the required fields of a stanza.
    pub(crate) fn of(
        entry: PackageEntry,
        index: &PackagesKey,
        source: &PublishedSuite,
    ) -> Result<Self, Error> {
        let lacks = |field| Error::Incomplete {
            path: source.path(&index.path()),
            package: entry.name().to_owned(),
            field,
        };
        let architecture = Architecture::parse(entry.architecture()).map_err(|_| lacks("Architecture"))?;
        let path = entry.filename().and_then(|name| PoolPath::parse(name).ok());
        let path = path.ok_or_else(|| lacks("Filename"))?;
        let size = entry.size().ok_or_else(|| lacks("Size"))?;
        Ok(Self { component: index.component.clone(), architecture, path, size, entry })
    }
}
