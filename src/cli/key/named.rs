//! The keys that a command names.

use crate::{
    archive::{KEY_FILE, Trust},
    cli::{class::Kind, failure::Failure, session::Session},
    config::SuiteConfig,
    signing::{Error, Gpg, KeySource, Keyring},
    suite::limits,
};

/// The keys that a command looks at.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Named {
    /// Key file, fingerprint, or user ID of a gpg key [default: the signing keys of the archive].
    #[arg(value_name = "KEY")]
    keys: Vec<String>,

    /// The keys that sign this suite: as configured, else as it is published; repeatable
    #[arg(short, long, value_name = "SUITE", conflicts_with = "keys")]
    suite: Vec<String>,
}

impl Named {
    /// Returns the public parts of the keys.
    pub(super) async fn certificates(&self, session: &Session<'_>) -> Result<Keyring, Failure> {
        let mut of_suites = Keyring::new();
        for name in &self.suite {
            of_suites.merge(&of_suite(name, session).await?);
        }
        if !self.suite.is_empty() {
            return Ok(of_suites);
        }
        // These block: they read files and may run gpg.
        tokio::task::block_in_place(|| {
            if self.keys.is_empty() {
                return all(session);
            }
            let keys = session.key_folder().unwrap_or_default();
            let parse = |word: &String| KeySource::parse(word, &session.current, &keys);
            let sources = self.keys.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
            Ok(certificates(&sources, &Gpg::default())?)
        })
    }
}

/// Returns the keys that sign a suite, which may be published elsewhere.
async fn of_suite(name: &str, session: &Session<'_>) -> Result<Keyring, Failure> {
    let (keychain, mut known) = tokio::task::block_in_place(|| {
        Ok::<_, Failure>((session.keys_given()?, session.trust_to_read().keys().clone()))
    })?;
    let reader = session.archive(Trust::unverified());
    let suite = if let Some(suite) = session.config.find(name) {
        suite.clone()
    } else {
        let found = session.suites_to_read(&reader, Some(name)).await?.into_iter().next();
        found
            .map_or_else(|| session.suite_to_copy_from(name), |suite| Ok(SuiteConfig::unconfigured(suite)))?
    };
    if keychain.signs(&suite) {
        return Ok(tokio::task::block_in_place(|| keychain.public_keys_of(&suite))?);
    }
    // The archive publishes the key that has signed it.
    let file = session.store.unless_refused(session.store.read(KEY_FILE, limits::KEYS).await)?;
    if let Some(file) = file {
        // Without a key in it, the key is unknown.
        let _ = known.add_bytes(KEY_FILE, &file.bytes);
    }
    let archive = session.archive(Trust::keyring(known, session.now).allow_unsigned());
    let published = archive.suite(&suite.codename).await?;
    let signers = match published.pointer() {
        Some(pointer) if pointer.signed => pointer.signers.clone(),
        Some(_) => return Err(no_key(format!("suite `{name}` is not signed"))),
        None => {
            return Err(no_key(format!(
                "suite `{name}` is not published, and `SignWith:` names no key for it"
            )));
        }
    };
    let keys = archive.trust.keys().only(&signers);
    if keys.is_empty() {
        return Err(no_key(format!("the key that signed suite `{name}` is unknown here")));
    }
    Ok(keys)
}

fn no_key(text: String) -> Failure {
    let hint = "name a key with `--sign-with KEY`, or in `SignWith:` of conf/distributions";
    Failure::text(text, Some(hint.to_owned())).kind(Kind::NotFound)
}

/// Returns the signing keys of the archive.
pub(super) fn all(session: &Session<'_>) -> Result<Keyring, Failure> {
    Ok(certificates(&session.keys_given()?.all_sources()?, &Gpg::default())?)
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
