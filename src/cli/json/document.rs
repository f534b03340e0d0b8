//! The documents that `--json` prints, and the version of their schema.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::text::is_control;

/// The version of the schema; a removed or redefined key increments it.
const SCHEMA: u32 = 1;

/// An object that a command prints; implemented only by types of this module.
pub(in crate::cli) trait Document: Serialize {}

#[derive(Serialize)]
struct Versioned<'a, D> {
    schema: u32,
    #[serde(flatten)]
    document: &'a D,
}

/// Renders a document with the number of its schema.
pub(in crate::cli) fn render(document: &impl Document) -> Vec<u8> {
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

/// The texts of several names.
pub(super) fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}
