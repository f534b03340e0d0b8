//! The algorithm of a generated key, as an option.

use crate::signing::KeyAlgorithm;

/// The algorithm of a generated key.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum Algorithm {
    /// Small and fast: for Debian 9, Ubuntu 18.04 and later
    #[default]
    Ed25519,
    /// Larger and slower: for every version of apt
    Rsa3072,
    /// Larger and slower: for every version of apt
    Rsa4096,
}

impl From<Algorithm> for KeyAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::Rsa3072 => Self::Rsa3072,
            Algorithm::Rsa4096 => Self::Rsa4096,
        }
    }
}
