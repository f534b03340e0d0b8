//! Signatures of uploads, whose keys gpg knows: a description that was changed after it was signed is refused.
//!
//! Who may upload is another question ([`super::uploads::verify`]): a signature of an unknown key is accepted here.

use std::path::Path;

use super::{call::Call, status};
use crate::{
    cli::failure::Failure,
    deb::CHANGES_LIMIT,
    signing::{Distrust, Gpg, Keyring},
};

/// Refuses a description with only broken signatures, unless `--ignore=brokensignatures` is given.
pub(super) fn check(call: &Call<'_>, file: &Path) -> Result<(), Failure> {
    let Some(text) = broken(call, file) else { return Ok(()) };
    if call.options.ignores("brokensignatures") {
        call.session.ui.warn(&format!("{text}: ignored, as `--ignore=brokensignatures` is given"));
        return Ok(());
    }
    let hint = "it was damaged or edited; add `--ignore=brokensignatures` to include it all the same";
    Err(status::with(status::FAILED, Failure::text(text, Some(hint.to_owned()))))
}

/// Refuses a queued description with only broken signatures, which no option ignores.
pub(super) fn check_queued(call: &Call<'_>, file: &Path) -> Result<(), Failure> {
    let Some(text) = broken(call, file) else { return Ok(()) };
    let hint = "it was damaged or edited; if it was edited on purpose, remove its signature and run the same command again";
    Err(status::with(status::FAILED, Failure::text(text, Some(hint.to_owned()))))
}

/// Says what is wrong if no signature of a key that gpg knows fits the text. One that cannot be read is left to its reader.
fn broken(call: &Call<'_>, file: &Path) -> Option<String> {
    let bytes = crate::regular::read_within(file, CHANGES_LIMIT).ok()?;
    let text = bytes.trim_ascii_start();
    if !text.starts_with(b"-----BEGIN PGP SIGNED MESSAGE-----") {
        return None;
    }
    let signers = Keyring::new().unknown_signers(text).ok()?;
    let keys = tokio::task::block_in_place(|| Gpg::default().public_keys(&signers));
    match keys.verify_in_release(text, call.session.clock) {
        Err(Distrust::Damaged { why }) => {
            Some(format!("`{}` contains only broken signatures: {why}", file.display()))
        }
        _ => None,
    }
}
