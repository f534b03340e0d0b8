//! `Sources`: the files of source packages in an index (deb-src lines of apt; dsc(5), Debian Policy 5.6.21).

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    digest::{Md5Digest, Sha256Digest},
    stanza::{self, Stanza, Stanzas},
};

/// A file of a source package.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceFile {
    /// Its path below the root of the archive.
    pub path: String,
    /// Its size.
    pub size: u64,
    /// Its SHA-256, which old tools omit.
    pub sha256: Option<Sha256Digest>,
    /// Its MD5.
    pub md5: Option<Md5Digest>,
}

/// Why an index of source packages cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It contains text that is not a stanza.
    #[error("it is not an index of source packages")]
    Stanza(#[from] stanza::Error),
    /// A field of a stanza is missing or cannot be read.
    #[error("the stanza at line {line} has no readable field `{field}`")]
    Field {
        /// The line on which the stanza begins.
        line: usize,
        /// The field.
        field: &'static str,
    },
}

/// A source package of an index.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SourcePackage {
    /// Its name.
    pub name: Box<str>,
    /// Its version.
    pub version: Box<str>,
    /// The stanza as in the index, with its last newline.
    pub stanza: Bytes,
    /// Its files, by path.
    pub files: Vec<SourceFile>,
}

/// Reads the source packages of an index, in order.
pub fn packages(text: &Bytes) -> Result<Vec<SourcePackage>, Error> {
    let mut found = Vec::new();
    let mut stanzas = Stanzas::new(text);
    while let Some(block) = stanzas.next_block() {
        let line = stanzas.block_line();
        let stanza = Stanza::parse_lines(block, line)?;
        let part = |field| {
            let value = stanza.text_of(field).filter(|value| !value.is_empty());
            value.map(Box::from).ok_or(Error::Field { line, field })
        };
        found.push(SourcePackage {
            name: part("Package")?,
            version: part("Version")?,
            files: files(&stanza).map_err(|field| Error::Field { line, field })?,
            stanza: if block.ends_with(b"\n") {
                text.slice_ref(block)
            } else {
                [block, b"\n"].concat().into()
            },
        });
    }
    Ok(found)
}

/// The files that a stanza names, each once; the error is the unreadable field.
fn files(stanza: &Stanza<'_>) -> Result<Vec<SourceFile>, &'static str> {
    const LISTS: [&str; 2] = ["Files", "Checksums-Sha256"];
    let folder = stanza.text_of("Directory").ok_or("Directory")?.into_owned();
    let folder = folder.strip_prefix("./").unwrap_or(&folder).trim_end_matches('/');
    if LISTS.iter().all(|field| stanza.get(field).is_none()) {
        return Err("Checksums-Sha256");
    }
    let mut named: BTreeMap<String, SourceFile> = BTreeMap::new();
    for field in LISTS {
        let Some(list) = stanza.text_of(field) else { continue };
        for entry in list.lines().filter(|line| !line.trim().is_empty()) {
            let words: Vec<&str> = entry.split_ascii_whitespace().collect();
            let &[digest, size, name] = &words[..] else { return Err(field) };
            let size = size.parse().map_err(|_| field)?;
            let path =
                if folder.is_empty() || folder == "." { name.to_owned() } else { format!("{folder}/{name}") };
            let file =
                named.entry(path.clone()).or_insert(SourceFile { path, size, sha256: None, md5: None });
            if field == "Files" {
                file.md5 = Some(digest.parse().map_err(|_| field)?);
            } else {
                file.sha256 = Some(digest.parse().map_err(|_| field)?);
            }
        }
    }
    Ok(named.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_once_with_every_digest() {
        let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let text = format!(
            "Package: hello\nVersion: 1\nDirectory: pool/main/h/hello\nFiles:\n d41d8cd98f00b204e9800998ecf8427e 0 hello_1.dsc\n\
             Checksums-Sha256:\n {sha256} 0 hello_1.dsc\n {sha256} 0 hello_1.tar.xz\n\nPackage: b\nVersion: 1\nDirectory: .\nFiles:\n \
             d41d8cd98f00b204e9800998ecf8427e 0 b.dsc\n"
        );
        let found = packages(&Bytes::from(text)).unwrap();
        assert!(found[0].stanza.starts_with(b"Package: hello\n"));
        let shown: Vec<_> = found
            .iter()
            .flat_map(|package| &package.files)
            .map(|file| (file.path.as_str(), file.sha256.is_some(), file.md5.is_some()))
            .collect();
        assert_eq!(
            shown,
            [
                ("pool/main/h/hello/hello_1.dsc", true, true),
                ("pool/main/h/hello/hello_1.tar.xz", true, false),
                ("b.dsc", false, true)
            ]
        );
        let read = |text: &'static str| packages(&Bytes::from_static(text.as_bytes()));
        for bad in [
            "Package: x\nVersion: 1\nDirectory: y\n",
            "Package: x\nVersion: 1\nDirectory: y\nFiles:\n a b c\n",
            "Package: x\nVersion: 1\nFiles:\n",
            "Package: x\nDirectory: y\nFiles:\n",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read("").unwrap().is_empty());
        assert!(read("Package: x\nVersion: 1\nDirectory: y\nFiles:\n").unwrap()[0].files.is_empty());
    }
}
