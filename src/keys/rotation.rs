//! A key rotation: its options, and the old and new keys of each suite.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use super::{
    error::Error,
    event::KeyEvents,
    publisher::Publisher,
    rotation_state::{Named, RotationState},
};
use crate::suite::archive::Archive;

/// How long both keys sign by default.
pub const OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The options of a key rotation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RotateOptions {
    /// The configuration file to change.
    pub config: PathBuf,
    /// The folder that the paths of `to` are relative to.
    pub current: PathBuf,
    /// The new key; by default one is generated. In the second step, the key to keep.
    pub to: Option<String>,
    /// The expiry of a generated key.
    pub expires: Option<SystemTime>,
    /// Another name of the keyring package.
    pub name: Option<String>,
    /// The suites; by default all signed ones.
    pub suites: Vec<String>,
    /// Whether this is the second step, which drops the old key.
    pub finish: bool,
    /// How long the new key must have been published before the second step; zero for a compromised key.
    pub after: Duration,
}

impl RotateOptions {
    /// The first step for all signed suites, with a generated key that does not expire.
    #[must_use]
    pub fn new(config: impl Into<PathBuf>) -> Self {
        Self {
            config: config.into(),
            current: PathBuf::new(),
            to: None,
            expires: None,
            name: None,
            suites: Vec::new(),
            finish: false,
            after: OVERLAP,
        }
    }
}

/// The key rotation of one suite.
pub(super) struct SuiteRotation {
    pub(super) state: RotationState,
    pub(super) old: Vec<Named>,
    pub(super) new: Named,
}

/// The options of a rotation, its archive, and the receiver of its progress.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) options: &'a RotateOptions,
    pub(super) publisher: &'a Publisher<'a>,
    pub(super) events: KeyEvents<'a>,
}

impl Context<'_> {
    pub(super) fn now(&self) -> SystemTime {
        self.publisher.keychain.now
    }

    /// Resolves a word of `SignWith:`.
    pub(super) async fn read(&self, word: &str) -> Result<Named, Error> {
        let word = word.to_owned();
        Ok(self.publisher.blocking(move |keychain| Named::read(&word, keychain)).await?)
    }
}

/// The key rotation of several suites.
pub(super) struct Change<'a> {
    pub(super) context: Context<'a>,
    /// The archive, which trusts all configured keys.
    pub(super) archive: Archive,
    pub(super) rotations: Vec<SuiteRotation>,
}
