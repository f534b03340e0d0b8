//! Signs with a command of the user, in the protocol of reprepro's `SignWith: !command`.
//!
//! The command gets three arguments: the file to sign, and the paths of the clear-signed and the detached form. It
//! must exit with 0 and write both.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::{
    error::{Distrust, Error},
    frame,
    gpg::{last_lines, read, temporary_folder, write},
};

/// Runs the command; returns `InRelease` and `Release.gpg` as it wrote them.
pub(super) fn sign(command: &Path, release: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let folder = temporary_folder()?;
    let file = folder.path().join("Release");
    let in_release = folder.path().join("InRelease");
    let release_gpg = folder.path().join("Release.gpg");
    write(&file, release)?;
    let output = Command::new(command)
        .args([&file, &in_release, &release_gpg])
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
    let odd = |name: &str, error: &Distrust| failed(format!("wrote a bad {name}: {error}"));
    let parts = frame::parse(&clear).map_err(|error| odd("InRelease", &error))?;
    if parts.text != release {
        return Err(failed("wrote an InRelease whose text differs from the Release".to_owned()));
    }
    frame::signatures(parts.armor).map_err(|error| odd("InRelease", &error))?;
    frame::signatures(&detached).map_err(|error| odd("Release.gpg", &error))?;
    Ok((clear, detached))
}
