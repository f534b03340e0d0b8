//! Listings of a folder: regular files only. Follows links that stay inside; skips links that lead out, dangle or
//! loop.

use std::{
    fs,
    future::ready,
    io,
    path::{Path, PathBuf},
};

use futures::{
    StreamExt as _, TryStreamExt as _,
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

    /// Lists the objects below a folder that sort after a path, unordered. A folder whose objects all sort before it is not
    /// read: a suite may have thousands of generations.
    pub(super) fn walk_after(
        &self,
        prefix: Option<&ObjectPath>,
        offset: &ObjectPath,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (folder, prefix, offset) = (self.clone(), prefix.cloned(), offset.clone());
        let look = (self.clone(), offset.clone());
        let found = async move { blocking(move || look.0.folder_after(prefix.as_ref(), &look.1)).await };
        let all = stream::once(found).flat_map(move |found| match found {
            Ok(ListResult { common_prefixes, objects, .. }) => {
                let folder = folder.clone();
                let below = stream::iter(common_prefixes).flat_map(move |below| folder.walk(Some(&below)));
                stream::iter(objects).map(Ok).chain(below).boxed()
            }
            Err(error) => stream::once(async { Err(error) }).boxed(),
        });
        all.try_filter(move |object| ready(object.location > offset)).boxed()
    }

    /// Lists the objects and folders directly below a folder, without those that cannot hold an object after a path.
    fn folder_after(&self, prefix: Option<&ObjectPath>, offset: &ObjectPath) -> Result<ListResult> {
        let is_wanted = |path: &Path| {
            let below = self.location(path).map(|location| format!("{location}/"));
            below.is_some_and(|below| *below >= *offset.as_ref() || offset.as_ref().starts_with(&below))
        };
        match self.list_entries(prefix, is_wanted) {
            // A walk finds nothing there either.
            Err(_) if !self.top(prefix).is_dir() => Ok(ListResult {
                common_prefixes: Vec::new(),
                objects: Vec::new(),
                extensions: Extensions::default(),
            }),
            found => found,
        }
    }

    /// Lists the objects and folders directly below a folder.
    pub(super) fn list_folder(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        self.list_entries(prefix, |_| true)
    }

    fn list_entries(
        &self,
        prefix: Option<&ObjectPath>,
        is_wanted: impl Fn(&Path) -> bool,
    ) -> Result<ListResult> {
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
            if !is_wanted(&path) {
                continue;
            }
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn objects_after_a_path_are_those_of_a_walk() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path());
        for path in ["a/1/x", "a/1/y/z", "a/2/x", "a/2-b/x", "a/n", "a/n2/y", "a/n-1", "b/x"] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        symlink("1", root.path().join("a/3")).unwrap();
        symlink("..", root.path().join("a/loop")).unwrap();
        symlink("/", root.path().join("a/out")).unwrap();
        let names = async |found: BoxStream<'static, Result<ObjectMeta>>| {
            let mut names: Vec<String> =
                found.map_ok(|object| object.location.to_string()).try_collect().await.unwrap();
            names.sort_unstable();
            names
        };
        let below = ObjectPath::from("a");
        let all = names(folder.walk(Some(&below))).await;
        assert!(
            all.contains(&"a/3/y/z".to_owned()) && !all.iter().any(|name| name.contains("out")),
            "{all:?}"
        );
        for after in
            ["a", "a/1", "a/1/x", "a/1/y/z", "a/2", "a/2-b", "a/2/x", "a/9", "a/n", "a/n2", "a/zz", "b", "0"]
        {
            let found = names(folder.walk_after(Some(&below), &ObjectPath::from(after))).await;
            let wanted: Vec<String> = all.iter().filter(|name| name.as_str() > after).cloned().collect();
            assert_eq!(found, wanted, "after {after}");
        }
        for absent in ["none", "a/n"] {
            let found = folder.walk_after(Some(&ObjectPath::from(absent)), &ObjectPath::from("a"));
            assert_eq!(names(found).await, [""; 0]);
        }
    }
}
