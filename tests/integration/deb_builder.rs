//! Builds `.deb` files: sound ones in one line, and deliberately broken ones. The same calls give the same bytes.
//!
//! Follows deb(5). Input is not checked: hostile names and stanzas are written unchanged.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// The compression of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pack {
    None,
    Gzip,
    Xz,
    Zstd,
    Bzip2,
    Lzma,
}

/// A package to be built; see [`deb`].
#[derive(Clone)]
pub(crate) struct DebBuilder {
    fields: Vec<(String, String)>,
    control_text: Option<Vec<u8>>,
    control_pack: Pack,
    data_pack: Pack,
    files: Vec<(String, Vec<u8>)>,
    data: Option<Vec<u8>>,
    without_members: Vec<String>,
    extra_members: Vec<(String, Vec<u8>)>,
    cut_at: Option<usize>,
    extension: &'static str,
}

/// A small sound package, version 1.0, for amd64, that can be installed anywhere.
pub(crate) fn deb(name: &str) -> DebBuilder {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    DebBuilder {
        fields: vec![
            field("Package", name),
            field("Version", "1.0"),
            field("Architecture", "amd64"),
            field("Maintainer", "Nobody <nobody@example.org>"),
            field("Installed-Size", "1"),
            field("Section", "misc"),
            field("Priority", "optional"),
            field("Description", "package made for a test\n Nobody needs it.\n .\n It is small."),
        ],
        control_text: None,
        control_pack: Pack::Gzip,
        data_pack: Pack::Gzip,
        files: vec![(format!("usr/share/doc/{name}/README"), format!("This is {name}.\n").into_bytes())],
        data: None,
        without_members: Vec::new(),
        extra_members: Vec::new(),
        cut_at: None,
        extension: "deb",
    }
}

impl DebBuilder {
    pub(crate) fn version(self, version: &str) -> Self {
        self.field("Version", version)
    }

    pub(crate) fn architecture(self, architecture: &str) -> Self {
        self.field("Architecture", architecture)
    }

    /// A package of the installer, as debhelper builds it: dpkg-gencontrol omits its type.
    pub(crate) fn udeb(self) -> Self {
        Self { extension: "udeb", ..self }.field("Section", "debian-installer")
    }

    /// A package of debug symbols, as Ubuntu builds it.
    pub(crate) fn ddeb(self) -> Self {
        Self { extension: "ddeb", ..self }.field("Section", "debug").field("Package-Type", "ddeb")
    }

    pub(crate) fn source(self, source: &str) -> Self {
        self.field("Source", source)
    }

    /// Sets a field of the control stanza: in place if it exists, else before the description.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        if let Some(field) = self.fields.iter_mut().find(|(there, _)| there == name) {
            value.clone_into(&mut field.1);
        } else {
            let at = self.fields.len().saturating_sub(1);
            self.fields.insert(at, (name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Removes a field from the control stanza.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(there, _)| there != name);
        self
    }

    /// Replaces the whole `control` file by these bytes.
    pub(crate) fn control_text(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.control_text = Some(text.into());
        self
    }

    /// Compresses both members the same way; where deb(5) does not allow it for `control.tar`, that one is gzip.
    pub(crate) fn compression(mut self, pack: Pack) -> Self {
        self.data_pack = pack;
        self.control_pack = match pack {
            Pack::Bzip2 | Pack::Lzma => Pack::Gzip,
            other => other,
        };
        self
    }

    /// Sets the bytes of the file that the package installs: other bytes, other package.
    pub(crate) fn payload(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.files[0].1 = bytes.into();
        self
    }

    /// Adds a file that the package installs.
    pub(crate) fn installs(mut self, path: &str) -> Self {
        self.files.push((path.to_owned(), b"x".to_vec()));
        self
    }

    /// Replaces the whole `data.tar` by these bytes, before compression.
    pub(crate) fn data(mut self, tar: impl Into<Vec<u8>>) -> Self {
        self.data = Some(tar.into());
        self
    }

    /// Adds a member at the end of the container.
    pub(crate) fn member(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.extra_members.push((name.to_owned(), bytes.into()));
        self
    }

    /// Removes the member whose name starts like this: `control.tar`, `data.tar`, `debian-binary`.
    pub(crate) fn without_member(mut self, name: &str) -> Self {
        self.without_members.push(name.to_owned());
        self
    }

    /// Truncates the file to this length.
    pub(crate) fn truncated(mut self, length: usize) -> Self {
        self.cut_at = Some(length);
        self
    }

    /// The value of a field in the stanza.
    pub(crate) fn value(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(there, _)| there == name);
        field.map_or("", |(_, value)| value)
    }

    /// `NAME_VERSION_ARCHITECTURE.deb`, the version without its epoch: the name in the pool.
    pub(crate) fn file_name(&self) -> String {
        let version = self.value("Version");
        let version = version.split_once(':').map_or(version, |(_, rest)| rest);
        format!("{}_{version}_{}.{}", self.value("Package"), self.value("Architecture"), self.extension)
    }

    /// The bytes of the `.deb`.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let data = self.data.clone().unwrap_or_else(|| tar_of(&self.files));
        let mut members = vec![
            ("debian-binary".to_owned(), b"2.0\n".to_vec()),
            (format!("control.tar{}", suffix(self.control_pack)), self.control_member()),
            (format!("data.tar{}", suffix(self.data_pack)), pack(self.data_pack, &data)),
        ];
        members.retain(|(name, _)| !self.without_members.iter().any(|start| name.starts_with(start)));
        members.extend(self.extra_members.iter().cloned());

        let mut container = ar::Builder::new(Vec::new());
        for (name, bytes) in members {
            let mut header = ar::Header::new(name.into_bytes(), bytes.len() as u64);
            header.set_mode(0o100_644);
            container.append(&header, bytes.as_slice()).unwrap();
        }
        let mut bytes = container.into_inner().unwrap();
        bytes.truncate(self.cut_at.unwrap_or(bytes.len()));
        bytes
    }

    /// The compressed `control.tar` alone, for tests that add a second one.
    pub(crate) fn control_member(&self) -> Vec<u8> {
        let control = self.control_text.clone().unwrap_or_else(|| self.stanza().into_bytes());
        pack(self.control_pack, &tar_of(&[("control".to_owned(), control)]))
    }

    /// The control stanza as text.
    pub(crate) fn stanza(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.fields {
            text.extend([name, ": ", value, "\n"]);
        }
        text
    }

    /// Writes the file under its own name into a folder.
    pub(crate) fn write(&self, folder: impl AsRef<Path>) -> PathBuf {
        self.write_as(folder.as_ref().join(self.file_name()))
    }

    /// Writes the file under another name.
    pub(crate) fn write_as(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(path, self.bytes()).unwrap();
        path.to_owned()
    }
}

fn suffix(pack: Pack) -> &'static str {
    match pack {
        Pack::None => "",
        Pack::Gzip => ".gz",
        Pack::Xz => ".xz",
        Pack::Zstd => ".zst",
        Pack::Bzip2 => ".bz2",
        Pack::Lzma => ".lzma",
    }
}

/// Compresses bytes like a member.
pub(crate) fn pack(pack: Pack, bytes: &[u8]) -> Vec<u8> {
    match pack {
        Pack::None => bytes.to_vec(),
        Pack::Gzip => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        Pack::Xz => {
            let mut out = xz2::write::XzEncoder::new(Vec::new(), 6);
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        Pack::Lzma => {
            let options = xz2::stream::LzmaOptions::new_preset(6).unwrap();
            let stream = xz2::stream::Stream::new_lzma_encoder(&options).unwrap();
            let mut out = xz2::write::XzEncoder::new_stream(Vec::new(), stream);
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
        Pack::Zstd => zstd::encode_all(bytes, 3).unwrap(),
        Pack::Bzip2 => {
            let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
            out.write_all(bytes).unwrap();
            out.finish().unwrap()
        }
    }
}

/// A tar archive of these files and of the folders above them, owned by root, at the epoch.
pub(crate) fn tar_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut put = |path: &str, kind, mode, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        // Not `set_path`: it drops the `./` that dpkg-deb writes.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        archive.append(&header, bytes).unwrap();
    };
    let mut folders: Vec<&str> = Vec::new();
    let paths: Vec<String> = files.iter().map(|(path, _)| format!("./{path}")).collect();
    for (path, (_, bytes)) in paths.iter().zip(files) {
        for (slash, _) in path.match_indices('/') {
            let folder = &path[..=slash];
            if !folders.contains(&folder) {
                put(folder, tar::EntryType::Directory, 0o755, &[]);
                folders.push(folder);
            }
        }
        put(path, tar::EntryType::Regular, 0o644, bytes);
    }
    archive.into_inner().unwrap()
}
