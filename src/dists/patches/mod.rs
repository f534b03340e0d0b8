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

use crate::digest::Sha256Digest;

/// How many digits of the digest of a patch are in its name.
const DIGITS: usize = 16;

/// The name of a patch, without `.gz`: the digest determines the bytes, and the time distinguishes two equal changes.
#[must_use]
pub fn name(time: &str, file: &Sha256Digest) -> String {
    format!("{time}-{}", &file.to_string()[..DIGITS])
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
