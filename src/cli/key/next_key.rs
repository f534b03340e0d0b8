//! The new key of a rotation: a given one, or a generated one.
//!
//! A generated key is first stored as `OLD.next.asc` beside the other keys, then under its own fingerprint; the first name is
//! removed once the configuration names the key. So a repeated command reuses the key instead of generating another.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::rotation_state::Named;
use crate::{
    cli::{
        failure::Failure,
        session::{Session, passphrase},
    },
    signing::{Error, Gpg, KeySource, Keyring, NewKey, parse_expiry, write_secret},
};

/// The key that replaces another.
pub(super) struct NextKey {
    /// Its value in `SignWith:`.
    pub(super) word: String,
    /// Its public part.
    pub(super) public: Keyring,
    made: Option<Made>,
}

/// A generated key, and the paths of its files.
struct Made {
    secret: Vec<u8>,
    pending: PathBuf,
    file: PathBuf,
    /// Whether an earlier run has stored it.
    is_kept: bool,
}

impl NextKey {
    /// Resolves the key that the user named.
    pub(super) fn given(text: &str, session: &Session<'_>) -> Result<Self, Failure> {
        let keys = session.key_folder().unwrap_or_default();
        let source = KeySource::parse(text, &session.current, &keys)?;
        let public = source.certificates(&Gpg::default())?;
        let word = match (&source, &public.fingerprints()[..]) {
            (KeySource::Command(_), _) => {
                let error = "a command signs alone: `SignWith:` cannot name it beside another key";
                return Err(Failure::text(error, None));
            }
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
            let error = format!("`{word}` cannot be used in `SignWith:`, which separates keys by spaces");
            return Err(Failure::text(error, Some("use a name without spaces".to_owned())));
        }
        Ok(Self { word, public, made: None })
    }

    /// Returns the key generated for `old` by an earlier run, else generates one in memory.
    pub(super) fn made_for(
        old: &str,
        name: &str,
        expires: &str,
        session: &Session<'_>,
    ) -> Result<Self, Failure> {
        let keys = session.key_folder().ok_or(Error::NoKeyFolder)?;
        let pending = pending(&keys, old);
        let (secret, is_kept) = match crate::regular::read(&pending) {
            Ok(secret) => (secret, true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (now, passphrase) = (session.now, passphrase()?);
                let expires = parse_expiry(expires, now)?;
                let new = NewKey { name, created: now, expires, passphrase: passphrase.as_ref() };
                (new.generate()?.secret().to_vec(), false)
            }
            Err(source) => return Err(Error::File { doing: "read", path: pending, source }.into()),
        };
        let public =
            KeySource::secret(pending.display().to_string(), secret.clone()).certificates(&Gpg::default())?;
        let word = public.fingerprints().first().cloned().ok_or(Error::NoKeys)?;
        let file = keys.join(format!("{word}.asc"));
        Ok(Self { word, public, made: Some(Made { secret, pending, file, is_kept }) })
    }

    /// The key as something that signs.
    pub(super) fn source(&self, session: &Session<'_>) -> Result<KeySource, Failure> {
        Ok(match &self.made {
            Some(made) => KeySource::secret(made.file.display().to_string(), made.secret.clone()),
            None => KeySource::parse(
                &self.word,
                &session.config.folder,
                &session.key_folder().unwrap_or_default(),
            )?,
        })
    }

    /// Whether the key is stored; a generated one is stored by [`NextKey::keep`].
    pub(super) fn is_kept(&self) -> bool {
        self.made.as_ref().is_none_or(|made| made.is_kept)
    }

    /// The file of a generated key.
    pub(super) fn file(&self) -> Option<&Path> {
        self.made.as_ref().map(|made| made.file.as_path())
    }

    /// Stores a generated key; a no-op if it is stored already.
    pub(super) fn keep(&self) -> Result<(), Failure> {
        for path in self.made.iter().flat_map(|made| [&made.pending, &made.file]) {
            let secret = self.made.as_ref().map_or(&[][..], |made| &made.secret);
            match write_secret(path, secret) {
                Err(Error::Exists { .. }) => {}
                done => done?,
            }
        }
        Ok(())
    }
}

/// Removes `OLD.next.asc`, because the configuration names the new key now.
pub(super) fn is_in_use(old: &Named, session: &Session<'_>) {
    // Best effort: a leftover contains the same key as the file in use.
    let _ = session.key_folder().map(|keys| fs::remove_file(pending(&keys, &old.fingerprint())));
}

/// Returns the user ID for a new key: that of the old one.
pub(super) fn name_of(old: &Keyring, now: SystemTime) -> String {
    let named = old.reports(now).into_iter().find_map(|key| key.user_ids.into_iter().next());
    named.unwrap_or_else(|| "APT archive".to_owned())
}

fn pending(keys: &Path, old: &str) -> PathBuf {
    keys.join(format!("{old}.next.asc"))
}
