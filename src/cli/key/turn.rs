//! A change of keys: what was asked for, and in which suites which key takes over from which.

use std::{path::PathBuf, time::Duration};

use super::standing::{Named, Standing};
use crate::{
    archive::Archive,
    cli::{change_args::ChangeArgs, session::Session},
    config::parse_span,
};

/// Puts another key in the place of the one that signs, without a client that notices
///
/// First both keys sign: a new key is made, conf/distributions gets `SignWith: OLD NEW`, every suite is signed anew, and the
/// package NAME-archive-keyring brings both keys to clients. Then, with --finish, the old key is dropped. What a killed run
/// left undone, the same command does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Drops the old key: the second step, once clients have the new one
    #[arg(long)]
    pub(super) finish: bool,

    /// With --finish: how long clients must have had the new key; `0d` if the old one is in wrong hands [default: 30d]
    #[arg(long, value_name = "TIME", value_parser = parse_patience, requires = "finish", conflicts_with = "expires")]
    pub(super) after: Option<Duration>,

    /// The key that takes over: a file, a fingerprint, a key of gpg [default: a new one]; with --finish, the one that stays
    #[arg(long, value_name = "KEY")]
    pub(super) to: Option<String>,

    /// When a new key expires: 3y, 18m, 90d, a day such as 2030-01-31, or never
    #[arg(long, value_name = "TIME", default_value = "3y", conflicts_with_all = ["to", "finish"])]
    pub(super) expires: String,

    /// What the keyring package is called [default: as it is published already, else by the `Origin` of the suites]
    #[arg(long)]
    pub(super) name: Option<String>,

    /// Only this suite; may be repeated [default: all that are signed]
    #[arg(short, long)]
    pub(super) suite: Vec<String>,

    #[command(flatten)]
    pub(super) asked: ChangeArgs,
}

/// A span, or none at all.
fn parse_patience(text: &str) -> Result<Duration, String> {
    match text.trim() {
        "0" | "0d" | "0h" | "0w" => Ok(Duration::ZERO),
        text => parse_span(text),
    }
}

/// For so long both keys sign, unless another time is asked for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A change of keys in one suite.
pub(super) struct Turn {
    pub(super) standing: Standing,
    pub(super) old: Vec<Named>,
    pub(super) new: Named,
}

/// A change of keys in some suites.
pub(super) struct Change<'a, 'b> {
    pub(super) args: &'a Args,
    pub(super) session: &'a Session<'b>,
    /// The configuration, which is to be changed.
    pub(super) config: PathBuf,
    /// The archive, where the signatures of all configured keys are believed.
    pub(super) archive: Archive,
    pub(super) turns: Vec<Turn>,
}
