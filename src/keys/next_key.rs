//! The new key of a rotation: a given one, or a generated one.
//!
//! A generated key is first stored as `OLD.next.asc` beside the other keys, then under its own fingerprint; the first name is
//! removed once the configuration names the key. So a repeated command reuses the key instead of generating another.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{error::Error, event::NewKeyReport, keychain::Keychain, rotation_state::Named};
use crate::signing::{self, Gpg, KeyAlgorithm, KeySource, Keyring, NewKey, write_secret};

/// The key that replaces another.
#[derive(Clone)]
pub(super) struct NextKey {
    /// Its value in `SignWith:`.
    pub(super) word: String,
    /// Its public part.
    pub(super) public: Keyring,
    made: Option<Made>,
}

/// A generated key, and the paths of its files.
#[derive(Clone)]
struct Made {
    secret: Vec<u8>,
    pending: PathBuf,
    file: PathBuf,
    /// Whether an earlier run has stored it.
    is_kept: bool,
}

impl NextKey {
    /// Resolves the key that the user named; its path is relative to `current`. May run gpg.
    pub(super) fn given(text: &str, current: &Path, keychain: &Keychain) -> Result<Self, Error> {
        let keys = keychain.folder();
        let source = KeySource::parse(text, current, keys)?;
        let public = source.certificates(&Gpg::default())?;
        let word = match (&source, &public.fingerprints()[..]) {
            (KeySource::Command(_), _) => return Err(Error::CommandBesideKey),
            // User IDs can change; the fingerprint cannot.
            (KeySource::Gpg(name), [only]) if !name.ends_with('!') => only.clone(),
            (KeySource::Gpg(name), _) => name.clone(),
            // A generated key in the key folder is named by its fingerprint.
            (KeySource::SecretKey { origin, .. }, [only])
                if Path::new(origin) == keys.join(format!("{only}.asc")) =>
            {
                only.clone()
            }
            (KeySource::SecretKey { origin, .. }, _) => origin.clone(),
        };
        if word.contains(char::is_whitespace) {
            return Err(Error::SpaceInName { word });
        }
        Ok(Self { word, public, made: None })
    }

    /// Returns the key generated for `old` by an earlier run, else generates one in memory.
    pub(super) fn made_for(
        old: &Named,
        expires: Option<SystemTime>,
        keychain: &Keychain,
    ) -> Result<Self, Error> {
        let keys = keychain.key_folder.as_deref().ok_or(signing::Error::NoKeyFolder)?;
        let pending = pending(keys, &old.fingerprint());
        let (secret, is_kept) = match crate::regular::read(&pending) {
            Ok(secret) => (secret, true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let name = name_of(&old.public, keychain.now);
                let passphrase = keychain.passphrase.as_ref();
                let algorithm = algorithm_of(&old.public, keychain.now);
                let new = NewKey { expires, passphrase, algorithm, ..NewKey::new(&name, keychain.now) };
                (new.generate()?.secret().to_vec(), false)
            }
            Err(source) => return Err(signing::Error::File { doing: "read", path: pending, source }.into()),
        };
        let public =
            KeySource::secret(pending.display().to_string(), secret.clone()).certificates(&Gpg::default())?;
        let word = public.fingerprints().first().cloned().ok_or(signing::Error::NoKeys)?;
        let file = keys.join(format!("{word}.asc"));
        Ok(Self { word, public, made: Some(Made { secret, pending, file, is_kept }) })
    }

    /// The key as something that signs.
    pub(super) fn source(&self, keychain: &Keychain) -> Result<KeySource, signing::Error> {
        match &self.made {
            Some(made) => Ok(KeySource::secret(made.file.display().to_string(), made.secret.clone())),
            None => keychain.parse(&self.word),
        }
    }

    /// Whether the key is stored; a generated one is stored by [`NextKey::keep`].
    pub(super) fn is_kept(&self) -> bool {
        self.made.as_ref().is_none_or(|made| made.is_kept)
    }

    /// Describes the key; a dry run does not store it.
    pub(super) fn report(&self, now: SystemTime, dry_run: bool) -> NewKeyReport {
        NewKeyReport {
            word: self.word.clone(),
            fingerprint: self.public.fingerprints().into_iter().next().unwrap_or_default(),
            file: self.made.as_ref().map(|made| made.file.clone()),
            expires: self.public.reports(now).into_iter().find_map(|key| key.expires),
            is_planned: dry_run && !self.is_kept(),
        }
    }

    /// Stores a generated key; a no-op if it is stored already.
    pub(super) fn keep(&self) -> Result<(), signing::Error> {
        for path in self.made.iter().flat_map(|made| [&made.pending, &made.file]) {
            let secret = self.made.as_ref().map_or(&[][..], |made| &made.secret);
            match write_secret(path, secret) {
                Err(signing::Error::Exists { .. }) => {}
                done => done?,
            }
        }
        Ok(())
    }
}

/// Removes `OLD.next.asc`, because the configuration names the new key now.
pub(super) fn is_in_use(old: &Named, keychain: &Keychain) {
    // Best effort: a leftover contains the same key as the file in use.
    let _ = keychain.key_folder.as_ref().map(|keys| fs::remove_file(pending(keys, &old.fingerprint())));
}

/// Returns the user ID for a new key: that of the old one.
fn name_of(old: &Keyring, now: SystemTime) -> String {
    let named = old.reports(now).into_iter().find_map(|key| key.user_ids.into_iter().next());
    named.unwrap_or_else(|| "APT archive".to_owned())
}

/// Returns the algorithm for a new key: clients that need RSA cannot verify another one.
fn algorithm_of(old: &Keyring, now: SystemTime) -> KeyAlgorithm {
    let reports = old.reports(now);
    let is = |start: &str| reports.iter().any(|key| key.algorithm.starts_with(start));
    match (is("rsa"), is("rsa3072")) {
        (true, true) => KeyAlgorithm::Rsa3072,
        (true, false) => KeyAlgorithm::Rsa4096,
        (false, _) => KeyAlgorithm::Ed25519,
    }
}

fn pending(keys: &Path, old: &str) -> PathBuf {
    keys.join(format!("{old}.next.asc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_for_old_clients_is_rsa_and_stays_rsa() {
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_748_736_000);
        for (algorithm, name) in [(KeyAlgorithm::Ed25519, "ed25519"), (KeyAlgorithm::Rsa3072, "rsa3072")] {
            let key = NewKey::new("A", now).algorithm(algorithm).generate().unwrap();
            assert_eq!(key.public.reports(now)[0].algorithm, name);
            assert_eq!(algorithm_of(&key.public, now), algorithm);
        }
    }
}
