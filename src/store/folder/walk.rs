//! Listings of a folder: regular files only. Follows links that stay inside; skips links that lead out, dangle or
//! loop.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{Extensions, ListResult, ObjectMeta, Result, path::Path as ObjectPath};
use walkdir::WalkDir;

use super::root::{Folder, TEMP_PREFIX, failed, meta};
use crate::store::offload::blocking;

/// The number of files that are read ahead of the consumer.
const BATCH: usize = 1024;

/// A walk over the files below a folder, recursively.
struct Walk {
    folder: Folder,
    /// The root of the walk, with links resolved.
    top: PathBuf,
    entries: walkdir::IntoIter,
}

impl Folder {
    /// Lists the objects below a folder, unordered.
    pub(super) fn walk(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        let top = self.top(prefix);
        if self.inside(&top).is_err() {
            return stream::empty().boxed();
        }
        let Ok(real) = fs::canonicalize(&top) else { return stream::empty().boxed() };
        let entries = WalkDir::new(top).min_depth(1).follow_links(true).into_iter();
        let walk = Walk { folder: self.clone(), top: real, entries };
        let batches = stream::unfold(Some(walk), |walk| async move {
            let mut walk = walk?;
            let (batch, walk) = blocking(move || {
                let batch: Vec<Result<ObjectMeta>> = walk.by_ref().take(BATCH).collect();
                (batch, walk)
            })
            .await;
            let is_last = batch.len() < BATCH;
            Some((stream::iter(batch), (!is_last).then_some(walk)))
        });
        batches.flatten().boxed()
    }

    /// Lists the objects and folders directly below a folder.
    pub(super) fn list_folder(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        let mut found = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: Extensions::default(),
        };
        let top = self.top(prefix);
        if self.inside(&top).is_err() {
            return Ok(found);
        }
        let real = fs::canonicalize(&top).map_err(failed)?;
        for entry in fs::read_dir(&top).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let is_link = entry.file_type().map_err(failed)?.is_symlink();
            if is_link && self.skips_link(&path, &real) {
                continue;
            }
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                // Deleted concurrently.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            if metadata.is_dir() {
                found.common_prefixes.extend(self.location(&path));
            } else if let Some(object) = self.object(&path, &metadata)? {
                found.objects.push(object);
            }
        }
        Ok(found)
    }

    /// Returns whether a link found below a folder is not followed: it leads out, dangles, or loops back to an
    /// ancestor of the folder.
    fn skips_link(&self, link: &Path, top: &Path) -> bool {
        self.inside(link).is_err() || fs::canonicalize(link).map_or(true, |target| top.starts_with(target))
    }

    fn top(&self, prefix: Option<&ObjectPath>) -> PathBuf {
        prefix.map_or_else(|| self.0.root.clone(), |prefix| self.path(prefix))
    }

    /// Returns the object path of a file; `None` if it is not a valid object name.
    fn location(&self, path: &Path) -> Option<ObjectPath> {
        ObjectPath::parse(path.strip_prefix(&self.0.root).ok()?.to_str()?).ok()
    }

    /// Returns the metadata of a file in a listing; `None` for a temporary file.
    fn object(&self, path: &Path, metadata: &fs::Metadata) -> Result<Option<ObjectMeta>> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // `LocalFileSystem` uses `NAME#1` for its temporary files and cannot read such a file.
        let is_numbered = name.split_once('#').is_some_and(|(_, number)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if !metadata.is_file() || is_numbered || name.starts_with(TEMP_PREFIX) {
            return Ok(None);
        }
        self.location(path).map(|location| meta(location, metadata)).transpose()
    }
}

impl Iterator for Walk {
    type Item = Result<ObjectMeta>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(error) if is_skipped(&error) => continue,
                Err(error) => return Some(Err(failed(error.into()))),
            };
            if entry.path_is_symlink() && self.folder.skips_link(entry.path(), &self.top) {
                if entry.file_type().is_dir() {
                    self.entries.skip_current_dir();
                }
                continue;
            }
            if !entry.file_type().is_file() {
                continue;
            }
            let found = match entry.metadata() {
                Ok(metadata) => self.folder.object(entry.path(), &metadata),
                Err(error) if is_skipped(&error) => continue,
                Err(error) => Err(failed(error.into())),
            };
            if let Some(found) = found.transpose() {
                return Some(found);
            }
        }
    }
}

/// Returns whether an entry is skipped: the file was deleted, or a link dangles or loops back to an ancestor.
fn is_skipped(error: &walkdir::Error) -> bool {
    let is_circle = |io: &io::Error| io.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    error.loop_ancestor().is_some()
        || error.io_error().is_some_and(|io| io.kind() == io::ErrorKind::NotFound || is_circle(io))
}
