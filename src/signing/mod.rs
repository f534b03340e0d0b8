//! Signing a Release, and verifying signatures.
//!
//! [`KeySource`] is a key as named by the user, [`SigningKeys`] are opened keys that can sign, [`Keyring`] holds
//! trusted certificates. Nothing is written to an archive here, no clock is read, and no secret key is part of a
//! message.
//!
//! Formats: RFC 9580, in the part that gpg 2.2 reads; `InRelease` is a cleartext signature (section 7),
//! `Release.gpg` an armoured detached one. Both carry SHA-512 signatures over the same bytes.

mod command;
mod generate;
mod readers;
mod source;
mod gpg;
mod secret;
mod material;
mod keyring;
mod frame;
mod judge;
mod error;

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

pub(crate) use command::set_variables;
pub use error::{Distrust, Error, KeyWarning, Refusal};
pub use generate::{GeneratedKey, KeyAlgorithm, NewKey, parse_expiry, write_secret};
pub use gpg::Gpg;
pub use judge::{KeyReport, Level, Verdict};
pub use keyring::{Keyring, Verified};
pub(crate) use material::looks_secret;
pub use readers::{READERS, SignatureReport};
pub use secret::Passphrase;
pub use source::{KeySource, SIGNING_KEY_VARIABLE, key_folder};

use gpg::GpgKey;
use secret::SecretKey;

/// How long before its expiry a key is reported.
const NOTICE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Opened keys that apt accepts; at least one.
pub struct SigningKeys {
    signers: Signers,
    certificates: Keyring,
    remarks: Vec<String>,
}

enum Signers {
    Keys(Vec<Key>),
    /// A command, and the keys that clients have, if they are known.
    Command(PathBuf, Keyring),
}

enum Key {
    Secret(Box<SecretKey>),
    Gpg(GpgKey),
}

/// A Release and its two signed forms, all with the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedRelease {
    /// The Release itself.
    pub release: Bytes,
    /// The clear-signed form.
    pub in_release: Bytes,
    /// The detached signature.
    pub release_gpg: Bytes,
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKeys").field(&self.certificates.fingerprints()).finish()
    }
}

impl Key {
    fn fingerprint(&self) -> String {
        match self {
            Self::Secret(key) => key.cert.fingerprint().to_hex(),
            Self::Gpg(key) => key.fingerprint.clone(),
        }
    }
}

impl SigningKeys {
    /// Opens every key, and refuses keys that apt would refuse.
    ///
    /// # Errors
    ///
    /// Each problem of a key has its own variant of [`Error`], most with a hint.
    pub fn open(
        sources: &[KeySource],
        passphrase: Option<&Passphrase>,
        now: SystemTime,
    ) -> Result<Self, Error> {
        Self::open_with(sources, passphrase, now, &Gpg::default())
    }

    /// Opens every key with the given gpg.
    pub fn open_with(
        sources: &[KeySource],
        passphrase: Option<&Passphrase>,
        now: SystemTime,
        gpg: &Gpg,
    ) -> Result<Self, Error> {
        for source in sources {
            if let (KeySource::Command(command), true) = (source, sources.len() > 1) {
                return Err(Error::CommandAmongKeys { command: command.clone() });
            }
        }
        let mut keys: Vec<Key> = Vec::new();
        let mut certificates = Keyring::new();
        let mut remarks = Vec::new();
        for source in sources {
            match source {
                KeySource::Command(command) => {
                    let signers = Signers::Command(command.clone(), Keyring::new());
                    return Ok(Self { signers, certificates, remarks });
                }
                KeySource::SecretKey { origin, bytes, exposed } => {
                    if *exposed {
                        remarks.push(format!(
                            "other users can read the secret key `{origin}`: run `chmod 600` on it"
                        ));
                    }
                    for key in secret::open(origin, bytes, passphrase, now)? {
                        certificates.add(key.cert.clone());
                        keys.push(Key::Secret(Box::new(key)));
                    }
                }
                KeySource::Gpg(name) => {
                    let key = gpg.resolve(name, passphrase)?;
                    for cert in key.certificates()? {
                        let fingerprint = cert.fingerprint().to_hex();
                        // gpg checks which secret parts it has.
                        judge::choose(&cert, now, key.wanted().as_ref(), |_| true).map_err(|refusal| {
                            Error::Refused { origin: "gpg".to_owned(), fingerprint, refusal }
                        })?;
                        certificates.add(cert);
                    }
                    keys.push(Key::Gpg(key));
                }
            }
        }
        // A key that is given twice signs once.
        let mut seen = Vec::new();
        keys.retain(|key| {
            let fingerprint = key.fingerprint();
            let new = !seen.contains(&fingerprint);
            seen.push(fingerprint);
            new
        });
        if keys.is_empty() {
            return Err(Error::NoKeys);
        }
        Ok(Self { signers: Signers::Keys(keys), certificates, remarks })
    }

    /// Requires that a signing command signs with one of the keys that clients have; other keys are known anyway.
    #[must_use]
    pub fn for_clients_with(mut self, keys: &Keyring) -> Self {
        if let Signers::Command(_, clients) = &mut self.signers {
            clients.merge(keys);
        }
        self
    }

    /// Signs a Release with all keys: both forms over the same bytes, verified before they are returned.
    ///
    /// # Errors
    ///
    /// The Release has a line that a clear signature cannot represent: without a newline, or with a trailing blank.
    pub fn sign(&self, release: &[u8], at: SystemTime) -> Result<SignedRelease, Error> {
        frame::check_signable(release)?;
        let (in_release, release_gpg) = match &self.signers {
            Signers::Command(command, clients) => command::sign(command, release, clients, at)?,
            Signers::Keys(keys) => {
                let mut text = Vec::new();
                let mut file = Vec::new();
                for key in keys {
                    match key {
                        Key::Secret(key) => {
                            let (clear, detached) = key.sign(release, at)?;
                            text.push(clear);
                            file.push(detached);
                        }
                        Key::Gpg(key) => {
                            let (clear, detached) = key.sign(release)?;
                            text.extend(clear);
                            file.extend(detached);
                        }
                    }
                }
                let in_release = frame::compose(release, &text)?;
                let release_gpg = frame::armored(&file)?;
                self.check(keys, release, &in_release, &release_gpg, at)?;
                (in_release, release_gpg)
            }
        };
        Ok(SignedRelease {
            release: Bytes::copy_from_slice(release),
            in_release: in_release.into(),
            release_gpg: release_gpg.into(),
        })
    }

    /// Verifies both forms as a client would: the result of a disk or card failure or a bug must not be published.
    fn check(
        &self,
        keys: &[Key],
        release: &[u8],
        clear: &[u8],
        detached: &[u8],
        at: SystemTime,
    ) -> Result<(), Error> {
        let forms = [
            ("InRelease", self.certificates.verify_in_release(clear, at)),
            ("Release.gpg", self.certificates.verify_detached(release, detached, at)),
        ];
        for (form, outcome) in forms {
            let failed =
                |fingerprint: String, why: &str| Error::SelfCheck { form, fingerprint, why: why.to_owned() };
            let verified = outcome
                .map_err(|error| failed(self.certificates.fingerprints().join(", "), &error.to_string()))?;
            let missing = keys.iter().map(Key::fingerprint).find(|key| !verified.signers.contains(key));
            if let Some(fingerprint) = missing {
                return Err(failed(fingerprint, "its signature is not valid"));
            }
            if verified.release != release {
                return Err(failed(self.certificates.fingerprints().join(", "), "its text differs"));
            }
        }
        Ok(())
    }

    /// The public parts of the keys; empty for a command.
    #[must_use]
    pub fn certificates(&self) -> &Keyring {
        &self.certificates
    }

    /// Whether a command signs.
    #[must_use]
    pub fn is_command(&self) -> bool {
        matches!(self.signers, Signers::Command(..))
    }

    /// Warnings for the owner of the keys.
    #[must_use]
    pub fn warnings(&self, now: SystemTime) -> Vec<KeyWarning> {
        let mut warnings: Vec<KeyWarning> = self.remarks.iter().cloned().map(KeyWarning::Other).collect();
        for cert in self.certificates.certs() {
            let report = judge::report(cert, now);
            let end = judge::expiry(cert, None, now);
            if end.is_some_and(|end| end <= now + NOTICE) {
                let on = report.expires.unwrap_or_else(|| "a future day".to_owned());
                warnings.push(KeyWarning::Expires { fingerprint: report.fingerprint, on });
                continue;
            }
            for verdict in report.verdicts {
                // An expiry within a year is only reported when it is near.
                if verdict.level == Level::Warn
                    && end.is_none_or(|end| end > now + Duration::from_secs(365 * 86_400))
                {
                    warnings.push(KeyWarning::Other(format!(
                        "the key {}: {}: {}",
                        report.fingerprint, verdict.reader, verdict.text
                    )));
                }
            }
        }
        if let Signers::Keys(keys) = &self.signers {
            for key in keys {
                if let Key::Secret(key) = key
                    && key.is_rsa
                    && cfg!(feature = "crypto-rust")
                {
                    warnings.push(KeyWarning::Other(format!(
                        "the key {} is RSA: this build's computing time with it depends on the secret; sign \
                         through gpg, or with a build for nettle, where others can measure that",
                        key.cert.fingerprint().to_hex()
                    )));
                }
            }
        }
        warnings
    }

    /// The fingerprint of the first key; `None` for a command.
    #[must_use]
    pub fn primary_fingerprint(&self) -> Option<String> {
        match &self.signers {
            Signers::Keys(keys) => keys.first().map(Key::fingerprint),
            Signers::Command(..) => None,
        }
    }
}

/// The text of an `InRelease`, without verifying its signature.
///
/// # Errors
///
/// The frame is broken, or there is text before or after it.
pub fn unverified_text(in_release: &[u8]) -> Result<Vec<u8>, Distrust> {
    Ok(frame::parse(in_release)?.text)
}

/// Whether a `Release` matches the text of an `InRelease`, as far as its signature covers it: trailing blanks are not
/// signed (RFC 9580, section 7.2).
#[must_use]
pub fn says_the_same(release: &[u8], text: &[u8]) -> bool {
    let lines = |text: &[u8]| -> Vec<Vec<u8>> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        text.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect()
    };
    lines(release) == lines(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_says_the_same_but_for_blanks_at_the_ends_of_lines() {
        let text = b"Suite: stable\nDate: today\n";
        for same in [
            &text[..],
            b"Suite: stable\nDate: today",
            b"Suite: stable  \nDate: today\t\n",
            b"Suite: stable\r\nDate: today\r\n",
        ] {
            assert!(
                says_the_same(same, text) && says_the_same(text, same),
                "{}",
                String::from_utf8_lossy(same)
            );
        }
        for other in [
            &b""[..],
            b"Suite: stable\n",
            b"Suite: stable\nDate: today\n\n",
            b"Suite:  stable\nDate: today\n",
            b" Suite: stable\nDate: today\n",
            b"Suite: stable\n\nDate: today\n",
            b"Suite: stable Date: today\n",
        ] {
            assert!(
                !says_the_same(other, text) && !says_the_same(text, other),
                "{}",
                String::from_utf8_lossy(other)
            );
        }
    }
}
