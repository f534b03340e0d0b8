//! `publish key generate`: generates a signing key, and writes its secret part to a file.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use super::named::printable;
use crate::{
    archive::Trust,
    cli::{
        algorithm::Algorithm, failure::Failure, given_keys::passphrase, json, session::Session,
        text::shell_word,
    },
    config::SuiteConfig,
    signing::{Error, NewKey, Passphrase, parse_expiry},
};

/// `publish key generate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key generate --name Example --expires 3y\n\
\x20 publish key generate --suite stable\n\
\x20 publish key generate --name Example --algorithm rsa4096")]
pub(in crate::cli) struct Generate {
    /// User ID of the key, such as "Example archive <packages@example.org>" [default: the `Origin` of the suite of --suite,
    /// else "APT archive"].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Suite that the key is for: it names the key, and the next step is printed for it.
    #[arg(short, long, value_name = "SUITE")]
    pub suite: Option<String>,
    /// Expiry: 3y, 18m, 90d, a date such as 2030-01-31, or never.
    #[arg(long, value_name = "TIME", default_value = "3y")]
    pub expires: String,
    /// Algorithm: ed25519, or RSA for clients before Debian 9 and Ubuntu 18.04.
    #[arg(long, value_enum, value_name = "ALGORITHM", default_value_t)]
    pub algorithm: Algorithm,
    /// File to write; it must not exist [default: ~/.config/publish/keys/FINGERPRINT.asc].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
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
    /// How the key is put to use.
    pub next: String,
}

pub(super) async fn run(args: &Generate, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let (ui, keys) = (session.ui, session.key_folder());
    let suite = match &args.suite {
        Some(name) => Some(session.suite_to_change(Some(name)).await?),
        None => None,
    };
    let origin = match (&args.name, &suite) {
        (None, Some(suite)) => origin(suite, session).await?,
        _ => None,
    };
    let name = args.name.clone().or(origin).unwrap_or_else(|| "APT archive".to_owned());
    let report = tokio::task::block_in_place(|| {
        let passphrase = passphrase()?;
        let mut report = generate(args, &name, keys.as_deref(), passphrase.as_ref(), session.now)?;
        if let Some(suite) = &suite {
            report.next = next(suite, &report.sign_with, session);
        }
        Ok::<_, Failure>(report)
    })?;
    if ui.json() {
        ui.object(&report.document());
    } else {
        ui.block(&report.human());
    }
    Ok(ExitCode::SUCCESS)
}

/// The `Origin` of a suite, as configured, else as published.
async fn origin(suite: &SuiteConfig, session: &Session<'_>) -> Result<Option<String>, Failure> {
    if let Some(origin) = suite.copied_field("Origin") {
        return Ok(Some(origin.to_owned()));
    }
    let published = session.archive(Trust::unverified()).suite(&suite.codename).await?;
    let origin = published.release().and_then(|release| release.field("Origin"));
    Ok(origin.map(ToOwned::to_owned))
}

/// How a suite is signed with the key: the one that signs it so far is rotated.
fn next(suite: &SuiteConfig, sign_with: &str, session: &Session<'_>) -> String {
    let name = &suite.codename;
    if suite.sign_with.is_empty() {
        return format!(
            "To sign with it, add this to the stanza of suite `{name}` in conf/distributions:\n  SignWith: {sign_with}"
        );
    }
    let rotate = session.command(&format!("key rotate --suite {name} --to {}", shell_word(sign_with)));
    format!("Suite `{name}` is signed with another key. To replace that one:\n  {rotate}")
}

/// Generates a key and writes it to `--output`, else into the folder `keys`.
///
/// # Errors
/// Without `--output` there must be a folder for keys, and no file is ever overwritten.
fn generate(
    args: &Generate,
    name: &str,
    keys: Option<&Path>,
    passphrase: Option<&Passphrase>,
    now: SystemTime,
) -> Result<GenerateReport, Error> {
    let new = NewKey {
        expires: parse_expiry(&args.expires, now)?,
        passphrase,
        algorithm: args.algorithm.into(),
        ..NewKey::new(name, now)
    };
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
        name: name.trim().to_owned(),
        expires: report.and_then(|report| report.expires),
        protected: passphrase.is_some(),
        file,
        next: format!("To sign with it, add this to conf/distributions:\n  SignWith: {sign_with}"),
        sign_with,
    })
}

impl GenerateReport {
    fn document(self) -> json::NewKey {
        let Self { fingerprint, name, expires, protected, file, sign_with, .. } = self;
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
             {next}\n\
             Back up the file: if it is lost, every client needs a new key.\n\
             Export the public key for clients with `publish key export`.\n",
            fingerprint = self.fingerprint,
            name = printable(&self.name),
            file = self.file.display(),
            next = self.next,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        cli::key::{named::certificates, show},
        signing::{Gpg, KeySource},
    };

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_735_689_600) // 2025-01-01
    }

    const NAME: &str = "Example archive <packages@example.org>";

    fn generate_args(output: Option<PathBuf>) -> Generate {
        Generate {
            name: None,
            suite: None,
            expires: "3y".to_owned(),
            algorithm: Algorithm::default(),
            output,
        }
    }

    #[test]
    fn a_new_key_is_found_by_its_fingerprint() {
        let keys = tempfile::tempdir().unwrap();
        let report = generate(&generate_args(None), NAME, Some(keys.path()), None, now()).unwrap();
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

        let source = KeySource::parse(&report.sign_with, Path::new("/"), keys.path()).unwrap();
        let shown = show::show(&certificates(&[source], &Gpg::default()).unwrap(), now());
        assert_eq!(shown.keys[0].fingerprint, report.fingerprint);
        assert!(file.is_file());
    }

    #[test]
    fn a_key_is_written_to_output_but_never_overwrites_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("my.asc");
        let passphrase = Passphrase::new("correct horse");
        let args = generate_args(Some(file.clone()));
        let report = generate(&args, NAME, None, Some(&passphrase), now()).unwrap();
        assert!(report.protected);
        assert_eq!(report.sign_with, file.display().to_string());
        let error = generate(&args, NAME, None, None, now()).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{error}");
        assert!(matches!(generate(&generate_args(None), NAME, None, None, now()), Err(Error::NoKeyFolder)));
    }
}
