//! `Diagnosis`: a classified error.

use std::fmt;

/// A classified server error, with a hint.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    pub(super) text: String,
    pub(crate) hint: Option<String>,
    /// Whether the server could not be reached at all.
    pub(crate) unreachable: bool,
    /// Whether the same request may succeed later.
    pub(crate) transient: bool,
    /// Whether the store has no space left for the account.
    pub(crate) full: bool,
    /// The status of the response, if there was one.
    pub(crate) status: Option<u16>,
}

impl Diagnosis {
    pub(super) fn new(text: impl Into<String>, hint: Option<String>) -> Self {
        Self { text: text.into(), hint, unreachable: false, transient: false, full: false, status: None }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Diagnosis {}
