//! Generates a key: Ed25519, which every current apt accepts, or RSA for older ones, in the format that gpg reads
//! (version 4).
//!
//! One primary key certifies and signs. A signing subkey only helps with an offline primary key, for which gpg can be
//! used.

use std::{
    fs,
    io::Write as _,
    path::Path,
    time::{Duration, SystemTime},
};

use sequoia_openpgp::{
    Profile,
    cert::{CertBuilder, CipherSuite},
    serialize::SerializeInto as _,
    types::KeyFlags,
};

use super::{error::Error, keyring::Keyring, secret::Passphrase};
use crate::span::{self, Unit};

/// The algorithm of a new key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// Ed25519: small and fast, for gpgv from 2.1 on (Debian 9, Ubuntu 18.04).
    #[default]
    Ed25519,
    /// RSA with 3072 bits, for every gpgv.
    Rsa3072,
    /// RSA with 4096 bits, for every gpgv.
    Rsa4096,
}

/// The options of a new key.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewKey<'a> {
    /// Its user ID, such as `Example archive <packages@example.org>`.
    pub name: &'a str,
    /// Its time of creation.
    pub created: SystemTime,
    /// Its expiry, if any.
    pub expires: Option<SystemTime>,
    /// The passphrase that protects its secret part, if any.
    pub passphrase: Option<&'a Passphrase>,
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
}

impl<'a> NewKey<'a> {
    /// An Ed25519 key without expiry and passphrase.
    #[must_use]
    pub fn new(name: &'a str, created: SystemTime) -> Self {
        Self { name, created, expires: None, passphrase: None, algorithm: KeyAlgorithm::default() }
    }

    /// Sets the algorithm.
    #[must_use]
    pub fn algorithm(self, algorithm: KeyAlgorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// Sets the expiry.
    #[must_use]
    pub fn expires(self, time: SystemTime) -> Self {
        Self { expires: Some(time), ..self }
    }

    /// Sets the passphrase.
    #[must_use]
    pub fn passphrase(self, passphrase: &'a Passphrase) -> Self {
        Self { passphrase: Some(passphrase), ..self }
    }
}

/// A new key, in memory only.
#[non_exhaustive]
pub struct GeneratedKey {
    /// Its fingerprint, in capitals without spaces.
    pub fingerprint: String,
    /// Its expiry, if any.
    pub expires: Option<SystemTime>,
    /// Its public part.
    pub public: Keyring,
    secret: Vec<u8>,
}

impl std::fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("GeneratedKey").field(&self.fingerprint).finish_non_exhaustive()
    }
}

impl NewKey<'_> {
    /// Generates the key.
    pub fn generate(&self) -> Result<GeneratedKey, Error> {
        let name = self.name.trim();
        let refused = |why| Err(Error::Name { name: name.to_owned(), why });
        if name.is_empty() {
            return refused("it is empty");
        }
        if name.chars().any(char::is_control) {
            return refused("it contains a control character");
        }
        let failed = |error: sequoia_openpgp::anyhow::Error| Error::OpenPgp {
            doing: "make a key",
            message: error.to_string(),
        };
        let period = match self.expires {
            None => None,
            Some(end) => Some(period(self.created, end)?),
        };
        let (cert, _revocation) = CertBuilder::new()
            .set_profile(Profile::RFC4880)
            .map_err(failed)?
            .set_cipher_suite(match self.algorithm {
                KeyAlgorithm::Ed25519 => CipherSuite::Cv25519,
                KeyAlgorithm::Rsa3072 => CipherSuite::RSA3k,
                KeyAlgorithm::Rsa4096 => CipherSuite::RSA4k,
            })
            .set_creation_time(self.created)
            .set_validity_period(period)
            .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
            .add_userid(name)
            .set_password(self.passphrase.map(|passphrase| passphrase.password().clone()))
            .generate()
            .map_err(failed)?;
        let secret = cert.as_tsk().armored().to_vec().map_err(failed)?;
        let fingerprint = cert.fingerprint().to_hex();
        let mut public = Keyring::new();
        public.add(cert);
        Ok(GeneratedKey { fingerprint, expires: self.expires, public, secret })
    }
}

impl GeneratedKey {
    /// The secret key, armoured.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// Writes the secret key to a new file that only its owner can read.
    pub fn write_secret(&self, path: &Path) -> Result<(), Error> {
        write_secret(path, &self.secret)
    }
}

/// Writes a secret key to a new file that only its owner can read.
pub fn write_secret(path: &Path, secret: &[u8]) -> Result<(), Error> {
    let failed = |doing| move |source| Error::File { doing, path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed("make the folder of"))?;
    // A temporary file has mode 0600 from the start, and a crash leaves no partial key under the final name.
    let mut file = tempfile::Builder::new().prefix(".key-").tempfile_in(folder).map_err(failed("write"))?;
    file.write_all(secret).and_then(|()| file.as_file().sync_all()).map_err(failed("write"))?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
        _ => failed("write")(error.error),
    })?;
    // The rename must be durable as well, since the key may be used immediately.
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write"))
}

fn period(created: SystemTime, end: SystemTime) -> Result<Duration, Error> {
    let text = || super::judge::day(end);
    match end.duration_since(created) {
        Ok(period) if period.as_secs() == 0 => Err(Error::Expiry { text: text(), why: "it has passed" }),
        // The field has 32 bits of seconds.
        Ok(period) if period.as_secs() > u64::from(u32::MAX) => {
            Err(Error::Expiry { text: text(), why: "a key is valid for at most 136 years" })
        }
        Ok(period) => Ok(Duration::from_secs(period.as_secs())),
        Err(_) => Err(Error::Expiry { text: text(), why: "it has passed" }),
    }
}

/// Parses an expiry: a time after `start` (`3y`, `18m`, `6w`, `90d`, `1y 6m`), a day (`2030-01-31`), or `never`.
pub fn parse_expiry(text: &str, start: SystemTime) -> Result<Option<SystemTime>, Error> {
    let refused = |why| Error::Expiry { text: text.to_owned(), why };
    let word = text.trim();
    if word.eq_ignore_ascii_case("never") {
        return Ok(None);
    }
    let end = if let Ok(day) = word.parse::<jiff::civil::Date>() {
        day.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| refused("the day is too far off"))?
    } else {
        let no_span = || refused("it is no span such as `12h`, `7d`, `2w`, `1m` or `1y`");
        let parts = span::parts(word).filter(|parts| !parts.is_empty()).ok_or_else(no_span)?;
        let too_far = |_| refused("it is too far off");
        let start = jiff::Timestamp::try_from(start).map_err(too_far)?.to_zoned(jiff::tz::TimeZone::UTC);
        let mut end = start.clone();
        for (count, unit) in parts {
            let count = i64::try_from(count).map_err(|_| refused("it is too far off"))?;
            let span = jiff::Span::new();
            // By the calendar: a key of a year ends on the same day.
            let span = match unit.ok_or_else(no_span)? {
                Unit::Hour => span.try_hours(count),
                Unit::Day => span.try_days(count),
                Unit::Week => span.try_weeks(count),
                Unit::Month => span.try_months(count),
                Unit::Year => span.try_years(count),
            };
            end = end.checked_add(span.map_err(too_far)?).map_err(too_far)?;
        }
        if end == start {
            return Err(refused("it must be above zero"));
        }
        end
    };
    let end = SystemTime::from(end.timestamp());
    period(start, end).map_err(|error| match error {
        Error::Expiry { why, .. } => refused(why),
        other => other,
    })?;
    Ok(Some(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::judge::day;

    fn start() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_704_067_200) // 2024-01-01
    }

    #[test]
    fn an_expiry_is_a_span_a_day_or_never() {
        let end = |text| parse_expiry(text, start()).unwrap().map(day);
        assert_eq!(end("3y").as_deref(), Some("2027-01-01"));
        assert_eq!(end("18m").as_deref(), Some("2025-07-01"));
        assert_eq!(end("2w").as_deref(), Some("2024-01-15"));
        assert_eq!(end("1y 6m").as_deref(), Some("2025-07-01"));
        assert_eq!(end("90d").as_deref(), Some("2024-03-31"));
        assert_eq!(end("2030-01-31").as_deref(), Some("2030-01-31"));
        assert_eq!(end("never"), None);
        for text in
            ["", "3", "y", "0d", "-1d", "3x", "200y", "99999999999y", "2020-01-01", "3 y 4", "é", "1é"]
        {
            assert!(parse_expiry(text, start()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_must_be_one() {
        let name = |name| NewKey::new(name, start()).generate().map(|_| ());
        assert!(name(" ").is_err());
        assert!(name("a\nb").is_err());
        assert!(name("Example archive <packages@example.org>").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_is_private_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/keys/key.asc");
        let key = NewKey::new("A", start()).generate().unwrap();
        key.write_secret(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(fs::read(&path).unwrap(), key.secret());
        assert!(matches!(key.write_secret(&path), Err(Error::Exists { .. })));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
