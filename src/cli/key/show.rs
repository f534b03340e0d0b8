//! `publish key show`: algorithm, expiry, and whether apt accepts a key. No secret part is opened.

use std::{fmt::Write as _, process::ExitCode, time::SystemTime};

use super::named::{Named, printable};
use crate::{
    cli::{failure::Failure, json, session::Session},
    signing::{KeyReport, Keyring, Level, Verdict},
};

/// `publish key show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key show\n\
\x20 publish key show ./key.asc\n\
\x20 publish --archive https://packages.example.org/apt key show --suite stable")]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    pub(super) named: Named,
}

/// The outcome of `publish key show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShowReport {
    /// One report for each key.
    pub keys: Vec<KeyReport>,
}

pub(super) async fn run(args: &Show, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let report = show(&args.named.certificates(session).await?, session.now);
    if session.ui.json() {
        session.ui.object(&json::Keys::new(&report.keys));
    } else {
        session.ui.text(&report.human());
    }
    Ok(ExitCode::SUCCESS)
}

/// Reports on keys without opening a secret part.
pub(super) fn show(keys: &Keyring, now: SystemTime) -> ShowReport {
    ShowReport { keys: keys.reports(now) }
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

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;
    use crate::{
        cli::key::named::certificates,
        signing::{Error, Gpg, KeySource},
    };

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_735_689_600) // 2025-01-01
    }

    fn fixture(name: &str) -> KeySource {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keys");
        KeySource::parse(name, &folder, &folder).unwrap()
    }

    fn shown(sources: &[KeySource], now: SystemTime) -> ShowReport {
        show(&certificates(sources, &Gpg::default()).unwrap(), now)
    }

    #[test]
    fn show_reports_the_verdicts_of_clients() {
        let report = shown(&[fixture("test.asc"), fixture("expired.pub.asc")], now());
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
        let report = shown(&[fixture("expired.pub.asc")], earlier);
        let text = report.human();
        let readers: Vec<&str> = text.lines().skip(3).collect();
        insta::assert_snapshot!(readers.join("\n"), @r"
          expires       2021-01-01 (in 184 days)
          apt 2 (gpgv)  accepts it; in a year: refuses it from 2021-01-01 on, including earlier signatures
          apt 3 (sqv)   accepts it; in a year: refuses signatures made from 2021-01-01 on
        ");
    }

    #[test]
    fn there_must_be_a_key() {
        assert!(matches!(certificates(&[], &Gpg::default()), Err(Error::NoKeys)));
    }
}
