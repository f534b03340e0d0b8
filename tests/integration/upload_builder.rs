//! Builds `.changes` files for files that are in a folder.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use publish::digest::SourceDigests;

use crate::sandbox::{Sandbox, fixture};

/// An upload to be described; see [`upload`].
pub(crate) struct UploadBuilder {
    pub(crate) folder: PathBuf,
    source: String,
    version: String,
    distribution: String,
    section: String,
}

/// An upload of all files in a folder, of source `hello` 1.0-1, for suite `stable`.
pub(crate) fn upload(folder: impl AsRef<Path>) -> UploadBuilder {
    UploadBuilder {
        folder: folder.as_ref().to_owned(),
        source: "hello".to_owned(),
        version: "1.0-1".to_owned(),
        distribution: "stable".to_owned(),
        section: "net".to_owned(),
    }
}

impl UploadBuilder {
    pub(crate) fn distribution(self, names: &str) -> Self {
        Self { distribution: names.to_owned(), ..self }
    }

    pub(crate) fn version(self, version: &str) -> Self {
        Self { version: version.to_owned(), ..self }
    }

    pub(crate) fn section(self, section: &str) -> Self {
        Self { section: section.to_owned(), ..self }
    }

    /// Writes the `.changes` file; returns its path.
    pub(crate) fn write(&self) -> PathBuf {
        let mut names: Vec<String> = fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !["changes", "asc"].contains(&name.rsplit('.').next().unwrap()))
            .collect();
        names.sort();
        let Self { source, version, distribution, section, .. } = self;
        let mut text = format!(
            "Format: 1.8\nDate: Sun, 01 Jun 2025 00:00:00 +0000\nSource: {source}\nBinary: hello\n\
             Architecture: source amd64 all\nVersion: {version}\nDistribution: {distribution}\nUrgency: low\n\
             Maintainer: Example Team <team@example.org>\nDescription:\n hello - test\nChanges:\n hello\n .\n   * Test.\n"
        );
        for field in ["Checksums-Sha1", "Checksums-Sha256", "Files"] {
            writeln!(text, "{field}:").unwrap();
            for name in &names {
                let bytes = fs::read(self.folder.join(name)).unwrap();
                let SourceDigests { digests, sha1 } = SourceDigests::of(&bytes);
                let size = bytes.len();
                match field {
                    "Checksums-Sha1" => writeln!(text, " {sha1} {size} {name}"),
                    "Checksums-Sha256" => writeln!(text, " {} {size} {name}", digests.sha256),
                    _ => writeln!(text, " {} {size} {section} extra {name}", digests.md5),
                }
                .unwrap();
            }
        }
        let path = self.folder.join(format!("{source}_{version}_amd64.changes"));
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes it signed by the key of the tests.
    pub(crate) fn sign(&self, sandbox: &Sandbox) -> PathBuf {
        let path = self.write();
        let key = fixture("keys/test.asc");
        sandbox.ask("gpg", ["--batch".as_ref(), "--import".as_ref(), key.as_os_str()]);
        sandbox.ask("gpg", ["--batch".as_ref(), "--yes".as_ref(), "--clearsign".as_ref(), path.as_os_str()]);
        fs::rename(path.with_extension("changes.asc"), &path).unwrap();
        path
    }
}
