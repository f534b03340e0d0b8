//! The options of `sync`.

use std::time::Duration;

use crate::{
    config::{parse_generations, parse_span},
    names::{Architecture, Component},
};

/// Copy the archive to another store: a bucket, a container or a folder
///
/// Compare the indices of both sides, and upload the missing files in an order that is safe for clients: packages and
/// indices first, then the release file of each suite in one atomic step. An interrupted sync resumes when it is run again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish sync s3://packages.example.org/apt --public-url https://packages.example.org/apt\n\
\x20 publish sync cdn --dry-run\n\
\x20 publish --archive https://deb.example.org/debian sync ./mirror --suite stable --keyring debian.asc\n\
\x20 publish -a https://deb.debian.org/debian sync ./mirror -s trixie -c main --architecture amd64 --no-source\n\
\x20 publish sync --all --delete")]
#[expect(clippy::doc_markdown, reason = "these comments are the help text")]
#[expect(clippy::struct_excessive_bools, reason = "the switches of a command line")]
pub(in crate::cli) struct Args {
    /// Destination: a name in conf/destinations, a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or
    /// swift://CONTAINER/PREFIX
    #[arg(value_name = "DESTINATION", required_unless_present = "all", conflicts_with = "all")]
    pub(super) destination: Option<String>,

    /// Sync to every destination in conf/destinations
    #[arg(long)]
    pub(super) all: bool,

    /// Sync only this suite; repeatable
    ///
    /// Its other names (`stable` beside `bookworm`) that the destination has are published with it.
    #[arg(short, long)]
    pub(super) suite: Vec<String>,

    /// Copy only suites that are signed by these public keys, like `Signed-By` on a client; repeatable
    ///
    /// Defaults to the configured keys, else to those that the destination publishes. A suite that cannot be verified is not
    /// copied over a signed one.
    #[arg(long, value_name = "FILE")]
    pub(super) keyring: Vec<String>,

    /// Copy only this component; repeatable
    ///
    /// The release file and its signature stay those of the source, and its other indices and packages are left out; `check` and
    /// clients that are configured for this part find it complete. A later sync with other options adds what was left out, and
    /// with --delete removes what is no longer wanted.
    #[arg(short, long, value_name = "COMPONENT")]
    pub(super) component: Vec<Component>,

    /// Copy only packages of this architecture, and those for all; repeatable
    #[arg(long, value_name = "ARCHITECTURE", value_parser = Architecture::parse_selector)]
    pub(super) architecture: Vec<Architecture>,

    /// Leave out source packages
    #[arg(long)]
    pub(super) no_source: bool,

    /// Leave out packages and images of the installer
    #[arg(long)]
    pub(super) no_udeb: bool,

    /// Leave out the lists of the files in packages (`Contents`)
    #[arg(long)]
    pub(super) no_contents: bool,

    /// Go on without files that the source lists and does not have; each is named, and the next sync looks for it again
    #[arg(long)]
    pub(super) ignore_missing: bool,

    /// Copy these files too, which no index lists (such as `*.buildinfo`): a name, or a pattern with `*`, `?` and `[…]`; repeatable
    #[arg(long, value_name = "GLOB")]
    pub(super) include: Vec<String>,

    /// Compare all files with a listing of the destination, and upload lost or damaged files again
    #[arg(long)]
    pub(super) verify: bool,

    /// Prune the destination afterwards: delete files that no current or retained generation references
    #[arg(long)]
    pub(super) delete: bool,

    /// With --delete, retain a generation for TIME after it was replaced [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub(super) keep_for: Option<Duration>,

    /// With --delete, retain at least NUMBER generations of each suite [default: 3]
    #[arg(long, value_name = "NUMBER", value_parser = parse_generations)]
    pub(super) keep_generations: Option<usize>,

    /// Number of parallel uploads
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) concurrency: u16,

    /// Copy a suite even if the destination has a newer one
    #[arg(long)]
    pub(super) allow_older: bool,

    /// URL under which clients read the destination, for the `.sources` stanza
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<String>,

    /// Print the plan and write nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
}
