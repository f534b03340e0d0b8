//! `debian/control` in a source package: section and priority where the `.dsc` has no `Package-List`, as those made before
//! dpkg 1.16.1 or by other tools.

use std::io::{self, BufRead as _, BufReader, Read};

use crate::{compression::Compression, stanza::Stanza};

/// A control file is a few kilobytes.
const LARGEST: u64 = 1 << 20;
/// A source archive is not unpacked further than this to find it.
const FURTHEST: u64 = 4 << 30;

/// The section and the priority of a source package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceControl {
    /// The section.
    pub section: Option<String>,
    /// The priority.
    pub priority: Option<String>,
}

/// How far a file of a source package comes first in the search for `debian/control`; `None` if it has none.
#[must_use]
pub fn rank(file_name: &str) -> Option<u8> {
    let is_tar = file_name.contains(".tar.");
    match file_name {
        name if name.rsplit('.').next() == Some("asc") => None,
        name if is_tar && name.contains(".debian.tar.") => Some(0),
        name if name.ends_with(".diff.gz") => Some(0),
        // An upstream archive, whose `debian/` is not that of the package.
        name if name.contains(".orig.") || name.contains(".orig-") => None,
        _ => is_tar.then_some(1),
    }
}

/// Reads section and priority from a file of a source package; `None` if it has no `debian/control`.
pub fn read(file_name: &str, file: impl Read) -> io::Result<Option<SourceControl>> {
    let extension = file_name.rfind('.').map_or("", |at| &file_name[at..]);
    let compression = Compression::from_extension(extension).unwrap_or(Compression::Plain);
    let unpacked = compression.index_decoder(file)?.take(FURTHEST);
    let text = if file_name.ends_with(".diff.gz") { of_diff(unpacked)? } else { of_tar(unpacked)? };
    Ok(text.map(|text| of_control(&text)))
}

/// Finds the file at the top of an archive, or in its only folder.
fn of_tar(unpacked: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(unpacked);
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path_bytes().into_owned();
        let parts: Vec<&[u8]> =
            path.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
        if matches!(parts[..], [b"debian", b"control"] | [_, b"debian", b"control"]) {
            let mut text = Vec::new();
            entry.take(LARGEST).read_to_end(&mut text)?;
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// Finds the file in a patch that adds it.
fn of_diff(unpacked: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut text: Option<Vec<u8>> = None;
    let mut lines = BufReader::new(unpacked).take(FURTHEST);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut lines).take(LARGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(text);
        }
        match &mut text {
            _ if line.starts_with(b"+++ ") => {
                if text.is_some() {
                    return Ok(text);
                }
                let name = line[4..].split(|&b| b == b'\t' || b == b'\n').next().unwrap_or_default();
                text = name.ends_with(b"/debian/control").then(Vec::new);
            }
            Some(text) if line.starts_with(b"+") && (text.len() as u64) < LARGEST => {
                text.extend_from_slice(&line[1..]);
            }
            _ => {}
        }
    }
}

/// The fields of the first stanza, which is that of the source.
fn of_control(text: &[u8]) -> SourceControl {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim_end);
    let lines = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    let first: String = lines.flat_map(|line| [line, "\n"]).collect();
    let Ok(stanza) = Stanza::parse(first.as_bytes()) else { return SourceControl::default() };
    let value = |field| stanza.text_of(field).map(|value| value.trim().to_owned());
    let value =
        |field| value(field).filter(|value| !value.is_empty() && !value.contains(char::is_whitespace));
    SourceControl { section: value("Section"), priority: value("Priority") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: &str =
        "# a comment\nSource: foo\nSection: net\nPriority: optional\n\nPackage: foo\nSection: libs\n";

    fn archive(path: &str) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, text) in [("foo-1/README", "x"), (path, CONTROL)] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_cksum();
            archive.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn found(name: &str, bytes: &[u8]) -> Option<String> {
        let control = read(name, bytes).unwrap()?;
        Some(format!("{} {}", control.section.unwrap_or_default(), control.priority.unwrap_or_default()))
    }

    #[test]
    fn the_first_stanza_of_the_control_file_counts() {
        for path in ["debian/control", "./debian/control", "foo-1/debian/control"] {
            assert_eq!(found("foo_1.tar", &archive(path)).as_deref(), Some("net optional"), "{path}");
        }
        assert_eq!(found("foo_1.tar", &archive("a/b/debian/control")), None);
        assert!(read("foo_1.tar.gz", &b"no archive"[..]).is_err());
    }

    #[test]
    fn a_patch_adds_the_control_file() {
        let lines: String = CONTROL.lines().flat_map(|line| ["+", line, "\n"]).collect();
        let patch = format!(
            "--- foo-1.orig/debian/rules\n+++ foo-1/debian/rules\n@@ -0,0 +1 @@\n+x\n\
             --- foo-1.orig/debian/control\n+++ foo-1/debian/control\n@@ -0,0 +1,9 @@\n{lines}\
             --- foo-1.orig/x\n+++ foo-1/x\n@@ -0,0 +1 @@\n+Section: other\n"
        );
        let packed = crate::compression::tests::encode(Compression::Gzip, patch.as_bytes());
        assert_eq!(found("foo_1-1.diff.gz", &packed).as_deref(), Some("net optional"));
    }

    #[test]
    fn upstream_archives_are_not_searched() {
        for (name, expected) in [
            ("foo_1-1.debian.tar.xz", Some(0)),
            ("foo_1-1.diff.gz", Some(0)),
            ("foo_1.tar.gz", Some(1)),
            ("foo_1.orig.tar.gz", None),
            ("foo_1.orig-sub.tar.gz", None),
            ("foo_1.tar.gz.asc", None),
            ("foo_1.dsc", None),
        ] {
            assert_eq!(rank(name), expected, "{name}");
        }
    }
}
