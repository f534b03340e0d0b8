//! Formats sizes as text.

/// Formats a number of bytes with a binary unit.
#[must_use]
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
