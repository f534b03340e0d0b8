//! The script that adds an archive to a client.

use std::fmt::Write as _;

use crate::digest::Sha256Digest;

/// Where a client takes the public keys from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientKey {
    /// The file exists on the client, or no suite is signed.
    There,
    /// A file of the archive, with its digest.
    Fetched(String, Sha256Digest),
    /// The script brings them along, armoured.
    Embedded(String),
}

/// A script that adds an archive to a client.
#[derive(Debug)]
#[non_exhaustive]
pub struct Script<'a> {
    /// The name of the archive in the names of files.
    pub name: &'a str,
    /// The keys.
    pub key: &'a ClientKey,
    /// The file of the keys on the client.
    pub key_path: &'a str,
    /// The stanzas.
    pub stanzas: &'a str,
}

impl<'a> Script<'a> {
    /// A script of these parts.
    #[must_use]
    pub fn new(name: &'a str, key: &'a ClientKey, key_path: &'a str, stanzas: &'a str) -> Self {
        Self { name, key, key_path, stanzas }
    }

    /// Renders it, for any POSIX shell.
    #[must_use]
    pub fn render(&self) -> String {
        let Self { name, key, key_path, stanzas } = self;
        let mut text = String::from("#!/bin/sh\n# Adds an archive to this machine; run as root.\nset -eu\n");
        let begin = "install -d -m 0755 /etc/apt/keyrings\nnew=$(mktemp)\ntrap 'rm -f \"$new\"' EXIT\n";
        let end = format!("install -m 0644 \"$new\" {key_path}\n");
        match key {
            ClientKey::There => {}
            ClientKey::Fetched(url, sha256) => {
                let url = quoted(url);
                let _ = write!(
                    text,
                    "{begin}\
                     if command -v curl >/dev/null; then curl -fsSL -o \"$new\" {url}\n\
                     elif command -v wget >/dev/null; then wget -q -O \"$new\" {url}\n\
                     else /usr/lib/apt/apt-helper download-file {url} \"$new\"; fi\n\
                     # The key that the archive had when this script was made.\n\
                     if ! echo \"{sha256}  $new\" | sha256sum -c --status -; then\n\
                     \x20   echo 'the key of the archive has changed since this script was made: get a new script' >&2\n\
                     \x20   exit 1\n\
                     fi\n{end}"
                );
            }
            ClientKey::Embedded(armored) => {
                let _ = write!(text, "{begin}cat >\"$new\" <<'END'\n{}\nEND\n{end}", armored.trim_end());
            }
        }
        let _ = write!(
            text,
            "cat >/etc/apt/sources.list.d/{name}.sources <<'END'\n{stanzas}END\n\
             chmod 0644 /etc/apt/sources.list.d/{name}.sources\napt-get update\n"
        );
        text
    }
}

/// Quotes a text for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_word_of_the_shell() {
        assert_eq!(quoted("https://x/$(id)'; rm"), r"'https://x/$(id)'\''; rm'");
        let key = ClientKey::Fetched("https://x/'`id`".to_owned(), Sha256Digest::of(b""));
        let script = Script::new("x", &key, "/etc/apt/keyrings/x.asc", "Types: deb\n").render();
        assert!(script.contains(r"'https://x/'\''`id`'") && script.ends_with("apt-get update\n"), "{script}");
    }
}
