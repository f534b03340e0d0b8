//! `RemoteFile`: a file of a package of another archive, which the commit fetches into the pool.
//!
//! The other archive decides nothing about where a file is written: its path in the pool follows from the identity of the
//! package, as for a file that is added. Its size and SHA256 are those of a verified index.

use crate::{
    dists::{Entry, PackageEntry, entries::EntryFile},
    names::Component,
    pool::{self, PoolPath},
    store::{Store, decoded_text},
    suite::{
        error::Error,
        references::{Expected, is_shown},
    },
};

/// A file of a package of another archive.
#[derive(Clone)]
pub(crate) struct RemoteFile {
    /// The store of that archive.
    pub(crate) store: Store,
    /// The path in that store.
    pub(crate) path: String,
    /// The size and digests in the verified index.
    pub(crate) expected: Expected,
}

/// A file of a package of another archive, and its path in the pool.
#[derive(Clone)]
pub(crate) struct Fetched {
    pub(crate) to: PoolPath,
    pub(crate) file: RemoteFile,
    /// The package for messages.
    pub(crate) subject: String,
}

impl RemoteFile {
    /// The files of a package, the main one first. The paths in the index, which is in `index`, are below the folder `base`
    /// of the store.
    pub(crate) fn of(
        entry: &PackageEntry,
        index: &str,
        store: &Store,
        base: &str,
    ) -> Result<Vec<Self>, Error> {
        let incomplete =
            |field| Error::Incomplete { path: index.to_owned(), package: entry.name().to_owned(), field };
        let read = Entry::of(entry).map_err(|_| incomplete("Files"))?;
        let main = read.main_file().ok_or_else(|| incomplete("Filename"))?;
        let others = read.files.iter().filter(|file| *file != main);
        let folder = main.path.as_deref().and_then(|path| path.rsplit_once('/')).map(|(folder, _)| folder);
        let file = |file: &EntryFile| {
            let path = file.path.as_deref().ok_or_else(|| incomplete("Filename"))?;
            let size = file.size.ok_or_else(|| incomplete("Size"))?;
            // MD5 alone proves nothing any more.
            let sha256 = file.sha256.ok_or_else(|| incomplete("SHA256"))?;
            let is_beside = path.rsplit_once('/').map(|(folder, _)| folder) == folder;
            let there = without_empty_parts(path);
            if !is_shown(&there) || !is_beside {
                return Err(Error::Unsafe { path: index.to_owned(), names: path.to_owned() });
            }
            let path = if base.is_empty() { there } else { format!("{base}/{there}") };
            let expected = Expected { size, sha256: Some(sha256), md5: file.md5 };
            Ok(Self { store: store.clone(), path, expected })
        };
        [main].into_iter().chain(others).map(file).collect()
    }

    /// Its path without percent-encoding, which some tools put in their indices; `None` if there is none.
    pub(crate) fn path_without_encoding(&self) -> Option<String> {
        let path = decoded_text(&self.path);
        (path != self.path && is_shown(&path)).then_some(path)
    }

    /// The plan to fetch it to a path of the pool.
    pub(crate) fn fetched(&self, to: &PoolPath, subject: String) -> Fetched {
        Fetched { to: to.clone(), file: self.clone(), subject }
    }
}

/// The path with one `/` in the place of several, as servers with folders read it; the file gets a path of its own here.
fn without_empty_parts(path: &str) -> String {
    let mut parts = path.split('/');
    let first = parts.next().into_iter();
    first.chain(parts.filter(|part| !part.is_empty())).collect::<Vec<_>>().join("/")
}

/// Returns the paths of the files of a package in a component, in their order, and its stanza with these paths.
pub(crate) fn placed(
    entry: &PackageEntry,
    component: &Component,
    files: &[RemoteFile],
) -> Result<(PackageEntry, Vec<PoolPath>), pool::Error> {
    let source = entry.source().name;
    if !entry.is_source() {
        let (name, architecture) = (entry.name(), entry.index_architecture());
        let version = entry.version().split_once(':').map_or(entry.version(), |(_, rest)| rest);
        let file = format!("{name}_{version}_{architecture}.{}", entry.package_type());
        let path = PoolPath::of_names(component, source, &file, PoolPath::parse)?;
        return Ok((entry.with_field("Filename", Some(path.as_str())), vec![path]));
    }
    let names = files.iter().map(|file| file.path.rsplit('/').next().unwrap_or_default());
    let paths = names.map(|name| PoolPath::of_names(component, source, name, PoolPath::parse_source));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let folder = paths.first().map(PoolPath::folder).unwrap_or_default().to_owned();
    Ok((entry.with_field("Directory", Some(&folder)), paths))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        dists::PackagesIndex,
        package_type::PackageType,
        store::{Environment, Location},
    };

    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn entry(text: &str, package_type: PackageType) -> PackageEntry {
        let text = Bytes::copy_from_slice(text.as_bytes());
        PackagesIndex::parse(&text, package_type).unwrap().entries().remove(0)
    }

    fn path_of(entry: &PackageEntry) -> Result<Vec<String>, String> {
        let store = Store::open(&Location::Memory, &Environment::default()).unwrap();
        let files = RemoteFile::of(entry, "Packages", &store, "").map_err(|error| error.to_string())?;
        let component = Component::parse("main").unwrap();
        let (_, paths) = placed(entry, &component, &files).map_err(|error| error.to_string())?;
        Ok(paths.iter().map(ToString::to_string).collect())
    }

    fn binary(name: &str, version: &str, more: &str) -> PackageEntry {
        let text = format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\n{more}\n");
        entry(&text, PackageType::Deb)
    }

    #[test]
    fn the_path_follows_from_the_identity_of_the_package() {
        let file = format!("Filename: ./x/y.deb\nSize: 4\nSHA256: {DIGEST}\n");
        let path =
            |name: &str, version: &str, more: &str| path_of(&binary(name, version, &format!("{file}{more}")));
        assert_eq!(path("foo", "1:2.0-1", "").unwrap(), ["pool/main/f/foo/foo_2.0-1_amd64.deb"]);
        let of_source = path("foo", "1", "Source: libbar (2)\n").unwrap();
        assert_eq!(of_source, ["pool/main/libb/libbar/foo_1_amd64.deb"]);
        let odd = format!("Filename: pool//x y//z.deb\nSize: 4\nSHA256: {DIGEST}\n");
        assert_eq!(path_of(&binary("foo", "1", &odd)).unwrap(), ["pool/main/f/foo/foo_1_amd64.deb"]);
        for (name, version, more) in [
            ("foo", "1 2", ""),
            ("../foo", "1", ""),
            ("a/b", "1", ""),
            ("..", "1", ""),
            ("foo", "1/../../x", ""),
            ("foo", "1", "Source: ..\n"),
            ("foo", "1", "Source: ../../conf\n"),
            ("foo", "1", "Source: .git\n"),
        ] {
            assert!(path(name, version, more).is_err(), "{name} {version} {more}");
        }
    }

    #[test]
    fn a_file_needs_a_safe_path_a_size_and_a_sha256() {
        for (more, expected) in [
            (format!("Size: 4\nSHA256: {DIGEST}\n"), "`Filename`"),
            (format!("Filename: a.deb\nSHA256: {DIGEST}\n"), "`Size`"),
            ("Filename: a.deb\nSize: 4\nMD5sum: d41d8cd98f00b204e9800998ecf8427e\n".to_owned(), "`SHA256`"),
            (format!("Filename: ../../etc/a.deb\nSize: 4\nSHA256: {DIGEST}\n"), "../../etc/a.deb"),
            (format!("Filename: //a.deb\nSize: 4\nSHA256: {DIGEST}\n"), "//a.deb"),
            (format!("Filename: conf/a.deb\nSize: 4\nSHA256: {DIGEST}\n"), "conf/a.deb"),
        ] {
            let error = path_of(&binary("foo", "1", &more)).unwrap_err();
            assert!(error.contains(expected), "{more}: {error}");
        }
    }

    #[test]
    fn the_files_of_a_source_package_are_in_its_folder() {
        let source = |names: [&str; 2]| {
            let line = |name: &str| format!(" {DIGEST} 4 {name}\n");
            let files: String = names.map(line).concat();
            let text = format!("Package: foo\nVersion: 1\nDirectory: ./\nChecksums-Sha256:\n{files}");
            path_of(&entry(&text, PackageType::Dsc))
        };
        let folder = "pool/main/f/foo";
        let found = source(["foo_1.tar.xz", "foo_1.dsc"]).unwrap();
        assert_eq!(found, [format!("{folder}/foo_1.dsc"), format!("{folder}/foo_1.tar.xz")]);
        assert!(source(["../x.tar.xz", "foo_1.dsc"]).is_err());
    }
}
