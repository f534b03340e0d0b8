//! `publish key export`: the public part of keys, for `Signed-By` on clients.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::named::Named;
use crate::{
    cli::{failure::Failure, json, session::Session},
    signing::{Error, Keyring},
};

/// `publish key export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key export --output archive-key.asc\n\
\x20 publish key export --binary --output archive-key.gpg")]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    named: Named,
    /// File to write instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the binary form instead of ASCII armor, for apt before 1.4.
    #[arg(long)]
    pub binary: bool,
}

pub(super) async fn run(args: &Export, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let ui = session.ui;
    if ui.json() && args.binary && args.output.is_none() {
        return Err(Failure::usage("`--binary` cannot be printed as JSON: add `--output FILE`"));
    }
    let keys = args.named.certificates(session).await?;
    let key = export(&keys, args.binary)?;
    if let Some(file) = &args.output {
        write_public(file, &key)?;
        ui.say(&format!("Wrote the public key to {}", file.display()));
    }
    let output = args.output.as_deref().map(|file| file.display().to_string());
    match output {
        output if ui.json() => {
            let armored = output.is_none().then(|| String::from_utf8_lossy(&key).into_owned());
            ui.object(&json::ExportedKeys { file: output, armored });
        }
        Some(_) => {}
        None => ui.data(&key),
    }
    Ok(ExitCode::SUCCESS)
}

/// Exports the public parts of keys as one armored block, or binary.
fn export(keys: &Keyring, binary: bool) -> Result<Vec<u8>, Error> {
    if binary { keys.binary() } else { keys.armored() }
}

/// Atomically writes an exported key to a world-readable file.
pub(super) fn write_public(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::File { doing: "write", path: file.to_owned(), source };
    if holds_secret_key(file) {
        return Err(failed(io::Error::other("it contains a secret key, which would be lost")));
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".key-");
    // apt reads keys as the user `_apt`.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut new = builder.tempfile_in(folder).map_err(failed)?;
    new.write_all(bytes).and_then(|()| new.as_file().sync_all()).map_err(failed)?;
    new.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Whether an existing file contains a secret key, armored or binary (RFC 9580, packet type 5).
fn holds_secret_key(file: &Path) -> bool {
    let Ok(bytes) = crate::regular::read(file) else { return false };
    let is_binary = bytes.first().is_some_and(|first| matches!(first, 0x94..=0x97 | 0xc5));
    is_binary || memchr::memmem::find(&bytes, b"PRIVATE KEY BLOCK").is_some()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        cli::key::named::certificates,
        signing::{Gpg, KeySource},
    };

    fn fixture(name: &str) -> KeySource {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keys");
        KeySource::parse(name, &folder, &folder).unwrap()
    }

    #[test]
    fn export_writes_public_parts_that_clients_can_read() {
        let keys = certificates(&[fixture("protected.asc"), fixture("second.asc")], &Gpg::default()).unwrap();
        let armored = export(&keys, false).unwrap();
        let text = String::from_utf8(armored.clone()).unwrap();
        assert_eq!(text.matches("BEGIN PGP PUBLIC KEY BLOCK").count(), 1);
        let mut keyring = Keyring::new();
        keyring.add_bytes("export", &armored).unwrap();
        assert_eq!(keyring.fingerprints().len(), 2);
        assert_eq!(export(&keys, true).unwrap(), keyring.binary().unwrap());

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("archive.asc");
        fs::write(&file, "an older key").unwrap();
        write_public(&file, &armored).unwrap();
        assert_eq!(fs::read(&file).unwrap(), armored);
    }

    #[test]
    fn the_key_of_a_command_must_be_named() {
        let sources = [KeySource::Command("/usr/bin/sign".into())];
        let error = certificates(&sources, &Gpg::default()).unwrap_err();
        assert!(matches!(error, Error::KeyOfCommand { .. }), "{error}");
    }
}
