//! `CopiedPackage`: a package to copy from another suite, of this archive or of another one, with the parsed fields of its stanza.

use std::collections::BTreeSet;

use super::remote::{RemoteFile, placed};
use crate::{
    dists::{Entry, PackageEntry, PackagesKey, entries::EntryFile},
    names::{Architecture, Component},
    pool::{self, PoolPath},
    suite::{
        error::Error,
        published::PublishedSuite,
        references::listed_path,
        refusal::{Reason, Refusal},
    },
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
    /// The files in another archive, the main one first; empty for a package whose files are in the pool.
    pub(crate) remote: Vec<RemoteFile>,
}

impl CopiedPackage {
    /// The package for messages.
    pub(crate) fn subject(&self) -> String {
        format!("{} {} {}", self.entry.name(), self.entry.version(), self.entry.index_architecture())
    }

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
            let remote = Vec::new();
            return Ok(Self { entry, component, architecture, path, size, others, only: None, remote });
        }
        let architecture =
            Architecture::parse(entry.index_architecture()).map_err(|_| lacks("Architecture"))?;
        let path = listed_path(entry.filename().ok_or_else(|| lacks("Filename"))?)
            .map_err(|source| refused(&entry, &architecture, source))?;
        let size = entry.size().ok_or_else(|| lacks("Size"))?;
        let (component, others, remote) = (index.component.clone(), Vec::new(), Vec::new());
        Ok(Self { component, architecture, path, size, others, only: None, entry, remote })
    }

    /// A package of another archive, whose files are fetched; the paths in its index are below the folder `base`.
    pub(crate) fn of_other_archive(
        entry: &PackageEntry,
        index: &PackagesKey,
        source: &PublishedSuite,
        base: &str,
    ) -> Result<Self, Error> {
        let path = source.path(&index.path());
        let remote = RemoteFile::of(entry, &path, source.store(), base)?;
        let unnamed =
            |field| Error::Incomplete { path: path.clone(), package: entry.name().to_owned(), field };
        let architecture = if entry.is_source() {
            Architecture::source()
        } else {
            Architecture::parse(entry.index_architecture()).map_err(|_| unnamed("Architecture"))?
        };
        let component = index.component.clone();
        let (entry, paths) =
            placed(entry, &component, &remote).map_err(|source| refused(entry, &architecture, source))?;
        let sizes = remote.iter().map(|file| file.expected.size);
        let mut files: Vec<(PoolPath, u64)> = paths.into_iter().zip(sizes).collect();
        let (path, size) = files.remove(0);
        Ok(Self { entry, component, architecture, path, size, others: files, only: None, remote })
    }

    /// The same package in another component; the files of another archive are written to the pool of that.
    pub(crate) fn in_component(self, component: &Component) -> Result<Self, Error> {
        if self.remote.is_empty() {
            return Ok(Self { component: component.clone(), ..self });
        }
        let placed = placed(&self.entry, component, &self.remote);
        let (entry, paths) = placed.map_err(|source| refused(&self.entry, &self.architecture, source))?;
        let sizes = self.remote.iter().map(|file| file.expected.size);
        let mut others: Vec<(PoolPath, u64)> = paths.into_iter().zip(sizes).collect();
        let (path, size) = others.remove(0);
        Ok(Self { entry, component: component.clone(), path, size, others, ..self })
    }
}

/// Refuses a package for a path.
fn refused(entry: &PackageEntry, architecture: &Architecture, source: pool::Error) -> Error {
    let subject = format!("{} {} {architecture}", entry.name(), entry.version());
    let (action, preposition, suite) = ("copy", "from", None);
    Error::Refused(vec![Refusal { action, preposition, subject, suite, source: Reason::Path(source) }])
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
