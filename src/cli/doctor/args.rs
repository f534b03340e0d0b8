//! The options of `doctor`.

use crate::{cli::session::Session, names::Suite};

/// Check everything that publishing needs, and print a remedy for each fault
///
/// Print a line for each finding: the configuration, the signing keys and what apt thinks of them, the store (credentials,
/// conditional writes, headers, listing, clock), the published suites, and the archive at its public URL as apt sees it. To try
/// the store, an object is written to .publish/ and removed again, unless --dry-run is given. Exit with status 4 if there is a
/// fault.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish doctor\n\
\x20 publish --archive s3://packages.example.org/apt doctor --public-url https://packages.example.org/apt\n\
\x20 publish doctor --dry-run --json")]
#[expect(clippy::doc_markdown, reason = "these comments are the help text")]
pub(in crate::cli) struct Args {
    /// Look only at this suite; repeatable
    #[arg(short, long, value_name = "SUITE")]
    pub(super) suite: Vec<String>,

    /// URL under which clients read the archive [default: PUBLISH_PUBLIC_URL, else `Public-Url:` in the configuration]
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) public_url: Option<String>,

    /// Write nothing: the store is only read
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
}

impl Args {
    /// Whether a suite is looked at: all are, unless some are named, by their codenames or by other names.
    pub(super) fn names(&self, suite: &Suite, session: &Session<'_>) -> bool {
        self.suite.is_empty() || self.suite.iter().any(|name| is_name_of(name, suite, session))
    }
}

/// Whether a name on the command line is that of a suite.
pub(super) fn is_name_of(name: &str, suite: &Suite, session: &Session<'_>) -> bool {
    name == suite.as_str() || session.config.find(name).is_some_and(|found| found.codename == *suite)
}
