//! Listings of a folder: files alone, through links that stay inside, and past links that lead out, nowhere or in a circle.

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

use super::{Folder, UNFINISHED, blocking, failed, meta};

/// So many files are looked at before the task that wants them gets them.
const BATCH: usize = 1024;

/// The files below a folder, however deep.
struct Walk {
    folder: Folder,
    /// Where they are looked for, without links.
    top: PathBuf,
    entries: walkdir::IntoIter,
}

impl Folder {
    /// The objects below a folder, in no order.
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

    /// The objects and folders directly below a folder.
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
            if is_link && self.passes_over(&path, &real) {
                continue;
            }
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                // Deleted meanwhile.
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

    /// Whether a link that is found below a folder is not followed: it leads out, nowhere, or in a circle to what holds the
    /// folder.
    fn passes_over(&self, link: &Path, top: &Path) -> bool {
        self.inside(link).is_err() || fs::canonicalize(link).map_or(true, |target| top.starts_with(target))
    }

    fn top(&self, prefix: Option<&ObjectPath>) -> PathBuf {
        prefix.map_or_else(|| self.0.root.clone(), |prefix| self.path(prefix))
    }

    /// The path of an object at a place; none where no object of ours can have that name.
    fn location(&self, path: &Path) -> Option<ObjectPath> {
        ObjectPath::parse(path.strip_prefix(&self.0.root).ok()?.to_str()?).ok()
    }

    /// What is told of a file in a listing; nothing of one that is being written.
    fn object(&self, path: &Path, metadata: &fs::Metadata) -> Result<Option<ObjectMeta>> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // `NAME#1` is how `LocalFileSystem` calls what it writes, and it reads no such file.
        let is_numbered = name.split_once('#').is_some_and(|(_, number)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if !metadata.is_file() || is_numbered || name.starts_with(UNFINISHED) {
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
                Err(error) if leads_nowhere(&error) => continue,
                Err(error) => return Some(Err(failed(error.into()))),
            };
            if entry.path_is_symlink() && self.folder.passes_over(entry.path(), &self.top) {
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
                Err(error) if leads_nowhere(&error) => continue,
                Err(error) => Err(failed(error.into())),
            };
            if let Some(found) = found.transpose() {
                return Some(found);
            }
        }
    }
}

/// Whether nothing is to be listed: the file is gone, or a link leads nowhere or to a folder above it.
fn leads_nowhere(error: &walkdir::Error) -> bool {
    let is_circle = |io: &io::Error| io.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    error.loop_ancestor().is_some()
        || error.io_error().is_some_and(|io| io.kind() == io::ErrorKind::NotFound || is_circle(io))
}
