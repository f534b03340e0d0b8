//! The output of `serve`.

use serde::Serialize;

use super::document::Document;

/// The address of the preview, printed when it can be reached.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Serving {
    pub(in crate::cli) url: String,
    pub(in crate::cli) archive: String,
    /// The stanza for the suites that are named.
    pub(in crate::cli) sources: Option<String>,
}

impl Document for Serving {}
