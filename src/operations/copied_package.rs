//! `CopiedPackage`: a package to copy from another suite, with the parsed fields of its stanza.

use std::collections::BTreeSet;

use crate::{
    dists::{Entry, PackageEntry, PackagesKey, entries::EntryFile},
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
    /// The other files of a source package, with their sizes.
    pub(crate) others: Vec<(PoolPath, u64)>,
    /// The architectures whose indices are to list it, if it is for all architectures; `None` for all of them.
    pub(crate) only: Option<BTreeSet<Architecture>>,
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
        if entry.is_source() {
            let (path, size, others) = source_files(&entry).map_err(lacks)?;
            let (component, architecture) = (index.component.clone(), Architecture::source());
            return Ok(Self { entry, component, architecture, path, size, others, only: None });
        }
        let architecture =
            Architecture::parse(entry.index_architecture()).map_err(|_| lacks("Architecture"))?;
        let path = entry.filename().and_then(|name| PoolPath::parse(name).ok());
        let path = path.ok_or_else(|| lacks("Filename"))?;
        let size = entry.size().ok_or_else(|| lacks("Size"))?;
        let others = Vec::new();
        Ok(Self { component: index.component.clone(), architecture, path, size, others, only: None, entry })
    }
}

/// The `.dsc` of a source package with its size, and the other files; the error is the unreadable field.
#[expect(clippy::type_complexity, reason = "used once")]
fn source_files(entry: &PackageEntry) -> Result<(PoolPath, u64, Vec<(PoolPath, u64)>), &'static str> {
    let read = Entry::of(entry).map_err(|_| "Files")?;
    let file = |file: &EntryFile| {
        let path = file.path.as_deref().and_then(|path| PoolPath::parse_source(path).ok());
        path.zip(file.size).ok_or("Files")
    };
    let main = read.main_file().ok_or("Files")?;
    let (path, size) = file(main)?;
    let others = read.files.iter().filter(|other| *other != main).map(file).collect::<Result<_, _>>()?;
    Ok((path, size, others))
}
