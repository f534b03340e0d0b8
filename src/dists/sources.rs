//! `Sources`: the files of source packages that an index names (deb-src lines of apt; dsc(5), Debian Policy 5.6.21).

use std::collections::BTreeMap;

use crate::{
    digest::{Md5Digest, Sha256Digest},
    stanza::{self, Stanza, Stanzas},
};

/// A file of a source package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path below the root of the archive.
    pub path: String,
    /// Its size.
    pub size: u64,
    /// Its SHA-256, which tools of old left out.
    pub sha256: Option<Sha256Digest>,
    /// Its MD5.
    pub md5: Option<Md5Digest>,
}

/// Says what is wrong with an index of source packages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It holds something that is no stanza.
    #[error("it is no index of source packages")]
    Stanza(#[from] stanza::Error),
    /// A stanza lacks a field, or has one that cannot be read.
    #[error("the stanza at line {line} has no field `{field}` that can be read")]
    Field {
        /// The line on which the stanza begins.
        line: usize,
        /// The field.
        field: &'static str,
    },
}

/// The files that an index of source packages names.
pub fn files(text: &[u8]) -> Result<Vec<SourceFile>, Error> {
    let mut found = Vec::new();
    let mut stanzas = Stanzas::new(text);
    while let Some(block) = stanzas.next_block() {
        let line = stanzas.block_line();
        let stanza = Stanza::parse_lines(block, line)?;
        let lacks = |field| Error::Field { line, field };
        let folder = stanza.text_of("Directory").ok_or_else(|| lacks("Directory"))?.into_owned();
        let folder = folder.strip_prefix("./").unwrap_or(&folder).trim_end_matches('/');
        let mut named: BTreeMap<String, SourceFile> = BTreeMap::new();
        for field in ["Files", "Checksums-Sha256"] {
            let Some(list) = stanza.text_of(field) else { continue };
            for entry in list.lines().filter(|line| !line.trim().is_empty()) {
                let words: Vec<&str> = entry.split_ascii_whitespace().collect();
                let &[digest, size, name] = &words[..] else { return Err(lacks(field)) };
                let size = size.parse().map_err(|_| lacks(field))?;
                let path = if folder.is_empty() || folder == "." {
                    name.to_owned()
                } else {
                    format!("{folder}/{name}")
                };
                let file =
                    named.entry(path.clone()).or_insert(SourceFile { path, size, sha256: None, md5: None });
                if field == "Files" {
                    file.md5 = Some(digest.parse().map_err(|_| lacks(field))?);
                } else {
                    file.sha256 = Some(digest.parse().map_err(|_| lacks(field))?);
                }
            }
        }
        if named.is_empty() {
            return Err(lacks("Checksums-Sha256"));
        }
        found.extend(named.into_values());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_once_with_every_digest() {
        let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let text = format!(
            "Package: hello\nDirectory: pool/main/h/hello\nFiles:\n d41d8cd98f00b204e9800998ecf8427e 0 hello_1.dsc\n\
             Checksums-Sha256:\n {sha256} 0 hello_1.dsc\n {sha256} 0 hello_1.tar.xz\n\nPackage: b\nDirectory: .\nFiles:\n \
             d41d8cd98f00b204e9800998ecf8427e 0 b.dsc\n"
        );
        let found = files(text.as_bytes()).unwrap();
        let shown: Vec<_> = found
            .iter()
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
        assert!(files(b"Package: x\nDirectory: y\n").is_err());
        assert!(files(b"Package: x\nFiles:\n a b c\n").is_err());
        assert!(files(b"").unwrap().is_empty());
    }
}
