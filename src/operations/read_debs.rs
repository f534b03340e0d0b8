//! Finds and reads input packages: searches folders, and reads files on all cores.

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;

use crate::{
    deb::{self, BinaryPackage},
    store::FileStamp,
    suite::{
        error::Error,
        event::{Event, Events},
        refusal::{Reason, Refusal},
    },
};

/// A .deb that was read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Incoming {
    /// Its path.
    pub file: PathBuf,
    /// Its contents.
    pub package: BinaryPackage,
    /// The size and times of the file when it was read, to detect a later change.
    pub stamp: FileStamp,
}

/// The endings of packages that have no place in an archive yet.
const UNSUPPORTED: [&str; 2] = ["udeb", "ddeb"];
/// How many files that are left out are named.
const NAMED: usize = 5;

/// Returns the named files and the `*.deb` files in the named folders at any depth, sorted by folder and without
/// duplicates. A named file that does not exist is reported when it is read.
pub fn find_files(named: &[PathBuf], events: Events<'_>) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        let mut others = Vec::new();
        for entry in walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                // A dangling link is ignored, unless its name is one of a `.deb`.
                Err(error) if error.path().is_some_and(|at| is_dangling(at) && !is_named_deb(at)) => {
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
            if !entry.file_type().is_dir() && is_named_deb(entry.path()) {
                files.push(entry.into_path());
            } else if entry.file_type().is_file() && is_other_package(entry.path()) {
                others.push(format!("`{}`", entry.path().display()));
            }
        }
        if !others.is_empty() {
            let (count, are) = (others.len(), if others.len() == 1 { "is" } else { "are" });
            let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
            others.truncate(NAMED);
            let others = others.join(", ");
            events(Event::Warning(format!("{others}{more} {are} left out: only `.deb` files are added")));
        }
        if files.len() == before {
            return Err(Error::NoDebs { path: path.display().to_string() });
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

fn is_named_deb(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "deb")
}

/// Whether a file has the ending of another kind of package.
fn is_other_package(path: &Path) -> bool {
    unsupported(path).is_some() || path.extension().is_some_and(|extension| extension == "dsc")
}

fn unsupported(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?;
    UNSUPPORTED.into_iter().find(|ending| extension.eq_ignore_ascii_case(ending))
}

fn is_dangling(path: &Path) -> bool {
    path.is_symlink() && path.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Reads every file once, completely.
///
/// # Errors
/// [`Error::Refused`] with every invalid file, not only the first.
pub fn read_packages(files: Vec<PathBuf>, events: Events<'_>) -> Result<Vec<Incoming>, Error> {
    let (done, total) = (AtomicUsize::new(0), files.len());
    let read = files.into_par_iter().map(|file| {
        let incoming = read_package(&file);
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
        for warning in incoming.package.warnings() {
            events(Event::Warning(format!("`{}`: {warning}", incoming.file.display())));
        }
    }
    Ok(packages)
}

fn read_package(path: &Path) -> Result<Incoming, Reason> {
    let file = crate::regular::open(path).map_err(Reason::Unreadable)?;
    let metadata = file.metadata().map_err(Reason::Unreadable)?;
    if let Some(kind) = unsupported(path) {
        return Err(deb::Error::PackageType(kind.to_owned()).into());
    }
    let package = BinaryPackage::read(&file)?;
    Ok(Incoming { file: path.to_owned(), package, stamp: FileStamp::of(&metadata) })
}

fn refusal(file: &Path, source: Reason) -> Refusal {
    Refusal { action: "add", preposition: "to", subject: file.display().to_string(), suite: None, source }
}
