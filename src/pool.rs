//! The path of a package: `pool/COMPONENT/PREFIX/SOURCE/NAME_VERSION_ARCH.deb`.
//!
//! A [`PoolPath`] is relative to the root of the archive and proves that a path is safe: it stays below the root,
//! means the same to every client and server, and names a package, so it cannot be an index, a `Release` or a
//! configuration file. The layout is Debian's; the rules are those of `Filename` (Debian Policy 5.6, apt's acquire
//! code).

use std::fmt;

use crate::{
    deb::{BinaryPackage, SourcePackage},
    names::Component,
};

/// The longest file name that common file systems store.
const LONGEST_NAME: usize = 255;
/// The longest key that object stores accept.
const LONGEST_PATH: usize = 1024;
/// This many digits of a digest identify a file; the store refuses different bytes at the same path in any case.
const UNIQUE: usize = 16;
/// The extensions of package files; `ddeb` holds debug symbols, `udeb` parts of the installer.
const ENDINGS: [&str; 3] = [".deb", ".udeb", ".ddeb"];
/// The extensions of the files of source packages, as dpkg-source names them.
const SOURCE_ENDINGS: [&str; 10] = [
    ".dsc",
    ".tar.gz",
    ".tar.xz",
    ".tar.bz2",
    ".tar.zst",
    ".tar.lzma",
    ".diff.gz",
    ".asc",
    ".git",
    ".gitshallow",
];

/// Whether a name has the extension of a package file, binary or source, or of the record of its build.
pub(crate) fn is_package_file(path: &str) -> bool {
    let mut endings = ENDINGS.iter().chain(&SOURCE_ENDINGS).chain(&[".buildinfo"]);
    endings.any(|ending| path.ends_with(ending))
}

/// The extensions of the records of uploads.
pub(crate) const RECORD_ENDINGS: [&str; 7] =
    [".changes", ".buildinfo", ".log", ".log.gz", ".log.xz", ".log.bz2", ".log.zst"];

/// The end of the folder, beside the packages of an upload, with its files that an administrator handles.
pub(crate) const BY_HAND: &str = "_byhand";

/// The path of one package file, relative to the root of the archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolPath(Box<str>);

/// Why a `Filename` cannot be the path of a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("file name `{}` is not allowed: {why}", text.escape_debug())]
pub struct Error {
    text: String,
    why: &'static str,
}

impl Error {
    pub(crate) fn new(text: &str, why: &'static str) -> Self {
        Self { text: text.to_owned(), why }
    }

    /// The rule that it breaks.
    pub(crate) fn why(&self) -> &'static str {
        self.why
    }

    /// Returns a remedy.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = "the index does not follow the format; generate it again from the packages";
        Some(hint.to_owned())
    }
}

impl PoolPath {
    /// The path of a package in a component.
    ///
    /// The version is written without its epoch, so `1:2.0` and `2.0` share a path: the caller has to compare the
    /// bytes.
    #[must_use]
    pub fn of(component: &Component, package: &BinaryPackage) -> Self {
        Self(format!("{}/{}", folder(component, package.source().as_str()), package.file_name()).into())
    }

    /// The paths of the files of a source package in a component, in their order. Versions of one source share a folder,
    /// and so the tarball of an upstream version.
    pub fn of_source(component: &Component, package: &SourcePackage) -> Result<Vec<Self>, Error> {
        Self::of_files(&folder(component, package.name().as_str()), package)
    }

    /// The same paths in a folder named by the digest of the `.dsc`, as [`PoolPath::unique`].
    pub fn unique_source(component: &Component, package: &SourcePackage) -> Result<Vec<Self>, Error> {
        let digest = package.description().digests().digests.sha256.to_string();
        let folder = folder(component, package.name().as_str());
        Self::of_files(&format!("{folder}/{}", &digest[..UNIQUE]), package)
    }

    /// The path of a file in the folder of a source, by names that any tool may have written.
    ///
    /// # Errors
    /// One of them is not a name that a package can have.
    pub(crate) fn of_names(
        component: &Component,
        source: &str,
        file: &str,
        parse: fn(&str) -> Result<Self, Error>,
    ) -> Result<Self, Error> {
        for part in [source, file] {
            let is_word = part.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
            if !is_word || part.contains('/') || part.contains(char::is_whitespace) {
                let why = "the name of the package or of its source is not one that a package can have";
                return Err(Error { text: file.to_owned(), why });
            }
        }
        parse(&format!("{}/{file}", folder(component, source)))
    }

    fn of_files(folder: &str, package: &SourcePackage) -> Result<Vec<Self>, Error> {
        let files = package.files().iter();
        files.map(|file| Self::parse_source(&format!("{folder}/{}", file.name()))).collect()
    }

    /// The same path in a folder named by the digest: for a package whose contents may change under one version. The
    /// previous file stays, for clients that still request it.
    #[must_use]
    pub fn unique(component: &Component, package: &BinaryPackage) -> Self {
        let path = Self::of(component, package);
        let (folder, file) = path.0.rsplit_once('/').unwrap_or(("pool", &path.0));
        let digest = package.digests().sha256.to_string();
        Self(format!("{folder}/{}/{file}", &digest[..UNIQUE]).into())
    }

    /// Checks the `Filename` of an index from any source.
    ///
    /// One leading `./`, which dpkg-scanpackages writes in a folder without `dists/`, is removed: apt requests
    /// `/./x.deb`, which is `x.deb` for every server that has folders. A bucket has none, so an index for a bucket
    /// needs `Filename` without it.
    pub fn parse(filename: &str) -> Result<Self, Error> {
        Self::checked(filename, &ENDINGS, "it does not end in `.deb`")
    }

    /// The path of a file that an index lists, whatever its extension.
    pub(crate) fn of_any_name(filename: &str) -> Result<Self, Error> {
        let path = filename.strip_prefix("./").unwrap_or(filename);
        check(path).map_err(|why| Error::new(filename, why))?;
        Ok(Self(path.into()))
    }

    /// Checks the path of a file of a source package, from the index of any source.
    pub fn parse_source(path: &str) -> Result<Self, Error> {
        Self::checked(path, &SOURCE_ENDINGS, "it does not end like a file of a source package")
    }

    /// The path of a record of an upload beside its packages: a `.changes` or `.buildinfo` file, or a log.
    pub fn of_record(folder: &str, name: &str) -> Result<Self, Error> {
        Self::checked(
            &format!("{folder}/{name}"),
            &RECORD_ENDINGS,
            "it does not end like a record of an upload",
        )
    }

    /// The path of a file of an upload that an administrator handles, in a folder of the upload beside its packages.
    pub fn of_by_hand(folder: &str, upload: &str, name: &str) -> Result<Self, Error> {
        let path = format!("{folder}/{upload}{BY_HAND}/{name}");
        match check(&path) {
            Ok(()) => Ok(Self(path.into())),
            Err(why) => Err(Error { text: path, why }),
        }
    }

    fn checked(filename: &str, endings: &[&str], otherwise: &'static str) -> Result<Self, Error> {
        let path = filename.strip_prefix("./").unwrap_or(filename);
        let ending = endings.iter().find(|ending| path.ends_with(**ending));
        match check(path).and(ending.ok_or(otherwise)) {
            Ok(_) => Ok(Self(path.into())),
            Err(why) => Err(Error { text: filename.to_owned(), why }),
        }
    }

    /// The folder that contains the file.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// Whether the file is a binary package.
    pub(crate) fn is_binary(&self) -> bool {
        ENDINGS.iter().any(|ending| self.0.ends_with(ending))
    }

    /// The path as text: the value of `Filename` and the key in a store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The folder of a source in a component.
fn folder(component: &Component, source: &str) -> String {
    format!("pool/{component}/{}/{source}", prefix(source))
}

/// The folder that keeps the list of sources short: the first letter, or four letters of the many libraries.
fn prefix(source: &str) -> &str {
    let length = if source.starts_with("lib") && source.len() > 3 { 4 } else { 1 };
    source.get(..length).unwrap_or(source)
}

fn check(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("it is empty");
    }
    if path.len() > LONGEST_PATH {
        return Err("it is longer than 1024 bytes");
    }
    if path.starts_with('/') {
        return Err("it must be relative to the root of the archive");
    }
    // apt requests a blank as `%20`.
    if path.contains(char::is_control) {
        return Err("it contains a control character");
    }
    if path.contains('\\') {
        return Err("it contains `\\`");
    }
    for part in path.split('/') {
        match part {
            "" => return Err("a part between `/` is empty"),
            "." | ".." => return Err("`.` and `..` are not allowed as parts"),
            _ if part.len() > LONGEST_NAME => return Err("a part is longer than 255 bytes"),
            _ => {}
        }
    }
    Ok(())
}

impl fmt::Display for PoolPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for PoolPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_made_by_others() {
        for good in [
            "pool/main/a/acpi/acpi_1.7-1.3_amd64.deb",
            "acpi.deb",
            "dists/stable/main/binary-amd64/acpi_1.deb",
            "pool/main/libs/libstdc++6/libstdc++6_1:2~rc1+b1_amd64.deb",
            "pool/é/x.udeb",
            "a..b/x.deb",
            "pool/a b.deb",
            "pool/a\u{a0}.deb",
            ".hidden/...deb",
        ] {
            assert_eq!(PoolPath::parse(good).unwrap().as_str(), good);
        }
        // apt 2.6 downloads it, over HTTP and from a folder.
        assert_eq!(PoolPath::parse("./acpi.deb").unwrap().as_str(), "acpi.deb");
        for bad in [
            "",
            "./",
            "././acpi.deb",
            ".//acpi.deb",
            "./../acpi.deb",
            "/./acpi.deb",
            "/etc/x.deb",
            "../x.deb",
            "pool/../../x.deb",
            "pool/..",
            "pool//x.deb",
            "pool/./x.deb",
            "pool/x.deb/",
            "pool/a\nb.deb",
            "pool/a\0.deb",
            "pool\\..\\x.deb",
            "dists/stable/InRelease",
            "conf/distributions",
            "pool/main/a/acpi",
        ] {
            assert!(PoolPath::parse(bad).is_err(), "{bad:?}");
        }
        assert!(PoolPath::parse(&format!("{}.deb", "x".repeat(252))).is_err());
        assert!(PoolPath::parse(&format!("{}x.deb", "y/".repeat(600))).is_err());
    }

    #[test]
    fn files_of_sources_have_paths_of_their_own() {
        for good in ["pool/main/h/hello/hello_1.dsc", "pool/a_1.orig.tar.gz.asc", "pool/a_1.diff.gz"] {
            assert_eq!(PoolPath::parse_source(good).unwrap().as_str(), good);
        }
        assert_eq!(PoolPath::parse_source("pool/a/a_1.dsc").unwrap().folder(), "pool/a");
        for bad in ["pool/a.deb", "pool/../a.dsc", "/a.dsc", "dists/stable/InRelease", "pool/a\nb.dsc"] {
            assert!(PoolPath::parse_source(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_shows_the_name_and_a_remedy() {
        let error = PoolPath::parse("../x\n").unwrap_err();
        assert_eq!(error.to_string(), "file name `../x\\n` is not allowed: it contains a control character");
        assert!(error.hint().is_some());
    }

    #[test]
    fn libraries_are_spread_by_four_letters() {
        for (source, expected) in
            [("acpi", "a"), ("libc", "libc"), ("libfoo", "libf"), ("lib", "l"), ("0ad", "0"), ("li", "l")]
        {
            assert_eq!(prefix(source), expected);
        }
    }
}
