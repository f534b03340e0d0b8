//! What the commands print with `--json`.
//!
//! The types here are made for that and for nothing else: a change of the library's own structs changes no output. A test
//! runs every command and compares each object with the text below.
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
pub(super) use keys::{ExportedKeys, KeyFile, KeyPackage, Keys, NewKey, PackageVersion, Rotated, Rotation};
pub(super) use look::{Diff, Listed, Log, ShownPackage, Snapshots, State};
pub(super) use package::{File, ListedPackage};
pub(super) use publication::{Publication, Publications};
pub(super) use sweep::{Pruned, RemovedSnapshot};
pub(super) use sync::{Destination, Synced};

use serde::Serialize;

/// The text above, for `publish help json`.
pub(super) const DOCUMENTATION: &str = include_str!("schema.md");

/// Counts changes after which a script may have to be changed: a key that is gone, or means something else.
const SCHEMA: u32 = 1;

/// What a command prints: one object. Only types of this room are.
pub(super) trait Document: Serialize {}

#[derive(Serialize)]
struct Versioned<'a, D> {
    schema: u32,
    #[serde(flatten)]
    document: &'a D,
}

/// Renders a document with the number of its schema.
pub(super) fn render(document: &impl Document) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(&Versioned { schema: SCHEMA, document }).unwrap_or_default();
    text.push(b'\n');
    text
}

/// What `init` prints.
#[derive(Debug, Serialize)]
pub(super) struct Initialized {
    pub(super) config: String,
    pub(super) suite: String,
    pub(super) sign_with: Option<String>,
    pub(super) key: Option<KeyFile>,
}

/// What `serve` prints once it can be reached.
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
