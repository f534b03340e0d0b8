//! Fields of a suite with few possible values, and their types.

use super::lines::text_of;
use crate::stanza::Stanza;

/// Whether a suite has source packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sources {
    /// `Architectures` does not name `source`: they are refused.
    Refused,
    /// Nothing is configured: they are accepted, and a component has `Sources` from its first source package on.
    Accepted,
    /// `Architectures` names `source`: every component has `Sources`, even an empty one.
    Listed,
    /// `Architectures` names `source` alone: as [`Sources::Listed`], and binary packages are refused.
    Alone,
}

/// Whether clients get patches of the indices (`PDiffs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Patches {
    /// Of every index that is so large that they pay.
    Auto,
    /// Of every index.
    Always,
    /// Of none.
    Never,
}

/// `Translations: en` or `no`.
pub(super) fn translations(stanza: &Stanza<'_>) -> Result<bool, String> {
    match text_of(stanza, "Translations")?.as_deref().map(str::trim) {
        None | Some("" | "no" | "none") => Ok(false),
        Some("en" | "yes") => Ok(true),
        Some(other) => Err(format!("field `Translations` is `{other}`; expected `en` or `no`")),
    }
}

/// A field that is `yes` or `no`; `no` if it is missing.
pub(super) fn yes_or_no(stanza: &Stanza<'_>, field: &str) -> Result<bool, String> {
    match text_of(stanza, field)?.as_deref().map(str::trim) {
        None | Some("no" | "No" | "0" | "false") => Ok(false),
        Some("" | "yes" | "Yes" | "1" | "true") => Ok(true),
        Some(other) => Err(format!("field `{field}` is `{other}`; expected `yes` or `no`")),
    }
}

/// A field that is `yes` or `no`, if it is set.
pub(super) fn optional_yes_or_no(stanza: &Stanza<'_>, field: &str) -> Result<Option<bool>, String> {
    Ok(match text_of(stanza, field)? {
        Some(_) => Some(yes_or_no(stanza, field)?),
        None => None,
    })
}

/// The value of one of our own fields, if it is set.
pub(super) fn parsed<T>(
    stanza: &Stanza<'_>,
    field: &str,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(value) = text_of(stanza, field)? else { return Ok(None) };
    let wrong = || format!("field `{field}` is `{}`; expected {expected}", value.trim());
    parse(value.trim()).map(Some).ok_or_else(wrong)
}

/// The expected values of `PDiffs`.
pub(super) const PATCHES: &str = "`yes`, `no` or `auto`";

pub(super) fn patches(value: &str) -> Option<Patches> {
    match value.to_ascii_lowercase().as_str() {
        "auto" => Some(Patches::Auto),
        "yes" => Some(Patches::Always),
        "no" => Some(Patches::Never),
        _ => None,
    }
}

/// Whether the value of `DebIndices` or `DscIndices` names the file beside each index.
pub(super) fn names_release(text: &str) -> bool {
    text.split_whitespace().nth(1) == Some("Release")
}
