//! The verdicts of apt 2 (gpgv) and apt 3 (sqv) on the signatures of a `Release`, now.
//!
//! [`Keyring::verify_in_release`] implements our own policy. Clients have others: gpgv refuses a key that has expired
//! since it signed, sqv has a policy with dates, and both require one valid signature, not all of them. So each
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

/// One signature of a `Release`, as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureReport {
    /// The fingerprint of the certificate; for an unknown one, the key that the signature names.
    pub key: String,
    /// Its user IDs; empty if it is unknown.
    pub user_ids: Vec<String>,
    /// Whether clients have the certificate.
    pub known: bool,
    /// The hash algorithm, such as `SHA512`.
    pub hash: String,
    /// The day on which the signing key expires, if any.
    pub expires: Option<String>,
    /// Days until then; negative after that.
    pub days_left: Option<i64>,
    /// One verdict per reader.
    pub verdicts: Vec<Verdict>,
}

impl SignatureReport {
    /// The verdict of a reader.
    pub(crate) fn verdict_of(&self, reader: &str) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.reader == reader)
    }

    /// The refusal of a reader, if it refuses this signature.
    #[must_use]
    pub fn refused_by(&self, reader: &str) -> Option<&Verdict> {
        self.verdict_of(reader).filter(|verdict| verdict.level == Level::Refused)
    }
}

/// The kinds of clients, by the names of [`Verdict::reader`].
pub const READERS: [&str; 2] = [GPGV, SQV];

impl Keyring {
    /// Judges each signature of an `InRelease` as clients with these keys do.
    ///
    /// # Errors
    ///
    /// It is not a clear-signed message.
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

    /// Judges the signatures of a `Release` in its `Release.gpg`.
    ///
    /// # Errors
    ///
    /// The latter contains no signatures.
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
                None => of_unknown_signer(signature),
            });
        }
        reports
    }
}

fn of_unknown_signer(signature: &Signature) -> SignatureReport {
    // The fingerprint is more specific than the key id; most signatures have both.
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
    let unsupported = judge::unsupported(key.key().mpis());
    let verdicts = match (refused_by_both(signature, key, bytes, now), unsupported) {
        (Some(why), _) => vec![verdict(GPGV, Some(why.clone())), verdict(SQV, Some(why))],
        (None, Some(name)) => [(GPGV, "gpgv"), (SQV, "sqv")].map(|reader| unknown(reader, &name)).into(),
        (None, None) => vec![
            verdict(GPGV, gpgv(signature, cert, key, expires, now)),
            verdict(SQV, sqv(signature, cert, key, now)),
        ],
    };
    SignatureReport {
        key: cert.fingerprint().to_hex(),
        user_ids: judge::user_ids(cert),
        known: true,
        hash: signature.hash_algo().to_string(),
        expires: expires.map(judge::day),
        days_left: judge::days_left(expires, now),
        verdicts,
    }
}

/// The verdict of a reader, with the name of its program, on a signature that only the program itself can verify.
fn unknown((reader, program): (&'static str, &str), name: &str) -> Verdict {
    let text = format!(
        "may accept it or not: {}; `{program} --keyring ./KEYS.gpg Release.gpg Release` shows whether it does",
        judge::unverifiable(name)
    );
    Verdict { reader, when: "now", level: Level::Unknown, text }
}

fn verdict(reader: &'static str, refused: Option<String>) -> Verdict {
    let (level, text) = match refused {
        Some(why) => (Level::Refused, format!("refuses it: {why}")),
        None => (Level::Ok, "accepts it".to_owned()),
    };
    Verdict { reader, when: "now", level, text }
}

/// Why every client refuses a signature.
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
    if key.key().creation_time() > made {
        return Some("it is older than its key".to_owned());
    }
    if judge::unsupported(key.key().mpis()).is_none() && signature.verify_message(key.key(), bytes).is_err() {
        return Some("it does not match the text".to_owned());
    }
    if signature.signature_alive(now.max(made), None).is_err() {
        return Some("the signature itself has expired".to_owned());
    }
    None
}

/// Whether the key is revoked: gpgv accepts any revocation, sqv only one that invalidates the signature.
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

/// Why apt 2 refuses a cryptographically valid signature.
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
    // apt makes gpgv ignore clock differences (`--ignore-time-conflict`).
    let latest = signature.signature_creation_time().map_or(now, |made| made.max(now));
    let policy = judge::lax_policy(latest);
    match key.clone().with_policy(&policy, latest) {
        Ok(key) => judge::gpgv_refuses(&key),
        Err(error) => Some(format!("its key is not valid: {}", error.root_cause())),
    }
}

/// Why apt 3 refuses a cryptographically valid signature: by its current policy, with the key as it was at the time of the
/// signature.
fn sqv(
    signature: &Signature,
    cert: &Cert,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    now: SystemTime,
) -> Option<String> {
    let made = signature.signature_creation_time()?;
    if made > now {
        // Not even a second of difference between clocks is tolerated.
        return Some(format!("it is dated in the future, at {}", judge::second(made)));
    }
    let policy = judge::sqv_policy(now);
    if policy.signature(signature, HashAlgoSecurity::CollisionResistance).is_err() {
        return Some(weak_hash(signature));
    }
    if is_revoked(cert, key, now, |status| undoes(status, made)) {
        return Some("its key is revoked".to_owned());
    }
    match key.clone().with_policy(&judge::lax_policy(now), made) {
        Ok(key) => {
            let primary = key.valid_cert().primary_key().key_expiration_time();
            let ends = [key.key_expiration_time(), primary];
            if let Some(end) = ends.into_iter().flatten().find(|end| *end <= made) {
                return Some(format!("it was made after its key expired on {}", judge::day(end)));
            }
            judge::sqv_refuses(cert, &key, &policy, made)
        }
        // gpg replaces the self-signature whenever the expiry of the key changes.
        Err(_) => Some(format!(
            "the key has no self-signature of that time, {}, since its expiry was changed later; sign the suite again",
            judge::day(made)
        )),
    }
}

fn weak_hash(signature: &Signature) -> String {
    format!("it was made with {}, which is no longer safe", signature.hash_algo())
}
