//! The key that takes over: one that is given, or a new one, which is made once however often the command is killed.
//!
//! A new key is first kept as `OLD.next.asc` beside the other keys, then under its own fingerprint; once the configuration
//! names it, the first name goes. So whoever runs the command again finds the key that was made before.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::standing::Named;
use crate::{
    cli::{
        failure::Failure,
        session::{Session, passphrase},
    },
    signing::{Error, Gpg, KeySource, Keyring, NewKey, parse_expiry, write_secret},
};

/// The key that takes over from another.
pub(super) struct NextKey {
    /// What stands for it in `SignWith:`.
    pub(super) word: String,
    /// Its public part.
    pub(super) public: Keyring,
    made: Option<Made>,
}

/// A key of our own, and where it is kept.
struct Made {
    secret: Vec<u8>,
    pending: PathBuf,
    file: PathBuf,
    /// Whether an earlier run has kept it.
    is_kept: bool,
}

impl NextKey {
    /// The key that the user names.
    pub(super) fn given(text: &str, session: &Session<'_>) -> Result<Self, Failure> {
        let keys = session.key_folder().unwrap_or_default();
        let source = KeySource::parse(text, &session.current, &keys)?;
        let public = source.certificates(&Gpg::default())?;
        let word = match (&source, &public.fingerprints()[..]) {
            (KeySource::Command(_), _) => {
                let error = "a command signs alone: `SignWith:` cannot name it beside another key";
                return Err(Failure::text(error, None));
            }
            // Whatever gpg knows it by today.
            (KeySource::Gpg(name), [only]) if !name.ends_with('!') => only.clone(),
            (KeySource::Gpg(name), _) => name.clone(),
            // One of ours, by its fingerprint.
            (KeySource::SecretKey { origin, .. }, [only])
                if Path::new(origin) == keys.join(format!("{only}.asc")) =>
            {
                only.clone()
            }
            (KeySource::SecretKey { origin, .. }, _) => origin.clone(),
        };
        if word.contains(char::is_whitespace) {
            let error = format!("`{word}` cannot stand in `SignWith:`, where blanks part the keys");
            return Err(Failure::text(error, Some("give the key a name without blanks".to_owned())));
        }
        Ok(Self { word, public, made: None })
    }

    /// The new key that was made for an old one before, else one made now, in memory.
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

    /// Whether it is there for others too: a new one is not before [`NextKey::keep`].
    pub(super) fn is_kept(&self) -> bool {
        self.made.as_ref().is_none_or(|made| made.is_kept)
    }

    /// The file of a key of our own.
    pub(super) fn file(&self) -> Option<&Path> {
        self.made.as_ref().map(|made| made.file.as_path())
    }

    /// Writes a key of our own, unless that was done before.
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

/// Forgets that a new key was made for an old one: the configuration names it now.
pub(super) fn is_in_use(old: &Named, session: &Session<'_>) {
    // Where it stays, it holds the same key as the file that is in use.
    let _ = session.key_folder().map(|keys| fs::remove_file(pending(&keys, &old.fingerprint())));
}

/// The name on a key that takes over: that of the old one.
pub(super) fn name_of(old: &Keyring, now: SystemTime) -> String {
    let named = old.reports(now).into_iter().find_map(|key| key.user_ids.into_iter().next());
    named.unwrap_or_else(|| "APT archive".to_owned())
}

fn pending(keys: &Path, old: &str) -> PathBuf {
    keys.join(format!("{old}.next.asc"))
}
