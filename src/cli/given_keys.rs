//! The keys and the passphrase that the command line and the environment give.
//!
//! A variable that is set and empty is an error: a secret of a CI system under a wrong name arrives like that, and the
//! suite would be published without a signature. No message contains the value of a variable that may be a secret.

use std::{env, ffi::OsString, os::unix::ffi::OsStrExt as _, path::Path};

use super::{class::Kind, failure::Failure, secrets::PASSPHRASE};
use crate::{
    archive::GivenKeys,
    signing::{KeySource, Passphrase, SIGNING_KEY_VARIABLE, looks_secret},
};

/// The variable that names keys, as `--sign-with` does.
pub(super) const SIGN_WITH: &str = "PUBLISH_SIGN_WITH";
/// The variable that names a file with secret keys.
const SIGNING_KEY_FILE: &str = "PUBLISH_SIGNING_KEY_FILE";
/// The variable that names a file with the passphrase.
const PASSPHRASE_FILE: &str = "PUBLISH_PASSPHRASE_FILE";

/// Returns the keys of `--sign-with`, else of the environment.
pub(super) fn given(sign_with: &[String], current: &Path) -> Result<GivenKeys, Failure> {
    let is_named = sign_with.iter().any(|word| !word.trim().is_empty());
    if !is_named && env::var_os(SIGN_WITH).is_some() {
        set(SIGN_WITH)?;
    }
    if !is_named && !sign_with.is_empty() {
        return Err(Failure::usage("`--sign-with` is empty"));
    }
    if !sign_with.is_empty() {
        return Ok(GivenKeys::Named(sign_with.to_vec(), current.to_owned()));
    }
    if let Some(key) = set(SIGNING_KEY_VARIABLE)? {
        if env::var_os(SIGNING_KEY_FILE).is_some() {
            let error = format!("{SIGNING_KEY_VARIABLE} and {SIGNING_KEY_FILE} are both set");
            let hint = format!("run `unset {SIGNING_KEY_FILE}` to use the key in {SIGNING_KEY_VARIABLE}");
            return Err(Failure::text(error, Some(hint)).into_usage());
        }
        let source = KeySource::secret(SIGNING_KEY_VARIABLE, key.into_encoded_bytes());
        return Ok(GivenKeys::Secret(source));
    }
    let Some(path) = set(SIGNING_KEY_FILE)? else { return Ok(GivenKeys::None) };
    if looks_secret(&path.to_string_lossy()) && !current.join(&path).is_file() {
        let error = format!("{SIGNING_KEY_FILE} contains a secret key, not the name of a file");
        let hint = format!("pass the key itself in {SIGNING_KEY_VARIABLE}");
        return Err(Failure::text(error, Some(hint)).kind(Kind::Signing));
    }
    let source = KeySource::file(&current.join(path));
    source.map(GivenKeys::Secret).map_err(|error| {
        Failure::from(error).while_doing(format!("cannot use the key file that {SIGNING_KEY_FILE} names"))
    })
}

/// Returns the passphrase of secret keys: from the environment, else the first line of a file.
pub(super) fn passphrase() -> Result<Option<Passphrase>, Failure> {
    if let Some(text) = set(PASSPHRASE)? {
        return Ok(Some(Passphrase::new(without_line_end(text.as_bytes()))));
    }
    let Some(path) = set(PASSPHRASE_FILE)? else { return Ok(None) };
    // The value may be the passphrase itself.
    let doing = format!("cannot read the file that {PASSPHRASE_FILE} names");
    let bytes = crate::regular::read(Path::new(&path)).map_err(|error| {
        let hint = format!("pass the passphrase itself in {PASSPHRASE}");
        Failure::of(&error, Some(hint)).kind(Kind::Signing).while_doing(doing)
    })?;
    let line = without_line_end(bytes.split(|&b| b == b'\n').next().unwrap_or_default());
    if line.is_empty() {
        let error = format!("the file that {PASSPHRASE_FILE} names has no passphrase on its first line");
        return Err(Failure::text(error, None).kind(Kind::Signing));
    }
    Ok(Some(Passphrase::new(line)))
}

/// A passphrase is one line.
fn without_line_end(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

/// Returns the value of a variable; an error if it is set and empty.
fn set(name: &str) -> Result<Option<OsString>, Failure> {
    match env::var_os(name) {
        Some(value) if value.as_bytes().trim_ascii().is_empty() => {
            let hint = format!(
                "check the name of the secret in the CI system; to publish without {name}, run `unset {name}`"
            );
            Err(Failure::text(format!("{name} is set, but empty"), Some(hint)).into_usage())
        }
        value => Ok(value),
    }
}
