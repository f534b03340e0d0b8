//! The description of a source package: a `.dsc` file, signed or not (dsc(5), Debian Policy 5.4).
//!
//! A [`SourceDescription`] says which files belong to the package; it becomes a [`SourcePackage`] once each of them has
//! been read and matches. A description that dpkg-source or apt would refuse, or read differently, is refused here. Its
//! signature is not verified.

use super::{
    dsc_fault::{DscFault, FORMATS, NameFault},
    dsc_files,
    error::BadField,
    listed_files::{self, LONGEST_NAME, ListedFile, is_allowed_in_a_name},
    source::{SourceFile, SourcePackage},
};
use crate::{digest::SourceDigests, names::PackageName, signing, stanza::Stanza, version::Version};

/// The extensions of the files of a source package.
const ENDINGS: [&str; 8] =
    [".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tar.lzma", ".diff.gz", ".git", ".gitshallow"];

/// The parsed text of a `.dsc`.
#[derive(Debug, Clone)]
pub struct SourceDescription {
    name: PackageName,
    version: Version,
    control: Box<[u8]>,
    itself: SourceFile,
    files: Vec<ListedFile>,
}

impl SourceDescription {
    /// Parses a whole `.dsc`.
    pub fn parse(bytes: &[u8]) -> Result<Self, DscFault> {
        // As dpkg does, blank lines before the signature are skipped.
        let begin = bytes.trim_ascii_start();
        let text = if begin.starts_with(b"-----BEGIN PGP") {
            signing::unverified_text(begin).map_err(DscFault::Signature)?
        } else {
            bytes.to_vec()
        };
        let stanza = Stanza::parse(&text).map_err(DscFault::Stanza)?;
        if stanza.get("Changes").is_some() {
            return Err(DscFault::Changes);
        }
        let format = value(&stanza, "Format")?.unwrap_or("1.0");
        if !FORMATS.contains(&format) {
            return Err(DscFault::Format(format.escape_debug().to_string()));
        }
        let name = required(&stanza, "Source", PackageName::parse)?;
        let version = required(&stanza, "Version", Version::parse)?;
        let files = files(&stanza, &name)?;
        dsc_files::check(format, &name, &version, &files)?;
        let own = format!("{name}_{}.dsc", version.without_epoch());
        if own.len() > LONGEST_NAME {
            return Err(DscFault::Field { field: "Version", why: BadField::TooLong(own) });
        }
        let mut control = stanza.as_bytes().to_vec();
        if !control.ends_with(b"\n") {
            control.push(b'\n');
        }
        let itself = SourceFile { name: own.into(), digests: SourceDigests::of(bytes) };
        Ok(Self { name, version, control: control.into(), itself, files })
    }

    /// The name of the package.
    #[must_use]
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The files that belong to the package, besides the `.dsc`.
    #[must_use]
    pub fn files(&self) -> &[ListedFile] {
        &self.files
    }

    /// Compares the files that were read, in the order of [`SourceDescription::files`], with the description.
    pub fn with_files(self, found: Vec<SourceDigests>) -> Result<SourcePackage, DscFault> {
        debug_assert_eq!(found.len(), self.files.len());
        let mut files = vec![self.itself];
        for (described, digests) in self.files.iter().zip(found) {
            described.check(&digests.digests, Some(digests.sha1))?;
            files.push(SourceFile { name: described.name().into(), digests });
        }
        Ok(SourcePackage::new(self.name, self.version, self.control, files))
    }
}

/// The value of a field that must be text; an empty one counts as missing.
fn value<'a>(stanza: &Stanza<'a>, field: &'static str) -> Result<Option<&'a str>, DscFault> {
    match stanza.get(field).map(std::str::from_utf8) {
        None | Some(Ok("")) => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(DscFault::Field { field, why: BadField::NotUtf8 }),
    }
}

fn required<T, E: Into<BadField>>(
    stanza: &Stanza<'_>,
    field: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, DscFault> {
    let text = value(stanza, field)?.ok_or(DscFault::NoField(field))?;
    parse(text).map_err(|why| DscFault::Field { field, why: why.into() })
}

/// Reads the lists of files, sorted by name.
fn files(stanza: &Stanza<'_>, source: &PackageName) -> Result<Vec<ListedFile>, DscFault> {
    let check_name = |name: &str| {
        let bad = |why| DscFault::Name { name: name.escape_debug().to_string(), why };
        check_name(name, source).map_err(bad)
    };
    let files = listed_files::read(stanza, "DIGEST SIZE NAME", check_name)?;
    let mut files: Vec<ListedFile> = files.into_iter().map(|(file, _)| file).collect();
    files.sort_by(|one, other| one.name().cmp(other.name()));
    Ok(files)
}

/// The names that dpkg-source accepts for a file of this source. None of them contains a `/`, so no file is outside
/// the folder.
fn check_name(name: &str, source: &PackageName) -> Result<(), NameFault> {
    if !name.bytes().all(is_allowed_in_a_name) {
        return Err(NameFault::Character);
    }
    if name.len() > LONGEST_NAME {
        return Err(NameFault::TooLong);
    }
    if !name.strip_prefix(source.as_str()).is_some_and(|rest| rest.starts_with('_')) {
        return Err(NameFault::OtherSource(source.to_string()));
    }
    // A tarball may have a signature of its own.
    let is_tarball = |name: &str| ENDINGS.iter().any(|ending| name.ends_with(ending));
    let signed = name.strip_suffix(".asc").filter(|name| name.contains(".tar."));
    if !is_tarball(signed.unwrap_or(name)) {
        return Err(NameFault::Extension);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::{super::listed_files::LISTS, *};

    const TAR: &str = "hello_1.0.orig.tar.gz";

    /// The lists of files with these contents.
    fn lists(files: &[(&str, &[u8])]) -> String {
        let mut text = String::new();
        for field in LISTS {
            writeln!(text, "{field}:").unwrap();
            for (name, bytes) in files {
                let SourceDigests { digests, sha1 } = SourceDigests::of(bytes);
                let digest = match field {
                    "Files" => digests.md5.to_string(),
                    "Checksums-Sha1" => sha1.to_string(),
                    _ => digests.sha256.to_string(),
                };
                writeln!(text, " {digest} {} {name}", bytes.len()).unwrap();
            }
        }
        text
    }

    fn dsc() -> String {
        format!(
            "Format: 3.0 (quilt)\nSource: hello\nBinary: hello\nArchitecture: any\nVersion: 1:1.0-1\n{}",
            lists(&[(TAR, b"tar"), ("hello_1.0-1.debian.tar.xz", b"debian")])
        )
    }

    fn fault(text: &str) -> String {
        SourceDescription::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_description_names_its_files_and_itself() {
        let parsed = SourceDescription::parse(dsc().as_bytes()).unwrap();
        let names: Vec<_> = parsed.files().iter().map(ListedFile::name).collect();
        assert_eq!(names, ["hello_1.0-1.debian.tar.xz", TAR]);
        let package =
            parsed.with_files(vec![SourceDigests::of(b"debian"), SourceDigests::of(b"tar")]).unwrap();
        assert_eq!(package.files()[0].name(), "hello_1.0-1.dsc");
        assert_eq!((package.name().as_str(), package.version().as_str()), ("hello", "1:1.0-1"));
    }

    #[test]
    fn the_formats_of_version_control_systems_are_known() {
        for (format, files) in [
            ("3.0 (git)", &["1.0-1.git"][..]),
            ("3.0 (git)", &["1.0-1.git", "1.0-1.gitshallow"]),
            ("3.0 (bzr)", &["1.0-1.bzr.tar.gz"]),
            ("3.0 (custom)", &["2.tar.xz"]),
        ] {
            assert_eq!(of_files(format, files), None, "{format}");
        }
    }

    /// The fault of a description in a format, with these files.
    fn of_files(format: &str, files: &[&str]) -> Option<String> {
        let names: Vec<String> = files.iter().map(|file| format!("hello_{file}")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&name[..], &b"x"[..])).collect();
        let text = dsc();
        let head = text[..text.find(LISTS[0]).unwrap()].replace("3.0 (quilt)", format);
        let parsed = SourceDescription::parse((head + &lists(&files)).as_bytes());
        parsed.err().map(|fault| fault.to_string())
    }

    /// As `dpkg-source -x`, of which the tests of the archive ask the real one.
    #[test]
    fn files_of_another_version_are_refused() {
        for (format, files) in [
            ("3.0 (quilt)", &["1.0.orig.tar.xz", "1.0.orig.tar.xz.asc", "1.0-1.debian.tar.bz2"][..]),
            (
                "3.0 (quilt)",
                &["1.0.orig.tar.gz", "1.0.orig-a-1.tar.gz", "1.0.orig-a-1.tar.gz.asc", "1.0-1.debian.tar.xz"],
            ),
            ("2.0", &["1.0.orig.tar.gz", "1.0-1.debian.tar.gz"]),
            ("1.0", &["1.0.orig.tar.gz", "1.0-1.diff.gz"]),
            ("1.0", &["1.0-1.tar.gz"]),
            ("3.0 (native)", &["1.0-1.tar.zst"]),
        ] {
            assert_eq!(of_files(format, files), None, "{format}: {files:?}");
        }
        for (format, files, text) in [
            (
                "3.0 (quilt)",
                &["1.1.orig.tar.gz", "1.0-1.debian.tar.xz"][..],
                "`hello_1.1.orig.tar.gz` is not allowed",
            ),
            ("3.0 (quilt)", &["1.0.orig.tar.gz", "1.0-2.debian.tar.xz"], "`Version: 1:1.0-1`"),
            ("3.0 (quilt)", &["1.0-1.orig.tar.gz", "1.0-1.debian.tar.xz"], "`hello_1.0.orig.tar.*`"),
            ("3.0 (quilt)", &["1.0.orig.tar.gz", "1.0.orig-.tar.gz", "1.0-1.debian.tar.xz"], "orig-.tar.gz"),
            ("3.0 (quilt)", &["1.0.orig.tar.gz"], "no file `hello_1.0-1.debian.tar.*`"),
            ("3.0 (quilt)", &["1.0-1.debian.tar.xz"], "no file `hello_1.0.orig.tar.*`"),
            ("3.0 (native)", &["1.0.tar.gz"], "`hello_1.0-1.tar.*`"),
            ("3.0 (native)", &["1.0-1.tar.gz", "1.0.orig.tar.gz"], "`hello_1.0.orig.tar.gz`"),
            ("1.0", &["1.0.orig.tar.xz", "1.0-1.diff.gz"], "`hello_1.0.orig.tar.gz`"),
            ("1.0", &["1.0-1.diff.gz"], "no file `hello_1.0.orig.tar.gz`"),
            ("3.0 (git)", &["1.0.git"], "`hello_1.0-1.git`"),
        ] {
            let fault = of_files(format, files).unwrap();
            assert!(fault.contains(text), "{format}: {files:?}: {fault}");
        }
    }

    #[test]
    fn a_signature_around_it_changes_nothing_but_its_digests() {
        let signed = format!(
            "\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{}\n-----BEGIN PGP SIGNATURE-----\n\nabcd\n\
             -----END PGP SIGNATURE-----\n",
            dsc()
        );
        let [plain, signed] = [dsc(), signed].map(|text| SourceDescription::parse(text.as_bytes()).unwrap());
        assert_eq!(plain.files(), signed.files());
        assert_eq!(plain.control, signed.control);
        assert_ne!(plain.itself, signed.itself);
        assert!(
            fault(&format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{}", dsc()))
                .contains("frame")
        );
    }

    #[test]
    fn files_that_differ_from_their_description_are_refused_with_both_values() {
        for (found, text) in [
            (&b"ta"[..], "`hello_1.0.orig.tar.gz` has 2 bytes, and it is listed with 3 bytes"),
            (b"tor", "has SHA256 "),
        ] {
            let parsed = SourceDescription::parse(dsc().as_bytes()).unwrap();
            let found = vec![SourceDigests::of(b"debian"), SourceDigests::of(found)];
            let error = parsed.with_files(found).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        // An old description has no SHA256; MD5 and SHA1 are compared too.
        let sha256 = dsc().find("Checksums-Sha256").unwrap();
        for (text, algorithm) in
            [(&dsc()[..sha256], "SHA1"), (&dsc()[..dsc().find("Checksums-Sha1").unwrap()], "MD5")]
        {
            let parsed = SourceDescription::parse(text.as_bytes()).unwrap();
            let found = vec![SourceDigests::of(b"debian"), SourceDigests::of(b"tor")];
            assert!(parsed.with_files(found).unwrap_err().to_string().contains(algorithm), "{algorithm}");
        }
    }

    #[test]
    fn a_description_that_cannot_be_published_is_refused() {
        for (from, to, text) in [
            ("Format: 3.0 (quilt)", "Format: 3.0 (hg)", "format `3.0 (hg)`"),
            ("Source: hello\n", "", "no field `Source`"),
            ("Source: hello", "Source: ../x", "field `Source`"),
            ("Version: 1:1.0-1\n", "", "no field `Version`"),
            ("Version: 1:1.0-1", "Version: x", "field `Version`"),
            ("Binary: hello", "Changes: x", ".changes"),
            (TAR, "../hello_1.0.orig.tar.gz", "file name `../hello_1.0.orig.tar.gz`"),
            (TAR, "hello_1.0/x.tar.gz", "not allowed"),
            (TAR, "/hello_1.0.tar.gz", "not allowed"),
            (TAR, "other_1.0.orig.tar.gz", "must start with `hello_`"),
            (TAR, "hello_1.0.dsc", "extension"),
            (TAR, "hello_1.0.deb", "extension"),
            (TAR, "hello_1.0.diff.gz.asc", "extension"),
            (TAR, "hello_1.0-1.debian.tar.xz", "twice"),
            (" 3 hello", " x hello", "expected `DIGEST SIZE NAME`"),
            (" 3 hello", " 3 hello hello", "expected `DIGEST SIZE NAME`"),
            (" 3 hello", " 99999999999999999999999 hello", "expected `DIGEST SIZE NAME`"),
            ("Files:\n", "Files:\n abc 3 hello_1.tar.gz\n", "expected `DIGEST SIZE NAME`"),
            ("Source: hello", "Source: hello\nSource: hello", "stanza"),
            ("Architecture: any", "Architecture: any\n\nX: y", "stanza"),
        ] {
            assert!(dsc().contains(from), "{from}");
            let error = fault(&dsc().replace(from, to));
            assert!(error.contains(text), "{to}: {error}");
        }
        for text in ["", "\n", "hello", "\0", "Format: 1.0\n"] {
            assert!(SourceDescription::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn lists_that_name_different_files_are_refused() {
        let text = dsc();
        let at = text.find("Checksums-Sha256").unwrap();
        let (rest, sha256) = text.split_at(at);
        let without = sha256.lines().filter(|line| !line.ends_with(TAR)).collect::<Vec<_>>().join("\n");
        assert!(fault(&format!("{rest}{without}\n")).contains(TAR));
        let more = sha256.lines().nth(1).unwrap().replace(TAR, "hello_2.tar.gz");
        assert!(fault(&format!("{rest}{sha256}{more}\n")).contains("hello_2.tar.gz"));
        let size = sha256.replace(" 3 ", " 4 ");
        assert!(fault(&format!("{rest}{size}")).contains(TAR));
        assert!(fault(&rest[..rest.find("Files").unwrap()]).contains("no field `Files`"));
    }

    proptest::proptest! {
        #[test]
        fn no_input_is_a_reason_to_panic(bytes: Vec<u8>, cut in 0..400_usize) {
            let text = dsc();
            let noisy = [&text.as_bytes()[..cut.min(text.len())], &bytes, &text.as_bytes()[cut.min(text.len())..]].concat();
            let _ = SourceDescription::parse(&noisy);
        }
    }
}
