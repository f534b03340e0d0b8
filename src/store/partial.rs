//! Files of which a part has arrived, so that the next run fetches only the rest; kept in the cache, by digest.
//!
//! A file in use is locked, and the system releases the lock when the process ends, however it ends. Nothing here is
//! trusted: a complete file is compared with its digest.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::OFlags;

use super::cache::{Cache, now};
use crate::digest::Sha256Digest;

/// A file that no run has finished for so long is deleted.
const OLD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The part of a file that has arrived. The file stays if this is dropped.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) path: PathBuf,
    /// Open and locked.
    pub(super) file: File,
    /// The number of bytes that an earlier run has fetched.
    pub(super) length: u64,
}

impl Cache {
    /// Opens the part of the file with this digest and size; `None` if another process fetches it, or if it cannot be
    /// stored.
    pub(super) fn partial(&self, sha256: &Sha256Digest, size: u64) -> Option<Partial> {
        let folder = self.folder().join("partial");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
        let path = folder.join(sha256.to_string());
        let _ = self.delete_left_over(&folder, &path);
        let mut options = File::options();
        options.create(true).truncate(false).mode(0o600);
        let (file, length) = open(&path, &mut options).ok()?;
        file.try_lock().ok()?;
        // Another process may have deleted it before it was locked.
        let is_there = fs::symlink_metadata(&path)
            .is_ok_and(|there| file.metadata().is_ok_and(|own| own.ino() == there.ino()));
        if !is_there {
            return None;
        }
        if length > size {
            file.set_len(0).ok()?;
        }
        Some(Partial { path, file, length: if length > size { 0 } else { length } })
    }

    /// Deletes the parts that no process uses, if they are old, or if all of them exceed the limit of the cache; the newest
    /// one may be larger than that.
    fn delete_left_over(&self, folder: &Path, but: &Path) -> io::Result<()> {
        let mut parts = Vec::new();
        for entry in fs::read_dir(folder)?.flatten().filter(|entry| entry.path() != but) {
            // Another process may have deleted it.
            let Ok(metadata) = entry.metadata() else { continue };
            parts.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        parts.sort_unstable_by(|one, other| other.cmp(one));
        let (mut total, now) = (0_u64, now());
        for (number, (modified, size, path)) in parts.iter().enumerate() {
            total = total.saturating_add(*size);
            let is_old = now.duration_since(*modified).is_ok_and(|age| age > OLD);
            let exceeds = number > 0 && total > self.limit();
            if (is_old || exceeds)
                && let Ok((file, _)) = open(path, &mut File::options())
                && file.try_lock().is_ok()
            {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Opens a file for reading and writing, unless it is not a regular one; returns its size too.
fn open(path: &Path, options: &mut fs::OpenOptions) -> io::Result<(File, u64)> {
    // Without these flags, a link may lead anywhere, and opening a named pipe waits.
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits()).unwrap_or_default();
    let file = options.read(true).write(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata.len())) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn digest(number: u8) -> Sha256Digest {
        Sha256Digest::of(&[number])
    }

    fn written(cache: &Cache, number: u8, bytes: usize, age: u64) -> Partial {
        let mut partial = cache.partial(&digest(number), 1000).unwrap();
        partial.file.write_all(&vec![number; bytes]).unwrap();
        partial.file.set_modified(now() - Duration::from_secs(age)).unwrap();
        partial
    }

    #[test]
    fn a_part_is_found_again_once_and_longer_ones_are_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), 1000);
        let first = written(&cache, 1, 400, 0);
        assert_eq!(first.length, 0);
        assert!(cache.partial(&digest(1), 1000).is_none(), "it is in use");
        drop(first);
        assert_eq!(cache.partial(&digest(1), 1000).unwrap().length, 400);
        let emptied = cache.partial(&digest(1), 399).unwrap();
        assert_eq!((emptied.length, emptied.file.metadata().unwrap().len()), (0, 0));
        let path = emptied.path.clone();
        drop(emptied);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(cache.partial(&digest(1), 1000).is_none(), "a link is not followed");
        assert!(!folder.path().join("partial/elsewhere").exists());
    }

    #[test]
    fn what_is_left_over_is_bounded_in_time_and_space() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), 1000);
        let held = written(&cache, 0, 900, 30 * 24 * 60 * 60);
        drop(written(&cache, 1, 10, 8 * 24 * 60 * 60));
        for number in 2..6 {
            drop(written(&cache, number, 400, 100 - u64::from(number)));
        }
        drop(cache.partial(&digest(9), 1000));
        let is_there = |number| folder.path().join("partial").join(digest(number).to_string()).exists();
        // In use, old, the two oldest of 1,600 bytes, and the rest.
        assert_eq!([0, 1, 2, 3, 4, 5].map(is_there), [true, false, false, false, true, true]);
        drop(held);
    }
}
