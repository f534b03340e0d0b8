//! The output of `client`.

use serde::Serialize;

use super::document::{Document, texts};
use crate::archive;

/// The settings with which a client uses an archive.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Client {
    pub(in crate::cli) url: Option<String>,
    pub(in crate::cli) name: String,
    pub(in crate::cli) suites: Vec<ClientSuite>,
    pub(in crate::cli) key: Option<ClientKey>,
    pub(in crate::cli) sources: String,
    pub(in crate::cli) one_line: Vec<String>,
    pub(in crate::cli) script: String,
}

/// A suite as a client configures it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ClientSuite {
    suite: String,
    components: Vec<String>,
    architectures: Vec<String>,
    signed: bool,
    has_sources: bool,
}

/// The public keys of an archive.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ClientKey {
    pub(in crate::cli) path: String,
    pub(in crate::cli) url: Option<String>,
    pub(in crate::cli) sha256: String,
    pub(in crate::cli) fingerprints: Vec<String>,
    pub(in crate::cli) armored: String,
}

impl Document for Client {}

impl From<&archive::ClientSuite> for ClientSuite {
    fn from(suite: &archive::ClientSuite) -> Self {
        Self {
            suite: suite.suite.to_string(),
            components: texts(&suite.components),
            architectures: texts(&suite.architectures),
            signed: suite.signed,
            has_sources: suite.has_sources,
        }
    }
}
