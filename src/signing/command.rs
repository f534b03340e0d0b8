//! Signs with a command of the user, in the protocol of reprepro's `SignWith: !command`.
//!
//! The command gets three arguments: the file to sign, and the paths of the clear-signed and the detached form. It
//! must exit with 0 and write both.
//!
//! The result is published, so it is verified first: both forms sign the same bytes with the same keys and a digest that
//! apt accepts; and, if the keys of the clients are known, one of those keys made them.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
    time::SystemTime,
};

use sequoia_openpgp::{
    crypto::hash::Hash as _,
    packet::Signature,
    types::{HashAlgorithm, SignatureType},
};

use super::{
    error::Error,
    frame,
    gpg::{last_lines, read, temporary_folder, write},
    keyring::Keyring,
};

/// The variables that the command gets besides those of this process, once they are set.
static VARIABLES: OnceLock<Vec<(&'static str, OsString)>> = OnceLock::new();

/// Sets the variables that commands of `SignWith` get besides those of this process, for the rest of its life: those of
/// reprepro's hooks.
pub(crate) fn set_variables(variables: Vec<(&'static str, OsString)>) {
    // A process is one call of one front end.
    let _ = VARIABLES.set(variables);
}

/// Runs the command; returns `InRelease` and `Release.gpg` as it wrote them. `clients` are the keys that clients have;
/// empty if they are unknown.
pub(super) fn sign(
    command: &Path,
    release: &[u8],
    clients: &Keyring,
    at: SystemTime,
) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let folder = temporary_folder()?;
    let file = folder.path().join("Release");
    let in_release = folder.path().join("InRelease");
    let release_gpg = folder.path().join("Release.gpg");
    write(&file, release)?;
    let output = Command::new(command)
        .args([&file, &in_release, &release_gpg])
        .envs(VARIABLES.get().into_iter().flatten().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Program { program: command.to_owned(), source })?;
    let failed = |what: String| Error::Command { command: command.to_owned(), what };
    if !output.status.success() {
        return Err(failed(format!("failed ({}): {}", output.status, last_lines(&output.stderr))));
    }
    let written = |path: &Path, name: &str| match path.try_exists() {
        Ok(true) => read(path),
        _ => Err(failed(format!("wrote no {name}"))),
    };
    let clear = written(&in_release, "InRelease")?;
    let detached = written(&release_gpg, "Release.gpg")?;
    verify(release, &clear, &detached, clients, at).map_err(failed)?;
    Ok((clear, detached))
}

/// Verifies both forms as far as that is possible without their keys, and with the keys of the clients.
fn verify(
    release: &[u8],
    clear: &[u8],
    detached: &[u8],
    clients: &Keyring,
    at: SystemTime,
) -> Result<(), String> {
    let parts = frame::parse(clear).map_err(|error| format!("wrote a bad InRelease: {error}"))?;
    if parts.text != release {
        return Err("wrote an InRelease whose text differs from the Release".to_owned());
    }
    let of_text =
        frame::signatures(parts.armor).map_err(|error| format!("wrote a bad InRelease: {error}"))?;
    let of_file = frame::signatures(detached).map_err(|error| format!("wrote a bad Release.gpg: {error}"))?;
    for signature in &of_text {
        let signed = (signature.typ() == SignatureType::Text).then(|| frame::signed_form(release));
        check(signature, signed.as_deref()).map_err(|why| format!("wrote a bad InRelease: {why}"))?;
    }
    for signature in &of_file {
        let signed = match signature.typ() {
            SignatureType::Binary => Some(release.to_vec()),
            SignatureType::Text => Some(frame::crlf(release)),
            _ => None,
        };
        check(signature, signed.as_deref()).map_err(|why| format!("wrote a bad Release.gpg: {why}"))?;
    }
    if issuers(&of_text) != issuers(&of_file) {
        return Err("signed InRelease and Release.gpg with different keys".to_owned());
    }
    if clients.is_empty() {
        return Ok(());
    }
    let untrusted =
        |form: &str, error: &dyn std::fmt::Display| format!("wrote an {form} that clients refuse: {error}");
    clients.verify_in_release(clear, at).map_err(|error| untrusted("InRelease", &error))?;
    clients.verify_detached(release, detached, at).map_err(|error| untrusted("Release.gpg", &error))?;
    Ok(())
}

/// Checks a signature without its key: its kind, its digest, and the first bytes of the digest over the signed bytes.
fn check(signature: &Signature, signed: Option<&[u8]>) -> Result<(), String> {
    let signed = signed.ok_or_else(|| format!("it is a signature of the kind `{}`", signature.typ()))?;
    let algorithm = signature.hash_algo();
    let accepted = [HashAlgorithm::SHA256, HashAlgorithm::SHA384, HashAlgorithm::SHA512];
    if !accepted.contains(&algorithm) {
        return Err(format!("it is signed with {algorithm}, which apt refuses; use SHA512"));
    }
    let digest = || -> sequoia_openpgp::Result<Vec<u8>> {
        let mut context = algorithm.context()?.for_signature(signature.version());
        if let Signature::V6(signature) = signature {
            context.update(signature.salt());
        }
        context.update(signed);
        signature.hash(&mut context)?;
        context.into_digest()
    };
    match digest() {
        Ok(digest) if digest.starts_with(signature.digest_prefix()) => Ok(()),
        Ok(_) => Err("its signature is over other bytes than the Release".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The keys that made the signatures, as far as these name them.
fn issuers(signatures: &[Signature]) -> BTreeSet<String> {
    let named = |signature: &Signature| signature.get_issuers().iter().map(|key| short(&key.to_hex())).max();
    signatures.iter().filter_map(named).collect()
}

/// The key ID: one form may name the fingerprint, the other only that.
fn short(key: &str) -> String {
    key[key.len().saturating_sub(16)..].to_owned()
}
