//! The output of the commands with `--json`.
//!
//! These types are separate from the structs of the library, so that a change there does not change the output. A test runs
//! every command and compares each object with the schema below.
//!
#![doc = include_str!("schema.md")]

mod check;
mod errors;
mod keys;
mod look;
mod sync;
mod sweep;
mod publication;
mod package;

pub(super) use check::Checked;
pub(super) use errors::Failed;
pub(super) use keys::{ExportedKeys, KeyFile, KeyPackage, Keys, NewKey, Rotated};
pub(super) use look::{Diff, Listed, Log, ShownPackage, Side, Snapshots};
pub(super) use package::{File, ListedPackage};
pub(super) use publication::{Publication, Publications};
pub(super) use sweep::{Dropped, Pruned, RemovedSnapshot};
pub(super) use sync::{Destination, Synced};

use std::fmt::Write as _;

use serde::Serialize;

use super::text::is_control;

/// The schema above, for `publish help json`.
pub(super) const DOCUMENTATION: &str = include_str!("schema.md");

/// The version of the schema; a removed or redefined key increments it.
const SCHEMA: u32 = 1;

/// An object that a command prints; implemented only by types of this module.
pub(super) trait Document: Serialize {}

#[derive(Serialize)]
struct Versioned<'a, D> {
    schema: u32,
    #[serde(flatten)]
    document: &'a D,
}

/// Renders a document with the number of its schema.
pub(super) fn render(document: &impl Document) -> Vec<u8> {
    let rendered = serde_json::to_string_pretty(&Versioned { schema: SCHEMA, document }).unwrap_or_default();
    let mut text = String::with_capacity(rendered.len() + 1);
    for c in rendered.chars() {
        // JSON itself escapes only the ASCII controls; these characters occur in strings alone.
        if c != '\n' && is_control(c) {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text.push('\n');
    text.into_bytes()
}

/// The output of `init`.
#[derive(Debug, Serialize)]
pub(super) struct Initialized {
    pub(super) config: String,
    pub(super) suite: String,
    pub(super) sign_with: Option<String>,
    pub(super) key: Option<KeyFile>,
}

/// The output of `serve`, once it can be reached.
#[derive(Debug, Serialize)]
pub(super) struct Serving {
    pub(super) url: String,
    pub(super) archive: String,
}

impl Document for Initialized {}
impl Document for Serving {}

/// The texts of several names.
fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}
