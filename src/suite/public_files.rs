//! Decides which files at the root of an archive are public: index pages and the public keys that clients need.
//!
//! The contents decide, not the name. `publish` keeps secret keys elsewhere, but an archive that was set up by hand may
//! have a `signing-key.asc` with a secret key at its root, and neither a preview nor a sync may leak it.

use sequoia_openpgp::{
    packet::Tag,
    parse::{PacketParser, PacketParserResult, Parse as _},
};

use crate::{
    dists::layout::{is_key_file, is_page, is_sources_file},
    site,
};

/// Larger files are neither keys nor index pages.
pub(crate) const SIZE_LIMIT: u64 = 1 << 20;

/// Whether the name of a file at the root is one of a public file.
#[must_use]
pub(crate) fn may_be_shown(name: &str) -> bool {
    is_page(name) || is_key_file(name) || is_sources_file(name)
}

/// Whether the contents of such a file are public.
#[must_use]
pub(crate) fn is_harmless(name: &str, contents: &[u8]) -> bool {
    // The sources of another tool may hold a password.
    let is_public =
        is_page(name) || is_public_key(contents) || is_sources_file(name) && site::is_ours(contents);
    !is_labelled_secret(contents) && is_public
}

/// Whether a file holds public keys and nothing else up to its end: a key parser may accept a truncated file.
#[must_use]
pub(crate) fn is_whole_key(contents: &[u8]) -> bool {
    let count = |label: &[u8]| memchr::memmem::find_iter(contents, label).count();
    is_public_key(contents) && count(b"-----BEGIN PGP ") == count(b"-----END PGP ")
}

/// Whether a file of any name holds a secret key.
#[must_use]
pub(crate) fn holds_a_secret(contents: &[u8]) -> bool {
    is_labelled_secret(contents)
        || packets(contents).any(|tag| matches!(tag, Tag::SecretKey | Tag::SecretSubkey))
}

/// Whether a file has the label of an armoured secret key (`OpenPGP`, `OpenSSH` or X.509).
fn is_labelled_secret(contents: &[u8]) -> bool {
    memchr::memmem::find(contents, b"PRIVATE KEY").is_some()
}

/// Whether the contents are public keys (RFC 9580, binary or armoured) and nothing else.
fn is_public_key(contents: &[u8]) -> bool {
    let mut found = false;
    for tag in packets(contents) {
        match tag {
            Tag::PublicKey => found = true,
            Tag::PublicSubkey
            | Tag::UserID
            | Tag::UserAttribute
            | Tag::Signature
            | Tag::Trust
            | Tag::Marker
            | Tag::Padding => {}
            _ => return false,
        }
    }
    found
}

/// Iterates over the packet tags of the contents. Anything else ends the iteration with `Tag::Reserved`.
fn packets(contents: &[u8]) -> impl Iterator<Item = Tag> {
    let mut next = PacketParser::from_bytes(contents).ok();
    std::iter::from_fn(move || match next.take()? {
        PacketParserResult::Some(parser) => {
            let tag = parser.packet.tag();
            next = parser.next().ok().map(|(_, rest)| rest);
            // A truncated packet makes the whole file invalid.
            Some(if next.is_some() { tag } else { Tag::Reserved })
        }
        PacketParserResult::EOF(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use sequoia_openpgp::{cert::CertBuilder, serialize::SerializeInto as _};

    use super::*;

    #[test]
    fn names() {
        for name in ["key.asc", "a.b.gpg", "key.pub", "index.html", "x.sources", "x-archive-keyring.pgp"] {
            assert!(may_be_shown(name), "{name}");
        }
        for name in [".asc", "gpg", "conf", "key.asc~", "INDEX.HTML", "db.lock", "key.gpg.bak"] {
            assert!(!may_be_shown(name), "{name}");
        }
    }

    #[test]
    fn public_keys_are_public_and_secret_keys_are_not() {
        let (cert, _) =
            CertBuilder::new().add_userid("Test <test@example.org>").add_signing_subkey().generate().unwrap();
        let public = [cert.to_vec().unwrap(), cert.armored().to_vec().unwrap()];
        for bytes in &public {
            assert!(is_whole_key(bytes) && !is_whole_key(&bytes[..bytes.len() / 2]));
            assert!(!is_whole_key(&bytes[..bytes.len() - 20]));
            assert!(is_harmless("key.gpg", bytes));
            assert!(!holds_a_secret(bytes));
        }
        assert!(!holds_a_secret(b"<h1>Packages</h1>"));
        let two = [&public[0][..], &public[0][..]].concat();
        assert!(is_harmless("key.gpg", &two), "a key ring");

        let secret = [cert.as_tsk().to_vec().unwrap(), cert.as_tsk().armored().to_vec().unwrap()];
        for bytes in &secret {
            assert!(!is_harmless("key.gpg", bytes));
            assert!(holds_a_secret(bytes));
            assert!(!is_harmless("index.html", &secret[1]));
        }
        let hidden_behind_a_public_one = [&public[0][..], &secret[0][..]].concat();
        assert!(!is_harmless("key.gpg", &hidden_behind_a_public_one));
        let armoured_behind = [&public[1][..], &secret[1][..]].concat();
        assert!(!is_harmless("key.asc", &armoured_behind));
        let mislabelled = String::from_utf8(secret[1].clone()).unwrap().replace("PRIVATE KEY", "PUBLIC KEY");
        assert!(!is_harmless("key.asc", mislabelled.as_bytes()));
    }

    #[test]
    fn files_that_are_not_keys_are_not_public() {
        for contents in [&b""[..], b"hello", b"-----BEGIN OPENSSH PRIVATE KEY-----", &[0xff; 40]] {
            assert!(!is_harmless("key.pub", contents));
        }
        assert!(is_harmless("index.html", b"<h1>Packages</h1>"));
    }

    #[test]
    fn only_sources_that_were_written_here_are_public() {
        let text = site::render_file("https://example.org", &[], "/etc/apt/keyrings/x.asc");
        assert!(is_harmless("x.sources", text.as_bytes()));
        assert!(!is_harmless("x.sources", b"URIs: https://user:password@example.org\n"));
    }
}
