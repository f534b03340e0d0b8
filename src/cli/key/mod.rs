//! `publish key`: generates, shows, exports, publishes and rotates signing keys.
//!
//! Each function returns a report, which `run` prints. Operations that change the archive are in their own files.

mod change;
mod renew;
mod rotate;
mod report;
mod next_key;
mod package;
mod rotation;
mod rotation_state;

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use super::{
    failure::Failure,
    json,
    session::{Session, passphrase},
};
use crate::signing::{
    Error, Gpg, KeyReport, KeySource, Keyring, Level, NewKey, Passphrase, Verdict, parse_expiry,
};

/// Generate, show, export, publish and rotate signing keys
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key generate --name Example\n\
\x20 publish key rotate --dry-run")]
pub(super) struct Args {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands of `publish key`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Generate an Ed25519 signing key, and write its secret part to a file
    Generate(Generate),
    /// Show keys: algorithm, expiry, and whether apt accepts them
    Show(Show),
    /// Export the public part of keys, for `Signed-By` on clients
    Export(Export),
    /// Publish the public keys as the package NAME-archive-keyring
    Package(package::Args),
    /// Replace the signing key in two steps, without breaking clients
    Rotate(rotation::Args),
}

/// `publish key generate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key generate --name Example --expires 3y")]
pub(super) struct Generate {
    /// User ID of the key, such as "Example archive <packages@example.org>".
    #[arg(long, value_name = "NAME", default_value = "APT archive")]
    pub name: String,
    /// Expiry: 3y, 18m, 90d, a date such as 2030-01-31, or never.
    #[arg(long, value_name = "TIME", default_value = "3y")]
    pub expires: String,
    /// File to write; it must not exist [default: ~/.config/publish/keys/FINGERPRINT.asc].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `publish key show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key show\n\
\x20 publish key show ./key.asc")]
pub(super) struct Show {
    /// Key file, fingerprint, or user ID of a gpg key [default: the signing keys of the archive].
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
}

/// `publish key export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key export --output archive-key.asc\n\
\x20 publish key export --binary --output archive-key.gpg")]
pub(super) struct Export {
    /// Key file, fingerprint, or user ID of a gpg key [default: the signing keys of the archive].
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// File to write instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the binary form instead of ASCII armor, for apt before 1.4.
    #[arg(long)]
    pub binary: bool,
}

/// The outcome of `publish key generate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GenerateReport {
    /// The fingerprint of the new key.
    pub fingerprint: String,
    /// The name on it.
    pub name: String,
    /// The day on which it expires.
    pub expires: Option<String>,
    /// Whether a passphrase protects it.
    pub protected: bool,
    /// The file that holds its secret part.
    pub file: PathBuf,
    /// The value for `SignWith:`.
    pub sign_with: String,
}

/// The outcome of `publish key show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShowReport {
    /// One report for each key.
    pub keys: Vec<KeyReport>,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    match &args.command {
        Command::Package(args) => package::run(args, session).await,
        Command::Rotate(args) => rotate::run(args, session).await,
        // These block: they read files and may run gpg.
        local => tokio::task::block_in_place(|| run_local(local, session)),
    }
}

/// Runs the subcommands that do not read the archive.
fn run_local(command: &Command, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let (ui, folder) = (session.ui, session.key_folder());
    let keys = folder.as_deref();
    let sources = |words: &[String]| {
        let configured = if words.is_empty() { session.all_key_sources()? } else { Vec::new() };
        Ok::<_, Failure>(named_keys(words, configured, &session.current, keys.unwrap_or(Path::new("")))?)
    };
    match command {
        Command::Package(_) | Command::Rotate(_) => {}
        Command::Generate(args) => {
            let report = generate(args, keys, passphrase()?.as_ref(), session.now)?;
            if ui.json() { ui.object(&report.document()) } else { ui.block(&report.human()) }
        }
        Command::Show(args) => {
            let report = show(&sources(&args.keys)?, &Gpg::default(), session.now)?;
            if ui.json() {
                ui.object(&json::Keys::new(&report.keys));
            } else {
                ui.text(&report.human());
            }
        }
        Command::Export(args) => {
            if ui.json() && args.binary && args.output.is_none() {
                let text = "`--binary` cannot be printed as JSON: add `--output FILE`";
                return Err(Failure::usage(text));
            }
            let key = export(&sources(&args.keys)?, &Gpg::default(), args.binary)?;
            if let Some(file) = &args.output {
                write_public(file, &key)?;
                ui.say(&format!("Wrote the public key to {}", file.display()));
            }
            let output = args.output.as_deref().map(|file| file.display().to_string());
            match output {
                output if ui.json() => {
                    let armored = output.is_none().then(|| String::from_utf8_lossy(&key).into_owned());
                    ui.object(&json::ExportedKeys { output, armored });
                }
                Some(_) => {}
                None => ui.data(&key),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Generates a key and writes it to `--output`, else into the folder `keys`.
///
/// # Errors
/// Without `--output` there must be a folder for keys, and no file is ever overwritten.
pub(super) fn generate(
    args: &Generate,
    keys: Option<&Path>,
    passphrase: Option<&Passphrase>,
    now: SystemTime,
) -> Result<GenerateReport, Error> {
    let new =
        NewKey { name: &args.name, created: now, expires: parse_expiry(&args.expires, now)?, passphrase };
    let key = new.generate()?;
    let (file, sign_with) = match (&args.output, keys) {
        (Some(file), _) => {
            (file.clone(), std::path::absolute(file).unwrap_or_else(|_| file.clone()).display().to_string())
        }
        (None, Some(keys)) => (keys.join(format!("{}.asc", key.fingerprint)), key.fingerprint.clone()),
        (None, None) => return Err(Error::NoKeyFolder),
    };
    key.write_secret(&file)?;
    let report = key.public.reports(now).pop();
    Ok(GenerateReport {
        fingerprint: key.fingerprint,
        name: args.name.trim().to_owned(),
        expires: report.and_then(|report| report.expires),
        protected: passphrase.is_some(),
        file,
        sign_with,
    })
}

/// Returns the named keys, else the signing keys of the archive.
pub(super) fn named_keys(
    words: &[String],
    configured: Vec<KeySource>,
    folder: &Path,
    keys: &Path,
) -> Result<Vec<KeySource>, Error> {
    if words.is_empty() {
        return Ok(configured);
    }
    words.iter().map(|word| KeySource::parse(word, folder, keys)).collect()
}

/// Reports on keys without opening a secret part.
pub(super) fn show(sources: &[KeySource], gpg: &Gpg, now: SystemTime) -> Result<ShowReport, Error> {
    Ok(ShowReport { keys: certificates(sources, gpg)?.reports(now) })
}

/// Exports the public parts of keys as one armored block, or binary.
pub(super) fn export(sources: &[KeySource], gpg: &Gpg, binary: bool) -> Result<Vec<u8>, Error> {
    let certificates = certificates(sources, gpg)?;
    if binary { certificates.binary() } else { certificates.armored() }
}

/// Atomically writes an exported key to a world-readable file.
pub(super) fn write_public(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::File { doing: "write", path: file.to_owned(), source };
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

fn certificates(sources: &[KeySource], gpg: &Gpg) -> Result<Keyring, Error> {
    let mut all = Keyring::new();
    for source in sources {
        if let KeySource::Command(command) = source {
            return Err(Error::KeyOfCommand { command: command.clone() });
        }
        all.merge(&source.certificates(gpg)?);
    }
    if all.is_empty() {
        return Err(Error::NoKeys);
    }
    Ok(all)
}

impl GenerateReport {
    fn document(self) -> json::NewKey {
        let Self { fingerprint, name, expires, protected, file, sign_with } = self;
        json::NewKey { fingerprint, file: file.display().to_string(), name, expires, protected, sign_with }
    }

    /// Renders the report as text, with the next steps.
    #[must_use]
    pub(super) fn human(&self) -> String {
        let end = match &self.expires {
            Some(day) => format!("expires on {day}"),
            None => "never expires".to_owned(),
        };
        let passphrase = if self.protected { "yes, required for every commit" } else { "none" };
        format!(
            "Generated key {fingerprint}, which {end}\n\
             \x20 name        {name}\n\
             \x20 file        {file}\n\
             \x20 passphrase  {passphrase}\n\
             \n\
             To sign with it, add this to conf/distributions:\n\
             \x20 SignWith: {sign_with}\n\
             Back up the file: if it is lost, every client needs a new key.\n\
             Export the public key for clients with `publish key export`.\n",
            fingerprint = self.fingerprint,
            name = printable(&self.name),
            file = self.file.display(),
            sign_with = self.sign_with,
        )
    }
}

impl ShowReport {
    /// Renders the report as text, one block for each key.
    #[must_use]
    pub(super) fn human(&self) -> String {
        let blocks: Vec<String> = self.keys.iter().map(block).collect();
        blocks.join("\n")
    }
}

fn block(key: &KeyReport) -> String {
    let mut text = format!("{} {}\n", key.algorithm, key.fingerprint);
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<14}{value}");
    };
    for name in &key.user_ids {
        line("name", &printable(name));
    }
    if let Some(subkey) = &key.signing_subkey {
        line("signs with", &format!("subkey {subkey}"));
    }
    line("made", &key.created);
    line("expires", &expiry(key));
    if let Some(why) = &key.revoked {
        line("revoked", why);
    }
    let mut readers: Vec<&str> = key.verdicts.iter().map(|verdict| verdict.reader).collect();
    readers.dedup();
    for reader in readers {
        let verdicts = key.verdicts.iter().filter(|verdict| verdict.reader == reader);
        line(reader, &opinion(&verdicts.collect::<Vec<_>>()));
    }
    text
}

fn expiry(key: &KeyReport) -> String {
    match (&key.expires, key.days_left) {
        (Some(day), Some(left @ 0..)) => format!("{day} (in {left} days)"),
        (Some(day), Some(left)) => format!("{day} ({} days ago)", left.unsigned_abs()),
        (Some(day), None) => day.clone(),
        (None, _) => "never".to_owned(),
    }
}

/// Renders the verdicts of one reader on one line: now, and in a year if that differs.
fn opinion(verdicts: &[&Verdict]) -> String {
    let parts: Vec<String> = verdicts
        .iter()
        .filter(|verdict| verdict.when == "now" || verdict.level != Level::Ok)
        .map(|verdict| match verdict.when {
            "now" => verdict.text.clone(),
            when => format!("{when}: {}", verdict.text),
        })
        .collect();
    parts.join("; ")
}

/// Replaces control characters in a user ID, which is untrusted input.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_735_689_600) // 2025-01-01
    }

    fn fixture(name: &str) -> KeySource {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keys");
        KeySource::parse(name, &folder, &folder).unwrap()
    }

    fn generate_args(output: Option<PathBuf>) -> Generate {
        Generate {
            name: "Example archive <packages@example.org>".to_owned(),
            expires: "3y".to_owned(),
            output,
        }
    }

    #[test]
    fn a_new_key_is_found_by_its_fingerprint() {
        let keys = tempfile::tempdir().unwrap();
        let report = generate(&generate_args(None), Some(keys.path()), None, now()).unwrap();
        let file = keys.path().join(format!("{}.asc", report.fingerprint));
        let text = report.human().replace(&report.fingerprint, "FPR");
        let folder = keys.path().display().to_string();
        insta::assert_snapshot!(text.replace(&folder, "KEYS"), @r"
        Generated key FPR, which expires on 2028-01-01
          name        Example archive <packages@example.org>
          file        KEYS/FPR.asc
          passphrase  none

        To sign with it, add this to conf/distributions:
          SignWith: FPR
        Back up the file: if it is lost, every client needs a new key.
        Export the public key for clients with `publish key export`.
        ");

        let sources = named_keys(&[report.sign_with], Vec::new(), Path::new("/"), keys.path()).unwrap();
        let shown = show(&sources, &Gpg::default(), now()).unwrap();
        assert_eq!(shown.keys[0].fingerprint, report.fingerprint);
        assert!(file.is_file());
    }

    #[test]
    fn a_key_is_written_to_output_but_never_overwrites_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("my.asc");
        let passphrase = Passphrase::new("correct horse");
        let args = generate_args(Some(file.clone()));
        let report = generate(&args, None, Some(&passphrase), now()).unwrap();
        assert!(report.protected);
        assert_eq!(report.sign_with, file.display().to_string());
        let error = generate(&args, None, None, now()).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        assert!(matches!(generate(&generate_args(None), None, None, now()), Err(Error::NoKeyFolder)));
    }

    #[test]
    fn show_reports_the_verdicts_of_clients() {
        let report =
            show(&[fixture("test.asc"), fixture("expired.pub.asc")], &Gpg::default(), now()).unwrap();
        insta::assert_snapshot!(report.human(), @r"
        ed25519 BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669
          name          publish fixture test <test@example.org>
          made          2024-01-01
          expires       never
          apt 2 (gpgv)  accepts it
          apt 3 (sqv)   accepts it

        ed25519 1898FBBB4B2A44FAE960B4DB96C0144FD36825A4
          name          publish fixture expired <expired@example.org>
          made          2020-01-01
          expires       2021-01-01 (1461 days ago)
          apt 2 (gpgv)  refuses it: it expired on 2021-01-01
          apt 3 (sqv)   refuses it: it expired on 2021-01-01
        ");

        // Half a year before it expires, the verdict for the year ahead differs.
        let earlier = SystemTime::UNIX_EPOCH + Duration::from_secs(1_593_561_600); // 2020-07-01
        let report = show(&[fixture("expired.pub.asc")], &Gpg::default(), earlier).unwrap();
        let text = report.human();
        let readers: Vec<&str> = text.lines().skip(3).collect();
        insta::assert_snapshot!(readers.join("\n"), @r"
          expires       2021-01-01 (in 184 days)
          apt 2 (gpgv)  accepts it; in a year: refuses it from 2021-01-01 on, including earlier signatures
          apt 3 (sqv)   accepts it; in a year: refuses signatures made from 2021-01-01 on
        ");
    }

    #[test]
    fn export_writes_public_parts_that_clients_can_read() {
        let sources = [fixture("protected.asc"), fixture("second.asc")];
        let armored = export(&sources, &Gpg::default(), false).unwrap();
        let text = String::from_utf8(armored.clone()).unwrap();
        assert_eq!(text.matches("BEGIN PGP PUBLIC KEY BLOCK").count(), 1);
        let mut keyring = Keyring::new();
        keyring.add_bytes("export", &armored).unwrap();
        assert_eq!(keyring.fingerprints().len(), 2);
        assert_eq!(export(&sources, &Gpg::default(), true).unwrap(), keyring.binary().unwrap());

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("archive.asc");
        fs::write(&file, "an older key").unwrap();
        write_public(&file, &armored).unwrap();
        assert_eq!(fs::read(&file).unwrap(), armored);
    }

    #[test]
    fn the_key_of_a_command_must_be_named() {
        let sources = [KeySource::Command("/usr/bin/sign".into())];
        let error = export(&sources, &Gpg::default(), false).unwrap_err();
        assert!(matches!(error, Error::KeyOfCommand { .. }), "{error}");
        assert!(matches!(show(&[], &Gpg::default(), now()), Err(Error::NoKeys)));
    }

    #[test]
    fn control_characters_in_a_user_id_are_replaced() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
