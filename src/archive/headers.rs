//! What kind of file each path of an archive is, for the web servers and caches that show it.
//!
//! By the last part of the name alone, and never as an encoding: apt wants `Packages.gz` as it is, not unpacked.

const BYTES: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

const KEYS: &str = "application/pgp-keys";

/// Types by the ending of a name.
const ENDINGS: [(&str, &str); 24] = [
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
    ("pub", KEYS),
    ("sig", "application/pgp-signature"),
    ("asc", "application/pgp-signature"),
    ("dsc", TEXT),
    ("changes", TEXT),
    // What a user may put beside the archive, for people.
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

/// The `Content-Type` of a file of an archive.
#[must_use]
pub fn content_type(path: &str) -> &'static str {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.rsplit_once('.') {
        Some(("Release", "gpg")) => "application/pgp-signature",
        // Keys lie at the root; in the pool these are signatures of source packages.
        Some((_, "asc")) if folder.is_empty() => KEYS,
        Some((_, ending)) => {
            ENDINGS.iter().find(|(known, _)| *known == ending).map_or(BYTES, |(_, kind)| kind)
        }
        None if ["InRelease", "Release", "Packages", "Sources"].contains(&name) => TEXT,
        // Of a by-hash name nobody can say what it holds.
        None => BYTES,
    }
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
            ("dists/stable/Release.gpg", "application/pgp-signature"),
            ("archive-key.asc", KEYS),
            ("archive-key.gpg", KEYS),
            ("index.html", "text/html; charset=utf-8"),
            ("pool/main/a/a/a_1.orig.tar.gz.asc", "application/pgp-signature"),
            ("pool/main/a/a/a_1.dsc", TEXT),
            ("pool/main/a/a/a_1.orig.tar.xz", "application/x-xz"),
            ("pool/main/a/a/a_1.tar", "application/x-tar"),
            ("a", BYTES),
            ("", BYTES),
        ] {
            assert_eq!(content_type(path), kind, "{path}");
        }
    }
}
