//! The keys that a command names.

use std::path::Path;

use crate::{
    cli::{failure::Failure, session::Session},
    signing::{Error, Gpg, KeySource, Keyring},
};

/// Returns the named keys, else the signing keys of the archive.
pub(super) fn sources(words: &[String], session: &Session<'_>) -> Result<Vec<KeySource>, Failure> {
    let configured = if words.is_empty() { session.keys_given()?.all_sources()? } else { Vec::new() };
    let keys = session.key_folder().unwrap_or_default();
    Ok(named_keys(words, configured, &session.current, &keys)?)
}

/// Returns the named keys, else the signing keys of the archive.
pub(super) fn named_keys(
    words: &[String],
    configured: Vec<KeySource>,
    folder: &Path,
    keys: &Path,
) -> Result<Vec<KeySource>, Error> {
    if words.is_empty() {
        return Ok(configured);
    }
    words.iter().map(|word| KeySource::parse(word, folder, keys)).collect()
}

/// Returns the public parts of keys.
pub(super) fn certificates(sources: &[KeySource], gpg: &Gpg) -> Result<Keyring, Error> {
    let mut all = Keyring::new();
    for source in sources {
        if let KeySource::Command(command) = source {
            return Err(Error::KeyOfCommand { command: command.clone() });
        }
        all.merge(&source.certificates(gpg)?);
    }
    if all.is_empty() {
        return Err(Error::NoKeys);
    }
    Ok(all)
}

/// Replaces control characters in a user ID, which is untrusted input.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_a_user_id_are_replaced() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
