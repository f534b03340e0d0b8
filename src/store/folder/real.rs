//! Real locations: tells which names of a folder lead to one file.
//!
//! A folder may hold links to other parts of itself (`pool/main -> real`), and a part of it may be mounted twice, so a
//! listing shows one file under several names. A file is deleted only by its real name, and only if no name of it is in
//! use.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::root::Folder;
use crate::store::offload::blocking;

/// The real location of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RealPath {
    /// Its path with all symbolic links resolved, the same as the given path if there are none.
    pub(crate) path: String,
    /// The device and inode of an existing file: two mounts or two hard links have different paths.
    pub(crate) file: Option<(u64, u64)>,
}

impl RealPath {
    /// An object of a store without links.
    pub(crate) fn named(path: String) -> Self {
        Self { path, file: None }
    }
}

impl Folder {
    /// Returns the real locations of objects or folders; one that does not exist is where its name says.
    pub(crate) async fn real_paths(&self, paths: Vec<String>) -> io::Result<Vec<RealPath>> {
        let folder = self.clone();
        blocking(move || {
            let mut resolver = Resolver::of(&folder);
            paths.into_iter().map(|path| resolver.resolve(path)).collect()
        })
        .await
    }
}

/// Resolves many paths; each folder is resolved once.
struct Resolver {
    root: PathBuf,
    /// The real folders with the names below which their files are known.
    roots: Vec<(PathBuf, &'static str)>,
    folders: HashMap<PathBuf, Option<PathBuf>>,
}

impl Resolver {
    fn of(folder: &Folder) -> Self {
        let root = folder.0.root.clone();
        // A folder at the root that is a link to another disk keeps its name.
        let linked = folder.may_be_links().iter().map(|&name| (root.join(name), name));
        let all = linked.chain([(root.clone(), "")]);
        let roots = all.filter_map(|(path, name)| Some((fs::canonicalize(path).ok()?, name))).collect();
        Self { root, roots, folders: HashMap::new() }
    }

    fn resolve(&mut self, path: String) -> io::Result<RealPath> {
        let at = self.root.join(&path);
        let Some(metadata) = existing(fs::symlink_metadata(&at))? else { return Ok(RealPath::named(path)) };
        let (real, metadata) = if metadata.is_symlink() {
            let Some(real) = existing(fs::canonicalize(&at))? else { return Ok(RealPath::named(path)) };
            let Some(metadata) = existing(fs::metadata(&real))? else { return Ok(RealPath::named(path)) };
            (real, metadata)
        } else {
            let Some(folder) = self.folder(at.parent().unwrap_or(&self.root).to_owned())? else {
                return Ok(RealPath::named(path));
            };
            (folder.join(at.file_name().unwrap_or_default()), metadata)
        };
        // Some network file systems have no inode numbers.
        let file =
            Some((metadata.dev(), metadata.ino())).filter(|(_, inode)| metadata.is_file() && *inode != 0);
        Ok(RealPath { path: self.name(&real), file })
    }

    fn folder(&mut self, path: PathBuf) -> io::Result<Option<PathBuf>> {
        if let Some(known) = self.folders.get(&path) {
            return Ok(known.clone());
        }
        let real = existing(fs::canonicalize(&path))?;
        self.folders.insert(path, real.clone());
        Ok(real)
    }

    /// Returns the path of a real file as an object, or its whole path if it is outside the folder.
    fn name(&self, real: &Path) -> String {
        let inside = self.roots.iter().find_map(|(root, name)| {
            let below = real.strip_prefix(root).ok()?;
            Some(Path::new(name).join(below))
        });
        let path = inside.unwrap_or_else(|| real.to_owned());
        // `join` with an empty path adds a slash.
        path.to_string_lossy().trim_end_matches('/').to_owned()
    }
}

/// Returns `None` for a path that leads nowhere: it does not exist, or a link in it dangles or is a loop.
fn existing<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn one_file_has_one_real_name() {
        let all = tempfile::tempdir().unwrap();
        let (root, disk) = (all.path().join("root"), all.path().join("disk"));
        for folder in ["pool/real/h", "dists/bookworm/x", "shared"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::create_dir_all(disk.join("a")).unwrap();
        for file in ["pool/real/h/a.deb", "dists/bookworm/x/Packages", "shared/b.deb"] {
            fs::write(root.join(file), file).unwrap();
        }
        fs::write(disk.join("a/c.deb"), "c").unwrap();
        for (target, link) in [
            ("real", "pool/main"),
            ("main", "pool/again"),
            ("bookworm", "dists/stable"),
            ("x", "dists/bookworm/main"),
            ("../shared/b.deb", "pool/b.deb"),
            ("gone", "pool/gone"),
            ("loop", "pool/loop"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        fs::hard_link(root.join("shared/b.deb"), root.join("pool/hard.deb")).unwrap();
        symlink(&disk, root.join("pool/disk")).unwrap();
        let folder = Folder::new(&root);
        folder.may_link(&["dists", "pool"]);
        let real = async |path: &str| folder.real_paths(vec![path.to_owned()]).await.unwrap().remove(0);
        for (path, expected) in [
            ("pool/real/h/a.deb", "pool/real/h/a.deb"),
            ("pool/main/h/a.deb", "pool/real/h/a.deb"),
            ("pool/again/h/a.deb", "pool/real/h/a.deb"),
            ("dists/stable", "dists/bookworm"),
            ("dists/stable/main/Packages", "dists/bookworm/x/Packages"),
            ("pool/b.deb", "shared/b.deb"),
            ("pool/hard.deb", "pool/hard.deb"),
            ("pool/gone", "pool/gone"),
            ("pool/gone/x.deb", "pool/gone/x.deb"),
            ("pool/loop", "pool/loop"),
            ("pool/new/x.deb", "pool/new/x.deb"),
        ] {
            assert_eq!(real(path).await.path, expected, "{path}");
        }
        assert_eq!(real("pool/hard.deb").await.file, real("pool/b.deb").await.file);
        assert!(real("pool/disk/a/c.deb").await.path.ends_with("/disk/a/c.deb"));

        // A tree on another disk keeps its name.
        fs::rename(root.join("pool"), disk.join("pool")).unwrap();
        symlink(disk.join("pool"), root.join("pool")).unwrap();
        assert_eq!(real("pool/real/h/a.deb").await.path, "pool/real/h/a.deb");
        assert_eq!(real("pool/main/h/a.deb").await.path, "pool/real/h/a.deb");
    }
}
