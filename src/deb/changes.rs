//! The description of an upload: a `.changes` file, signed or not (deb-changes(5), Debian Policy 5.5).
//!
//! A [`Changes`] names the files of an upload with their sizes and digests, and the suites that they are for. The files
//! are not read here, and the signature is not verified.

use super::{
    changes_fault::ChangesFault,
    error::BadField,
    listed_files::{self, LONGEST_NAME, ListedFile, is_allowed_in_a_name},
};
use crate::{names::PackageName, package_type::PackageType, signing, stanza::Stanza, version::Version};

/// The parsed text of a `.changes` file.
#[derive(Debug, Clone)]
pub struct Changes {
    source: PackageName,
    source_version: Version,
    version: Version,
    distributions: Vec<String>,
    architectures: Vec<String>,
    binaries: Vec<String>,
    files: Vec<UploadedFile>,
    absent: Vec<&'static str>,
    is_signed: bool,
}

/// Fields that Debian Policy 5.5 requires and that nothing here needs.
const FORMAL: [&str; 3] = ["Format", "Date", "Maintainer"];

/// A file of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    listed: ListedFile,
    section: Option<String>,
    priority: Option<String>,
    kind: FileKind,
}

/// The kind of a file of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A binary package, or the description of a source package.
    Package(PackageType),
    /// Another file of a source package.
    OfSource,
    /// The record of a build.
    Buildinfo,
    /// The log of a build.
    Log,
    /// A file that an administrator handles.
    ByHand,
}

impl Changes {
    /// Parses a whole `.changes` file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ChangesFault> {
        // As dpkg does, blank lines before the signature are skipped.
        let begin = bytes.trim_ascii_start();
        let is_signed = begin.starts_with(b"-----BEGIN PGP");
        let text = if is_signed {
            signing::unverified_text(begin).map_err(ChangesFault::Frame)?
        } else {
            bytes.to_vec()
        };
        let stanza = Stanza::parse(&text).map_err(ChangesFault::Stanza)?;
        let field = |name: &'static str| match stanza.get(name).map(std::str::from_utf8) {
            None | Some(Ok("")) => Err(ChangesFault::NoField(name)),
            Some(Ok(text)) => Ok(text),
            Some(Err(_)) => Err(ChangesFault::Field { field: name, why: BadField::NotUtf8 }),
        };
        let version = Version::parse(field("Version")?)
            .map_err(|why| ChangesFault::Field { field: "Version", why: why.into() })?;
        let (source, built_from) = source(field("Source")?)?;
        let words = |text: &str| text.split_whitespace().map(ToOwned::to_owned).collect();
        let (distributions, architectures) = (words(field("Distribution")?), words(field("Architecture")?));
        let binaries = stanza.text_of("Binary").map(|text| words(&text)).unwrap_or_default();
        let absent =
            FORMAL.into_iter().filter(|name| stanza.get(name).is_none_or(<[u8]>::is_empty)).collect();
        let files = files(&stanza)?;
        let source_version = built_from.unwrap_or_else(|| version.clone());
        Ok(Self {
            source,
            source_version,
            version,
            distributions,
            architectures,
            binaries,
            files,
            absent,
            is_signed,
        })
    }

    /// The name of the source package.
    #[must_use]
    pub fn source(&self) -> &PackageName {
        &self.source
    }

    /// The version of the source package, which differs from [`Changes::version`] if binaries were built again.
    #[must_use]
    pub fn source_version(&self) -> &Version {
        &self.source_version
    }

    /// The version of the upload.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The names of the suites that it is for.
    #[must_use]
    pub fn distributions(&self) -> &[String] {
        &self.distributions
    }

    /// The architectures of its packages.
    #[must_use]
    pub fn architectures(&self) -> &[String] {
        &self.architectures
    }

    /// The names of its binary packages; without those of debug symbols, which dpkg-genchanges leaves out.
    #[must_use]
    pub fn binaries(&self) -> &[String] {
        &self.binaries
    }

    /// The fields that Debian Policy requires and that it does not have, although it can be published without them.
    #[must_use]
    pub fn absent_fields(&self) -> &[&'static str] {
        &self.absent
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> &[UploadedFile] {
        &self.files
    }

    /// Whether it has a signature, valid or not.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// The name under which an archive keeps it: `SOURCE_VERSION_ARCHITECTURES.changes`, as in reprepro.
    #[must_use]
    pub fn record_name(&self) -> String {
        let architectures = self.architectures.join("+");
        format!("{}_{}_{architectures}.changes", self.source, self.version)
    }
}

impl UploadedFile {
    /// Its name, size and digests.
    #[must_use]
    pub fn listed(&self) -> &ListedFile {
        &self.listed
    }

    /// Its name, without a folder.
    #[must_use]
    pub fn name(&self) -> &str {
        self.listed.name()
    }

    /// Its section; `None` if it has none (`-`).
    #[must_use]
    pub fn section(&self) -> Option<&str> {
        self.section.as_deref()
    }

    /// Its priority; `None` if it has none (`-`).
    #[must_use]
    pub fn priority(&self) -> Option<&str> {
        self.priority.as_deref()
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// The first part of its name, which is the name of the package or of the source.
    #[must_use]
    pub fn package(&self) -> &str {
        self.name().split('_').next().unwrap_or_default()
    }

    /// The architecture in its name; `source` for a file of a source package.
    #[must_use]
    pub fn architecture(&self) -> &str {
        match self.kind {
            FileKind::Package(PackageType::Dsc) | FileKind::OfSource => "source",
            _ => {
                let last = self.name().rsplit('_').next().unwrap_or_default();
                last.split('.').next().unwrap_or_default()
            }
        }
    }
}

/// Parses `NAME` or `NAME (VERSION)`.
fn source(text: &str) -> Result<(PackageName, Option<Version>), ChangesFault> {
    let bad = |why: BadField| ChangesFault::Field { field: "Source", why };
    let (name, rest) = text.split_once([' ', '(']).unwrap_or((text, ""));
    let name = PackageName::parse(name).map_err(|why| bad(why.into()))?;
    let version = rest.trim_matches([' ', '(', ')']);
    if version.is_empty() {
        return Ok((name, None));
    }
    Ok((name, Some(Version::parse(version).map_err(|why| bad(why.into()))?)))
}

/// Reads the lists of files.
fn files(stanza: &Stanza<'_>) -> Result<Vec<UploadedFile>, ChangesFault> {
    let files = listed_files::read(stanza, "DIGEST SIZE SECTION PRIORITY NAME", check_name)?;
    let files = files.into_iter().map(|(listed, more)| {
        let mut more = more.into_iter().map(|word| (word != "-").then(|| word.to_owned()));
        let (section, priority) = (more.next().flatten(), more.next().flatten());
        let kind = kind_of(listed.name(), section.as_deref());
        UploadedFile { listed, section, priority, kind }
    });
    Ok(files.collect())
}

/// A name of a file in the same folder, and not a hidden one.
fn check_name(name: &str) -> Result<(), ChangesFault> {
    let is_good =
        !name.starts_with('.') && name.len() <= LONGEST_NAME && name.bytes().all(is_allowed_in_a_name);
    if is_good { Ok(()) } else { Err(ChangesFault::Name { name: name.escape_debug().to_string() }) }
}

/// Decides what a file is by its section and its extension, as reprepro does.
fn kind_of(name: &str, section: Option<&str>) -> FileKind {
    if section.is_some_and(|section| section == "byhand" || section.starts_with("raw-")) {
        return FileKind::ByHand;
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if let Some(package_type) = PackageType::parse(extension) {
        return FileKind::Package(package_type);
    }
    let ends_in = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends_in(&[".buildinfo"]) {
        FileKind::Buildinfo
    } else if ends_in(&[".log", ".log.gz", ".log.xz", ".log.bz2", ".log.zst"]) {
        FileKind::Log
    } else if name.contains(".tar.") || ends_in(&[".diff.gz", ".git", ".gitshallow"]) {
        FileKind::OfSource
    } else {
        FileKind::ByHand
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::SourceDigests;

    const HELLO: &str = "hello_1.0-1_amd64.deb";

    fn text() -> String {
        let SourceDigests { digests, sha1 } = SourceDigests::of(b"deb");
        let (md5, sha256) = (digests.md5, digests.sha256);
        format!(
            "Format: 1.8\nSource: hello (1:1.0-1)\nBinary: hello\nArchitecture: source amd64\n\
             Version: 1:1.0-1+b1\nDistribution: stable testing\nChecksums-Sha1:\n {sha1} 3 {HELLO}\n {sha1} 3 x.tar.gz\n\
             Checksums-Sha256:\n {sha256} 3 {HELLO}\n {sha256} 3 x.tar.gz\n\
             Files:\n {md5} 3 net optional {HELLO}\n {md5} 3 - - x.tar.gz\n"
        )
    }

    #[test]
    fn an_upload_names_its_files_and_its_suites() {
        let changes = Changes::parse(text().as_bytes()).unwrap();
        assert_eq!((changes.source().as_str(), changes.source_version().as_str()), ("hello", "1:1.0-1"));
        assert_eq!(changes.version().as_str(), "1:1.0-1+b1");
        assert_eq!(changes.distributions(), ["stable", "testing"]);
        assert_eq!(changes.record_name(), "hello_1:1.0-1+b1_source+amd64.changes");
        let [deb, tar] = changes.files() else { panic!() };
        assert_eq!(
            (deb.section(), deb.priority(), deb.architecture()),
            (Some("net"), Some("optional"), "amd64")
        );
        assert_eq!((deb.kind(), deb.package()), (FileKind::Package(PackageType::Deb), "hello"));
        assert_eq!((tar.section(), tar.kind(), tar.architecture()), (None, FileKind::OfSource, "source"));
        let check = |bytes| {
            let SourceDigests { digests, sha1 } = SourceDigests::of(bytes);
            deb.listed().check(&digests, Some(sha1))
        };
        assert!(check(b"deb").is_ok());
        for (bytes, says) in [(&b"de"[..], "has 2 bytes"), (b"dab", "has SHA256 ")] {
            let error = check(bytes).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_kind_of_a_file_follows_from_its_section_and_its_name() {
        for (name, section, kind) in [
            ("a_1_amd64.udeb", Some("debian-installer"), FileKind::Package(PackageType::Udeb)),
            ("a_1.dsc", Some("net"), FileKind::Package(PackageType::Dsc)),
            ("a_1.diff.gz", Some("net"), FileKind::OfSource),
            ("a_1.orig.tar.gz.asc", None, FileKind::OfSource),
            ("a_1_amd64.buildinfo", Some("net"), FileKind::Buildinfo),
            ("a_1_amd64.log.gz", Some("-"), FileKind::Log),
            ("a_1_images.tar.gz", Some("raw-installer"), FileKind::ByHand),
            ("a_1_amd64.deb", Some("byhand"), FileKind::ByHand),
            ("README", None, FileKind::ByHand),
        ] {
            assert_eq!(kind_of(name, section), kind, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_an_upload_is_refused() {
        for (from, to, says) in [
            ("Source: hello (1:1.0-1)\n", "", "no field `Source`"),
            ("Source: hello", "Source: ../x", "field `Source`"),
            ("Version: 1:1.0-1+b1\n", "", "no field `Version`"),
            ("Distribution: stable testing\n", "", "no field `Distribution`"),
            ("Architecture: source amd64\n", "", "no field `Architecture`"),
            ("net optional", "net", "expected"),
            (HELLO, "../hello.deb", "file name `../hello.deb`"),
            (HELLO, "/etc/passwd", "is not allowed"),
            (HELLO, ".hidden.deb", "is not allowed"),
            (HELLO, "x.tar.gz", "twice"),
            (" 3 net", " 4 net", "do not agree"),
            (" 3 net", " x net", "expected"),
            ("Version", "\nVersion", "stanza"),
        ] {
            assert!(text().contains(from), "{from}");
            let error = Changes::parse(text().replace(from, to).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{to}: {error}");
        }
        let unlisted = text().replacen(&format!(" 3 {HELLO}\n"), " 3 other.deb\n", 1);
        assert!(Changes::parse(unlisted.as_bytes()).unwrap_err().to_string().contains("other.deb"));
        for text in ["", "\n", "\0", "-----BEGIN PGP SIGNED MESSAGE-----\n"] {
            assert!(Changes::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_input_is_a_reason_to_panic(bytes: Vec<u8>, cut in 0..600_usize) {
            let text = text();
            let cut = cut.min(text.len());
            let _ = Changes::parse(&[&text.as_bytes()[..cut], &bytes, &text.as_bytes()[cut..]].concat());
        }
    }
}
