//! Our own secret keys: read from a file, unlocked once, used in memory.

use std::{fmt, time::SystemTime};

use sequoia_openpgp::{
    Cert,
    crypto::{KeyPair, Password},
    packet::{Signature, key::SecretKeyMaterial, signature::SignatureBuilder},
    types::{HashAlgorithm, SignatureType},
};

use super::{error::Error, frame, judge, keyring};

/// A passphrase; it is encrypted in memory and never printed.
#[derive(Clone)]
pub struct Passphrase(Password);

impl Passphrase {
    /// Takes a passphrase unchanged; a final newline would be part of it.
    #[must_use]
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(Password::from(text.into()))
    }

    pub(super) fn password(&self) -> &Password {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(hidden)")
    }
}

/// An unlocked signing key.
pub(super) struct SecretKey {
    pub(super) cert: Cert,
    pub(super) is_rsa: bool,
    pair: KeyPair,
}

/// Opens every secret key in the bytes.
pub(super) fn open(
    origin: &str,
    bytes: &[u8],
    passphrase: Option<&Passphrase>,
    now: SystemTime,
) -> Result<Vec<SecretKey>, Error> {
    let certs = keyring::parse_certs(origin, bytes)?;
    let secret: Vec<Cert> = certs.into_iter().filter(Cert::is_tsk).collect();
    if secret.is_empty() {
        return Err(Error::PublicOnly { origin: origin.to_owned(), detail: None });
    }
    secret.into_iter().map(|cert| unlock(origin, cert, passphrase, now)).collect()
}

fn unlock(
    origin: &str,
    cert: Cert,
    passphrase: Option<&Passphrase>,
    now: SystemTime,
) -> Result<SecretKey, Error> {
    let signer = judge::choose(&cert, now, None, |key| match key.key().optional_secret() {
        // gpg writes a stub of its own kind if the secret part is elsewhere (offline, or on a card).
        Some(SecretKeyMaterial::Encrypted(secret)) => secret.s2k().is_supported(),
        Some(SecretKeyMaterial::Unencrypted(_)) => true,
        None => false,
    })
    .map_err(|refusal| Error::Refused {
        origin: origin.to_owned(),
        fingerprint: cert.fingerprint().to_hex(),
        refusal,
    })?;
    let mut keys = cert.keys().filter(|key| Some(key.key().fingerprint()) == signer);
    let key = keys.next().ok_or_else(|| Error::PublicOnly {
        origin: origin.to_owned(),
        detail: Some("the secret part of the signing key is missing"),
    })?;
    let openpgp = |doing| {
        move |error: sequoia_openpgp::anyhow::Error| Error::OpenPgp { doing, message: error.to_string() }
    };
    let mut key = key.key().clone().parts_into_secret().map_err(openpgp("take the secret key"))?;
    if !key.has_unencrypted_secret() {
        let passphrase = passphrase.ok_or_else(|| Error::PassphraseMissing { origin: origin.to_owned() })?;
        // The library's error ("unexpected EOF", for example) does not depend on the passphrase, so it is replaced.
        key = key
            .decrypt_secret(passphrase.password())
            .map_err(|_| Error::WrongPassphrase { origin: origin.to_owned() })?;
    }
    let pair = key.into_keypair().map_err(openpgp("use the secret key"))?;
    Ok(SecretKey {
        is_rsa: judge::is_rsa(&cert, &pair.public().fingerprint()),
        cert: cert.strip_secret_key_material(),
        pair,
    })
}

impl SecretKey {
    /// Signs both forms of a Release: the text within `InRelease`, and the file itself.
    pub(super) fn sign(&self, release: &[u8], at: SystemTime) -> Result<(Signature, Signature), Error> {
        let text = self.signature(SignatureType::Text, &frame::signed_form(release), at);
        let file = self.signature(SignatureType::Binary, release, at);
        Ok((text?, file?))
    }

    fn signature(&self, kind: SignatureType, bytes: &[u8], at: SystemTime) -> Result<Signature, Error> {
        SignatureBuilder::new(kind)
            .set_hash_algo(HashAlgorithm::SHA512)
            .set_signature_creation_time(at)
            .and_then(|builder| builder.sign_message(&mut self.pair.clone(), bytes))
            .map_err(|error| Error::OpenPgp { doing: "sign the Release", message: error.to_string() })
    }
}
