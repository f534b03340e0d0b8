//! Durability: flushes written files and every folder above them to disk (fsync).

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::File,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// From this number of files on, one flush of the file system is faster than one per file.
const FEW: usize = 64;

/// Flushes files and every folder between them and the root: with one fsync each, or, if there are many, once per
/// file system (`syncfs` waits for the data and reports errors since Linux 5.8).
pub(super) fn flush(root: &Path, files: &[PathBuf]) -> io::Result<()> {
    // As text: comparing paths component by component takes longer than the flush.
    let mut folders: BTreeSet<&OsStr> = BTreeSet::new();
    for file in files {
        for folder in file.ancestors().skip(1).take_while(|folder| folder.starts_with(root)) {
            if !folders.insert(folder.as_os_str()) {
                break;
            }
        }
    }
    if files.len() <= FEW {
        for path in files.iter().map(|file| file.as_os_str()).chain(folders.into_iter().rev()) {
            match File::open(path) {
                Ok(file) => file.sync_all().or_else(|error| needless(&file, error))?,
                // Deleted since by another publisher; the flush of its folder makes the deletion durable.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        return Ok(());
    }
    let mut flushed = BTreeSet::new();
    for folder in folders {
        // A folder of the archive may be a link to another disk.
        let folder = File::open(folder)?;
        if flushed.insert(folder.metadata()?.dev()) {
            rustix::fs::syncfs(&folder)?;
        }
    }
    Ok(())
}

/// Ignores the error of a file system that cannot fsync folders (vboxsf, CIFS, FUSE): it does not need it.
fn needless(file: &File, error: io::Error) -> io::Result<()> {
    use rustix::io::Errno;
    let refused = [Errno::INVAL, Errno::BADF].map(Errno::raw_os_error);
    let is_folder = file.metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_folder && error.raw_os_error().is_some_and(|code| refused.contains(&code)) {
        return Ok(());
    }
    Err(error)
}
