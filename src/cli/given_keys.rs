//! The keys and the passphrase that the command line and the environment give.
//!
//! A variable that is set and empty is an error: a secret of a CI system under a wrong name arrives like that, and the
//! suite would be published without a signature. No message contains the value of a variable that may be a secret.

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use super::{class::Kind, failure::Failure, secrets::PASSPHRASE};
use crate::{
    archive::GivenKeys,
    signing::{KeySource, Passphrase, SIGNING_KEY_VARIABLE, looks_secret},
};

/// The variable that names keys, as `--sign-with` does.
pub(super) const SIGN_WITH: &str = "PUBLISH_SIGN_WITH";
/// The variable that names a file with secret keys.
pub(super) const SIGNING_KEY_FILE: &str = "PUBLISH_SIGNING_KEY_FILE";
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
    let path = set(SIGNING_KEY_FILE)?;
    let Some(key) = set(SIGNING_KEY_VARIABLE)? else {
        let Some(path) = path else { return Ok(GivenKeys::None) };
        return key_of_file(&path, current).map(GivenKeys::Secret);
    };
    let key = KeySource::secret(SIGNING_KEY_VARIABLE, key.into_encoded_bytes());
    if let Some(path) = path {
        let other = key_of_file(&path, current);
        if !other.is_ok_and(|other| other.has_same_bytes(&key)) {
            return Err(both_set("key", SIGNING_KEY_VARIABLE, SIGNING_KEY_FILE));
        }
    }
    Ok(GivenKeys::Secret(key))
}

/// Whether the command line or the environment gives keys.
pub(super) fn are_given(sign_with: &[String]) -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !sign_with.is_empty() || is_set(SIGNING_KEY_FILE) || is_set(SIGNING_KEY_VARIABLE)
}

/// Reads the file that a variable names.
fn key_of_file(path: &OsStr, current: &Path) -> Result<KeySource, Failure> {
    if looks_secret(&path.to_string_lossy()) && !current.join(path).is_file() {
        let error = format!("{SIGNING_KEY_FILE} contains a secret key, not the name of a file");
        let hint = format!("pass the key itself in {SIGNING_KEY_VARIABLE}");
        return Err(Failure::text(error, Some(hint)).kind(Kind::Signing));
    }
    KeySource::file(&current.join(path)).map_err(|error| {
        Failure::from(error).while_doing(format!("cannot use the key file that {SIGNING_KEY_FILE} names"))
    })
}

/// The error of two variables that say different things: either may be left over from another job.
fn both_set(what: &str, value: &str, file: &str) -> Failure {
    let error = format!("{value} and {file} are both set, and do not say the same {what}");
    let hint = format!("run `unset {file}` to use the {what} in {value}, or `unset {value}` to use the file");
    Failure::text(error, Some(hint)).into_usage()
}

/// Returns the passphrase of secret keys: from the environment, else the first line of a file.
pub(super) fn passphrase() -> Result<Option<Passphrase>, Failure> {
    let path = set(PASSPHRASE_FILE)?;
    let Some(text) = set(PASSPHRASE)? else {
        return path.map(|path| passphrase_of_file(&path).map(Passphrase::new)).transpose();
    };
    let line = without_line_end(text.as_bytes());
    if let Some(path) = path
        && !passphrase_of_file(&path).is_ok_and(|other| other == line)
    {
        return Err(both_set("passphrase", PASSPHRASE, PASSPHRASE_FILE));
    }
    Ok(Some(Passphrase::new(line)))
}

fn passphrase_of_file(path: &OsStr) -> Result<Vec<u8>, Failure> {
    // The value may be the passphrase itself.
    let doing = format!("cannot read the file that {PASSPHRASE_FILE} names");
    let bytes = crate::regular::read(Path::new(path)).map_err(|error| {
        let hint = format!("pass the passphrase itself in {PASSPHRASE}");
        Failure::of(&error, Some(hint)).kind(Kind::Signing).while_doing(doing)
    })?;
    let line = without_line_end(bytes.split(|&b| b == b'\n').next().unwrap_or_default());
    if line.is_empty() {
        let error = format!("the file that {PASSPHRASE_FILE} names has no passphrase on its first line");
        return Err(Failure::text(error, None).kind(Kind::Signing));
    }
    Ok(line.to_vec())
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
