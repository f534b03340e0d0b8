//! The trusted certificates, and the verification of signatures.
//!
//! As in apt, one valid signature of one known key is enough. Unlike in apt, a key that has expired since it signed is
//! still trusted: this is the user's own archive, which must remain writable. A compromised key (any hard revocation)
//! is never trusted.

use std::{collections::HashMap, io::Write as _, time::SystemTime};

use sequoia_openpgp::{
    Cert, Fingerprint, KeyHandle,
    armor::{Kind, Writer},
    cert::{
        CertParser,
        amalgamation::{ValidAmalgamation as _, ValidateAmalgamation as _, key::ErasedKeyAmalgamation},
    },
    packet::{Signature, key::PublicParts},
    parse::Parse as _,
    policy::{HashAlgoSecurity, Policy as _, StandardPolicy},
    serialize::Serialize as _,
    types::{RevocationStatus, RevocationType, SignatureType},
};

use super::{
    error::{Distrust, Error},
    frame,
    judge::{self, KeyReport},
};

/// Certificates, each once, without secret parts.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    certs: Vec<Cert>,
    /// Whether signatures of revoked keys count.
    despite_revocations: bool,
}

/// A text that a known key has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The signed text, byte for byte.
    pub release: Vec<u8>,
    /// The fingerprints of the certificates with valid signatures.
    pub signers: Vec<String>,
    /// The fingerprints of the keys that made them, each with that of its certificate.
    pub keys: Vec<(String, String)>,
}

impl Keyring {
    /// An empty keyring, which trusts no key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it has no certificates.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certs.is_empty()
    }

    /// Adds every certificate in armoured or binary bytes; of secret keys, the public part.
    pub fn add_bytes(&mut self, origin: &str, bytes: &[u8]) -> Result<(), Error> {
        self.add_all(parse_certs(origin, bytes)?);
        Ok(())
    }

    /// Adds the certificates of another keyring.
    pub fn merge(&mut self, other: &Self) {
        self.add_all(other.certs.iter().cloned());
    }

    pub(super) fn add(&mut self, cert: Cert) {
        self.add_all([cert]);
    }

    pub(super) fn add_all(&mut self, new: impl IntoIterator<Item = Cert>) {
        let known = std::mem::take(&mut self.certs);
        let mut copies: Vec<Vec<Cert>> = Vec::with_capacity(known.len());
        let mut places: HashMap<Fingerprint, usize> = HashMap::new();
        for cert in known.into_iter().chain(new.into_iter().map(Cert::strip_secret_key_material)) {
            let place = *places.entry(cert.fingerprint()).or_insert(copies.len());
            match copies.get_mut(place) {
                Some(copies) => copies.push(cert),
                None => copies.push(vec![cert]),
            }
        }
        self.certs = copies.into_iter().filter_map(merged).collect();
    }

    pub(super) fn certs(&self) -> &[Cert] {
        &self.certs
    }

    /// The fingerprints of the certificates, in capitals without spaces.
    #[must_use]
    pub fn fingerprints(&self) -> Vec<String> {
        self.certs.iter().map(|cert| cert.fingerprint().to_hex()).collect()
    }

    /// The certificates with the given fingerprints.
    #[must_use]
    pub fn only(&self, fingerprints: &[String]) -> Self {
        let wanted = |cert: &&Cert| fingerprints.contains(&cert.fingerprint().to_hex());
        Self { certs: self.certs.iter().filter(wanted).cloned().collect(), ..*self }
    }

    /// The fingerprints of all keys of the certificates, including subkeys.
    #[must_use]
    pub fn key_fingerprints(&self) -> Vec<String> {
        self.certs.iter().flat_map(|cert| cert.keys().map(|key| key.key().fingerprint().to_hex())).collect()
    }

    /// Whether it holds the same certificates, byte for byte, in any order.
    pub fn is_same(&self, other: &Self) -> Result<bool, Error> {
        let exported = |keyring: &Self| {
            let mut all = Vec::new();
            for cert in &keyring.certs {
                let mut bytes = Vec::new();
                cert.export(&mut bytes).map_err(|error| unwritable(&error))?;
                all.push(bytes);
            }
            all.sort_unstable();
            Ok::<_, Error>(all)
        };
        Ok(exported(self)? == exported(other)?)
    }

    /// Reports the properties of each certificate.
    #[must_use]
    pub fn reports(&self, now: SystemTime) -> Vec<KeyReport> {
        self.certs.iter().map(|cert| judge::report(cert, now)).collect()
    }

    /// The public parts in one armoured block, as in `Signed-By:`.
    pub fn armored(&self) -> Result<Vec<u8>, Error> {
        let failed = |error: std::io::Error| unwritable(&error);
        let binary = self.binary()?;
        let mut writer = Writer::new(Vec::new(), Kind::PublicKey).map_err(failed)?;
        writer.write_all(&binary).and_then(|()| writer.finalize()).map_err(failed)
    }

    /// The public parts in binary, for clients before apt 1.4.
    pub fn binary(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        for cert in &self.certs {
            cert.export(&mut bytes).map_err(|error| unwritable(&error))?;
        }
        Ok(bytes)
    }

    /// Verifies an `InRelease`; returns its text and signers.
    ///
    /// # Errors
    ///
    /// Distinguishes a broken frame, a damaged text, signatures of unknown keys only, and invalid signatures of known
    /// keys.
    pub fn verify_in_release(&self, in_release: &[u8], now: SystemTime) -> Result<Verified, Distrust> {
        let parts = frame::parse(in_release)?;
        let signatures = frame::signatures(parts.armor)?;
        let text = frame::signed_form(&parts.text);
        let keys = self.judge(&signatures, now, |kind| (kind == SignatureType::Text).then_some(&text[..]))?;
        Ok(Verified { release: parts.text, signers: certificates(&keys), keys })
    }

    /// Verifies a `Release` with its `Release.gpg`, armoured or binary.
    ///
    /// # Errors
    /// As for [`Keyring::verify_in_release`].
    pub fn verify_detached(
        &self,
        release: &[u8],
        signature: &[u8],
        now: SystemTime,
    ) -> Result<Verified, Distrust> {
        let signatures = frame::signatures(signature)?;
        // A text signature does not distinguish line ends, so only one kind is allowed.
        let text = (!release.contains(&b'\r')).then(|| frame::crlf(release));
        let keys = self.judge(&signatures, now, |kind| match kind {
            SignatureType::Binary => Some(release),
            SignatureType::Text => text.as_deref(),
            _ => None,
        })?;
        Ok(Verified { release: release.to_vec(), signers: certificates(&keys), keys })
    }

    /// The same certificates, of which signatures count even if they are revoked.
    pub(crate) fn despite_revocations(self) -> Self {
        Self { despite_revocations: true, ..self }
    }

    /// The day on which a key of a certificate has expired, if it has.
    pub(crate) fn expired_on(&self, key: &str, certificate: &str, now: SystemTime) -> Option<String> {
        let cert = self.certs.iter().find(|cert| cert.fingerprint().to_hex() == certificate)?;
        let end = judge::expiry(cert, key.parse().ok().as_ref(), now)?;
        (end <= now).then(|| judge::day(end))
    }

    /// The unknown keys that signed an `InRelease`, as named in their signatures.
    ///
    /// # Errors
    ///
    /// The frame is broken.
    pub fn unknown_signers(&self, in_release: &[u8]) -> Result<Vec<String>, Distrust> {
        let parts = frame::parse(in_release)?;
        let mut unknown_signers: Vec<String> = Vec::new();
        for signature in frame::signatures(parts.armor)? {
            let issuers = signature.get_issuers();
            let known = |key: &ErasedKeyAmalgamation<'_, PublicParts>| {
                issuers.iter().any(|issuer| issuer.aliases(key.key().key_handle()))
            };
            if !self.certs.iter().any(|cert| cert.keys().any(|key| known(&key))) {
                unknown_signers.push(named(&issuers));
            }
        }
        Ok(unknown_signers)
    }

    /// Finds the keys with valid signatures and their certificates; `signed` returns the bytes that a signature of a kind covers.
    fn judge<'a>(
        &self,
        signatures: &[Signature],
        now: SystemTime,
        signed: impl Fn(SignatureType) -> Option<&'a [u8]>,
    ) -> Result<Vec<(String, String)>, Distrust> {
        let policy = judge::strict_policy(now);
        let mut signers: Vec<(String, String)> = Vec::new();
        let mut damaged = None;
        let mut reasons = Vec::new();
        let mut is_beyond_this_build = false;
        let mut unknown_signers = Vec::new();
        for signature in signatures {
            let issuers = signature.get_issuers();
            let mut known = self
                .certs
                .iter()
                .flat_map(|cert| cert.keys().map(move |key| (cert, key)))
                .filter(|(_, key)| issuers.iter().any(|issuer| issuer.aliases(key.key().key_handle())))
                .peekable();
            if known.peek().is_none() {
                unknown_signers.push(named(&issuers));
            }
            for (cert, key) in known {
                let fingerprint = cert.fingerprint().to_hex();
                let Some(bytes) = signed(signature.typ()) else {
                    reasons.push(format!("{fingerprint}: a signature of the kind `{}`", signature.typ()));
                    continue;
                };
                if let Some(name) = judge::unsupported(key.key().mpis()) {
                    is_beyond_this_build = true;
                    reasons.push(format!("{fingerprint}: {}", judge::unverifiable(&name)));
                } else if let Err(why) = counts(signature, cert, &key, &policy, now, self.despite_revocations)
                {
                    reasons.push(format!("{fingerprint}: {why}"));
                } else if signature.verify_message(key.key(), bytes).is_err() {
                    damaged = Some(format!("the signature of {fingerprint} does not match the text"));
                } else {
                    let pair = (key.key().fingerprint().to_hex(), fingerprint);
                    if !signers.contains(&pair) {
                        signers.push(pair);
                    }
                }
            }
        }
        if !signers.is_empty() {
            Ok(signers)
        } else if let Some(why) = damaged {
            Err(Distrust::Damaged { why })
        } else if reasons.is_empty() {
            unknown_signers.dedup();
            Err(Distrust::UnknownSigners { signers: unknown_signers })
        } else if is_beyond_this_build {
            Err(Distrust::Unverifiable { reasons })
        } else {
            Err(Distrust::NotBelieved { reasons })
        }
    }
}

/// The certificates of keys, each once.
fn certificates(keys: &[(String, String)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, certificate) in keys {
        if !found.contains(certificate) {
            found.push(certificate.clone());
        }
    }
    found
}

/// Merges all copies of one certificate, each of which may contain something more, such as a revocation. They are
/// merged in pairs, since merging each into all previous ones would take quadratic time.
fn merged(mut copies: Vec<Cert>) -> Option<Cert> {
    while copies.len() > 1 {
        let mut rest = copies.into_iter();
        let mut pairs = Vec::with_capacity(rest.len().div_ceil(2));
        while let Some(one) = rest.next() {
            pairs.push(match rest.next() {
                Some(other) => one.clone().merge_public(other).unwrap_or(one),
                None => one,
            });
        }
        copies = pairs;
    }
    copies.pop()
}

/// The key that a signature names. The fingerprint is more specific than the key id; most signatures have both.
fn named(issuers: &[KeyHandle]) -> String {
    let longest = issuers.iter().map(ToString::to_string).max_by_key(String::len);
    longest.unwrap_or_else(|| "a signature that names no key".to_owned())
}

fn unwritable(error: &impl ToString) -> Error {
    Error::OpenPgp { doing: "write the public key", message: error.to_string() }
}

/// Whether signatures of this key may be trusted, apart from the cryptographic check.
fn counts(
    signature: &Signature,
    cert: &Cert,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    policy: &StandardPolicy<'_>,
    now: SystemTime,
    despite_revocations: bool,
) -> Result<(), String> {
    let made = signature.signature_creation_time().ok_or("a signature without a date")?;
    policy
        .signature(signature, HashAlgoSecurity::CollisionResistance)
        .map_err(|_| format!("a signature with {}, which is no longer safe", signature.hash_algo()))?;
    // Another publisher's clock may be ahead of ours, which proves nothing about the signer.
    if signature.signature_alive(now.max(made), None).is_err() {
        return Err("the signature itself has expired".to_owned());
    }
    let since = |status: &RevocationStatus<'_>| undoes(status, made);
    let latest = now.max(made);
    let as_of = |time| key.clone().with_policy(policy, time);
    let subkey = |time| as_of(time).is_ok_and(|key| since(&key.revocation_status()));
    let is_revoked = || since(&cert.revocation_status(policy, latest)) || subkey(latest) || subkey(made);
    if !despite_revocations && is_revoked() {
        return Err("the key is revoked".to_owned());
    }
    // At the time of the signature; or now, if gpg has replaced the self-signature of that time (it does on every
    // change of the expiry, which must not lock out the owner of the archive).
    let valid = as_of(made)
        .or_else(|_| as_of(latest))
        .map_err(|error| format!("the key is not valid: {}", error.root_cause()))?;
    if !valid.for_signing() {
        return Err("the key is not for signing".to_owned());
    }
    let primary = valid.valid_cert().primary_key();
    if primary.key().creation_time() > made || key.key().creation_time() > made {
        return Err("the signature is older than the key".to_owned());
    }
    let ends = [valid.key_expiration_time(), primary.key_expiration_time()];
    if let Some(end) = ends.into_iter().flatten().find(|end| *end <= made) {
        return Err(format!("it was made after the key expired on {}", judge::day(end)));
    }
    Ok(())
}

/// Whether a revocation invalidates signatures of a time: one made before it, or one of a compromised key.
pub(super) fn undoes(status: &RevocationStatus<'_>, made: SystemTime) -> bool {
    let RevocationStatus::Revoked(revocations) = status else { return false };
    revocations.iter().any(|revocation| {
        let kind = revocation
            .reason_for_revocation()
            .map_or(RevocationType::Hard, |(code, _)| code.revocation_type());
        kind == RevocationType::Hard || revocation.signature_creation_time().is_none_or(|time| time <= made)
    })
}

/// Parses every certificate: binary, or any number of armoured blocks with text around them.
pub(super) fn parse_certs(origin: &str, bytes: &[u8]) -> Result<Vec<Cert>, Error> {
    let mut certs = Vec::new();
    for block in blocks(bytes) {
        // Unreadable packets beside readable ones are keys of a future or a very old version.
        certs.extend(CertParser::from_bytes(block).into_iter().flatten().filter_map(Result::ok));
    }
    if certs.is_empty() {
        return Err(Error::NotAKey { origin: origin.to_owned() });
    }
    Ok(certs)
}

/// Splits at the start of every armoured block, because the parser reads only one block.
fn blocks(bytes: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = memchr::memmem::find_iter(bytes, b"-----BEGIN PGP ")
        .filter(|&start| start == 0 || bytes[start - 1] == b'\n')
        .collect();
    if starts.is_empty() {
        return vec![bytes];
    }
    let ends = starts[1..].iter().copied().chain([bytes.len()]);
    starts.iter().zip(ends).map(|(&start, end)| &bytes[start..end]).collect()
}
