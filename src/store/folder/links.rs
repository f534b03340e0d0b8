//! Symbolic links: none is followed out of the folder.
//!
//! A link to `/home` inside the folder must not be a way to read, write or delete there. The root itself may be a
//! link, and so may the folders that it is opened with ([`Folder::may_link`]): the owner sets them up to store data
//! on another disk.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use object_store::{Result, path::Path as ObjectPath};
#[cfg(target_os = "linux")]
use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
};

use super::root::{Folder, failed};

impl Folder {
    /// Sets the folders at the root that may be links to another disk; only the first call has an effect.
    pub(crate) fn may_link(&self, names: &'static [&'static str]) {
        let _ = self.0.links.set(names);
    }

    pub(super) fn may_be_links(&self) -> &'static [&'static str] {
        self.0.links.get().copied().unwrap_or_default()
    }

    /// Rejects a path that a link leads out of the folder, unless that link is permitted.
    pub(crate) fn inside(&self, path: &Path) -> io::Result<()> {
        let root = &self.0.root;
        if is_beneath(root, path) {
            return Ok(());
        }
        let Ok(real_root) = fs::canonicalize(root) else { return Ok(()) };
        let mut at = path;
        // A path that does not exist leads nowhere.
        let real = loop {
            match fs::canonicalize(at) {
                Ok(real) => break real,
                Err(_) => match at.parent().filter(|above| above.starts_with(root)) {
                    Some(above) => at = above,
                    None => return Ok(()),
                },
            }
        };
        let elsewhere = |name: &&str| {
            let part = root.join(name);
            at.starts_with(&part) && fs::canonicalize(part).is_ok_and(|part| real.starts_with(part))
        };
        if real.starts_with(real_root) || self.may_be_links().iter().any(elsewhere) {
            return Ok(());
        }
        let why = format!("`{}` is a link that leads out of the archive", at.display());
        Err(io::Error::other(why))
    }

    /// Returns the path of an object for a write or delete: a link at exactly that path is replaced, not followed.
    pub(super) fn place(&self, location: &ObjectPath) -> Result<PathBuf> {
        let path = self.path(location);
        self.inside(path.parent().unwrap_or(&path)).map_err(failed)?;
        Ok(path)
    }

    /// Returns the path of an object for a read.
    pub(super) fn readable(&self, location: &ObjectPath) -> Result<PathBuf> {
        let path = self.path(location);
        self.inside(&path).map_err(failed)?;
        Ok(path)
    }
}

/// Only Linux can tell.
#[cfg(not(target_os = "linux"))]
fn is_beneath(_root: &Path, _path: &Path) -> bool {
    false
}

/// Asks the kernel whether no link leads out of the folder on the way to a path; `false` if it does not know. That is one
/// call, and [`fs::canonicalize`] reads every part of the path.
#[cfg(target_os = "linux")]
fn is_beneath(root: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(root) else { return false };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let Ok(root) = rustix::fs::open(root, flags | OFlags::DIRECTORY, Mode::empty()) else { return false };
    let part = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    let found = rustix::fs::openat2(&root, part, flags, Mode::empty(), ResolveFlags::BENEATH);
    // A path that does not exist leads nowhere: the kernel rejects a link that leads out before it looks further.
    matches!(found, Ok(_) | Err(Errno::NOENT))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use bytes::Bytes;

    use super::*;
    use crate::{
        digest::Digests,
        store::{Content, Environment, Limit, Location, Store},
    };

    const LIMIT: Limit = Limit::mebibytes(1);

    #[tokio::test]
    async fn a_link_that_leads_out_is_not_followed() {
        let all = tempfile::tempdir().unwrap();
        let (outside, disk, real) =
            (all.path().join("outside"), all.path().join("disk"), all.path().join("real"));
        for folder in [&outside, &disk, &real, &real.join("dists/bookworm")] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(outside.join("secret"), "secret").unwrap();
        fs::write(disk.join("a.deb"), "a").unwrap();
        fs::write(real.join("dists/bookworm/Release"), "b").unwrap();
        let root = all.path().join("root");
        symlink(&real, &root).unwrap();
        symlink(&disk, real.join("pool")).unwrap();
        symlink("bookworm", real.join("dists/stable")).unwrap();
        symlink(&outside, real.join("dists/bookworm/out")).unwrap();
        symlink(&outside, disk.join("out")).unwrap();
        symlink(&outside, real.join("out")).unwrap();
        symlink(outside.join("secret"), real.join("index.html")).unwrap();

        let store = Store::open(&Location::Folder(root), &Environment::default()).unwrap();
        let store = store.with_linked_folders(&["dists", "pool"]);
        for inside in ["dists/bookworm/Release", "dists/stable/Release", "pool/a.deb"] {
            assert!(store.read(inside, LIMIT).await.unwrap().is_some(), "{inside}");
        }
        let bytes = Bytes::from_static(b"new");
        let content = Content::Bytes(bytes.clone(), Digests::of(&bytes));
        store.put_new("pool/new/b.deb", &content).await.unwrap();
        assert!(disk.join("new/b.deb").exists());
        for out in ["dists/bookworm/out/secret", "pool/out/secret", "out/secret", "index.html"] {
            let error = store.read(out, LIMIT).await.unwrap_err();
            assert!(format!("{error:?}").contains("leads out of the archive"), "{out}: {error:?}");
            assert!(store.load(out, 9, LIMIT).await.is_err(), "{out}");
            assert!(store.size(out).await.is_err(), "{out}");
        }
        for out in ["dists/bookworm/out/secret", "pool/out/secret", "out/secret", "out/new", "out/new/file"] {
            assert!(store.delete(out).await.is_err(), "{out}");
            assert!(store.replace(out, bytes.clone()).await.is_err(), "{out}");
            assert!(store.put_new(out, &content).await.is_err(), "{out}");
            assert!(store.swap(out, bytes.clone(), None).await.is_err(), "{out}");
            assert!(store.copy("pool/a.deb", out).await.is_err(), "{out}");
        }
        assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);

        let mut walked: Vec<String> = futures::TryStreamExt::try_collect::<Vec<_>>(store.walk(""))
            .await
            .unwrap()
            .into_iter()
            .map(|found| found.path)
            .collect();
        walked.sort_unstable();
        assert_eq!(
            walked,
            ["dists/bookworm/Release", "dists/stable/Release", "pool/a.deb", "pool/new/b.deb"]
        );
        let (folders, files) = store.list("").await.unwrap();
        assert_eq!((folders, files), (vec!["dists".to_owned(), "pool".to_owned()], Vec::new()));
    }

    #[tokio::test]
    async fn a_link_loop_or_a_dangling_link_hides_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::create_dir_all(at("c")).unwrap();
        for file in ["a/b/one", "c/two", "c/half#1", "c/.publish-x.tmp"] {
            fs::write(at(file), file).unwrap();
        }
        for (target, link) in [
            (".", "a/itself"),
            ("..", "a/above"),
            ("../../c", "a/b/c"),
            ("../a", "c/a"),
            ("circle", "a/circle"),
            ("gone", "a/gone"),
            ("/", "a/out"),
            ("/proc/self", "c/out"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        let made = std::process::Command::new("mkfifo").arg(at("a/pipe")).status().unwrap();
        assert!(made.success());
        let store = Store::open(&Location::Folder(root.path().to_owned()), &Environment::default()).unwrap();
        let walked = async |folder: &str| {
            let found: Vec<_> = futures::TryStreamExt::try_collect(store.walk(folder)).await.unwrap();
            let mut paths: Vec<String> =
                found.into_iter().map(|found: crate::store::StoredObject| found.path).collect();
            paths.sort_unstable();
            paths
        };
        assert_eq!(walked("").await, ["a/b/c/two", "a/b/one", "c/a/b/one", "c/two"]);
        assert_eq!(walked("c").await, ["c/a/b/one", "c/two"]);
        assert_eq!(walked("a/out").await, Vec::<String>::new());
        assert_eq!(walked("gone").await, Vec::<String>::new());
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(store.list("a").await.unwrap(), (names(&["b"]), Vec::new()));
        assert_eq!(store.list("c").await.unwrap(), (names(&["a"]), names(&["two"])));
        assert_eq!(store.list("a/out").await.unwrap(), (Vec::new(), Vec::new()));
    }
}
