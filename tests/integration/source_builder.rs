//! Builds small source packages that dpkg-source unpacks. The same calls give the same bytes.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use publish::digest::SourceDigests;

use crate::deb_builder::{Pack, pack, tar_of};

/// A source package to be built; see [`source`].
#[derive(Clone)]
pub(crate) struct SourceBuilder {
    name: String,
    version: String,
    section: String,
    upstream: String,
    changes: String,
}

/// A source package in format 3.0 (quilt), version 1.0-1, whose binary package has the same name.
pub(crate) fn source(name: &str) -> SourceBuilder {
    SourceBuilder {
        name: name.to_owned(),
        version: "1.0-1".to_owned(),
        section: "misc".to_owned(),
        upstream: "upstream\n".to_owned(),
        changes: "changes\n".to_owned(),
    }
}

impl SourceBuilder {
    pub(crate) fn version(self, version: &str) -> Self {
        Self { version: version.to_owned(), ..self }
    }

    pub(crate) fn section(self, section: &str) -> Self {
        Self { section: section.to_owned(), ..self }
    }

    /// Other contents of the tarball of the upstream version.
    pub(crate) fn upstream(self, text: &str) -> Self {
        Self { upstream: text.to_owned(), ..self }
    }

    /// Other contents of the Debian tarball.
    pub(crate) fn changes(self, text: &str) -> Self {
        Self { changes: text.to_owned(), ..self }
    }

    /// The files, first the `.dsc`.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let Self { name, version, section, .. } = self;
        let plain = version.split_once(':').map_or(&version[..], |(_, rest)| rest);
        let upstream = plain.rsplit_once('-').map_or(plain, |(upstream, _)| upstream);
        let text = |path: String, text: &str| (path, text.as_bytes().to_vec());
        let original = [text(format!("{name}-{upstream}/README"), &self.upstream)];
        let debian = [
            text("debian/changelog".into(), &self.changes),
            text("debian/control".into(), &format!("Source: {name}\n")),
            text("debian/source/format".into(), "3.0 (quilt)\n"),
        ];
        let tars = [
            (format!("{name}_{upstream}.orig.tar.gz"), pack(Pack::Gzip, &tar_of(&original))),
            (format!("{name}_{plain}.debian.tar.xz"), pack(Pack::Xz, &tar_of(&debian))),
        ];
        let mut dsc = format!(
            "Format: 3.0 (quilt)\nSource: {name}\nBinary: {name}\nArchitecture: any\nVersion: {version}\n\
             Maintainer: Example Team <team@example.org>\nStandards-Version: 4.6.2\n\
             Package-List:\n {name} deb {section} optional arch=any\n"
        );
        for field in ["Checksums-Sha1", "Checksums-Sha256", "Files"] {
            writeln!(dsc, "{field}:").unwrap();
            for (file, bytes) in &tars {
                let SourceDigests { digests, sha1 } = SourceDigests::of(bytes);
                let digest = match field {
                    "Files" => digests.md5.to_string(),
                    "Checksums-Sha1" => sha1.to_string(),
                    _ => digests.sha256.to_string(),
                };
                writeln!(dsc, " {digest} {} {file}", bytes.len()).unwrap();
            }
        }
        [vec![(format!("{name}_{plain}.dsc"), dsc.into_bytes())], tars.to_vec()].concat()
    }

    /// Writes all files into a folder; returns the path of the `.dsc`.
    pub(crate) fn write(&self, folder: impl AsRef<Path>) -> PathBuf {
        fs::create_dir_all(&folder).unwrap();
        let mut paths = Vec::new();
        for (file, bytes) in self.files() {
            paths.push(folder.as_ref().join(file));
            fs::write(paths.last().unwrap(), bytes).unwrap();
        }
        paths.remove(0)
    }
}
