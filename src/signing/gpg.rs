//! Signs with the user's gpg: for keys on a card, in an agent, or of an existing `SignWith:`.
//!
//! gpg is run as a program. Its output is parsed into signature packets, so that they can be in one block with those
//! of other keys.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use sequoia_openpgp::{Cert, KeyHandle, packet::Signature};

use super::{
    error::{Distrust, Error},
    frame,
    keyring::{self, Keyring},
    secret::Passphrase,
};

/// The gpg program and its home.
#[derive(Debug, Clone)]
pub struct Gpg {
    /// The program.
    pub program: PathBuf,
    /// Its home; `None` for the user's own (`GNUPGHOME`, `~/.gnupg`).
    pub home: Option<PathBuf>,
}

impl Default for Gpg {
    fn default() -> Self {
        Self { program: PathBuf::from("gpg"), home: None }
    }
}

/// A key of gpg, resolved to a single certificate.
pub(super) struct GpgKey {
    gpg: Gpg,
    /// The argument of `-u`.
    user: String,
    /// The fingerprint of the certificate.
    pub(super) fingerprint: String,
    passphrase: Option<Passphrase>,
}

impl Gpg {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // Its messages are searched for the cause of a failure.
        command.args(["--batch", "--no-tty"]).env("LANGUAGE", "en");
        if let Some(home) = &self.home {
            command.arg("--homedir").arg(home);
        }
        command
    }

    fn run(&self, command: &mut Command, input: Option<&Passphrase>) -> Result<Output, Error> {
        let failed = |source| Error::Program { program: self.program.clone(), source };
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child =
            command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        if let (Some(passphrase), Some(mut pipe)) = (input, child.stdin.take()) {
            // A gpg that needs no passphrase closes the pipe unread; its exit status shows the result.
            let _ =
                passphrase.password().map(|text| pipe.write_all(text).and_then(|()| pipe.write_all(b"\n")));
        }
        child.wait_with_output().map_err(failed)
    }

    /// Finds the only secret key that a name matches; an empty name is gpg's default key.
    pub(super) fn resolve(&self, name: &str, passphrase: Option<&Passphrase>) -> Result<GpgKey, Error> {
        let pattern = name.trim_end_matches('!');
        let mut command = self.command();
        command.args(["--with-colons", "--list-secret-keys"]);
        if !pattern.is_empty() {
            command.args(["--", pattern]);
        }
        let output = self.run(&mut command, None)?;
        let usable = usable_keys(&String::from_utf8_lossy(&output.stdout));
        let found = |fingerprint: &String| GpgKey {
            gpg: self.clone(),
            // A subkey selected with `!` must be passed to gpg as written.
            user: if name.ends_with('!') { name.to_owned() } else { fingerprint.clone() },
            fingerprint: fingerprint.clone(),
            passphrase: passphrase.cloned(),
        };
        match &usable[..] {
            [] => Err(Error::NoGpgKey { key: name.to_owned(), message: last_lines(&output.stderr) }),
            [fingerprint] => Ok(found(fingerprint)),
            [first, ..] if name.is_empty() => match self.configured_default()? {
                Some(default) => self.resolve(&default, passphrase),
                None => Ok(found(first)),
            },
            _ => Err(Error::Ambiguous { key: name.to_owned(), fingerprints: usable }),
        }
    }

    /// `default-key` of gpg.conf. gpg itself does not print it; `gpgconf` is installed with it.
    fn configured_default(&self) -> Result<Option<String>, Error> {
        let mut command = Command::new("gpgconf");
        if let Some(home) = &self.home {
            command.arg("--homedir").arg(home);
        }
        let output = match command.args(["--list-options", "gpg"]).stdin(Stdio::null()).output() {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(Error::Program { program: PathBuf::from("gpgconf"), source });
            }
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|line| line.strip_prefix("default-key:"));
        let value = line.and_then(|line| line.rsplit(':').next()).unwrap_or_default();
        let value = value.trim_start_matches('"');
        Ok((!value.is_empty()).then(|| value.replace("%3a", ":").replace("%25", "%")))
    }

    /// The certificate of the key that signs by this name.
    ///
    /// Without its secret part, only a fingerprint or a long key ID names one key: a user ID is free text, and gpg lists
    /// all keys that have it.
    pub(super) fn certificates(&self, name: &str) -> Result<Vec<Cert>, Error> {
        let missing = match self.resolve(name, None) {
            Ok(key) => return key.certificates(),
            Err(error @ Error::NoGpgKey { .. }) => error,
            Err(error) => return Err(error),
        };
        let digits = name.trim_end_matches('!');
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        let wanted = Some(digits).filter(|digits| matches!(digits.len(), 16 | 40));
        match wanted.and_then(|digits| digits.parse::<KeyHandle>().ok()) {
            Some(wanted) => self.public(name, &wanted).map_err(|error| match error {
                Error::NoGpgKey { key, .. } => Error::NoPublicKey { key },
                error => error,
            }),
            None => Err(missing),
        }
    }

    /// The only public key with this fingerprint or key ID. gpg also exports every key that claims it as a subkey.
    fn public(&self, name: &str, wanted: &KeyHandle) -> Result<Vec<Cert>, Error> {
        let mut certs = keyring::parse_certs("gpg", &self.export(name)?)?;
        let is_primary = |cert: &Cert| cert.key_handle().aliases(wanted);
        if certs.iter().any(is_primary) {
            certs.retain(is_primary);
        }
        match &certs[..] {
            [_] => Ok(certs),
            _ => Err(Error::Ambiguous {
                key: name.to_owned(),
                fingerprints: certs.iter().map(|cert| cert.fingerprint().to_hex()).collect(),
            }),
        }
    }

    /// The public keys that gpg has of these fingerprints or key ids; keys that it does not have are left out.
    #[must_use]
    pub fn public_keys(&self, names: &[String]) -> Keyring {
        let mut found = Keyring::new();
        for name in names.iter().filter(|name| name.bytes().all(|b| b.is_ascii_hexdigit())) {
            if let Ok(bytes) = self.export(name) {
                let _ = found.add_bytes("gpg", &bytes);
            }
        }
        found
    }

    /// The public parts of all keys that a name matches, in binary.
    fn export(&self, name: &str) -> Result<Vec<u8>, Error> {
        let pattern = name.trim_end_matches('!');
        let mut command = self.command();
        command.args(["--no-armor", "--export"]);
        if !pattern.is_empty() {
            command.args(["--", pattern]);
        }
        let output = self.run(&mut command, None)?;
        if !output.status.success() || output.stdout.is_empty() {
            return Err(Error::NoGpgKey { key: name.to_owned(), message: last_lines(&output.stderr) });
        }
        Ok(output.stdout)
    }
}

/// Parses the fingerprints of keys that are neither revoked nor disabled from gpg's `--with-colons` output.
///
/// Expired keys are included if there is no other, so that the error is that the key has expired, not that it is
/// missing.
fn usable_keys(listing: &str) -> Vec<String> {
    let mut keys: Vec<(bool, String)> = Vec::new();
    let mut dead = None;
    for line in listing.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        match fields[0] {
            "sec" => dead = Some(matches!(fields.get(1), Some(&("r" | "e" | "d" | "i")))),
            // Only the first fingerprint after `sec` is that of the certificate.
            "fpr" => {
                if let (Some(dead), Some(fingerprint)) = (dead.take(), fields.get(9)) {
                    keys.push((dead, (*fingerprint).to_owned()));
                }
            }
            _ => {}
        }
    }
    let any_alive = keys.iter().any(|(dead, _)| !dead);
    keys.into_iter().filter(|(dead, _)| !(any_alive && *dead)).map(|(_, fingerprint)| fingerprint).collect()
}

impl GpgKey {
    /// The certificate of the key.
    pub(super) fn certificates(&self) -> Result<Vec<Cert>, Error> {
        let handle = self.fingerprint.parse().map_err(|_| Error::NotAKey { origin: "gpg".to_owned() })?;
        self.gpg.public(&self.fingerprint, &handle)
    }

    /// The subkey that the user selected, if any.
    pub(super) fn wanted(&self) -> Option<KeyHandle> {
        let name = self.user.strip_suffix('!')?;
        name.trim_start_matches("0x").parse().ok()
    }

    /// Signs both forms of a Release.
    pub(super) fn sign(&self, release: &[u8]) -> Result<(Vec<Signature>, Vec<Signature>), Error> {
        let folder = temporary_folder()?;
        let file = folder.path().join("Release");
        write(&file, release)?;
        let clear = self.output_of("--clearsign", &file, &folder.path().join("InRelease"))?;
        let detached = self.output_of("--detach-sign", &file, &folder.path().join("Release.gpg"))?;
        let odd = |error: Distrust| Error::Gpg {
            doing: format!("sign with {}", self.fingerprint),
            message: error.to_string(),
        };
        let parts = frame::parse(&clear).map_err(odd)?;
        if parts.text != release {
            return Err(odd(Distrust::Damaged { why: "gpg changed the text".to_owned() }));
        }
        Ok((frame::signatures(parts.armor).map_err(odd)?, frame::signatures(&detached).map_err(odd)?))
    }

    fn output_of(&self, how: &str, file: &Path, to: &Path) -> Result<Vec<u8>, Error> {
        let mut command = self.gpg.command();
        if self.passphrase.is_some() {
            command.args(["--pinentry-mode", "loopback", "--passphrase-fd", "0"]);
        }
        command.args(["--armor", "--digest-algo", "SHA512", "-u", &self.user, "--output"]);
        command.arg(to).arg(how).arg(file);
        let output = self.gpg.run(&mut command, self.passphrase.as_ref())?;
        if !output.status.success() {
            return Err(Error::Gpg {
                doing: format!("sign with {}", self.fingerprint),
                message: last_lines(&output.stderr),
            });
        }
        read(to)
    }
}

/// The end of a program's standard error, on one line.
pub(super) fn last_lines(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match &lines[lines.len().saturating_sub(3)..] {
        [] => "it printed no message".to_owned(),
        lines => lines.join("; "),
    }
}

/// A private temporary folder, deleted when dropped.
pub(super) fn temporary_folder() -> Result<tempfile::TempDir, Error> {
    tempfile::Builder::new().prefix("publish-sign-").tempdir().map_err(|source| Error::File {
        doing: "make a folder in",
        path: std::env::temp_dir(),
        source,
    })
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|source| Error::File { doing: "write", path: path.to_owned(), source })
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    crate::regular::read(path).map_err(|source| Error::File { doing: "read", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fingerprint_after_a_secret_key_is_its_own() {
        let listing = "sec:u:255:22:A8:1:::u:::scSC:\nfpr:::::::::AAAA:\ngrp:::::::::GGGG:\nssb:u:\nfpr:::::::::BBBB:\n\
                       sec:e:255:22:A9:1:::u:::scSC:\nfpr:::::::::CCCC:\n";
        assert_eq!(usable_keys(listing), ["AAAA"]);
        assert_eq!(usable_keys("sec:e:255\nfpr:::::::::CCCC:\n"), ["CCCC"]);
        assert!(usable_keys("").is_empty());
        assert!(usable_keys("sec\nfpr\n").is_empty());
    }

    #[test]
    fn the_end_of_what_a_program_says_is_kept() {
        assert_eq!(last_lines(b"a\nb\nc\n\nd\n"), "b; c; d");
        assert_eq!(last_lines(b"\n"), "it printed no message");
    }
}
