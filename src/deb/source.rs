//! A source package whose files have been read and match its description.

use super::relationship::{self, BadRelationship};
use crate::{
    digest::SourceDigests,
    names::PackageName,
    stanza::{Field, Stanza},
    version::Version,
};

/// A source package: its description and its files, all verified.
#[derive(Debug, Clone)]
pub struct SourcePackage {
    name: PackageName,
    version: Version,
    control: Box<[u8]>,
    files: Vec<SourceFile>,
}

/// A file of a source package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    pub(super) name: Box<str>,
    pub(super) digests: SourceDigests,
}

impl SourceFile {
    /// Its name, without a folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its size and digests.
    #[must_use]
    pub fn digests(&self) -> &SourceDigests {
        &self.digests
    }
}

impl SourcePackage {
    pub(super) fn new(
        name: PackageName,
        version: Version,
        control: Box<[u8]>,
        files: Vec<SourceFile>,
    ) -> Self {
        Self { name, version, control, files }
    }

    /// The name, from `Source`.
    #[must_use]
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Its files, first the `.dsc`.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The first relationship field that apt cannot read.
    #[must_use]
    pub fn bad_build_field(&self) -> Option<BadRelationship> {
        relationship::bad_build_field(&self.control)
    }

    /// The `.dsc`.
    #[must_use]
    pub fn description(&self) -> &SourceFile {
        &self.files[0]
    }

    /// The section: `Section`, else that of the binary package of the same name in `Package-List`, else that of the
    /// first one.
    #[must_use]
    pub fn section(&self) -> Option<&str> {
        self.listed("Section", 2)
    }

    /// The stanza for an index, in which the files are in a folder of the archive.
    ///
    /// The fields of the `.dsc` are kept byte for byte, except those that the index sets itself.
    #[must_use]
    pub fn stanza_for_index(&self, directory: &str) -> Vec<u8> {
        let mut text = format!("Package: {}\n", self.name).into_bytes();
        let Some(stanza) = self.stanza() else { return text };
        for field in stanza.fields().iter().filter(|field| !is_set_by_index(field)) {
            text.extend_from_slice(field.raw);
        }
        for (field, word) in [("Priority", 3), ("Section", 2)] {
            if let (None, Some(value)) = (stanza.get(field), self.listed(field, word)) {
                text.extend_from_slice(format!("{field}: {value}\n").as_bytes());
            }
        }
        text.extend_from_slice(format!("Directory: {directory}\n").as_bytes());
        let mut list = |field: &str, digest: &dyn Fn(&SourceDigests) -> String| {
            text.extend_from_slice(format!("{field}:\n").as_bytes());
            for SourceFile { name, digests } in &self.files {
                let line = format!(" {} {} {name}\n", digest(digests), digests.digests.size);
                text.extend_from_slice(line.as_bytes());
            }
        };
        list("Files", &|found| found.digests.md5.to_string());
        list("Checksums-Sha1", &|found| found.sha1.to_string());
        list("Checksums-Sha256", &|found| found.digests.sha256.to_string());
        text
    }

    /// A field, or else this word of a line in `Package-List`.
    fn listed(&self, field: &str, word: usize) -> Option<&str> {
        let stanza = self.stanza()?;
        let text = |name: &str| stanza.get(name).and_then(|value| std::str::from_utf8(value).ok());
        if let Some(value) = text(field).filter(|value| !value.is_empty()) {
            return Some(value);
        }
        let lines = || {
            let lines = text("Package-List").unwrap_or_default().lines();
            lines.map(|line| line.split_ascii_whitespace().collect::<Vec<_>>()).filter(|line| line.len() > 3)
        };
        let own = lines().find(|line| line[0] == self.name.as_str());
        own.or_else(|| lines().next()).map(|line| line[word])
    }

    /// Always `Some`, since it was parsed before; stored as text because many packages are held in memory.
    fn stanza(&self) -> Option<Stanza<'_>> {
        Stanza::parse_lines(&self.control, 1).ok()
    }
}

/// Whether an index sets a field itself, whatever the `.dsc` contains.
fn is_set_by_index(field: &Field<'_>) -> bool {
    let is = |name: &str| field.name.eq_ignore_ascii_case(name);
    let lists = field.name.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("Checksums-"));
    lists || ["Source", "Package", "Directory", "Files", "Filename"].into_iter().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::SourceDescription;

    fn package(more: &str) -> SourcePackage {
        let text = format!(
            "Format: 1.0\nSource: hello\nVersion: 1.0\nDirectory: elsewhere\n{more}X-Odd:  kept\n  as it is\n\
             Checksums-Sha512:\n x 1 y\nFiles:\n d41d8cd98f00b204e9800998ecf8427e 0 hello_1.0.tar.gz\n"
        );
        let parsed = SourceDescription::parse(text.as_bytes()).unwrap();
        parsed.with_files(vec![SourceDigests::of(b"")]).unwrap()
    }

    #[test]
    fn the_stanza_lists_the_description_itself_and_keeps_other_fields() {
        let package = package(
            "Package-List:\n libhello deb libs important arch=any\n hello deb contrib/net optional\n",
        );
        assert_eq!(package.section(), Some("contrib/net"));
        let text = String::from_utf8(package.stanza_for_index("pool/main/h/hello")).unwrap();
        let dsc = package.description().digests();
        let size = dsc.digests.size;
        let expected = format!(
            "Package: hello\nFormat: 1.0\nVersion: 1.0\nPackage-List:\n libhello deb libs important arch=any\n \
             hello deb contrib/net optional\nX-Odd:  kept\n  as it is\nPriority: optional\nSection: contrib/net\n\
             Directory: pool/main/h/hello\nFiles:\n {} {size} hello_1.0.dsc\n \
             d41d8cd98f00b204e9800998ecf8427e 0 hello_1.0.tar.gz\nChecksums-Sha1:\n {} {size} hello_1.0.dsc\n \
             da39a3ee5e6b4b0d3255bfef95601890afd80709 0 hello_1.0.tar.gz\nChecksums-Sha256:\n {} {size} hello_1.0.dsc\n \
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 hello_1.0.tar.gz\n",
            dsc.digests.md5, dsc.sha1, dsc.digests.sha256
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn section_and_priority_come_from_the_fields_or_the_first_listed_package() {
        let listed = package("Package-List:\n broken\n libhello deb libs important arch=any\n");
        assert_eq!(listed.section(), Some("libs"));
        assert_eq!(package("Section: net\nPackage-List:\n hello deb libs optional\n").section(), Some("net"));
        assert_eq!(package("").section(), None);
        let text = String::from_utf8(package("").stanza_for_index("x")).unwrap();
        assert!(!text.contains("Section") && !text.contains("Priority"), "{text}");
    }
}
