//! What apt 2 (gpgv) and apt 3 (sqv) each make of the signatures on a `Release`, now.
//!
//! [`Keyring::verify_in_release`] says what we believe ourselves. A client has other lines: gpgv refuses a key that has
//! expired since it signed, sqv goes by a policy with dates, and either wants one good signature, not all of them. So each
//! signature is judged for each of the two, with the key that made it, and not with the one that would sign today.

use std::time::SystemTime;

use sequoia_openpgp::{
    Cert,
    cert::amalgamation::{ValidAmalgamation as _, ValidateAmalgamation as _, key::ErasedKeyAmalgamation},
    packet::{Signature, key::PublicParts},
    policy::{HashAlgoSecurity, Policy as _},
    types::{HashAlgorithm, RevocationStatus, SignatureType},
};

use super::{
    error::Distrust,
    frame,
    judge::{self, GPGV, Level, SQV, Verdict},
    keyring::{Keyring, undoes},
};

/// One signature on a `Release`, as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureReport {
    /// The fingerprint of the certificate; of one that is not known, what the signature calls it.
    pub key: String,
    /// The names on it; none where it is not known.
    pub user_ids: Vec<String>,
    /// Whether the certificate is among those that clients have.
    pub known: bool,
    /// What the text was hashed with, such as `SHA512`.
    pub hash: String,
    /// The day on which the key that signed expires; nothing for never.
    pub expires: Option<String>,
    /// Days until then; below zero once it has.
    pub days_left: Option<i64>,
    /// What the readers think, one verdict each.
    pub verdicts: Vec<Verdict>,
}

impl SignatureReport {
    /// Why a reader refuses this signature, if it does.
    #[must_use]
    pub fn refused_by(&self, reader: &str) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.reader == reader && verdict.level == Level::Refused)
    }
}

/// The clients that there are, by the names of [`Verdict::reader`].
pub const READERS: [&str; 2] = [GPGV, SQV];

impl Keyring {
    /// What clients who have these keys make of each signature of an `InRelease`.
    ///
    /// # Errors
    /// It is no clear-signed message.
    pub fn judge_in_release(
        &self,
        in_release: &[u8],
        now: SystemTime,
    ) -> Result<Vec<SignatureReport>, Distrust> {
        let parts = frame::parse(in_release)?;
        let text = frame::signed_form(&parts.text);
        let signed = |kind| (kind == SignatureType::Text).then_some(&text[..]);
        Ok(self.judge_each(&frame::signatures(parts.armor)?, now, signed))
    }

    /// The same for a `Release` and its `Release.gpg`.
    ///
    /// # Errors
    /// The latter holds no signatures.
    pub fn judge_detached(
        &self,
        release: &[u8],
        signature: &[u8],
        now: SystemTime,
    ) -> Result<Vec<SignatureReport>, Distrust> {
        let text = frame::crlf(release);
        let signed = |kind| match kind {
            SignatureType::Binary => Some(release),
            SignatureType::Text => Some(&text[..]),
            _ => None,
        };
        Ok(self.judge_each(&frame::signatures(signature)?, now, signed))
    }

    fn judge_each<'a>(
        &self,
        signatures: &[Signature],
        now: SystemTime,
        signed: impl Fn(SignatureType) -> Option<&'a [u8]>,
    ) -> Vec<SignatureReport> {
        let mut reports = Vec::new();
        for signature in signatures {
            let issuers = signature.get_issuers();
            let mut keys = self.certs().iter().flat_map(|cert| cert.keys().map(move |key| (cert, key)));
            let found =
                keys.find(|(_, key)| issuers.iter().any(|issuer| issuer.aliases(key.key().key_handle())));
            reports.push(match found {
                Some((cert, key)) => of_known(signature, cert, &key, signed(signature.typ()), now),
                None => of_stranger(signature),
            });
        }
        reports
    }
}

fn of_stranger(signature: &Signature) -> SignatureReport {
    // The fingerprint says more than the key id, and most signatures carry both.
    let longest = signature.get_issuers().iter().map(ToString::to_string).max_by_key(String::len);
    let refused = Some("its key is not among those that clients have".to_owned());
    SignatureReport {
        key: longest.unwrap_or_else(|| "unnamed".to_owned()),
        user_ids: Vec::new(),
        known: false,
        hash: signature.hash_algo().to_string(),
        expires: None,
        days_left: None,
        verdicts: vec![verdict(GPGV, refused.clone()), verdict(SQV, refused)],
    }
}

fn of_known(
    signature: &Signature,
    cert: &Cert,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    bytes: Option<&[u8]>,
    now: SystemTime,
) -> SignatureReport {
    let fingerprint = key.key().fingerprint();
    let expires = judge::expiry(cert, Some(&fingerprint), now);
    let common = refused_by_both(signature, key, bytes, now);
    let (gpgv, sqv) = match common {
        Some(why) => (Some(why.clone()), Some(why)),
        None => (gpgv(signature, cert, key, expires, now), sqv(signature, cert, key, expires, now)),
    };
    SignatureReport {
        key: cert.fingerprint().to_hex(),
        user_ids: judge::user_ids(cert),
        known: true,
        hash: signature.hash_algo().to_string(),
        expires: expires.map(judge::day),
        days_left: judge::days_left(expires, now),
        verdicts: vec![verdict(GPGV, gpgv), verdict(SQV, sqv)],
    }
}

fn verdict(reader: &'static str, refused: Option<String>) -> Verdict {
    let (level, text) = match refused {
        Some(why) => (Level::Refused, format!("refuses it: {why}")),
        None => (Level::Ok, "accepts it".to_owned()),
    };
    Verdict { reader, when: "now", level, text }
}

/// Why nobody accepts a signature.
fn refused_by_both(
    signature: &Signature,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    bytes: Option<&[u8]>,
    now: SystemTime,
) -> Option<String> {
    let Some(bytes) = bytes else {
        return Some(format!("it is a signature of the kind `{}`", signature.typ()));
    };
    let Some(made) = signature.signature_creation_time() else {
        return Some("it has no date".to_owned());
    };
    if signature.verify_message(key.key(), bytes).is_err() {
        return Some("it does not fit the text".to_owned());
    }
    if signature.signature_alive(now.max(made), None).is_err() {
        return Some("the signature itself has expired".to_owned());
    }
    None
}

/// Whether the owner took the key back: any revocation counts for gpgv, for sqv only one that undoes the signature.
fn is_revoked(
    cert: &Cert,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    now: SystemTime,
    counts: impl Fn(&RevocationStatus<'_>) -> bool,
) -> bool {
    let policy = judge::lax_policy(now);
    let of_key = key.clone().with_policy(&policy, now).is_ok_and(|key| counts(&key.revocation_status()));
    of_key || counts(&cert.revocation_status(&policy, now))
}

/// Why apt 2 refuses a signature that is right.
fn gpgv(
    signature: &Signature,
    cert: &Cert,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    expires: Option<SystemTime>,
    now: SystemTime,
) -> Option<String> {
    let weak = [HashAlgorithm::MD5, HashAlgorithm::SHA1, HashAlgorithm::RipeMD];
    if weak.contains(&signature.hash_algo()) {
        return Some(weak_hash(signature));
    }
    if let Some(end) = expires.filter(|end| *end <= now) {
        return Some(format!("it expired on {}", judge::day(end)));
    }
    if is_revoked(cert, key, now, |status| matches!(status, RevocationStatus::Revoked(_))) {
        return Some("its key is revoked".to_owned());
    }
    // apt tells gpgv that a clock which lags is no reason (`--ignore-time-conflict`).
    let latest = signature.signature_creation_time().map_or(now, |made| made.max(now));
    let policy = judge::lax_policy(latest);
    match key.clone().with_policy(&policy, latest) {
        Ok(key) => judge::gpgv_refuses(&key),
        Err(error) => Some(format!("its key is not valid: {}", error.root_cause())),
    }
}

/// Why apt 3 refuses a signature that is right: its policy is that of today, and the key is looked at as it was then.
fn sqv(
    signature: &Signature,
    cert: &Cert,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    expires: Option<SystemTime>,
    now: SystemTime,
) -> Option<String> {
    let made = signature.signature_creation_time()?;
    let policy = judge::sqv_policy(now);
    if policy.signature(signature, HashAlgoSecurity::CollisionResistance).is_err() {
        return Some(weak_hash(signature));
    }
    if let Some(end) = expires.filter(|end| *end <= made) {
        return Some(format!("it was made after its key expired on {}", judge::day(end)));
    }
    if is_revoked(cert, key, now.max(made), |status| undoes(status, made)) {
        return Some("its key is revoked".to_owned());
    }
    // As of the signature; or as of today, where the self-signature of that time was replaced since.
    let lax = judge::lax_policy(now);
    let refused = |time| match key.clone().with_policy(&lax, time) {
        Ok(key) => judge::sqv_refuses(cert, &key, &policy, time),
        Err(error) => Some(format!("its key is not valid: {}", error.root_cause())),
    };
    refused(made).and_then(|_| refused(now.max(made)))
}

fn weak_hash(signature: &Signature) -> String {
    format!("it was made with {}, which is no longer safe", signature.hash_algo())
}
