//! `Keychain`: the keys of a configured archive, and the trust policies that follow from them.
//!
//! Keys that the caller gives override those of the configuration. Its methods block: they read files and may run gpg.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::error::Error;
use crate::{
    config::{Config, SuiteConfig},
    names::Suite,
    signing::{self, Gpg, KeySource, KeyWarning, Keyring, Passphrase, SigningKeys},
    suite::trust::{ClientKeys, Trust},
};

/// The keys of a configured archive.
#[derive(Clone)]
#[non_exhaustive]
pub struct Keychain {
    /// The configuration; empty if there is none.
    pub config: Config,
    /// The keys that override the configuration.
    pub given: GivenKeys,
    /// The passphrase of secret keys.
    pub passphrase: Option<Passphrase>,
    /// The folder of generated keys.
    pub key_folder: Option<PathBuf>,
    /// Whether a published suite is adopted as it is.
    pub trust_existing: bool,
    /// The keys that the archive offers to its clients: in a plan, the public parts of configured keys that are not here.
    pub offered: Keyring,
    /// Whether a published suite is built on that is not signed, or that no known key can verify: the configuration lies in
    /// the folder of the archive, so that a user who can change the archive can change it too.
    pub builds_on_unverified: bool,
    /// The time of the signatures.
    pub now: SystemTime,
}

/// Keys that override those of the configuration.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum GivenKeys {
    /// The configured keys are used.
    #[default]
    None,
    /// Keys by name; relative paths are resolved against the folder.
    Named(Vec<String>, PathBuf),
    /// A secret key itself.
    Secret(KeySource),
}

/// The keys of a suite: the signing keys and the trusted keys.
#[non_exhaustive]
pub struct SuiteKeys {
    /// The signing keys, if the suite is signed.
    pub signing: Option<SigningKeys>,
    /// The trusted keys.
    pub trust: Trust,
    /// Whether a signed suite is planned although no key is there.
    pub(super) plan_signed: bool,
    /// Warnings for the owner of the keys.
    pub warnings: Vec<KeyWarning>,
}

impl Keychain {
    /// The configured keys, without a passphrase.
    #[must_use]
    pub fn new(config: Config, key_folder: Option<PathBuf>, now: SystemTime) -> Self {
        Self {
            config,
            given: GivenKeys::None,
            passphrase: None,
            key_folder,
            trust_existing: false,
            offered: Keyring::new(),
            builds_on_unverified: false,
            now,
        }
    }

    /// The same keys with another configuration, such as one that was just written.
    #[must_use]
    pub fn with_config(&self, config: Config) -> Self {
        Self { config, ..self.clone() }
    }

    /// Whether keys override those of the configuration.
    #[must_use]
    pub fn is_overridden(&self) -> bool {
        !matches!(self.given, GivenKeys::None)
    }

    /// Whether a key signs this suite.
    #[must_use]
    pub fn signs(&self, suite: &SuiteConfig) -> bool {
        self.is_overridden() || !suite.sign_with.is_empty()
    }

    /// Parses a word of `SignWith:`.
    pub(super) fn parse(&self, word: &str) -> Result<KeySource, signing::Error> {
        KeySource::parse(word, &self.config.folder, self.folder())
    }

    pub(super) fn folder(&self) -> &Path {
        self.key_folder.as_deref().unwrap_or(Path::new(""))
    }

    /// Returns the given keys, else the configured ones.
    fn sources(&self, configured: &[String]) -> Result<Vec<KeySource>, signing::Error> {
        let (words, folder) = match &self.given {
            GivenKeys::Secret(source) => return Ok(vec![source.clone()]),
            GivenKeys::Named(words, folder) => (&words[..], folder),
            GivenKeys::None => (configured, &self.config.folder),
        };
        words.iter().map(|word| KeySource::parse(word, folder, self.folder())).collect()
    }

    /// Returns every signing key of the archive.
    pub fn all_sources(&self) -> Result<Vec<KeySource>, signing::Error> {
        let mut words: Vec<String> = Vec::new();
        for word in self.config.suites.iter().flat_map(|suite| &suite.sign_with) {
            if !words.contains(word) {
                words.push(word.clone());
            }
        }
        self.sources(&words)
    }

    /// Opens and checks the signing keys of a suite, and returns them with the trusted keys.
    pub fn open(&self, suite: &SuiteConfig) -> Result<SuiteKeys, Error> {
        let sources = self.sources(&suite.sign_with)?;
        let mut trusted = Keyring::new();
        add_trusted_keys(suite, &mut trusted)?;
        let signing = match &sources[..] {
            [] => None,
            sources => {
                let keys = SigningKeys::open(sources, self.passphrase.as_ref(), self.now)?;
                Some(keys.for_clients_with(&trusted))
            }
        };
        let mut warnings: Vec<KeyWarning> = signing.iter().flat_map(|keys| keys.warnings(self.now)).collect();
        if let Some(KeySource::Command(command)) = sources.first().filter(|_| trusted.is_empty()) {
            warnings.push(KeyWarning::UnknownKey { command: command.clone() });
        }
        let mut keyring = Keyring::new();
        if let Some(keys) = &signing {
            keyring.merge(keys.certificates());
            let (given, configured) = (keyring.fingerprints().len(), suite.sign_with.len());
            if self.is_overridden() && given < configured {
                let suite = suite.codename.to_string();
                warnings.push(KeyWarning::FewerKeys { suite, configured, given });
            }
        }
        keyring.merge(&trusted);
        let trust = self.adopting(Trust::keyring(keyring, self.now));
        let trust = if signing.is_some() { trust } else { trust.allow_unsigned() };
        Ok(SuiteKeys { signing, trust, plan_signed: false, warnings })
    }

    /// Returns the keys of a suite to change, with the public keys for clients.
    pub fn open_to_publish(&self, suite: &SuiteConfig) -> Result<SuiteKeys, Error> {
        let mut keys = self.open(suite)?;
        let mut clients = ClientKeys { complete: true, ..ClientKeys::default() };
        if let Some(signing) = &keys.signing {
            // The key of a signing command is unknown; the trusted keys include its public part.
            let own = signing.certificates();
            clients.keyring.merge(if own.is_empty() { keys.trust.keys() } else { own });
        }
        // The configured keys of this suite are already open, unless other keys override them.
        let is_opened = |word: &&String| !self.is_overridden() && suite.sign_with.contains(word);
        let words = self.config.suites.iter().flat_map(|suite| &suite.sign_with);
        for word in words.filter(|word| !is_opened(word)) {
            // A job may have neither the keys of other suites nor both keys during a rotation.
            match self.certificates_of(word) {
                Ok(certificates) if !certificates.is_empty() => clients.keyring.merge(&certificates),
                _ => clients.complete = false,
            }
        }
        keys.trust = keys.trust.with_client_keys(clients);
        Ok(keys)
    }

    /// Returns the trusted keys of a suite for a dry run without its signing keys.
    pub(super) fn plan(&self, suite: &SuiteConfig) -> Result<SuiteKeys, Error> {
        let mut keyring = Keyring::new();
        add_trusted_keys(suite, &mut keyring)?;
        // The public part may be there.
        let known = self.sources(&suite.sign_with).unwrap_or_default();
        for certificates in known.iter().filter_map(|source| self.certificates(source).ok()) {
            keyring.merge(&certificates);
        }
        let trust = self.adopting(Trust::keyring(keyring, self.now));
        Ok(SuiteKeys { signing: None, trust, plan_signed: true, warnings: Vec::new() })
    }

    /// Returns the trust policy for a suite to copy from, and the problems of keys that cannot be read: its configured
    /// keys, and the keys of the target suite, which can change the target anyway.
    ///
    /// An unsigned suite is accepted only if the target is unsigned too, unless the archive holds its configuration.
    #[must_use]
    pub fn trust_to_copy_from(&self, from: &SuiteConfig, to: &Trust) -> (Trust, Vec<String>) {
        let mut keyring = Keyring::new();
        let mut problems = Vec::new();
        if let Err(error) = add_trusted_keys(from, &mut keyring) {
            problems.push(error.to_string());
        }
        for word in &from.sign_with {
            // The public part is enough: a job may publish in only one of the suites.
            match self.certificates_of(word) {
                Ok(certificates) => keyring.merge(&certificates),
                Err(error) => problems.push(error.to_string()),
            }
        }
        // A suite without a key, or signed by a command, can be verified with no key.
        let is_taken = self.builds_on_unverified && keyring.is_empty() && problems.is_empty();
        if !is_taken {
            keyring.merge(to.keys());
        }
        let trust = self.adopting(Trust::keyring(keyring, self.now));
        let is_signed = to.demands_signatures() || !from.sign_with.is_empty() || self.builds_on_unverified;
        (if is_signed { trust } else { trust.allow_unsigned() }, problems)
    }

    /// Returns the trust policy for reading all suites, and the problems of keys that cannot be read: public parts are
    /// enough.
    #[must_use]
    pub fn trust_to_read(&self) -> (Trust, Vec<String>) {
        let mut keyring = Keyring::new();
        let mut problems = Vec::new();
        let mut unsigned: Vec<Suite> = Vec::new();
        for suite in &self.config.suites {
            problems.extend(self.add_public_keys(suite, &mut keyring).err().map(|error| error.to_string()));
            if !self.signs(suite) {
                unsigned.push(suite.codename.clone());
            }
        }
        if self.config.suites.is_empty() {
            let given = self.add_given_keys(&[], &mut keyring);
            problems.extend(given.err().map(|error| error.to_string()));
        }
        let trust = self.adopting(Trust::keyring(keyring, self.now)).read_unverified();
        let all_unsigned = !self.is_overridden() && unsigned.len() == self.config.suites.len();
        (if all_unsigned { trust.allow_unsigned() } else { trust.allow_unsigned_suites(unsigned) }, problems)
    }

    /// The same policy; if the user asked for it, it adopts what is published.
    fn adopting(&self, trust: Trust) -> Trust {
        let trust = if self.builds_on_unverified { trust.build_on_unverified() } else { trust };
        if self.trust_existing { trust.adopt_existing() } else { trust }
    }

    fn add_public_keys(&self, suite: &SuiteConfig, keyring: &mut Keyring) -> Result<(), Error> {
        // Trusted keys first: a missing signing key must not hide them.
        let trusted = add_trusted_keys(suite, keyring);
        self.add_given_keys(&suite.sign_with, keyring)?;
        trusted
    }

    fn add_given_keys(&self, configured: &[String], keyring: &mut Keyring) -> Result<(), Error> {
        for source in self.sources(configured)? {
            keyring.merge(&self.certificates(&source)?);
        }
        Ok(())
    }

    /// Returns the public keys of all suites for clients; a suite signed by a command has its trusted keys.
    pub fn public_keys(&self) -> Result<Keyring, Error> {
        let mut keyring = Keyring::new();
        if self.is_overridden() {
            self.add_keys_for_clients(&[], None, &mut keyring)?;
        } else {
            for suite in &self.config.suites {
                self.add_keys_for_clients(&suite.sign_with, Some(suite), &mut keyring)?;
            }
        }
        if keyring.is_empty() { Err(signing::Error::NoKeys.into()) } else { Ok(keyring) }
    }

    /// Returns the public keys of one suite for clients; none if it is not signed.
    pub fn public_keys_of(&self, suite: &SuiteConfig) -> Result<Keyring, Error> {
        let mut keyring = Keyring::new();
        self.add_keys_for_clients(&suite.sign_with, Some(suite), &mut keyring)?;
        Ok(keyring)
    }

    fn add_keys_for_clients(
        &self,
        words: &[String],
        suite: Option<&SuiteConfig>,
        keyring: &mut Keyring,
    ) -> Result<(), Error> {
        for source in self.sources(words)? {
            match (&source, suite.filter(|suite| !suite.trusted_keys.is_empty())) {
                (KeySource::Command(_), Some(suite)) => add_trusted_keys(suite, keyring)?,
                (KeySource::Command(command), None) => {
                    return Err(signing::Error::KeyOfCommand { command: command.clone() }.into());
                }
                _ => keyring.merge(&self.certificates(&source)?),
            }
        }
        Ok(())
    }

    /// Returns the public keys of all suites that can be read, for a plan.
    pub(super) fn readable_keys(&self) -> Keyring {
        let mut keyring = Keyring::new();
        for suite in &self.config.suites {
            let _ = add_trusted_keys(suite, &mut keyring);
        }
        for source in self.all_sources().unwrap_or_default() {
            if let Ok(certificates) = self.certificates(&source) {
                keyring.merge(&certificates);
            }
        }
        keyring
    }

    /// Returns the public part of a word of `SignWith:`.
    fn certificates_of(&self, word: &str) -> Result<Keyring, signing::Error> {
        self.certificates(&self.parse(word)?)
    }

    /// Returns the public part of a key. May run gpg.
    pub(super) fn certificates(&self, source: &KeySource) -> Result<Keyring, signing::Error> {
        let found = source.certificates(&Gpg::default());
        let KeySource::Gpg(name) = source else { return found };
        found.or_else(|error| {
            let offered = self.offered.only(&fingerprint(name).into_iter().collect::<Vec<_>>());
            if offered.is_empty() { Err(error) } else { Ok(offered) }
        })
    }

    /// Returns the fingerprints of a word of `SignWith:`, which may be a fingerprint itself.
    pub(super) fn fingerprints_of(&self, word: &str) -> Vec<String> {
        match fingerprint(word) {
            Some(fingerprint) => vec![fingerprint],
            None => self.certificates_of(word).map(|keyring| keyring.fingerprints()).unwrap_or_default(),
        }
    }
}

/// The fingerprint that a word of `SignWith:` is.
fn fingerprint(word: &str) -> Option<String> {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    let is_one = digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_one.then(|| digits.to_ascii_uppercase())
}

fn add_trusted_keys(suite: &SuiteConfig, keyring: &mut Keyring) -> Result<(), Error> {
    for path in &suite.trusted_keys {
        let bytes =
            crate::regular::read(path).map_err(|source| Error::TrustedKeys { path: path.clone(), source })?;
        keyring.add_bytes(&path.display().to_string(), &bytes)?;
    }
    Ok(())
}
