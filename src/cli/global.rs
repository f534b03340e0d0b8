//! The options of every command.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::Args;

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "the switches of a command line")]
#[expect(clippy::doc_markdown, reason = "these comments are the help text")]
pub(super) struct Global {
    /// Location of the archive: a folder, s3://, gs://, az:// or swift://BUCKET/PREFIX; http(s):// is read-only
    #[arg(
        short,
        long,
        visible_short_alias = 'b',
        visible_alias = "basedir",
        global = true,
        value_name = "LOCATION"
    )]
    #[arg(env = "PUBLISH_ARCHIVE", hide_env_values = true, default_value = ".")]
    pub(super) archive: String,

    /// Configuration file [default: conf/distributions in the archive, else in the current folder]
    #[arg(long, global = true, value_name = "FILE", env = "PUBLISH_CONFIG", hide_env_values = true)]
    pub(super) config: Option<PathBuf>,

    /// Sign with this key: a secret key file, a fingerprint, a gpg key, or `!command`; repeatable
    ///
    /// Defaults to the secret key in PUBLISH_SIGNING_KEY or in the file that PUBLISH_SIGNING_KEY_FILE names, else to
    /// `SignWith:` in the configuration. The passphrase is read from PUBLISH_PASSPHRASE, or from the file that
    /// PUBLISH_PASSPHRASE_FILE names.
    #[arg(long, global = true, value_name = "KEY", env = "PUBLISH_SIGN_WITH", hide_env_values = true)]
    pub(super) sign_with: Vec<String>,

    /// Accept the published suite even if its signature cannot be verified; use it once, to adopt an archive
    #[arg(long, global = true)]
    pub(super) trust_existing: bool,

    /// Publish a changed Origin, Label, Codename..., although apt then asks the user of every client to confirm it
    #[arg(long, global = true)]
    pub(super) allow_releaseinfo_change: bool,

    /// Use this time instead of now, for reproducible archives; also to verify signatures and expiry
    #[arg(long, global = true, value_name = "TIME", env = "PUBLISH_DATE", hide_env_values = true)]
    #[arg(value_parser = parse_time)]
    pub(super) date: Option<SystemTime>,

    /// Print one JSON object instead of text (see `publish help json`)
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Print only requested data, errors, and warnings that are not about the configuration
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// List every package and every object
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

/// Parses a time: RFC 3339, or the number of seconds since 1970, also with the `@` of `date`.
fn parse_time(text: &str) -> Result<SystemTime, String> {
    let text = text.trim();
    let seconds = text.strip_prefix('@').unwrap_or(text).parse::<u64>().ok();
    let time = match seconds {
        Some(seconds) => Some(seconds),
        None => text.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok()),
    };
    // The year must have at most four digits.
    let time = time.filter(|&seconds| seconds < 253_402_300_800);
    let wrong = "expected a time such as 2025-06-01T12:00:00Z, or a number of seconds since 1970";
    time.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)).ok_or_else(|| wrong.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_a_number_of_seconds() {
        let expected = UNIX_EPOCH + Duration::from_secs(1_748_736_000);
        for text in ["1748736000", "@1748736000", " 2025-06-01T00:00:00Z ", "2025-06-01T02:00:00+02:00"] {
            assert_eq!(parse_time(text), Ok(expected), "{text}");
        }
        for text in ["", "-1", "yesterday", "2025-06-01", "253402300800", "1969-12-31T00:00:00Z", "1e9"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
