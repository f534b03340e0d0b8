//! Finds and reads input packages, binary and source: searches folders, and reads files on all cores.

use std::{
    fmt::Display,
    fs::File,
    io::{self, Read as _, Seek as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;

use crate::{
    deb::{self, BinaryPackage, DscFault, FilesFault, ListedFile, SourceDescription, SourcePackage},
    digest::SourceDigests,
    package_type::PackageType,
    store::FileStamp,
    suite::{
        error::Error,
        event::{Event, Events},
        refusal::{Reason, Refusal},
    },
};

/// A .deb or a .dsc that was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Incoming {
    /// Its path.
    pub file: PathBuf,
    /// Its contents.
    pub package: Artifact,
    /// The size and times of the file when it was read, to detect a later change.
    pub stamp: FileStamp,
    /// The other files of a source package, in the order in which its description lists them.
    pub others: Vec<OtherFile>,
}

/// A package of either kind.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Artifact {
    /// A binary package.
    Binary(BinaryPackage),
    /// A source package.
    Source(SourcePackage),
}

/// A file of a source package beside its `.dsc`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OtherFile {
    /// Its path.
    pub file: PathBuf,
    /// The size and times of the file when it was read; `None` if it is not there, and has to be in the pool.
    pub stamp: Option<FileStamp>,
}

impl Incoming {
    pub(crate) fn refusal(&self, source: Reason) -> Refusal {
        refusal(&self.file, source)
    }
}

impl Artifact {
    /// The type of the package.
    pub(crate) fn package_type(&self) -> PackageType {
        match self {
            Self::Binary(package) => package.package_type(),
            Self::Source(_) => PackageType::Dsc,
        }
    }

    /// The name of the package.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Binary(package) => package.name().as_str(),
            Self::Source(package) => package.name().as_str(),
        }
    }

    /// The section, which may decide its component.
    pub(crate) fn section(&self) -> Option<&str> {
        match self {
            Self::Binary(package) => package.section(),
            Self::Source(package) => package.section(),
        }
    }
}

/// Returns the named files and the packages of every type in the named folders at any depth, sorted by folder and
/// without duplicates. A named file that does not exist is reported when it is read.
pub fn find_files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        for entry in walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                // A dangling link is ignored, unless its name is one of a package.
                Err(error) if error.path().is_some_and(|at| is_dangling(at) && !is_package(at)) => {
                    continue;
                }
                Err(error) => {
                    let at = error.path().unwrap_or(path).display().to_string();
                    // The text of the original error would repeat the path.
                    let source = match error.io_error().and_then(io::Error::raw_os_error) {
                        Some(code) => io::Error::from_raw_os_error(code),
                        None => error.into(),
                    };
                    return Err(Error::Input { path: at, source });
                }
            };
            // A pipe or a device of this name is an error when it is read.
            if !entry.file_type().is_dir() && is_package(entry.path()) {
                files.push(entry.into_path());
            }
        }
        if files.len() == before {
            return Err(Error::NoDebs { path: path.display().to_string() });
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

fn is_package(path: &Path) -> bool {
    path.extension().and_then(|extension| PackageType::parse(extension.to_str()?)).is_some()
}

/// The type of a package by its file name; a file of another name is an ordinary package.
fn type_of(path: &Path) -> PackageType {
    let named = path.extension().and_then(|extension| PackageType::parse(extension.to_str()?));
    named.unwrap_or_default()
}

fn is_dangling(path: &Path) -> bool {
    path.is_symlink() && path.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Reads every file once, completely.
///
/// # Errors
/// [`Error::Refused`] with every invalid file, not only the first.
pub fn read_packages(files: Vec<PathBuf>, events: Events<'_>) -> Result<Vec<Incoming>, Error> {
    read_packages_as(files, None, events)
}

/// Reads every file once, completely, as a package of this type, whatever its name is; `None` if the name decides.
///
/// # Errors
/// Those of [`read_packages`].
pub(crate) fn read_packages_as(
    files: Vec<PathBuf>,
    package_type: Option<PackageType>,
    events: Events<'_>,
) -> Result<Vec<Incoming>, Error> {
    let (done, total) = (AtomicUsize::new(0), files.len());
    let read = files.into_par_iter().map(|file| {
        let incoming = read_package_as(&file, package_type.unwrap_or_else(|| type_of(&file)));
        events(Event::Read { done: done.fetch_add(1, Ordering::Relaxed) + 1, total });
        incoming.map_err(|source| refusal(&file, source))
    });
    let mut packages = Vec::with_capacity(total);
    let mut refused = Vec::new();
    for result in read.collect::<Vec<_>>() {
        match result {
            Ok(incoming) => packages.push(incoming),
            Err(refusal) => refused.push(refusal),
        }
    }
    if !refused.is_empty() {
        return Err(Error::Refused(refused));
    }
    for incoming in &packages {
        warn(incoming, events);
    }
    Ok(packages)
}

/// Reports the remarks about a package.
pub(super) fn warn(incoming: &Incoming, events: Events<'_>) {
    let of_file = |warning: &dyn Display| {
        events(Event::Warning(format!("`{}`: {warning}", incoming.file.display())));
    };
    match &incoming.package {
        Artifact::Binary(package) => package.warnings().iter().for_each(|warning| of_file(warning)),
        Artifact::Source(package) => {
            if let Some(bad) = package.bad_build_field() {
                of_file(&format_args!("{bad}; `apt-get build-dep` fails for this package"));
            }
        }
    }
}

/// Reads one package of any type.
pub(super) fn read_package(path: &Path) -> Result<Incoming, Reason> {
    read_package_as(path, type_of(path))
}

fn read_package_as(path: &Path, package_type: PackageType) -> Result<Incoming, Reason> {
    let opened = crate::regular::open(path).map_err(Reason::Unreadable)?;
    let metadata = opened.metadata().map_err(Reason::Unreadable)?;
    let (file, stamp) = (path.to_owned(), FileStamp::of(&metadata));
    if package_type == PackageType::Dsc {
        let (package, others) = read_source(path, &opened)?;
        return Ok(Incoming { file, package: Artifact::Source(package), stamp, others });
    }
    let package = BinaryPackage::read_as(&opened, package_type)?;
    if package.is_doubtful() {
        (&opened).rewind().map_err(Reason::Unreadable)?;
        if let Err(fault) = deb::list_files(&opened)
            && fault.is_fatal()
        {
            return Err(Reason::Files(fault));
        }
    }
    Ok(Incoming { file, package: Artifact::Binary(package), stamp, others: Vec::new() })
}

/// Reads the description of a source package, and the files in the same folder that it lists.
fn read_source(path: &Path, opened: &File) -> Result<(SourcePackage, Vec<OtherFile>), Reason> {
    let mut text = Vec::new();
    opened.take(deb::DSC_LIMIT + 1).read_to_end(&mut text).map_err(Reason::Unreadable)?;
    if text.len() as u64 > deb::DSC_LIMIT {
        return Err(DscFault::TooLarge.into());
    }
    let description = SourceDescription::parse(&text)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for described in description.files() {
        let (digests, other) = read_other(folder, described).map_err(DscFault::from)?;
        found.push(digests);
        others.push(other);
    }
    Ok((description.with_files(found)?, others))
}

/// Reads a file of a source package, no further than its described size.
fn read_other(folder: &Path, described: &ListedFile) -> Result<(SourceDigests, OtherFile), FilesFault> {
    let file = folder.join(described.name());
    let failed = |source| described.unreadable(source);
    let opened = match crate::regular::open(&file) {
        // A later revision comes without the tarball of its upstream version, which the archive has.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let digests = described.digests().ok_or_else(|| failed(error))?;
            return Ok((digests, OtherFile { file, stamp: None }));
        }
        opened => opened.map_err(failed)?,
    };
    let metadata = opened.metadata().map_err(failed)?;
    described.check_size(metadata.len())?;
    let digests = SourceDigests::read((&opened).take(described.size() + 1)).map_err(failed)?;
    Ok((digests, OtherFile { file, stamp: Some(FileStamp::of(&metadata)) }))
}

fn refusal(file: &Path, source: Reason) -> Refusal {
    Refusal { action: "add", preposition: "to", subject: file.display().to_string(), suite: None, source }
}
