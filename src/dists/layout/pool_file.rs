//! The names of files in the pool: packages, and the records of uploads that stay beside them.

use crate::pool::{BY_HAND, RECORD_ENDINGS, is_package_file};

/// The folder and the version of the packages that a file below `pool/` is a record of: a `.changes` or `.buildinfo` file,
/// or a log, named `SOURCE_VERSION_ARCHITECTURE`, or any file in a folder `SOURCE_VERSION_byhand`. It stays as long as one
/// of them.
#[must_use]
pub fn record_of(path: &str) -> Option<(&str, &str)> {
    let (folder, name) = path.rsplit_once('/').filter(|_| path.starts_with("pool/"))?;
    let (folder, name) = match folder.rsplit_once('/') {
        Some(above) if folder.ends_with(BY_HAND) => above,
        _ if RECORD_ENDINGS.iter().any(|ending| path.ends_with(ending)) => (folder, name),
        _ => return None,
    };
    let mut parts = name.splitn(3, '_');
    let (_, version, _) = (parts.next()?, parts.next()?, parts.next()?);
    // The name of a description has the epoch, those of packages have not.
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    Some((folder_of_source(folder), version))
}

/// The folder and the version of a package file, as [`record_of`] names them.
#[must_use]
pub fn package_of(path: &str) -> Option<(&str, &str)> {
    let (folder, name) = path.rsplit_once('/')?;
    let version = match name.strip_suffix(".dsc") {
        Some(name) => name.split_once('_')?.1,
        None => name.split('_').nth(1).filter(|_| is_package_file(name))?,
    };
    Some((folder_of_source(folder), version))
}

/// The folder of a source; a package that may be replaced is in a folder of its own below it.
fn folder_of_source(folder: &str) -> &str {
    match folder.rsplit_once('/') {
        Some((above, last)) if last.len() == 16 && last.bytes().all(|b| b.is_ascii_hexdigit()) => above,
        _ => folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_belong_to_the_packages_of_their_version() {
        let of = Some(("pool/main/h/hello", "1.0-1"));
        for record in [
            "hello_1.0-1_amd64.buildinfo",
            "hello_2:1.0-1_source+amd64.changes",
            "hello_1.0-1_amd64.log.xz",
            "hello_2:1.0-1_byhand/disk.img",
            "hello_1.0-1_byhand/build.log",
        ] {
            assert_eq!(record_of(&format!("pool/main/h/hello/{record}")), of, "{record}");
        }
        for other in ["pool/x/readme.log", "pool/x/a_1.changes", "x/a_1_b.changes", "pool/x/a_1_b.deb"] {
            assert_eq!(record_of(other), None, "{other}");
        }
        for package in
            ["hello_1.0-1.dsc", "libhello_1.0-1_amd64.deb", "0123456789abcdef/hello_1.0-1_all.udeb"]
        {
            assert_eq!(package_of(&format!("pool/main/h/hello/{package}")), of, "{package}");
        }
        assert_eq!(package_of("pool/main/h/hello/README"), None);
    }
}
