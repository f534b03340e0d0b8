//! `SourceKeys`: the stricter rule for the signatures of another archive, from which packages are taken.
//!
//! An archive of ours stays writable after its key has expired. That of others is read as its clients read it: gpgv, and
//! with it apt 2, refuses a key that has expired since it signed.

use std::time::SystemTime;

use crate::signing::{Distrust, Keyring, Verified};

/// The keys that may sign a source.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceKeys {
    /// The keys that count; if empty, all of the keyring.
    pub(crate) named: Vec<NamedKey>,
}

/// A key as `VerifyRelease` names it.
#[derive(Debug, Clone)]
pub(crate) struct NamedKey {
    /// The end of its fingerprint, in capitals.
    pub(crate) id: String,
    /// Whether the subkeys of its certificate count too (`+`).
    pub(crate) with_subkeys: bool,
    /// Whether it counts after it has expired.
    pub(crate) expired: bool,
    /// Whether it counts after it was revoked.
    pub(crate) revoked: bool,
}

impl NamedKey {
    /// Whether signatures of a key of a certificate count.
    fn names(&self, key: &str, certificate: &str) -> bool {
        key.ends_with(&self.id) || self.with_subkeys && certificate.ends_with(&self.id)
    }
}

impl SourceKeys {
    /// Verifies a release file with a keyring.
    pub(crate) fn verify(
        &self,
        keyring: &Keyring,
        now: SystemTime,
        verify: impl Fn(&Keyring, SystemTime) -> Result<Verified, Distrust>,
    ) -> Result<Verified, Distrust> {
        let strict = verify(keyring, now).and_then(|verified| {
            self.judge(&verified, keyring, now, |_| true)?;
            Ok(verified)
        });
        if strict.is_ok() || !self.named.iter().any(|named| named.revoked) {
            return strict;
        }
        let keyring = keyring.clone().despite_revocations();
        let verified = verify(&keyring, now).or(strict)?;
        self.judge(&verified, &keyring, now, |named| named.revoked)?;
        Ok(verified)
    }

    /// Requires a signature of a key that counts.
    fn judge(
        &self,
        verified: &Verified,
        keyring: &Keyring,
        now: SystemTime,
        is_meant: impl Fn(&NamedKey) -> bool,
    ) -> Result<(), Distrust> {
        let (mut expired, mut others) = (None, Vec::new());
        for (key, certificate) in &verified.keys {
            let by: Vec<&NamedKey> =
                self.named.iter().filter(|named| is_meant(named) && named.names(key, certificate)).collect();
            if by.is_empty() && !self.named.is_empty() {
                others.push(key.clone());
                continue;
            }
            match keyring.expired_on(key, certificate, now) {
                Some(on) if !by.iter().any(|named| named.expired) => {
                    expired = Some(Distrust::KeyExpired { key: key.clone(), on });
                }
                _ => return Ok(()),
            }
        }
        Err(expired.unwrap_or(Distrust::UnknownSigners { signers: others }))
    }
}
