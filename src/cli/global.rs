//! The options of every command.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::Args;

/// Options of every command.
///
/// The page of a command shows only some of them: its own options come first. That of `publish` has the others too.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "the switches of a command line")]
#[expect(clippy::doc_markdown, reason = "these comments are the help text")]
pub(super) struct Global {
    /// Location of the archive: a folder, a bucket or a URL (see `publish help buckets`)
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
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "FILE",
        env = "PUBLISH_CONFIG",
        hide_env_values = true
    )]
    pub(super) config: Option<PathBuf>,

    /// Sign with this key: a secret key file, a fingerprint, a gpg key, or `!command`; repeatable
    ///
    /// Defaults to the secret key in PUBLISH_SIGNING_KEY or in the file that PUBLISH_SIGNING_KEY_FILE names, else to
    /// `SignWith:` in the configuration. The passphrase is read from PUBLISH_PASSPHRASE, or from the file that
    /// PUBLISH_PASSPHRASE_FILE names.
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "KEY",
        env = "PUBLISH_SIGN_WITH",
        hide_env_values = true
    )]
    pub(super) sign_with: Vec<String>,

    /// Accept the published suite even if its signature cannot be verified; use it once, to adopt an archive
    #[arg(long, global = true, hide = true)]
    pub(super) trust_existing: bool,

    /// Publish a changed Origin, Label, Codename..., although apt then asks the user of every client to confirm it
    #[arg(long, global = true, hide = true)]
    pub(super) allow_releaseinfo_change: bool,

    /// Use this time instead of now, for reproducible archives; also to verify signatures and expiry
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "TIME",
        env = "PUBLISH_DATE",
        hide_env_values = true
    )]
    #[arg(value_parser = parse_time)]
    pub(super) date: Option<SystemTime>,

    /// Publish a suite although `ValidFor:` and --date make it expire before now
    #[arg(long, global = true, hide = true, env = "PUBLISH_ALLOW_EXPIRED", hide_env = true)]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) allow_expired: bool,

    /// Print one JSON object instead of text (see `publish help json`)
    #[arg(long, global = true, hide_long_help = true)]
    pub(super) json: bool,

    /// Print only requested data, errors, and warnings
    ///
    /// Warnings about the configuration are the same at every run, and are left out.
    #[arg(short, long, global = true, hide_long_help = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// List every package and every object
    #[arg(short, long, global = true, hide_long_help = true)]
    pub(super) verbose: bool,
}

/// All global options, as those of a command, for a man page.
pub(super) fn described() -> clap::Command {
    let command = Global::augment_args(clap::Command::new("publish"));
    command.mut_args(|arg| arg.hide(false).hide_long_help(false))
}

/// The help of the global options that the pages of commands leave out; publish(1) has more about each.
pub(super) fn rare() -> String {
    let command = Global::augment_args(clap::Command::new("publish"));
    let is_rare = |arg: &clap::Arg| arg.is_hide_set() || arg.is_hide_long_help_set();
    let shown = command.mut_args(|arg| {
        let rare = is_rare(&arg);
        arg.hide(!rare).hide_long_help(false).help_heading("More global options")
    });
    shown.disable_help_flag(true).max_term_width(100).help_template("{all-args}").render_help().to_string()
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
