//! Links to files beside or below them, for clients that know a file by another name.

use std::{fs, io, os::unix::fs::symlink, path::Path};

use super::root::Folder;
use crate::store::offload::blocking;

impl Folder {
    /// Makes each path a link to its target, a path below the folder of the link, or no link. Any other file at such a path,
    /// and a link to elsewhere, is not of this program and stays.
    ///
    /// # Errors
    /// A link cannot be made, with its path.
    pub(crate) async fn link_all(
        &self,
        links: Vec<(String, Option<String>)>,
    ) -> Result<(), (String, io::Error)> {
        let folder = self.clone();
        blocking(move || {
            for (path, target) in links {
                let at = folder.0.root.join(&path);
                let made = match folder.inside(at.parent().unwrap_or(&at)) {
                    Ok(()) => make(&at, target.as_deref()),
                    Err(error) => Err(error),
                };
                match made {
                    Ok(true) => folder.record_unflushed(at),
                    Ok(false) => {}
                    Err(error) => return Err((path, error)),
                }
            }
            Ok(())
        })
        .await
    }
}

/// Returns whether it made a link.
fn make(at: &Path, target: Option<&str>) -> io::Result<bool> {
    let target = target.filter(|target| at.with_file_name(target).is_file());
    let file = at.file_name().unwrap_or_default();
    match fs::read_link(at) {
        Ok(found) if target.is_some_and(|target| found == Path::new(target)) => return Ok(false),
        Ok(found) => {
            let is_below = found.is_relative() && found.components().count() > 1 && !found.starts_with("..");
            if found.file_name() != Some(file) || !is_below {
                return Ok(false);
            }
            fs::remove_file(at)?;
        }
        Err(_) if fs::symlink_metadata(at).is_ok() => return Ok(false),
        Err(_) => {}
    }
    let Some(target) = target else { return Ok(false) };
    match symlink(target, at) {
        Ok(()) => Ok(true),
        // A concurrent publisher makes the same link.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_links_to_the_same_name_below_are_replaced() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for folder in ["s/main", "s/contrib"] {
            fs::create_dir_all(at(folder)).unwrap();
            for name in ["new", "other", "same", "elsewhere", "file", "off"] {
                fs::write(at(folder).join(name), "x").unwrap();
            }
        }
        for (link, target) in [
            ("other", "contrib/other"),
            ("same", "main/same"),
            ("elsewhere", "../x/elsewhere"),
            ("off", "main/off"),
            ("gone", "main/gone"),
        ] {
            symlink(target, at("s").join(link)).unwrap();
        }
        fs::write(at("s/file"), "own").unwrap();
        let link = |name: &str| (format!("s/{name}"), Some(format!("main/{name}")));
        let mut links = ["new", "other", "same", "elsewhere", "file", "gone"].map(link).to_vec();
        links.push(("s/off".to_owned(), None));
        let folder = Folder::new(root.path());
        for _ in 0..2 {
            folder.link_all(links.clone()).await.unwrap();
        }
        for (name, target) in [
            ("new", Some("main/new")),
            ("other", Some("main/other")),
            ("same", Some("main/same")),
            ("elsewhere", Some("../x/elsewhere")),
            ("file", None),
            ("off", None),
            // The target does not exist, so the link would lead nowhere.
            ("gone", None),
        ] {
            let found = fs::read_link(at("s").join(name)).ok();
            assert_eq!(found.as_deref(), target.map(Path::new), "{name}");
        }
        assert_eq!(fs::read_to_string(at("s/file")).unwrap(), "own");
        assert!(!at("s/gone").is_symlink() && !at("s/off").is_symlink());
        folder.flush().await.unwrap();
    }
}
