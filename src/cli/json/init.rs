//! The output of `init`.

use serde::Serialize;

use super::{document::Document, keys::KeyFile};

/// The configuration that was written, and the key that was generated.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Initialized {
    pub(in crate::cli) config: String,
    pub(in crate::cli) suite: String,
    pub(in crate::cli) sign_with: Option<String>,
    pub(in crate::cli) key: Option<KeyFile>,
}

impl Document for Initialized {}
