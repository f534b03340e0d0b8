//! Output: builds a small package in memory (deb(5)).
//!
//! The same control text, files and time give the same bytes on every machine: every file belongs to root and has the
//! given time. Both archives are gzip, which every dpkg reads. There are no scripts and no conffiles.

use std::io::{self, Write};

use crate::digest::Digests;

/// Longer paths need an extension of the tar format.
const LONGEST_PATH: usize = 100;

/// A package to build.
#[derive(Debug, Clone)]
pub struct NewDeb<'a> {
    /// The `control` file.
    pub control: &'a str,
    /// The installed files: paths without a leading slash, and bytes.
    pub files: &'a [(String, Vec<u8>)],
    /// The time of all files, in seconds since 1970.
    pub time: u64,
}

impl NewDeb<'_> {
    /// The bytes of the `.deb`.
    ///
    /// # Errors
    /// No path may be longer than 98 bytes.
    pub fn render(&self) -> io::Result<Vec<u8>> {
        let sum = |(path, bytes): &(String, Vec<u8>)| format!("{}  {path}\n", Digests::of(bytes).md5);
        let sums = self.files.iter().map(sum).collect::<Vec<_>>().concat();
        let control = [
            ("control".to_owned(), self.control.as_bytes().to_vec()),
            ("md5sums".to_owned(), sums.into_bytes()),
        ];
        let mut deb = b"!<arch>\n".to_vec();
        self.member(&mut deb, "debian-binary", b"2.0\n");
        self.member(&mut deb, "control.tar.gz", &gzip(&self.tar(&control)?)?);
        self.member(&mut deb, "data.tar.gz", &gzip(&self.tar(self.files)?)?);
        Ok(deb)
    }

    /// Appends one member of the container, padded to an even length.
    fn member(&self, deb: &mut Vec<u8>, name: &str, bytes: &[u8]) {
        let header =
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", self.time, 0, 0, "100644", bytes.len());
        deb.extend_from_slice(header.as_bytes());
        deb.extend_from_slice(bytes);
        if bytes.len() % 2 == 1 {
            deb.push(b'\n');
        }
    }

    /// Builds an archive of files and their parent folders, each folder before its content.
    fn tar(&self, files: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(Vec::new());
        let mut folders: Vec<String> = Vec::new();
        for (path, bytes) in files {
            let path = format!("./{path}");
            for (slash, _) in path.match_indices('/') {
                let folder = &path[..=slash];
                if !folders.iter().any(|made| made == folder) {
                    self.entry(&mut archive, folder, tar::EntryType::Directory, &[])?;
                    folders.push(folder.to_owned());
                }
            }
            self.entry(&mut archive, &path, tar::EntryType::Regular, bytes)?;
        }
        archive.into_inner()
    }

    fn entry(
        &self,
        archive: &mut tar::Builder<Vec<u8>>,
        path: &str,
        kind: tar::EntryType,
        bytes: &[u8],
    ) -> io::Result<()> {
        if path.len() > LONGEST_PATH {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the path `{path}` is too long"),
            ));
        }
        let mut header = tar::Header::new_gnu();
        // Not `set_path`, which drops the `./` that dpkg-deb writes before each path.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
        header.set_size(bytes.len() as u64);
        header.set_mtime(self.time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        header.set_cksum();
        archive.append(&header, bytes)
    }
}

/// The disk usage of files in KiB, as `Installed-Size` counts it: each file and each folder separately
/// (deb-substvars(5)).
#[must_use]
pub fn installed_size(files: &[(String, Vec<u8>)]) -> usize {
    let mut folders: Vec<&str> = Vec::new();
    for (path, _) in files {
        folders.extend(path.match_indices('/').map(|(slash, _)| &path[..slash]));
    }
    folders.sort_unstable();
    folders.dedup();
    files.iter().map(|(_, bytes)| bytes.len().div_ceil(1024)).sum::<usize>() + folders.len()
}

/// Compresses as `gzip -9n` does: without name and time.
pub(crate) fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder =
        flate2::GzBuilder::new().operating_system(3).write(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::{BinaryPackage, read_file};

    const CONTROL: &str = "Package: aa\nVersion: 1\nArchitecture: all\nMaintainer: b\nDescription: c\n";

    fn files() -> Vec<(String, Vec<u8>)> {
        vec![
            ("usr/share/a/odd".to_owned(), b"odd".to_vec()),
            ("usr/share/a/b/even".to_owned(), b"even".to_vec()),
        ]
    }

    fn render(time: u64) -> Vec<u8> {
        NewDeb { control: CONTROL, files: &files(), time }.render().unwrap()
    }

    #[test]
    fn our_own_reader_finds_what_was_written() {
        let deb = render(7);
        let package = BinaryPackage::read(&deb[..]).unwrap();
        assert_eq!(package.control(), CONTROL.as_bytes());
        assert_eq!(package.file_name(), "aa_1_all.deb");
        for (path, bytes) in files() {
            let found = read_file(&deb, &path).unwrap().unwrap();
            assert_eq!((found.bytes, found.time), (bytes, 7), "{path}");
        }
        assert_eq!(read_file(&deb, "usr/share/a").unwrap(), None);
        assert_eq!(read_file(&deb, "usr/share/a/none").unwrap(), None);
    }

    #[test]
    fn the_same_gives_the_same() {
        assert_eq!(render(7), render(7));
        assert_ne!(render(7), render(8));
    }

    #[test]
    fn the_installed_size_counts_files_and_folders() {
        // usr, usr/share, usr/share/a, usr/share/a/b, and two small files.
        assert_eq!(installed_size(&files()), 6);
        assert_eq!(installed_size(&[("a".to_owned(), vec![0; 1025]), ("b".to_owned(), Vec::new())]), 2);
    }

    #[test]
    fn a_path_that_does_not_fit_is_an_error() {
        let files = [("x".repeat(99), Vec::new())];
        let error = NewDeb { control: CONTROL, files: &files, time: 0 }.render().unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }
}
