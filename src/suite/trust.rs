//! `Trust`: the policy that decides which suites are trusted, for reading them and for building on them.
//!
//! The shortest policy is the safe one: [`Trust::keyring`] accepts only suites signed by one of the keys. Each
//! relaxation has a method of its own.

use std::time::{Duration, SystemTime};

use super::source_keys::SourceKeys;
use crate::{names::Suite, signing::Keyring};

/// Which suites must be signed.
#[derive(Debug, Clone, Default)]
enum Verification {
    /// All except these.
    Signed { except: Vec<Suite> },
    /// None: the archive is unsigned.
    #[default]
    UnsignedOk,
}

/// The policy that decides which release files of an archive are trusted.
///
/// Reading ([`Archive::suite`](crate::suite::archive::Archive::suite)) and building on a suite
/// ([`Archive::commit`](crate::suite::archive::Archive::commit)) follow it. A suite that is not published yet needs no
/// signature.
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
/// // The same, but the next commit adopts the published suite as it is.
/// let once = trust.clone().adopt_existing();
/// // The archive is unsigned.
/// let unsigned = Trust::unsigned();
/// ```
#[derive(Clone)]
pub struct Trust {
    /// The trusted keys.
    pub(crate) keyring: Keyring,
    /// The time at which these keys must be valid; without it no signature is verified.
    pub(crate) now: Option<SystemTime>,
    /// The clock of this machine, if `now` is another time.
    clock: Option<SystemTime>,
    verification: Verification,
    /// Whether a suite without a signature, or without a known key to verify it, may be read.
    reads_unverified: bool,
    /// Whether an operation builds on a suite without a signature, or without a known key to verify it.
    builds_on_unverified: bool,
    /// Whether an operation builds on the published suite regardless of its signature.
    adopts: bool,
    /// The keys to publish for clients.
    pub(crate) clients: ClientKeys,
    /// The rule for the signatures of another archive; `None` for one of ours.
    pub(super) source_keys: Option<SourceKeys>,
}

/// The public keys at the root of the archive, with which clients verify its suites.
#[derive(Clone, Default)]
pub struct ClientKeys {
    /// The keys.
    pub keyring: Keyring,
    /// Whether these are the keys of all suites; otherwise the published keys stay as well.
    pub complete: bool,
}

/// Trusts nothing: no key is known, and every suite must be signed.
impl Default for Trust {
    fn default() -> Self {
        Self {
            keyring: Keyring::new(),
            now: None,
            clock: None,
            verification: Verification::Signed { except: Vec::new() },
            reads_unverified: false,
            builds_on_unverified: false,
            adopts: false,
            clients: ClientKeys::default(),
            source_keys: None,
        }
    }
}

impl Trust {
    /// Trusts a suite if one of these keys has signed it and is valid now.
    #[must_use]
    pub fn keyring(keyring: Keyring, now: SystemTime) -> Self {
        Self { keyring, now: Some(now), ..Self::default() }
    }

    /// The same policy, where the clock of this machine may show a later time than the one at which keys must be valid.
    #[must_use]
    pub fn with_clock(self, clock: SystemTime) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// The present: a time of the past that reproduces an archive makes nothing lie in the future.
    pub(crate) fn present(&self) -> Option<SystemTime> {
        self.now.map(|now| self.clock.map_or(now, |clock| clock.max(now)))
    }

    /// The policy for an unsigned archive: its suites are trusted as they are. A suite that is signed anyway can be
    /// read, but not built on.
    #[must_use]
    pub fn unsigned() -> Self {
        Self::default().allow_unsigned()
    }

    /// The policy for reading an archive whose keys are unknown: everything can be read and nothing can be built on.
    #[must_use]
    pub fn unverified() -> Self {
        Self::default().read_unverified()
    }

    /// The same policy at a later time.
    #[must_use]
    pub(crate) fn after(self, time: Duration) -> Self {
        Self { now: self.now.map(|now| now + time), ..self }
    }

    /// Accepts unsigned suites; the signature of a signed suite is still verified if a key is known.
    #[must_use]
    pub fn allow_unsigned(self) -> Self {
        Self { verification: Verification::UnsignedOk, ..self }
    }

    /// Accepts only these suites without a signature.
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

    /// Also reads a suite that is unsigned or that no known key can verify, for example to report that. An invalid
    /// signature is still refused.
    #[must_use]
    pub fn read_unverified(self) -> Self {
        Self { reads_unverified: true, ..self }
    }

    /// Also builds on a suite that is unsigned or that no known key can verify: for an archive whose configuration lies in
    /// its folder, where a change of the one can be one of the other. An invalid signature is still refused, and so is
    /// that of another key.
    #[must_use]
    pub fn build_on_unverified(self) -> Self {
        Self { builds_on_unverified: true, ..self }
    }

    /// Builds on a suite as it is, even if its signature is missing or invalid, or the suite was rolled back: for
    /// adopting an existing archive once.
    #[must_use]
    pub fn adopt_existing(self) -> Self {
        Self { adopts: true, ..self }
    }

    /// Publishes these keys for clients, in addition to the signing keys.
    #[must_use]
    pub fn with_client_keys(self, clients: ClientKeys) -> Self {
        Self { clients, ..self }
    }

    /// The trusted keys.
    #[must_use]
    pub fn keys(&self) -> &Keyring {
        &self.keyring
    }

    /// The keys to publish for clients.
    #[must_use]
    pub fn client_keys(&self) -> &ClientKeys {
        &self.clients
    }

    /// Whether some or all suites of this archive must be signed.
    #[must_use]
    pub fn demands_signatures(&self) -> bool {
        matches!(self.verification, Verification::Signed { .. })
    }

    /// Whether this suite must be signed.
    #[must_use]
    pub fn demands_signature_of(&self, suite: &Suite) -> bool {
        matches!(&self.verification, Verification::Signed { except } if !except.contains(suite))
    }

    /// Whether an operation builds on the published suite regardless of its signature.
    #[must_use]
    pub fn adopts(&self) -> bool {
        self.adopts
    }

    /// Whether an operation builds on a suite that cannot be verified.
    pub(crate) fn builds_on_unverified(&self) -> bool {
        self.builds_on_unverified || self.adopts
    }

    /// Whether a suite that cannot be verified may be read.
    pub(crate) fn reads_unverified(&self) -> bool {
        self.reads_unverified
    }

    /// The same policy for another archive: a key that has expired since it signed is refused, as by its clients.
    #[must_use]
    pub(crate) fn of_source(self) -> Self {
        let source_keys = self.source_keys.or_else(|| Some(SourceKeys::default()));
        Self { source_keys, ..self }
    }

    /// The same policy for another archive, which these keys may sign.
    #[must_use]
    pub(crate) fn of_source_keys(self, keys: SourceKeys) -> Self {
        Self { source_keys: Some(keys), ..self }
    }

    /// The same keys without any relaxation.
    pub(crate) fn strict(&self) -> Self {
        Self { keyring: self.keyring.clone(), now: self.now, clock: self.clock, ..Self::default() }
    }

    /// The same policy with other keys.
    pub(crate) fn with_keys(&self, keyring: Keyring) -> Self {
        Self { keyring, ..self.clone() }
    }

    /// The same policy without adoption.
    pub(crate) fn without_adopting(&self) -> Self {
        Self { adopts: false, ..self.clone() }
    }

    /// The same policy, which builds only on suites that it can verify.
    pub(crate) fn verifying(&self) -> Self {
        Self { builds_on_unverified: false, ..self.clone() }
    }
}
