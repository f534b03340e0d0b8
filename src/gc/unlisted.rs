//! Indices that no release file lists: those of a flat archive (`deb URL ./`), or of another tool.
//!
//! Clients of such an index download the files that it names, so `prune` keeps them and says so. Read line by line, as
//! leniently as possible: a file is kept in doubt.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
};

use futures::TryStreamExt as _;

use crate::{
    dists::layout::{self, ArchivePath, names_packages, plain_path},
    store::{self, Store, blocking},
    suite::{error::Error, limits},
};

/// Returns the indices beside `dists/` and `pool/`, in any public folder.
///
/// Those below another `dists/` belong to another archive, whose pool is its own.
pub(super) async fn beside_the_trees(store: &Store) -> Result<Vec<String>, Error> {
    let (folders, mut files) = store.list("").await?;
    let others = folders.iter().filter(|name| !layout::TREES.contains(&name.as_str()));
    for folder in others.filter(|name| !layout::is_private(name)) {
        let mut walk = store.walk(folder);
        loop {
            match walk.try_next().await {
                Ok(Some(found)) => files.push(found.path),
                Ok(None) => break,
                // A folder that this user cannot read, such as `lost+found`, is served to no client either.
                Err(error) if is_forbidden(&error) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    files.retain(|path| is_index(path) && !path.contains("/dists/"));
    Ok(files)
}

/// Whether a file is an index of packages by its name.
pub(super) fn is_index(path: &str) -> bool {
    names_packages(plain_path(path)) && ArchivePath::of(path) != ArchivePath::Private
}

fn is_forbidden(error: &store::Error) -> bool {
    let store::Error::Failed { source, .. } = error else { return false };
    let kind = source.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::PermissionDenied)
}

/// Returns the files that these indices name, each with one of them.
///
/// # Errors
/// An index cannot be read: the files that it names are unknown.
pub(super) async fn named_by(
    store: &Store,
    indices: BTreeSet<String>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut named = BTreeMap::new();
    for path in indices {
        // Deleted concurrently.
        let Some(object) = store.read(&path, limits::UNLISTED_TEXT).await? else { continue };
        let index = path.clone();
        let files = blocking(move || {
            let failed = |source| Error::Unpack { path: path.clone(), source };
            let (_, compression) = layout::uncompressed(&path);
            let (limit, mut text) = (limits::UNLISTED_TEXT.get(), Vec::new());
            let decoder = compression.index_decoder(&object.bytes[..]).map_err(failed)?;
            decoder.take(limit + 1).read_to_end(&mut text).map_err(failed)?;
            if text.len() as u64 > limit {
                return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
            }
            let files = names(&String::from_utf8_lossy(&text));
            Ok(files.iter().flat_map(|name| places(&path, name)).collect::<BTreeSet<String>>())
        });
        named.extend(files.await?.into_iter().map(|file| (file, index.clone())));
    }
    Ok(named)
}

/// Returns the names of files in an index, of binary or of source packages.
fn names(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for stanza in text.split("\n\n") {
        let field = |line: &str, name: &str| {
            let (field, value) = line.split_once(':')?;
            field.trim_end().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        let folder = stanza.lines().find_map(|line| field(line, "Directory"));
        for line in stanza.lines() {
            found.extend(field(line, "Filename"));
            // ` DIGEST SIZE NAME` in `Files` and the `Checksums-` fields.
            if let (Some(folder), Some(b' ' | b'\t')) = (&folder, line.as_bytes().first())
                && let [_, _, name] = line.split_whitespace().collect::<Vec<_>>()[..]
            {
                found.insert(format!("{folder}/{name}"));
            }
        }
    }
    found
}

/// Returns the paths that a name in an index may mean: it is relative to the URL that the client has, which may be that
/// of any folder above the index.
fn places(index: &str, name: &str) -> Vec<String> {
    let above = index.match_indices('/').map(|(at, _)| &index[..at]);
    std::iter::once("").chain(above).filter_map(|folder| normal(folder, name)).collect()
}

/// Resolves `.` and `..` in a path; `None` if it leads out of the archive.
fn normal(folder: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(name.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_binary_and_source_packages_are_found() {
        let text = "Package: a\nFilename: ./a_1_all.deb\n\nPackage: b\nfilename : pool/b.deb\n\n\
                    Package: c\nFiles:\n 00 1 c.dsc\n 00 2 c.tar.xz\nDirectory: src/c\n";
        let found: Vec<String> = names(text).into_iter().collect();
        assert_eq!(found, ["./a_1_all.deb", "pool/b.deb", "src/c/c.dsc", "src/c/c.tar.xz"]);
        assert!(names("<html>").is_empty());
    }

    #[test]
    fn a_name_is_relative_to_any_folder_above_the_index() {
        assert_eq!(places("Packages", "./a.deb"), ["a.deb"]);
        assert_eq!(
            places("pool/main/Packages.gz", "./h/a.deb"),
            ["h/a.deb", "pool/h/a.deb", "pool/main/h/a.deb"]
        );
        assert_eq!(places("flat/Packages", "../pool/a.deb"), ["pool/a.deb"]);
    }

    #[test]
    fn an_index_is_known_by_its_name() {
        for index in ["Packages", "Packages.gz", "pool/Sources.xz", "flat/Packages"] {
            assert!(is_index(index), "{index}");
        }
        for other in ["pool/Packages.txt", "conf/Packages", "pool/.x/Packages", "MyPackages"] {
            assert!(!is_index(other), "{other}");
        }
    }
}
