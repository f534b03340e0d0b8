//! `Attachment`: a file of another tool to be listed by a suite, read and compressed, under a path that it may have.

use std::{io::Read as _, path::Path};

use bytes::Bytes;

use crate::{
    compression::Compression,
    dists::{
        IndexKey, blocks,
        layout::{SuitePath, patched_by, uncompressed},
        translation,
    },
    suite::attach_fault::AttachFault,
};

/// The limit on the size of an attached file, compressed or not.
const LARGEST: u64 = 256 << 20;

/// A file to be listed by a suite, in all of its forms.
#[derive(Debug, Clone)]
pub struct Attachment {
    pub(super) path: AttachedPath,
    pub(super) forms: Vec<(Compression, Bytes)>,
}

/// The path of an attached file below the folder of its suite, without the extension of a compression: it is not that of
/// a file that `publish` writes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPath(Box<str>);

impl AttachedPath {
    /// Checks a path.
    pub fn parse(path: &str) -> Result<Self, AttachFault> {
        let refused = |why| Err(AttachFault::Path { path: path.escape_debug().to_string(), why });
        let is_allowed =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_' | b'~' | b'@' | b'/');
        if path.is_empty() || path.len() > 1000 || !path.bytes().all(is_allowed) {
            return refused("only letters, digits and `+-._~@/` are allowed");
        }
        if path.split('/').any(|part| part.is_empty() || part.starts_with(['.', '-']) || part.len() > 200) {
            return refused("it must stay below the folder of the suite, and no part may be hidden");
        }
        Self::unless_written(path)
    }

    /// Takes the path of a file to be taken from the list, which may be mistyped.
    pub fn to_detach(path: &str) -> Result<Self, AttachFault> {
        // No suite lists such a path.
        let is_odd = path.split('/').any(|part| part.is_empty() || part.starts_with('.'));
        if is_odd { Ok(Self(path.into())) } else { Self::unless_written(path) }
    }

    /// Refuses the path of a file that `publish` writes itself.
    fn unless_written(path: &str) -> Result<Self, AttachFault> {
        let refused = |why| Err(AttachFault::Path { path: path.escape_debug().to_string(), why });
        let reserved = ["generations", "by-hash", "snapshots"];
        if path.split('/').any(|part| reserved.contains(&part)) || !SuitePath::of(path).is_own_file() {
            return refused("`publish` writes files of that name itself");
        }
        let plain = uncompressed(path).0;
        let file = plain.rsplit('/').next().unwrap_or_default();
        let is_written = match IndexKey::parse(plain) {
            key if key.has_entries() || patched_by(plain).is_some() => true,
            // Only some suites have one that is written here.
            IndexKey::Contents { .. } | IndexKey::Translation { .. } => false,
            _ => matches!(file, "Release" | "Packages" | "Sources") || is_list_of_commands(plain),
        };
        if is_written { refused("`publish` writes files of that name itself") } else { Ok(Self(path.into())) }
    }

    /// The path as it was given, perhaps with the extension of a compression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn plain(&self) -> &str {
        uncompressed(&self.0).0
    }
}

/// Whether it is a list for command-not-found: `main/cnf/Commands-amd64`.
fn is_list_of_commands(plain: &str) -> bool {
    plain
        .rsplit_once('/')
        .is_some_and(|(folder, file)| folder.ends_with("/cnf") && file.starts_with("Commands-"))
}

impl Attachment {
    /// Reads a file, and compresses it in these forms. A path that ends in the extension of a compression is that of a file
    /// that is compressed already.
    pub fn read(file: &Path, path: AttachedPath, compressions: &[Compression]) -> Result<Self, AttachFault> {
        let failed = |source| AttachFault::Unreadable { file: file.display().to_string(), source };
        let bytes = Bytes::from(crate::regular::read_within(file, LARGEST).map_err(failed)?);
        let (_, given) = uncompressed(path.as_str());
        let mut forms = Vec::new();
        let text = if given == Compression::Plain {
            bytes
        } else {
            let mut text = Vec::new();
            let decoder = given.index_decoder(&bytes[..]).map_err(failed)?;
            decoder.take(LARGEST + 1).read_to_end(&mut text).map_err(failed)?;
            if text.len() as u64 > LARGEST {
                return Err(AttachFault::TooLarge { file: file.display().to_string(), limit: LARGEST });
            }
            forms.push((given, bytes));
            text.into()
        };
        if let IndexKey::Translation { .. } = IndexKey::parse(path.plain()) {
            let bad = |why| AttachFault::Translation { file: file.display().to_string(), why };
            translation::check(&text).map_err(bad)?;
        }
        for compression in compressions.iter().filter(|&&form| form != Compression::Plain && form != given) {
            forms.push((*compression, blocks::compress(&text, *compression, None).map_err(failed)?));
        }
        forms.push((Compression::Plain, text));
        Ok(Self { path, forms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attached_file_is_none_that_publish_writes() {
        for good in [
            "main/dep11/Components-amd64.yml",
            "main/dep11/icons-64x64.tar.gz",
            "main/i18n/Translation-pt_BR.xz",
            "contents.json",
            "main/Contents-source.gz",
            "main/i18n/Translation-en",
            "main/installer-amd64/current/images/SHA256SUMS",
        ] {
            assert_eq!(AttachedPath::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "/etc/passwd",
            "../testing/InRelease",
            "main/../Release",
            "main//x",
            "main/.hidden",
            "a b",
            "a\nb",
            "InRelease",
            "Release",
            "Release.gpg",
            "Release.gz",
            "main/binary-amd64/Release",
            "main/binary-amd64/Packages",
            "main/binary-amd64/Packages.xz",
            "odd/Packages.gz",
            "main/source/Sources",
            "main/debian-installer/binary-amd64/Packages.gz",
            "main/cnf/Commands-amd64.xz",
            "main/binary-amd64/Packages.diff/Index",
            "main/binary-amd64/by-hash/SHA256/00",
            "generations/x/y",
            "snapshots/x",
            "updates/InRelease",
        ] {
            assert!(AttachedPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_file_that_is_compressed_already_is_kept_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let text = Bytes::from_static(b"--- text\n");
        let packed = blocks::compress(&text, Compression::Gzip, None).unwrap();
        let file = folder.path().join("x");
        std::fs::write(&file, &packed).unwrap();
        let path = AttachedPath::parse("main/dep11/x.yml.gz").unwrap();
        let read = Attachment::read(&file, path.clone(), &[Compression::Xz, Compression::Gzip]).unwrap();
        let forms: Vec<_> = read.forms.iter().map(|(form, _)| *form).collect();
        assert_eq!(forms, [Compression::Gzip, Compression::Xz, Compression::Plain]);
        assert_eq!((&read.forms[0].1, &read.forms[2].1), (&packed, &text));
        std::fs::write(&file, b"not gzip").unwrap();
        assert!(matches!(Attachment::read(&file, path, &[]), Err(AttachFault::Unreadable { .. })));
    }
}
