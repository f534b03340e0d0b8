//! Whether apt accepts a certificate for an archive, now and in a year.
//!
//! apt 2 verifies with `gpgv`, apt 3 with `sqv`, by different rules: gpgv checks the algorithm of the key and refuses
//! an expired key even for earlier signatures; sqv has a policy with dates. The dates here are those of apt's
//! `default-sequoia.config`. No secret part is read.

use std::time::{Duration, SystemTime};

use sequoia_openpgp::{
    Cert, Fingerprint, KeyHandle,
    cert::amalgamation::{
        ValidAmalgamation as _, ValidateAmalgamation as _,
        key::{PrimaryKey as _, ValidErasedKeyAmalgamation},
    },
    crypto::mpi,
    packet::key::PublicParts,
    policy::{AsymmetricAlgorithm, HashAlgoSecurity, StandardPolicy},
    types::{Curve, HashAlgorithm, ReasonForRevocation, RevocationStatus},
};

use super::error::Refusal;

/// A candidate for signing: valid, not expired, flagged for signing.
pub(super) type SigningKey<'a> = ValidErasedKeyAmalgamation<'a, PublicParts>;

/// apt 2 and its verifier, as named in verdicts.
pub(super) const GPGV: &str = "apt 2 (gpgv)";
/// apt 3 and its verifier.
pub(super) const SQV: &str = "apt 3 (sqv)";

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The verdict of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// The reader accepts it.
    Ok,
    /// It accepts it, but action is needed.
    Warn,
    /// It may accept it or not: this build cannot compute with the key.
    Unknown,
    /// It refuses it.
    Refused,
}

/// The verdict of one reader on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// The reader: `apt 2 (gpgv)` or `apt 3 (sqv)`.
    pub reader: &'static str,
    /// `now` or `in a year`.
    pub when: &'static str,
    /// The outcome.
    pub level: Level,
    /// The verdict in words.
    pub text: String,
}

/// The properties of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyReport {
    /// The fingerprint of the certificate, in capitals without spaces.
    pub fingerprint: String,
    /// Its user IDs.
    pub user_ids: Vec<String>,
    /// The algorithm of the signing key, such as `ed25519` or `rsa4096`.
    pub algorithm: String,
    /// The fingerprint of the signing key, if it is a subkey.
    pub signing_subkey: Option<String>,
    /// The day of its creation.
    pub created: String,
    /// The day of its expiry, if any.
    pub expires: Option<String>,
    /// Days until it expires; negative after that.
    pub days_left: Option<i64>,
    /// The reason for its revocation, if it is revoked.
    pub revoked: Option<String>,
    /// The verdicts of the readers.
    pub verdicts: Vec<Verdict>,
}

impl KeyReport {
    /// The worst verdict for now.
    #[must_use]
    pub fn level(&self) -> Level {
        let now = self.verdicts.iter().filter(|verdict| verdict.when == "now");
        now.map(|verdict| verdict.level).max().unwrap_or(Level::Refused)
    }
}

/// The day of a time, in UTC.
pub(super) fn day(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .map_or_else(|_| "a day in the far future".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// A time to the second, in UTC.
pub(super) fn second(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(
        |_| "a time in the far future".to_owned(),
        |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

/// Our own policy: sequoia's, but SHA-1 and weak keys are refused at any time.
pub(super) fn strict_policy(at: SystemTime) -> StandardPolicy<'static> {
    use AsymmetricAlgorithm::{DSA1024, DSA2048, DSA3072, DSA4096, RSA1024};
    let mut policy = StandardPolicy::at(at);
    for hash in [HashAlgorithm::MD5, HashAlgorithm::SHA1, HashAlgorithm::RipeMD, HashAlgorithm::SHA224] {
        policy.reject_hash(hash);
    }
    for algorithm in [RSA1024, DSA1024, DSA2048, DSA3072, DSA4096] {
        policy.reject_asymmetric_algo(algorithm);
    }
    policy
}

/// Reads the properties of a certificate, however weak it is, so that a refusal can name the real reason.
pub(super) fn lax_policy(at: SystemTime) -> StandardPolicy<'static> {
    let mut policy = StandardPolicy::at(at);
    for hash in [HashAlgorithm::MD5, HashAlgorithm::SHA1, HashAlgorithm::RipeMD, HashAlgorithm::SHA224] {
        policy.accept_hash(hash);
    }
    for algorithm in AsymmetricAlgorithm::variants() {
        policy.accept_asymmetric_algo(algorithm);
    }
    policy
}

/// The policy of apt 3 at a time.
pub(super) fn sqv_policy(at: SystemTime) -> StandardPolicy<'static> {
    use AsymmetricAlgorithm as A;
    let mut policy = StandardPolicy::at(at);
    let february = |year: i16| {
        SystemTime::from(
            jiff::civil::date(year, 2, 1)
                .to_zoned(jiff::tz::TimeZone::UTC)
                .map_or(jiff::Timestamp::UNIX_EPOCH, |time| time.timestamp()),
        )
    };
    policy.reject_hash_property_at(
        HashAlgorithm::SHA1,
        HashAlgoSecurity::SecondPreImageResistance,
        february(2026),
    );
    policy.reject_hash_at(HashAlgorithm::SHA224, february(2026));
    for algorithm in [A::DSA1024, A::DSA2048, A::DSA3072, A::DSA4096] {
        policy.reject_asymmetric_algo_at(algorithm, february(2024));
    }
    for algorithm in [A::BrainpoolP256, A::BrainpoolP384, A::BrainpoolP512] {
        policy.reject_asymmetric_algo_at(algorithm, february(2028));
    }
    policy.reject_asymmetric_algo_at(A::RSA2048, february(2030));
    policy
}

/// The keys of a certificate that may sign now, in the order in which gpg selects them: the newest subkey first, the
/// primary last.
///
/// `wanted` restricts it to one of them.
pub(super) fn signing_keys<'a>(
    cert: &'a Cert,
    policy: &'a StandardPolicy<'a>,
    at: SystemTime,
    wanted: Option<&KeyHandle>,
) -> Result<Vec<SigningKey<'a>>, Refusal> {
    if let RevocationStatus::Revoked(signatures) = cert.revocation_status(policy, at) {
        return Err(revoked(&signatures));
    }
    let primary = cert.primary_key().key().creation_time();
    if primary > at {
        return Err(Refusal::NotYet { from: day(primary) });
    }
    if let Some(name) = cert.keys().find_map(|key| unsupported(key.key().mpis())) {
        return Err(Refusal::Unverifiable { why: unverifiable(&name) });
    }
    if cert.primary_key().self_signatures().next().is_none()
        && cert.userids().all(|id| id.self_signatures().next().is_none())
    {
        return Err(Refusal::Incomplete);
    }
    let valid = cert
        .with_policy(policy, at)
        .map_err(|error| Refusal::Unfit { why: format!("it has no valid self-signature: {error}") })?;
    if let Some(end) = valid.primary_key().key_expiration_time().filter(|end| *end <= at) {
        return Err(Refusal::Expired { on: day(end), subkey: None });
    }
    let mut keys = Vec::new();
    let mut refusal = Refusal::NoSigningKey;
    for key in valid.keys().for_signing() {
        if wanted.is_some_and(|wanted| !key.key().key_handle().aliases(wanted)) {
            continue;
        }
        if let RevocationStatus::Revoked(signatures) = key.revocation_status() {
            refusal = revoked(&signatures);
        } else if let Some(end) = key.key_expiration_time().filter(|end| *end <= at) {
            let subkey = (!key.primary()).then(|| key.key().fingerprint().to_hex());
            refusal = Refusal::Expired { on: day(end), subkey };
        } else if key.key().creation_time() > at {
            refusal = Refusal::NotYet { from: day(key.key().creation_time()) };
        } else {
            keys.push(key);
        }
    }
    keys.sort_by_key(|key| std::cmp::Reverse((!key.primary(), key.key().creation_time())));
    if keys.is_empty() { Err(refusal) } else { Ok(keys) }
}

fn revoked(signatures: &[&sequoia_openpgp::packet::Signature]) -> Refusal {
    let reason = signatures.first().and_then(|signature| signature.reason_for_revocation());
    let why = match reason.map(|(code, _)| code) {
        Some(ReasonForRevocation::KeySuperseded) => "superseded by another key",
        Some(ReasonForRevocation::KeyCompromised) => "its secret part was compromised",
        Some(ReasonForRevocation::KeyRetired) => "no longer used",
        _ => "no reason given",
    };
    Refusal::Revoked { why: why.to_owned() }
}

/// The first key that may sign and that `has_secret` accepts, unless a current apt refuses it.
pub(super) fn choose(
    cert: &Cert,
    at: SystemTime,
    wanted: Option<&KeyHandle>,
    has_secret: impl Fn(&SigningKey<'_>) -> bool,
) -> Result<Option<Fingerprint>, Refusal> {
    let policy = lax_policy(at);
    let keys = signing_keys(cert, &policy, at, wanted)?;
    let Some(key) = keys.iter().find(|key| has_secret(key)) else {
        return Ok(None);
    };
    match gpgv_refuses(key)
        .or_else(|| sqv_refuses(cert, key, &strict_policy(at), at))
        .or_else(|| sqv_refuses(cert, key, &sqv_policy(at), at))
    {
        Some(why) => Err(Refusal::Unfit { why }),
        None => Ok(Some(key.key().fingerprint())),
    }
}

/// The name of an algorithm with its size, as gpg writes it.
fn algorithm(key: &SigningKey<'_>) -> String {
    match key.key().mpis() {
        mpi::PublicKey::RSA { n, .. } => format!("rsa{}", n.bits()),
        mpi::PublicKey::DSA { p, .. } => format!("dsa{}", p.bits()),
        mpi::PublicKey::EdDSA { curve, .. } | mpi::PublicKey::ECDSA { curve, .. } => curve_name(curve),
        mpi::PublicKey::Ed25519 { .. } => "ed25519".to_owned(),
        mpi::PublicKey::Ed448 { .. } => "ed448".to_owned(),
        _ => key.key().pk_algo().to_string(),
    }
}

/// The curve or the algorithm of a key that signs, if this build cannot compute with it.
pub(super) fn unsupported(key: &mpi::PublicKey) -> Option<String> {
    match key {
        mpi::PublicKey::EdDSA { curve, .. } | mpi::PublicKey::ECDSA { curve, .. } => {
            (!curve.is_supported()).then(|| format!("the curve {}", curve_name(curve)))
        }
        mpi::PublicKey::RSA { .. }
        | mpi::PublicKey::DSA { .. }
        | mpi::PublicKey::Ed25519 { .. }
        | mpi::PublicKey::Ed448 { .. } => {
            let algorithm = key.algo().filter(|algorithm| !algorithm.is_supported())?;
            Some(format!("the algorithm {algorithm}"))
        }
        _ => None,
    }
}

/// Says that this build cannot verify what a key has signed.
pub(super) fn unverifiable(name: &str) -> String {
    format!("this build of `publish` cannot verify signatures of {name}")
}

fn curve_name(curve: &Curve) -> String {
    match curve {
        Curve::NistP256 => "nistp256".to_owned(),
        Curve::NistP384 => "nistp384".to_owned(),
        Curve::NistP521 => "nistp521".to_owned(),
        Curve::BrainpoolP256 => "brainpoolP256r1".to_owned(),
        Curve::BrainpoolP384 => "brainpoolP384r1".to_owned(),
        Curve::BrainpoolP512 => "brainpoolP512r1".to_owned(),
        Curve::Ed25519 => "ed25519".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// Whether a key is RSA.
pub(super) fn is_rsa(cert: &Cert, fingerprint: &Fingerprint) -> bool {
    let mut keys = cert.keys().filter(|key| key.key().fingerprint() == *fingerprint);
    keys.any(|key| matches!(key.key().mpis(), mpi::PublicKey::RSA { .. }))
}

/// Why apt 2 would refuse signatures of this key now.
pub(super) fn gpgv_refuses(key: &SigningKey<'_>) -> Option<String> {
    if key.key().version() != 4 {
        return Some(format!("gpgv does not read keys of version {}", key.key().version()));
    }
    match key.key().mpis() {
        mpi::PublicKey::RSA { n, .. } if n.bits() < 2048 => {
            Some(format!("it is RSA with {} bits, and apt requires at least 2048", n.bits()))
        }
        // Its list of curves has no `nistp521`.
        mpi::PublicKey::ECDSA { curve: Curve::NistP521, .. } => {
            Some("it is NIST P-521, which apt of Ubuntu 24.04 (2.8) does not accept".to_owned())
        }
        mpi::PublicKey::RSA { .. } | mpi::PublicKey::EdDSA { .. } | mpi::PublicKey::ECDSA { .. } => None,
        mpi::PublicKey::DSA { p, .. } => {
            Some(format!("it is DSA ({} bits), which apt no longer accepts", p.bits()))
        }
        _ => Some(format!("gpgv does not know its algorithm, {}", key.key().pk_algo())),
    }
}

/// Why a later gpgv of apt would refuse this key.
fn gpgv_will_refuse(key: &SigningKey<'_>) -> Option<String> {
    match key.key().mpis() {
        mpi::PublicKey::RSA { n, .. } if n.bits() < 3072 => {
            Some(format!("later versions require RSA with 3072 bits, it has {}", n.bits()))
        }
        // `APT::Key::Assert-Pubkey-Algo::Future` has only `ed25519` and `ed448` beside RSA.
        mpi::PublicKey::ECDSA { curve, .. } => {
            Some(format!("later versions accept only RSA, Ed25519 and Ed448, it is {}", curve_name(curve)))
        }
        _ => None,
    }
}

/// Why a policy would refuse signatures of this key.
pub(super) fn sqv_refuses(
    cert: &Cert,
    key: &SigningKey<'_>,
    policy: &StandardPolicy<'_>,
    at: SystemTime,
) -> Option<String> {
    let fingerprint = key.key().fingerprint();
    let refused = match cert.with_policy(policy, at) {
        Err(error) => Some(error),
        Ok(valid) => {
            let mut found = valid.keys().for_signing();
            if found.any(|other| other.key().fingerprint() == fingerprint) {
                return None;
            }
            let mut keys = cert.keys().filter(|other| other.key().fingerprint() == fingerprint);
            keys.find_map(|key| key.with_policy(policy, at).err())
        }
    };
    // The library's message is a chain of its own terms; the common reason is reported directly.
    if let Some(hash) = weak_hash(key) {
        return Some(format!("its self-signature uses {hash}; sign it again with SHA-256 or better"));
    }
    let message = refused.map_or_else(|| "it may not sign".to_owned(), |error| root_cause(&error));
    Some(format!("it is {}: {message}", algorithm(key)))
}

fn root_cause(error: &sequoia_openpgp::anyhow::Error) -> String {
    error.root_cause().to_string()
}

fn weak_hash(key: &SigningKey<'_>) -> Option<String> {
    let primary = key.valid_cert().primary_key();
    let bindings = [key.binding_signature(), primary.binding_signature()];
    let embedded = key.binding_signature().embedded_signatures();
    bindings
        .into_iter()
        .chain(embedded)
        .map(|signature| signature.hash_algo())
        .find(|hash| {
            matches!(
                hash,
                HashAlgorithm::MD5 | HashAlgorithm::SHA1 | HashAlgorithm::RipeMD | HashAlgorithm::SHA224
            )
        })
        .map(|hash| hash.to_string())
}

/// The expiry of a certificate, or of its signing key.
pub(super) fn expiry(cert: &Cert, signer: Option<&Fingerprint>, at: SystemTime) -> Option<SystemTime> {
    let policy = lax_policy(at);
    let valid = cert.with_policy(&policy, at).ok()?;
    let primary = valid.primary_key().key_expiration_time();
    let subkey = signer.and_then(|signer| {
        let mut keys = valid.keys();
        keys.find(|key| key.key().fingerprint() == *signer).and_then(|key| key.key_expiration_time())
    });
    primary.into_iter().chain(subkey).min()
}

/// The user IDs of a certificate.
pub(super) fn user_ids(cert: &Cert) -> Vec<String> {
    cert.userids().map(|id| String::from_utf8_lossy(id.userid().value()).into_owned()).collect()
}

/// The days until a time; negative after it.
pub(super) fn days_left(expires: Option<SystemTime>, now: SystemTime) -> Option<i64> {
    let days = |time: Duration| i64::try_from(time.as_secs() / 86_400).unwrap_or(i64::MAX);
    expires.map(|end| match end.duration_since(now) {
        Ok(left) => days(left),
        Err(past) => -days(past.duration()),
    })
}

/// The properties of a certificate at a time.
pub(super) fn report(cert: &Cert, now: SystemTime) -> KeyReport {
    let policy = lax_policy(now);
    let keys = signing_keys(cert, &policy, now, None);
    let signer = keys.as_ref().ok().and_then(|keys| keys.first());
    let expires = expiry(cert, signer.map(|key| key.key().fingerprint()).as_ref(), now);
    // A certificate that cannot sign has the algorithm of its primary key.
    let any = cert.with_policy(&policy, now).ok().map(|valid| SigningKey::from(valid.primary_key()));
    KeyReport {
        fingerprint: cert.fingerprint().to_hex(),
        user_ids: user_ids(cert),
        algorithm: signer
            .or(any.as_ref())
            .map_or_else(|| cert.primary_key().key().pk_algo().to_string(), algorithm),
        signing_subkey: signer.filter(|key| !key.primary()).map(|key| key.key().fingerprint().to_hex()),
        created: day(cert.primary_key().key().creation_time()),
        expires: expires.map(day),
        days_left: days_left(expires, now),
        revoked: match &keys {
            Err(Refusal::Revoked { why }) => Some(why.clone()),
            _ => None,
        },
        verdicts: verdicts(cert, &keys, now, expires),
    }
}

fn verdicts(
    cert: &Cert,
    keys: &Result<Vec<SigningKey<'_>>, Refusal>,
    now: SystemTime,
    expires: Option<SystemTime>,
) -> Vec<Verdict> {
    let verdict = |reader, when, level, text: String| Verdict { reader, when, level, text };
    let key = match keys {
        Ok(keys) => keys.first(),
        Err(Refusal::Unverifiable { why }) => {
            let unknown =
                |reader| verdict(reader, "now", Level::Unknown, format!("may accept it or not: {why}"));
            return vec![unknown(GPGV), unknown(SQV)];
        }
        Err(refusal) => {
            let refused = |reader| verdict(reader, "now", Level::Refused, format!("refuses it: {refusal}"));
            return vec![refused(GPGV), refused(SQV)];
        }
    };
    let Some(key) = key else { return Vec::new() };
    let later = now + YEAR;
    let over = expires.filter(|end| *end <= later).map(day);

    let mut list = Vec::new();
    let mut judge = |reader, now: Option<String>, later: Option<String>| {
        if let Some(why) = now {
            list.push(verdict(reader, "now", Level::Refused, format!("refuses it: {why}")));
            return;
        }
        list.push(verdict(reader, "now", Level::Ok, "accepts it".to_owned()));
        list.push(match later {
            Some(why) => verdict(reader, "in a year", Level::Warn, why),
            None => verdict(reader, "in a year", Level::Ok, "accepts it".to_owned()),
        });
    };
    let gpgv_later = gpgv_will_refuse(key).or_else(|| {
        over.as_ref().map(|end| format!("refuses it from {end} on, including earlier signatures"))
    });
    judge(GPGV, gpgv_refuses(key), gpgv_later);
    let sqv_later = match &over {
        Some(end) => Some(format!("refuses signatures made from {end} on")),
        None => sqv_refuses(cert, key, &sqv_policy(later), later).map(|why| format!("refuses it: {why}")),
    };
    judge(SQV, sqv_refuses(cert, key, &sqv_policy(now), now), sqv_later);
    list
}
