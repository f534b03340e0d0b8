//! Media types: the `Content-Type` of each file of an archive, for the web servers and caches that serve it.
//!
//! Never a `Content-Encoding`: apt expects the compressed bytes of `Packages.gz`.

use super::layout::{ArchivePath, GenerationPart, ReleaseForm, SuitePath};

const BYTES: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

const KEYS: &str = "application/pgp-keys";
const SIGNATURE: &str = "application/pgp-signature";

/// Indices and their descriptions, as text.
const INDICES: [&str; 3] = ["Packages", "Sources", "Release"];

/// Types by extension.
const ENDINGS: [(&str, &str); 25] = [
    ("deb", "application/vnd.debian.binary-package"),
    ("udeb", "application/vnd.debian.binary-package"),
    ("ddeb", "application/vnd.debian.binary-package"),
    ("gz", "application/gzip"),
    ("xz", "application/x-xz"),
    ("zst", "application/zstd"),
    ("bz2", "application/x-bzip2"),
    ("lzma", "application/x-lzma"),
    ("tar", "application/x-tar"),
    ("gpg", KEYS),
    ("pgp", KEYS),
    ("pub", KEYS),
    ("sig", SIGNATURE),
    ("asc", SIGNATURE),
    ("dsc", TEXT),
    ("changes", TEXT),
    // Pages that a user may put beside the archive.
    ("txt", TEXT),
    ("sh", TEXT),
    ("sources", TEXT),
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
];

/// The `Content-Type` of the file at a path of an archive.
#[must_use]
pub fn of(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match ArchivePath::of(path) {
        ArchivePath::Dists(
            SuitePath::Release { form, .. }
            | SuitePath::Generation { part: GenerationPart::Release(form), .. },
        ) => match form {
            ReleaseForm::Signature => SIGNATURE,
            ReleaseForm::InRelease | ReleaseForm::Release => TEXT,
        },
        // A by-hash name does not show the kind of the file.
        ArchivePath::Dists(SuitePath::ByHash { .. }) => BYTES,
        ArchivePath::Dists(_) if INDICES.contains(&name) => TEXT,
        // Keys are in the root; in the pool these are signatures of source packages.
        ArchivePath::RootFile(name) if name.rsplit_once('.').is_some_and(|(_, ending)| ending == "asc") => {
            KEYS
        }
        _ => by_ending(name),
    }
}

fn by_ending(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ENDINGS.iter().find(|(known, _)| Some(*known) == ending).map_or(BYTES, |(_, media_type)| media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_file_has_its_type() {
        for (path, kind) in [
            ("pool/main/g/g++/g++_1.0~rc1+b1_amd64.deb", "application/vnd.debian.binary-package"),
            ("pool/main/a/a/a_1_amd64.udeb", "application/vnd.debian.binary-package"),
            ("dists/stable/InRelease", TEXT),
            ("dists/stable/Release", TEXT),
            ("dists/stable/main/binary-amd64/Packages", TEXT),
            ("dists/stable/main/source/Sources", TEXT),
            ("dists/stable/main/binary-amd64/Packages.gz", "application/gzip"),
            ("dists/stable/main/binary-amd64/Packages.xz", "application/x-xz"),
            ("dists/stable/main/binary-amd64/Packages.zst", "application/zstd"),
            ("dists/stable/main/binary-amd64/Packages.bz2", "application/x-bzip2"),
            ("dists/stable/main/binary-amd64/by-hash/SHA256/0123abcd", BYTES),
            ("dists/stable/Release.gpg", SIGNATURE),
            ("archive-key.asc", KEYS),
            ("archive-key.gpg", KEYS),
            ("index.html", "text/html; charset=utf-8"),
            ("pool/main/a/a/a_1.orig.tar.gz.asc", SIGNATURE),
            ("pool/main/a/a/a_1.dsc", TEXT),
            ("pool/main/a/a/a_1.orig.tar.xz", "application/x-xz"),
            ("pool/main/a/a/a_1.tar", "application/x-tar"),
            ("a", BYTES),
            ("", BYTES),
        ] {
            assert_eq!(of(path), kind, "{path}");
        }
    }
}
