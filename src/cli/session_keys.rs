//! The keys of a command, and what it trusts.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::{failure::Failure, given_keys, session::Session};
use crate::{
    archive::{Event, GivenKeys, Keychain, Trust},
    config::SuiteConfig,
    signing::{self, Keyring},
};

impl Session<'_> {
    /// The keys for a command that signs.
    pub(super) fn keychain(&self) -> Result<Keychain, Failure> {
        Ok(Keychain { passphrase: given_keys::passphrase()?, ..self.keys_given()? })
    }

    /// The keys for a command that needs their public parts.
    pub(super) fn keys_given(&self) -> Result<Keychain, Failure> {
        Ok(self.keychain_of(given_keys::given(&self.sign_with, &self.current)?))
    }

    /// The keys for a dry run: it signs nothing, so secrets may be missing, as in the job of a pull request.
    pub(super) fn keychain_to_plan(&self) -> Keychain {
        let given = given_keys::given(&self.sign_with, &self.current).unwrap_or_else(|failure| {
            let problems = failure.errors.iter().map(|problem| problem.message.as_str());
            let problems = problems.collect::<Vec<_>>().join("; ");
            self.ui.warn(&format!("{problems}: without `--dry-run` this command fails"));
            GivenKeys::None
        });
        let passphrase = given_keys::passphrase().ok().flatten();
        Keychain { passphrase, ..self.keychain_of(given) }
    }

    /// The keys for a command that reads: it needs no passphrase.
    fn keychain_to_read(&self) -> Keychain {
        let given = given_keys::given(&self.sign_with, &self.current);
        self.keychain_of(given.unwrap_or_default())
    }

    fn keychain_of(&self, given: GivenKeys) -> Keychain {
        // gpg, or the command that has a key, may ask the user.
        self.ui.pause();
        Keychain {
            given,
            trust_existing: self.trust_existing,
            builds_on_unverified: self.builds_on_unverified,
            ..Keychain::new(self.config.clone(), self.key_folder(), self.now)
        }
    }

    /// Returns the trust policy for a suite to copy from.
    #[must_use]
    pub(super) fn trust_to_copy_from(&self, from: &SuiteConfig, to: &Trust) -> Trust {
        let (trust, problems) = self.keychain_to_read().trust_to_copy_from(from, to);
        self.warn_of_unreadable(problems);
        // A plan writes nothing, and may be made without any key.
        if self.plans && trust.keys().is_empty() {
            Trust::keyring(Keyring::new(), self.now).adopt_existing()
        } else {
            trust.with_clock(self.clock)
        }
    }

    /// Returns the trust policy for reading all suites: public parts are enough, and an unreadable key is only a warning.
    #[must_use]
    pub(super) fn trust_to_read(&self) -> Trust {
        let (trust, problems) = self.keychain_to_read().trust_to_read();
        self.warn_of_unreadable(problems);
        trust.with_clock(self.clock)
    }

    /// Returns the policy that trusts only the keys in these files, like `Signed-By` on a client.
    pub(super) fn trust_in(&self, files: &[String]) -> Result<Trust, Failure> {
        let mut keyring = Keyring::new();
        for name in files {
            let bytes = crate::regular::read(&self.current.join(name))
                .map_err(|error| Failure::file(&error, Path::new(name), "read"))?;
            keyring.add_bytes(name, &bytes).map_err(|error| {
                let hint = "name a file with public keys, such as `gpg --export --armor KEY` writes";
                Failure::from(error).with_hint(hint)
            })?;
        }
        Ok(Trust::keyring(keyring, self.now).with_clock(self.clock))
    }

    /// Whether `--trust-existing` is given.
    pub(super) fn trusts_existing(&self) -> bool {
        self.trust_existing
    }

    /// The same policy with `--trust-existing`, if that is given.
    pub(super) fn adopting(&self, trust: Trust) -> Trust {
        if self.trust_existing { trust.adopt_existing() } else { trust }
    }

    /// Returns whether `--trust-existing` is given, for another archive: this one is verified as without it.
    pub(super) fn take_trust_existing(&mut self) -> bool {
        std::mem::take(&mut self.trust_existing)
    }

    fn warn_of_unreadable(&self, problems: Vec<String>) {
        for problem in problems {
            self.ui.event(Event::UnreadableKeys(problem));
        }
    }

    /// Returns the keys of the command line for `SignWith:`; files by absolute path. A secret key is never written there.
    pub(super) fn sign_with_words(&self) -> Result<Option<String>, Failure> {
        if self.sign_with.iter().any(|word| signing::looks_secret(word) && !self.current.join(word).is_file())
        {
            return Err(signing::Error::SecretAsName.into());
        }
        let full = |word: &String| match self.current.join(word) {
            path if path.is_file() => path.display().to_string(),
            _ => word.clone(),
        };
        let words: Vec<String> = self.sign_with.iter().map(full).collect();
        Ok((!words.is_empty()).then(|| words.join(" ")))
    }

    /// Returns the folder of generated keys: outside the archive, which a web server may serve.
    #[must_use]
    #[expect(clippy::unused_self, reason = "the environment of the process is part of the session")]
    pub(super) fn key_folder(&self) -> Option<PathBuf> {
        signing::key_folder(|name| env::var_os(name))
    }
}
