//! The keys and the passphrase that the command line and the environment give.

use std::{env, ffi::OsString, path::Path};

use super::failure::Failure;
use crate::{
    archive::GivenKeys,
    signing::{KeySource, Passphrase, SIGNING_KEY_VARIABLE},
};

/// Returns the keys of `--sign-with`, else of the environment.
pub(super) fn given(sign_with: &[String], current: &Path) -> Result<GivenKeys, Failure> {
    if !sign_with.is_empty() {
        return Ok(GivenKeys::Named(sign_with.to_vec(), current.to_owned()));
    }
    Ok(match set(SIGNING_KEY_VARIABLE) {
        Some(key) => GivenKeys::Secret(KeySource::secret(SIGNING_KEY_VARIABLE, key.into_encoded_bytes())),
        None => GivenKeys::None,
    })
}

/// Returns the passphrase of secret keys: from the environment, else the first line of a file.
pub(super) fn passphrase() -> Result<Option<Passphrase>, Failure> {
    if let Some(text) = env::var_os("PUBLISH_PASSPHRASE") {
        return Ok(Some(Passphrase::new(text.into_encoded_bytes())));
    }
    let Some(path) = env::var_os("PUBLISH_PASSPHRASE_FILE") else { return Ok(None) };
    let bytes = crate::regular::read(Path::new(&path)).map_err(|error| {
        let path = Path::new(&path).display().to_string();
        Failure::of(&error, None)
            .while_doing(format!("cannot read the passphrase in `{path}` (PUBLISH_PASSPHRASE_FILE)"))
    })?;
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    Ok(Some(Passphrase::new(line.to_vec())))
}

fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
