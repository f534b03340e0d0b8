//! The kind of file that a path names: [`ArchivePath`] below the root, [`SuitePath`] below a suite.

use super::{
    patch_path::{DIFF, PATCH_INDEX, is_patch_folder, patched_by},
    root_file::{PAGE, page_digest},
};
use crate::{compression::Compression, package_type::PackageType, pool::is_package_file};

/// The folder of the retained release files of a suite, with one folder for each.
pub const GENERATIONS: &str = "generations";

/// The folders of an archive, below its root. Each may be on a disk of its own.
pub const TREES: [&str; 2] = [DISTS, POOL];

/// The folder of the suites.
pub const DISTS: &str = "dists";

/// The folder of the package files.
pub const POOL: &str = "pool";

/// The kind of file that a path of an archive names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArchivePath<'a> {
    /// A package file, below `pool/`.
    Package,
    /// Any other file below `pool/`; never deleted.
    PoolFile,
    /// A file below `dists/`.
    Dists(SuitePath<'a>),
    /// A part of the data of the archive's page, named by its digest.
    PageFile(&'a str),
    /// A file beside `dists/` and `pool/`: public keys, a page.
    RootFile(&'a str),
    /// The configuration, database and working files of the archive's owner: never served, copied or deleted.
    Private,
    /// Any other file, which is left alone. An index may name it as a package file.
    Foreign,
}

/// The kind of file that a path below `dists/`, or below the folder of a suite, names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuitePath<'a> {
    /// A form of the release file of the suite in `folder`; of this suite if `folder` is empty.
    Release {
        /// The folder of the suite.
        folder: &'a str,
        /// The form.
        form: ReleaseForm,
    },
    /// A part of a retained generation of the suite in `folder`.
    Generation {
        /// The folder of the suite.
        folder: &'a str,
        /// The name of the generation.
        name: &'a str,
        /// The part.
        part: GenerationPart<'a>,
    },
    /// An index under its digest.
    ByHash {
        /// The folder of the index, above `by-hash/`.
        folder: &'a str,
        /// The algorithm, such as `SHA256`.
        algorithm: &'a str,
        /// The digest.
        digest: &'a str,
    },
    /// A patch of an index (`Packages.diff/NAME.gz`); the list of them, `Packages.diff/Index`, is a listed file.
    Patch {
        /// The uncompressed path of the index.
        index: &'a str,
        /// The name of the file.
        name: &'a str,
    },
    /// A file under its canonical name, which a release file may list.
    Listed {
        /// The path of the uncompressed file.
        plain: &'a str,
        /// The compression.
        compression: Compression,
    },
    /// A working file, such as one that is still being written.
    Private,
}

/// A form of the release file of a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ReleaseForm {
    /// `InRelease`, clear-signed.
    InRelease,
    /// `Release`, the text alone.
    Release,
    /// `Release.gpg`, the signature alone.
    Signature,
}

/// A part of a retained generation of a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GenerationPart<'a> {
    /// A form of the release file.
    Release(ReleaseForm),
    /// The mark that the generation was published.
    Published,
    /// The author and message of the generation.
    Note,
    /// The part of the suite that a mirror carries.
    Partial,
    /// A file that is unknown to this version.
    Other(&'a str),
}

impl ReleaseForm {
    const ALL: [Self; 3] = [Self::InRelease, Self::Release, Self::Signature];

    /// The name of the file.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::InRelease => "InRelease",
            Self::Release => "Release",
            Self::Signature => "Release.gpg",
        }
    }

    /// The form that a path has by its last part.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        Self::of(path.rsplit('/').next()?)
    }

    fn of(file: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.file_name() == file)
    }
}

impl<'a> GenerationPart<'a> {
    const FILES: [Self; 3] = [Self::Published, Self::Note, Self::Partial];

    /// The name of the file.
    #[must_use]
    pub const fn file_name(self) -> &'a str {
        match self {
            Self::Release(form) => form.file_name(),
            Self::Published => "published",
            Self::Note => "note.json",
            Self::Partial => "partial.json",
            Self::Other(file) => file,
        }
    }

    fn of(file: &'a str) -> Self {
        let known = Self::FILES.into_iter().find(|part| part.file_name() == file);
        known.or(ReleaseForm::of(file).map(Self::Release)).unwrap_or(Self::Other(file))
    }
}

impl<'a> ArchivePath<'a> {
    /// The kind of file at a path below the root of an archive.
    #[must_use]
    pub fn of(path: &'a str) -> Self {
        let Some((first, below)) = path.split_once('/') else {
            return if is_private(path) { Self::Private } else { Self::RootFile(path) };
        };
        if is_private(first) || below.split('/').any(is_working_file) {
            return Self::Private;
        }
        match first {
            POOL if is_package_file(below) => Self::Package,
            POOL => Self::PoolFile,
            DISTS => match SuitePath::parse(below, Within::Dists) {
                // A suite has a name, and none of its parts is `generations` or `by-hash`.
                SuitePath::Release { folder: "", .. } | SuitePath::Generation { folder: "", .. } => {
                    Self::Foreign
                }
                file => Self::Dists(file),
            },
            PAGE => page_digest(below).map_or(Self::Foreign, Self::PageFile),
            _ => Self::Foreign,
        }
    }

    /// Whether the path determines the content of the file, so that a cache may keep it for ever.
    #[must_use]
    pub fn is_immutable(self) -> bool {
        use SuitePath::{ByHash, Generation, Patch};
        // The part that a mirror carries may change while the source publishes nothing.
        let is_fixed = |part| part != GenerationPart::Partial;
        let is_listed_by_digest = |file| match file {
            ByHash { .. } | Patch { .. } => true,
            Generation { part, .. } => is_fixed(part),
            _ => false,
        };
        match self {
            Self::Package | Self::PoolFile | Self::PageFile(_) => true,
            Self::Dists(file) => is_listed_by_digest(file),
            _ => false,
        }
    }

    /// Whether an index may name the file as a package file: any public file, whatever its extension. Below `dists/`,
    /// where some archives keep their packages, only files with the extensions of binary packages: an index must not
    /// pass off the file of a suite as a package.
    #[must_use]
    pub fn may_be_named(self) -> bool {
        match self {
            Self::Dists(SuitePath::Listed { plain, compression: Compression::Plain }) => {
                [".deb", ".udeb", ".ddeb"].iter().any(|ending| plain.ends_with(ending))
            }
            Self::Private | Self::PageFile(_) | Self::Dists(_) => false,
            Self::Package | Self::PoolFile | Self::RootFile(_) | Self::Foreign => true,
        }
    }

    /// Whether the archive publishes the file.
    #[must_use]
    pub fn is_public(self) -> bool {
        !matches!(self, Self::Private | Self::Foreign | Self::Dists(SuitePath::Private))
    }
}

impl<'a> SuitePath<'a> {
    /// The kind of file at a path below the folder of a suite.
    #[must_use]
    pub fn of(path: &'a str) -> Self {
        Self::parse(path, Within::Suite)
    }

    fn parse(path: &'a str, within: Within) -> Self {
        let parts: Vec<&str> = path.split('/').collect();
        if parts.iter().any(|part| is_working_file(part)) {
            return Self::Private;
        }
        // The text before part `at`, without the slash.
        let above = |at: usize| {
            let length: usize = parts[..at].iter().map(|part| part.len() + 1).sum();
            path[..length].strip_suffix('/').unwrap_or_default()
        };
        let last = parts.len() - 1;
        if let [.., GENERATIONS, name, file] = parts[..] {
            return Self::Generation { folder: above(last - 2), name, part: GenerationPart::of(file) };
        }
        if let [.., "by-hash", algorithm, digest] = parts[..] {
            return Self::ByHash { folder: above(last - 2), algorithm, digest };
        }
        if let Some(at) = parts[..last].iter().position(|part| is_patch_folder(part))
            && uncompressed(parts[last]).0 != PATCH_INDEX
        {
            let folder = above(at + 1);
            let (index, name) = (folder.strip_suffix(DIFF).unwrap_or(folder), &path[folder.len() + 1..]);
            return Self::Patch { index, name };
        }
        let folder = above(last);
        match ReleaseForm::of(parts[last]) {
            Some(form) if form != ReleaseForm::Release || !is_index_folder(folder, within) => {
                Self::Release { folder, form }
            }
            _ => {
                let (plain, compression) = uncompressed(path);
                Self::Listed { plain, compression }
            }
        }
    }

    /// Whether a listed path is a file of the suite itself, which is copied along with the suite.
    ///
    /// Release files are not: `apt-ftparchive release` lists those of its own previous run, and those of suites below.
    /// Patches are not listed themselves.
    #[must_use]
    pub fn is_own_file(self) -> bool {
        matches!(self, Self::Listed { .. })
    }
}

/// Whether a path is a form of the release file of a suite.
#[must_use]
pub fn is_release_file(path: &str) -> bool {
    matches!(ArchivePath::of(path), ArchivePath::Dists(SuitePath::Release { .. }))
}

/// The path of the uncompressed file.
#[must_use]
pub fn plain_path(path: &str) -> &str {
    uncompressed(path).0
}

/// Splits a path into the path of the uncompressed file and the compression.
#[must_use]
pub fn uncompressed(path: &str) -> (&str, Compression) {
    let compressed = Compression::ALL.into_iter().filter(|&compression| compression != Compression::Plain);
    compressed
        .into_iter()
        .find_map(|compression| Some((path.strip_suffix(compression.extension())?, compression)))
        .unwrap_or((path, Compression::Plain))
}

/// Whether a listed file is an index whose stanzas name package files.
#[must_use]
pub fn names_packages(plain: &str) -> bool {
    matches!(plain.rsplit('/').next(), Some("Packages" | "Sources"))
}

/// The component of an index of packages, by its path below the suite.
#[must_use]
pub fn component_of(index: &str) -> Option<&str> {
    let (folder, _) = index.rsplit_once('/')?;
    let (component, last) = folder.rsplit_once('/')?;
    if !last.starts_with("binary-") && last != "source" {
        return None;
    }
    let folders = PackageType::SEPARATE.into_iter().filter_map(PackageType::folder);
    let within = |folder: &str| component.strip_suffix(folder)?.strip_suffix('/');
    Some(folders.into_iter().find_map(within).unwrap_or(component))
}

/// The folder below the root of an archive that contains a path; for a file in the root, the file itself.
#[must_use]
pub fn top_folder(path: &str) -> &str {
    path.split_once('/').map_or(path, |(first, _)| first)
}

/// Whether a path is in one of the two folders of an archive, [`TREES`].
#[must_use]
pub fn is_in_tree(path: &str) -> bool {
    path.contains('/') && TREES.contains(&top_folder(path))
}

/// Whether a path is below `dists/`.
#[must_use]
pub fn is_in_dists(path: &str) -> bool {
    is_in_tree(path) && top_folder(path) == DISTS
}

/// Whether a path is the mark that a generation was published.
#[must_use]
pub fn is_mark(path: &str) -> bool {
    matches!(SuitePath::of(path), SuitePath::Generation { part: GenerationPart::Published, .. })
}

/// Whether a folder below the root of an archive is private: the configuration, database or working files of its
/// tools.
#[must_use]
pub fn is_private(first: &str) -> bool {
    is_working_file(first)
        || matches!(first, "conf" | "db" | "incoming" | "lists" | "logs" | "log" | "morgue" | "tmp")
}

/// Whether a part of a path is hidden, or the name of an unfinished file (`NAME#1`).
fn is_working_file(part: &str) -> bool {
    let is_upload =
        |(_, number): (&str, &str)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    part.is_empty() || part.starts_with('.') || part.split_once('#').is_some_and(is_upload)
}

/// The index that a listed file belongs to: the file itself, or the index whose patches it lists.
#[must_use]
pub fn index_of(path: &str) -> &str {
    let plain = plain_path(path);
    patched_by(plain).unwrap_or(plain)
}

/// The folder that a path is relative to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// `dists/`.
    Dists,
    /// The folder of a suite.
    Suite,
}

/// Whether a folder below `dists/` may contain suites: not one among the generations or the indices of a suite.
#[must_use]
pub fn may_hold_suites(folder: &str) -> bool {
    let last = folder.rsplit('/').next().unwrap_or_default();
    !matches!(last, GENERATIONS | "by-hash") && !is_index_folder(folder, Within::Dists)
}

/// Whether a folder below `dists/` is found as that of a suite: neither it nor a folder above it has the name of a folder of
/// indices or generations.
#[must_use]
pub fn can_be_suite(folder: &str) -> bool {
    let ends = folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]);
    ends.into_iter().all(|end| may_hold_suites(&folder[..end]))
}

/// Whether a folder contains indices, so that a `Release` in it describes them and is not that of a suite.
fn is_index_folder(folder: &str, within: Within) -> bool {
    let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    // A suite may be called `source`, whereas a folder of sources is in a component of a suite.
    let lies_in_a_component = match within {
        Within::Dists => above.contains('/'),
        Within::Suite => !above.is_empty(),
    };
    last.starts_with("binary-")
        || (lies_in_a_component
            && (last.starts_with("installer-") || matches!(last, "source" | "i18n" | "dep11" | "cnf")))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{patch_path::patch_index_path, root_file::page_path},
        *,
    };

    fn release(folder: &str, form: ReleaseForm) -> SuitePath<'_> {
        SuitePath::Release { folder, form }
    }

    #[test]
    fn release_files_name_their_suite_and_those_of_indices_are_listed() {
        use ReleaseForm::{InRelease, Release, Signature};
        for (path, expected) in [
            ("InRelease", release("", InRelease)),
            ("Release.gpg", release("", Signature)),
            ("stable/InRelease", release("stable", InRelease)),
            ("bookworm/updates/Release", release("bookworm/updates", Release)),
            ("a/b/snapshots/1.0/InRelease", release("a/b/snapshots/1.0", InRelease)),
        ] {
            assert_eq!(SuitePath::of(path), expected, "{path}");
        }
        let suite = release("source", Release);
        assert_eq!(
            ArchivePath::of("dists/source/Release"),
            ArchivePath::Dists(suite),
            "a suite of that name"
        );
        for path in [
            "main/binary-amd64/Release",
            "main/source/Release",
            "s/main/debian-installer/binary-i386/Release",
        ] {
            assert_eq!(
                SuitePath::of(path),
                SuitePath::Listed { plain: path, compression: Compression::Plain }
            );
        }
    }

    #[test]
    fn only_files_of_the_suite_itself_are_carried() {
        for path in [
            "main/binary-amd64/Packages.xz",
            "main/i18n/Translation-en.xz",
            "main/binary-amd64/Release",
            "Contents-all.gz",
            "main/binary-amd64/Packages.diff/Index",
            "main/binary-amd64/Packages.diff/Index.xz",
        ] {
            assert!(SuitePath::of(path).is_own_file(), "{path}");
        }
        for path in [
            "Release",
            "updates/InRelease",
            "updates/Release",
            "generations/20250101T000000Z-00ff00ff/InRelease",
            "main/binary-amd64/Packages.diff/20250101T000000Z-00ff.gz",
            "main/binary-amd64/Packages.diff/by-hash/SHA256/00ff",
            "main/binary-amd64/by-hash/SHA256/00ff",
            "main/.hidden/x",
            "main/../x",
            "main//x",
            "main/binary-amd64/Packages#1",
        ] {
            assert!(!SuitePath::of(path).is_own_file(), "{path}");
        }
    }

    #[test]
    fn generations_by_hash_and_patches_tell_where_they_belong() {
        assert_eq!(
            SuitePath::of("stable/generations/1-a/published"),
            SuitePath::Generation { folder: "stable", name: "1-a", part: GenerationPart::Published }
        );
        assert_eq!(
            SuitePath::of("generations/1-a/x"),
            SuitePath::Generation { folder: "", name: "1-a", part: GenerationPart::Other("x") }
        );
        assert_eq!(
            SuitePath::of("s/main/binary-amd64/by-hash/SHA256/0f"),
            SuitePath::ByHash { folder: "s/main/binary-amd64", algorithm: "SHA256", digest: "0f" }
        );
        assert_eq!(
            SuitePath::of("main/binary-amd64/Packages.diff/T-2025.gz"),
            SuitePath::Patch { index: "main/binary-amd64/Packages", name: "T-2025.gz" }
        );
        assert_eq!(patched_by("main/binary-amd64/Packages.diff/Index"), Some("main/binary-amd64/Packages"));
        assert_eq!(patched_by("main/binary-amd64/Index"), None);
        assert_eq!(index_of(&patch_index_path("main/source/Sources")), "main/source/Sources");
        assert_eq!(index_of("main/source/Sources.xz"), "main/source/Sources");
        for part in
            [GenerationPart::Note, GenerationPart::Published, GenerationPart::Release(ReleaseForm::Signature)]
        {
            assert_eq!(GenerationPart::of(part.file_name()), part);
        }
    }

    #[test]
    fn an_archive_keeps_its_private_files() {
        for private in [
            "conf/distributions",
            "db/x",
            ".publish/prune",
            "tmp/x",
            "pool/.x",
            "dists/a/.tmp/x",
            ".asc",
            "pool/a.deb#1",
        ] {
            assert_eq!(ArchivePath::of(private), ArchivePath::Private, "{private}");
        }
        assert_eq!(ArchivePath::of("pool/main/a/a_1_amd64.deb"), ArchivePath::Package);
        assert_eq!(ArchivePath::of("pool/README"), ArchivePath::PoolFile);
        assert_eq!(ArchivePath::of("archive-key.asc"), ArchivePath::RootFile("archive-key.asc"));
        let (digest, part) = ("0f".repeat(32), page_path(&"0f".repeat(32)));
        assert_eq!(ArchivePath::of(&part), ArchivePath::PageFile(&digest));
        assert!(ArchivePath::of(&part).is_immutable() && ArchivePath::of(&part).is_public());
        assert!(!ArchivePath::of(&part).may_be_named());
        for own in ["page/index.html", "page/0f.gz", "page/x/0f.gz"] {
            assert_eq!(ArchivePath::of(own), ArchivePath::Foreign, "{own}");
        }
        assert_eq!(ArchivePath::of("www/index.html"), ArchivePath::Foreign);
        assert_eq!(ArchivePath::of("dists/Release"), ArchivePath::Foreign);
    }

    #[test]
    fn a_path_that_fixes_the_content_is_immutable() {
        for immutable in [
            "pool/main/h/hello/hello_1_amd64.deb",
            "dists/stable/main/binary-amd64/by-hash/SHA256/00ff",
            "dists/bookworm/updates/generations/20261122T210000Z-00ff00ff/Release",
        ] {
            assert!(ArchivePath::of(immutable).is_immutable(), "{immutable}");
        }
        for mutable in [
            "dists/stable/InRelease",
            "dists/stable/main/binary-amd64/Packages.xz",
            "dists/generations/x/InRelease",
            "dists/by-hash/InRelease",
            "dists/x/generations/InRelease",
            "dists/x/generations/20261122T210000Z-00ff00ff/partial.json",
            "key.asc",
        ] {
            assert!(!ArchivePath::of(mutable).is_immutable(), "{mutable}");
        }
    }

    #[test]
    fn a_path_lies_in_a_folder_of_the_archive_or_beside_them() {
        for (path, tree, dists) in [
            ("dists/stable/Release", true, true),
            ("pool/a.deb", true, false),
            ("pool", false, false),
            ("poolside/a.deb", false, false),
            ("a.deb", false, false),
        ] {
            assert_eq!((is_in_tree(path), is_in_dists(path)), (tree, dists), "{path}");
        }
        assert_eq!(top_folder("www/a/b"), "www");
        assert_eq!(ReleaseForm::of_path("dists/stable/Release.gpg"), Some(ReleaseForm::Signature));
        assert_eq!(ReleaseForm::of_path("dists/stable/NotARelease"), None);
        assert!(is_mark("dists/a/generations/1-a/published") && !is_mark("dists/a/published"));
    }

    #[test]
    fn compressions_are_known_by_their_extensions() {
        assert_eq!(uncompressed("main/Contents-amd64.gz").0, "main/Contents-amd64");
        assert_eq!(uncompressed("a/Packages"), ("a/Packages", Compression::Plain));
    }
}
