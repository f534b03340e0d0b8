//! Free space: whether the file systems of a folder have enough for the files to write.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::root::Folder;
use crate::store::offload::blocking;

/// A file system.
#[derive(Clone, Copy)]
struct Disk {
    device: u64,
    free: u64,
    block: u64,
}

impl Disk {
    /// Returns the file system of a folder that may not exist yet; one system call per folder.
    fn of(folder: &Path, known: &mut HashMap<PathBuf, Option<Self>>) -> Option<Self> {
        if let Some(disk) = known.get(folder) {
            return *disk;
        }
        let disk = match fs::metadata(folder) {
            Ok(metadata) => Self::under(folder, &metadata),
            Err(_) => folder.parent().and_then(|parent| Self::of(parent, known)),
        };
        known.insert(folder.to_owned(), disk);
        disk
    }

    fn under(folder: &Path, metadata: &fs::Metadata) -> Option<Self> {
        let stat = rustix::fs::statvfs(folder).ok().filter(|stat| stat.f_blocks > 0)?;
        Some(Self {
            device: metadata.dev(),
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            block: stat.f_frsize.max(1),
        })
    }
}

impl Folder {
    /// Returns the bytes needed and free on a file system without enough space for objects of these sizes, if there
    /// is one.
    ///
    /// A folder of the archive may be a link to another disk. A file system that reports no size counts as large
    /// enough.
    pub(crate) async fn shortage(&self, objects: Vec<(String, u64)>) -> Option<(u64, u64)> {
        let root = self.0.root.clone();
        blocking(move || {
            let mut disks = HashMap::new();
            let mut needed: HashMap<u64, (u64, u64)> = HashMap::new();
            for (path, size) in objects {
                let path = root.join(path);
                let folder = path.parent().unwrap_or(&root);
                let Some(Disk { device, free, block }) = Disk::of(folder, &mut disks) else { continue };
                needed.entry(device).or_insert((0, free)).0 += size.next_multiple_of(block) + block;
            }
            needed.into_values().find(|(needed, free)| needed > free)
        })
        .await
    }
}
