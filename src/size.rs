//! Sizes as text.

/// A number of bytes for people.
#[must_use]
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
