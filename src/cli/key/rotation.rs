//! A key rotation: its options, and the old and new keys of each suite.

use std::{path::PathBuf, time::Duration};

use super::rotation_state::{Named, RotationState};
use crate::{
    archive::Archive,
    cli::{change_args::ChangeArgs, session::Session},
    config::parse_span,
};

/// Replace the signing key in two steps, without breaking clients
///
/// First, sign with both keys: generate a new key, write `SignWith: OLD NEW` to conf/distributions, re-sign every suite, and
/// publish both keys as the package NAME-archive-keyring. Later, with --finish, drop the old key. Run the same command again
/// to complete an interrupted step.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key rotate --dry-run\n\
\x20 publish key rotate\n\
\x20 publish key rotate --finish")]
pub(crate) struct Args {
    /// Drop the old key: the second step, once clients have the new one
    #[arg(long)]
    pub(super) finish: bool,

    /// With --finish, require that the new key was published TIME ago; `0d` if the old key is compromised [default: 30d]
    #[arg(long, value_name = "TIME", value_parser = parse_overlap, requires = "finish", conflicts_with = "expires")]
    pub(super) after: Option<Duration>,

    /// New key: a file, a fingerprint or a gpg key [default: generate one]; with --finish, the key to keep
    #[arg(long, value_name = "KEY")]
    pub(super) to: Option<String>,

    /// Expiry of the generated key: 3y, 18m, 90d, a date such as 2030-01-31, or never
    #[arg(long, value_name = "TIME", default_value = "3y", conflicts_with_all = ["to", "finish"])]
    pub(super) expires: String,

    /// Name of the keyring package without -archive-keyring [default: as published, else from the `Origin` of the suites]
    #[arg(long)]
    pub(super) name: Option<String>,

    /// Rotate the key of this suite only; repeatable [default: all signed suites]
    #[arg(short, long)]
    pub(super) suite: Vec<String>,

    #[command(flatten)]
    pub(super) asked: ChangeArgs,
}

/// Parses a span, which may be zero.
fn parse_overlap(text: &str) -> Result<Duration, String> {
    match text.trim() {
        "0" | "0d" | "0h" | "0w" => Ok(Duration::ZERO),
        text => parse_span(text),
    }
}

/// How long both keys sign by default.
pub(super) const OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The key rotation of one suite.
pub(super) struct SuiteRotation {
    pub(super) state: RotationState,
    pub(super) old: Vec<Named>,
    pub(super) new: Named,
}

/// The key rotation of several suites.
pub(super) struct Change<'a, 'b> {
    pub(super) args: &'a Args,
    pub(super) session: &'a Session<'b>,
    /// The configuration file to change.
    pub(super) config: PathBuf,
    /// The archive, which trusts all configured keys.
    pub(super) archive: Archive,
    pub(super) rotations: Vec<SuiteRotation>,
}
