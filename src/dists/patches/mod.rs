//! Patches of an index (`Packages.diff/`, and those of `Sources`, `Contents` and `Translation`), with which a client that has an earlier text downloads only the changes.
//!
//! Each commit that changes an index writes one patch, from the earlier text to the new one: an ed script, as apt's
//! `rred` reads it. `Packages.diff/Index` lists the patches in the order of their commits, each with the digest of the
//! text that it applies to; apt applies all from its own text on. An `Index` of another text is ignored by apt, which
//! then downloads the whole index: a missing or stale patch costs bytes, and nothing else
//! ([repository format](https://wiki.debian.org/DebianRepository/Format), "indices diffs").

pub mod script;
pub mod history;

pub use history::{History, Patch};

use std::{borrow::Cow, cmp::Ordering};

use jiff::{ToSpan, civil::DateTime};

use crate::digest::Sha256Digest;

/// The form of the time in a name.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// How many digits of the digest of a patch are in its name.
const DIGITS: usize = 16;

/// The name of a patch that follows `last`, without `.gz`: the digest determines the bytes, and the time distinguishes two
/// equal changes.
///
/// apt applies patches in the order of their names, whatever the order in `Index`. So the time of a patch of the same
/// second as the last one, or of a machine whose clock is behind, is a second after that of the last one. `None` if no time
/// is after the last name.
#[must_use]
pub fn name_after(last: Option<&str>, now: &str, file: &Sha256Digest) -> Option<String> {
    let digest = &file.to_string()[..DIGITS];
    let time = match last.map(|last| last.split_once('-').map_or(last, |(time, _)| time)) {
        Some(last) if last.cmp(now) != Ordering::Less => {
            let next = DateTime::strptime(TIME, last).ok()?.checked_add(1.second()).ok()?;
            Cow::Owned(next.strftime(TIME).to_string())
        }
        _ => Cow::Borrowed(now),
    };
    Some(format!("{time}-{digest}")).filter(|name| last.is_none_or(|last| last < name.as_str()))
}

/// Whether a file has the name of a patch that this program wrote.
#[must_use]
pub fn is_name_of_ours(file: &str) -> bool {
    let is_time = |time: &str| {
        let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        form == "00000000T000000Z"
    };
    let parts = file.strip_suffix(".gz").and_then(|name| name.split_once('-'));
    parts.is_some_and(|(time, digest)| {
        is_time(time) && digest.len() == DIGITS && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_the_patches() {
        let digest = Sha256Digest::of(b"");
        let after = |last, now| name_after(last, now, &digest);
        let named = |time: &str| Some(format!("{time}-e3b0c44298fc1c14"));
        assert_eq!(after(None, "20261128T235959Z"), named("20261128T235959Z"));
        assert_eq!(
            after(Some("20261128T235958Z-ffffffffffffffff"), "20261128T235959Z"),
            named("20261128T235959Z")
        );
        // Another commit of the same second, and one of a machine whose clock is behind.
        assert_eq!(
            after(Some("20261128T235959Z-ffffffffffffffff"), "20261128T235959Z"),
            named("20261129T000000Z")
        );
        assert_eq!(
            after(Some("20261231T235959Z-0000000000000000"), "20261128T235959Z"),
            named("20270101T000000Z")
        );
        // Names of other tools.
        assert_eq!(after(Some("2026-11-28-2000.00"), "20261128T235959Z"), named("20261128T235959Z"));
        assert_eq!(after(Some("patch"), "20261128T235959Z"), None);
        assert!(is_name_of_ours(&format!("{}.gz", after(None, "20261128T235959Z").unwrap())));
    }
}
