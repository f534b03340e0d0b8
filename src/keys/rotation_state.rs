//! The state of a key rotation: the configured keys of each suite, and the signers of what is published.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use super::{error::Error, keychain::Keychain, publisher::Publisher};
use crate::{
    config::SuiteConfig,
    names::Suite,
    signing::{self, KeyReport, KeySource, Keyring},
    suite::{archive::Archive, published::PublishedSuite},
};

/// A signed suite: its configuration, and its published signatures.
pub(super) struct RotationState {
    pub(super) config: SuiteConfig,
    /// The keys in `SignWith:`.
    pub(super) keys: Vec<Named>,
    /// The suite, if it is published, and its snapshots.
    pub(super) published: Vec<Signed>,
}

/// A key in `SignWith:`.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) word: String,
    pub(super) public: Keyring,
    /// The file of the secret part, if there is one.
    pub(super) file: Option<String>,
}

/// The signers of a published suite.
pub(super) struct Signed {
    pub(super) suite: Suite,
    /// The keys with verified signatures, and the issuers of the other signatures.
    signers: BTreeSet<String>,
    unknown_signers: Vec<String>,
    /// Whether it has an `InRelease`; old tools wrote none.
    in_release: bool,
    /// The keys in `Signed-By` of `Release`: apt requires one of them for the next release file while this one is valid,
    /// unless the source has a `Signed-By` of its own.
    demanded: Vec<String>,
}

impl Named {
    /// Resolves a word of `SignWith:`. May run gpg.
    pub(super) fn read(word: &str, keychain: &Keychain) -> Result<Self, signing::Error> {
        let source = keychain.parse(word)?;
        let file = match &source {
            KeySource::SecretKey { origin, .. } => Some(origin.clone()),
            KeySource::Gpg(_) => None,
            KeySource::Command(command) => {
                return Err(signing::Error::KeyOfCommand { command: command.clone() });
            }
        };
        Ok(Self { word: word.to_owned(), public: keychain.certificates(&source)?, file })
    }

    pub(super) fn fingerprints(&self) -> Vec<String> {
        self.public.fingerprints()
    }

    /// The fingerprint that names its file.
    pub(super) fn fingerprint(&self) -> String {
        self.fingerprints().into_iter().next().unwrap_or_default()
    }

    /// Whether both are the same keys.
    pub(super) fn is(&self, other: &Keyring) -> bool {
        let theirs: BTreeSet<String> = other.fingerprints().into_iter().collect();
        self.fingerprints().into_iter().collect::<BTreeSet<_>>() == theirs
    }

    pub(super) fn reports(&self, now: SystemTime) -> Vec<KeyReport> {
        self.public.reports(now)
    }

    /// The day on which it expires.
    pub(super) fn expires(&self, now: SystemTime) -> Option<String> {
        self.reports(now).into_iter().filter_map(|key| key.expires).min()
    }

    pub(super) fn has_expired(&self, now: SystemTime) -> bool {
        self.reports(now).iter().any(|key| key.days_left.is_some_and(|left| left < 0))
    }
}

impl Signed {
    fn of(published: &PublishedSuite, keys: &Keyring) -> Option<Self> {
        let pointer = published.pointer()?;
        let in_release = pointer.is_in_release();
        let unknown_signers = if in_release {
            // An unreadable signature counts as foreign.
            keys.unknown_signers(&pointer.bytes).unwrap_or_else(|error| vec![error.to_string()])
        } else {
            Vec::new()
        };
        let signers = pointer.signers.iter().cloned().collect();
        let field = |name| pointer.release.field(name);
        let demanded = field("Signed-By").filter(|_| field("Valid-Until").is_some()).unwrap_or_default();
        let demanded = demanded.split([',', ' ', '\t', '\n']).map(|key| key.trim_end_matches('!'));
        let demanded = demanded.filter(|key| !key.is_empty()).map(str::to_uppercase).collect();
        Some(Self { suite: published.name().clone(), signers, unknown_signers, in_release, demanded })
    }

    /// Whether clients that hold it accept a next release file signed only by this key.
    pub(super) fn admits(&self, key: &Named) -> bool {
        let certs = key.public.key_fingerprints();
        self.demanded.is_empty() || certs.iter().any(|key| self.demanded.contains(key))
    }

    /// Whether it is signed by exactly these keys.
    pub(super) fn is_by(&self, keys: &[Named]) -> bool {
        let wanted: BTreeSet<String> = keys.iter().flat_map(Named::fingerprints).collect();
        self.in_release && self.unknown_signers.is_empty() && self.signers == wanted
    }

    /// Whether another key than these signed it.
    pub(super) fn is_by_others(&self, keys: &[Named]) -> bool {
        let known: BTreeSet<String> = keys.iter().flat_map(Named::fingerprints).collect();
        !self.unknown_signers.is_empty() || !self.signers.is_subset(&known)
    }

    /// Whether it is signed by this key; others may sign too.
    pub(super) fn is_by_also(&self, key: &Named) -> bool {
        key.fingerprints().iter().all(|fingerprint| self.signers.contains(fingerprint))
    }
}

impl RotationState {
    /// Reads a suite; `archive` trusts the configured keys.
    pub(super) async fn read(
        config: &SuiteConfig,
        through: &Publisher<'_>,
        archive: &Archive,
    ) -> Result<Self, Error> {
        let words = config.sign_with.clone();
        let read = move |keychain: &Keychain| {
            words.iter().map(|word| Named::read(word, keychain)).collect::<Result<Vec<_>, _>>()
        };
        let (keys, trusted) = (through.blocking(read).await?, archive.trust.keys());
        let mut published: Vec<Signed> = Vec::new();
        published.extend(Signed::of(&archive.suite(&config.codename).await?, trusted));
        for snapshot in archive.snapshots(&config.codename).await? {
            published.extend(Signed::of(&snapshot, trusted));
        }
        Ok(Self { config: config.clone(), keys, published })
    }

    pub(super) fn is_published(&self) -> bool {
        self.published.iter().any(|signed| signed.suite == self.config.codename)
    }

    /// Returns since when a keyring package of the suite has offered the key.
    pub(super) async fn offers_since(
        &self,
        archive: &Archive,
        key: &Named,
    ) -> Result<Option<SystemTime>, Error> {
        let (suite, mut since) = (&self.config.codename, None);
        for name in archive.keyring_package_names(suite, &key.public).await? {
            // Stop at the first package without the key: a key that was dropped and added again counts from the second time.
            for package in archive.keyring_packages(suite, &name).await? {
                let Some(content) = package.content else { break };
                let held = content.keys.fingerprints();
                if !key.fingerprints().iter().all(|fingerprint| held.contains(fingerprint)) {
                    break;
                }
                since = Some(since.map_or(content.made, |since: SystemTime| since.min(content.made)));
            }
        }
        Ok(since)
    }
}

/// Renders the day of a time.
pub(super) fn day(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .map_or_else(|_| "a day in the far future".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// Returns the first day on which the span has passed.
pub(super) fn day_after(time: SystemTime, span: Duration) -> String {
    // Only the day is printed, so it is rounded up.
    let whole = Duration::from_secs(24 * 60 * 60 - 1);
    time.checked_add(span + whole).map_or_else(|| "a day in the far future".to_owned(), day)
}
