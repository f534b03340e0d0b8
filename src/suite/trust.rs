//! `Trust`: which signatures on the suites of an archive are believed, for reading them and for building on them.
//!
//! The safe policy is the short one: [`Trust::keyring`] accepts what one of the keys signed, and nothing else. Everything
//! that accepts more has a name.

use std::time::SystemTime;

use crate::{names::Suite, signing::Keyring};

/// Which suites must be signed.
#[derive(Debug, Clone, Default)]
enum Verification {
    /// All, but for these.
    Signed { except: Vec<Suite> },
    /// None: nothing signs this archive.
    #[default]
    UnsignedOk,
}

/// Which release files of an archive are believed.
///
/// Reading ([`Archive::suite`](crate::suite::archive::Archive::suite)) and building on a suite
/// ([`Archive::commit`](crate::suite::archive::Archive::commit)) follow it. A suite that is not published yet needs no signature.
///
/// ```
/// use std::time::SystemTime;
///
/// use publish::{archive::Trust, signing::Keyring};
///
/// # fn keys() -> (Keyring, SystemTime) { (Keyring::new(), SystemTime::UNIX_EPOCH) }
/// let (keyring, now) = keys();
/// // Every suite must be signed by one of these keys.
/// let trust = Trust::keyring(keyring, now);
/// // The same, but the next commit takes over what is there as it is.
/// let once = trust.clone().adopt_existing();
/// // Nothing signs this archive.
/// let unsigned = Trust::unsigned();
/// ```
#[derive(Clone)]
pub struct Trust {
    /// The keys whose signatures count.
    pub(crate) keyring: Keyring,
    /// The time at which these keys must be valid; without it no signature is checked.
    pub(crate) now: Option<SystemTime>,
    verification: Verification,
    /// Whether looking at a suite that lacks a signature, or the key to check it with, is allowed.
    reads_unverified: bool,
    /// Whether an operation builds on what is there, whatever its signature.
    adopts: bool,
    /// The keys to publish for clients.
    pub(crate) clients: ClientKeys,
}

/// The public keys at the root of the archive, with which clients check its suites.
#[derive(Clone, Default)]
pub struct ClientKeys {
    /// The keys.
    pub keyring: Keyring,
    /// Whether these are the keys of all suites; else those that are there stay beside them.
    pub complete: bool,
}

/// Believes nothing: no key is known, and everything must be signed.
impl Default for Trust {
    fn default() -> Self {
        Self {
            keyring: Keyring::new(),
            now: None,
            verification: Verification::Signed { except: Vec::new() },
            reads_unverified: false,
            adopts: false,
            clients: ClientKeys::default(),
        }
    }
}

impl Trust {
    /// Believes a suite if one of these keys has signed it, and the key is valid now.
    #[must_use]
    pub fn keyring(keyring: Keyring, now: SystemTime) -> Self {
        Self { keyring, now: Some(now), ..Self::default() }
    }

    /// The policy of an archive that nothing signs: its suites are believed as they are. A suite that is signed after all can
    /// be read, and not built on.
    #[must_use]
    pub fn unsigned() -> Self {
        Self::default().allow_unsigned()
    }

    /// The policy for a look at an archive whose keys are not known: everything can be read and nothing can be built on.
    #[must_use]
    pub fn unverified() -> Self {
        Self::default().read_unverified()
    }

    /// Accepts unsigned suites; the signature of a signed one is still checked if a key is known.
    #[must_use]
    pub fn allow_unsigned(self) -> Self {
        Self { verification: Verification::UnsignedOk, ..self }
    }

    /// Accepts these suites without a signature, and no others.
    #[must_use]
    pub fn allow_unsigned_suites(self, suites: impl IntoIterator<Item = Suite>) -> Self {
        let verification = match self.verification {
            Verification::Signed { mut except } => {
                except.extend(suites);
                Verification::Signed { except }
            }
            Verification::UnsignedOk => Verification::UnsignedOk,
        };
        Self { verification, ..self }
    }

    /// Also reads a suite that is not signed or that no known key can check, such as to report that. A signature that is
    /// wrong is refused all the same.
    #[must_use]
    pub fn read_unverified(self) -> Self {
        Self { reads_unverified: true, ..self }
    }

    /// Builds on a suite as it is, even if its signature is missing, wrong or older than one that was seen: for taking over an
    /// archive once.
    #[must_use]
    pub fn adopt_existing(self) -> Self {
        Self { adopts: true, ..self }
    }

    /// Publishes these keys for clients, beside those that sign.
    #[must_use]
    pub fn with_client_keys(self, clients: ClientKeys) -> Self {
        Self { clients, ..self }
    }

    /// The keys whose signatures count.
    #[must_use]
    pub fn keys(&self) -> &Keyring {
        &self.keyring
    }

    /// The keys to publish for clients.
    #[must_use]
    pub fn client_keys(&self) -> &ClientKeys {
        &self.clients
    }

    /// Whether signatures are demanded in this archive, of some suites or of all.
    #[must_use]
    pub fn demands_signatures(&self) -> bool {
        matches!(self.verification, Verification::Signed { .. })
    }

    /// Whether this suite must be signed.
    #[must_use]
    pub fn demands_signature_of(&self, suite: &Suite) -> bool {
        matches!(&self.verification, Verification::Signed { except } if !except.contains(suite))
    }

    /// Whether an operation builds on what is there, whatever its signature.
    #[must_use]
    pub fn adopts(&self) -> bool {
        self.adopts
    }

    /// Whether a suite may be looked at that cannot be verified.
    pub(crate) fn reads_unverified(&self) -> bool {
        self.reads_unverified
    }

    /// The same keys, without anything that accepts more than what they signed.
    pub(crate) fn strict(&self) -> Self {
        Self { keyring: self.keyring.clone(), now: self.now, ..Self::default() }
    }

    /// The same policy with other keys.
    pub(crate) fn with_keys(&self, keyring: Keyring) -> Self {
        Self { keyring, ..self.clone() }
    }

    /// The same policy, for what is not to be adopted.
    pub(crate) fn without_adopting(&self) -> Self {
        Self { adopts: false, ..self.clone() }
    }
}
