//! `publish remove`: removes packages from a suite.

use std::process::ExitCode;

use super::{change_args::ChangeArgs, failure::Failure, session::Session};
use crate::{
    archive::{Named, Removal, SuiteEdit, Wanted},
    names::Architecture,
};

/// Remove packages from a suite, all of them or none
///
/// The files stay in the pool for clients that hold an earlier index, until `publish prune` deletes them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish remove hello --suite testing\n\
\x20 publish remove --source hello=2.10-3\n\
\x20 publish remove hello=2.10-3 --architecture amd64 --dry-run")]
pub(super) struct Args {
    /// Packages to remove, binary and source: all versions, or the given one; `*`, `?` and `[…]` match as in a shell
    #[arg(required_unless_present = "source", value_name = "NAME[=VERSION]")]
    names: Vec<String>,

    /// Remove this source package, or the given version of it, and all packages built from it; a pattern too; repeatable
    #[arg(long, value_name = "NAME[=VERSION]")]
    source: Vec<String>,

    /// Remove only packages of this architecture, such as `amd64`, `all` or `source`; repeatable
    #[arg(long, value_name = "ARCHITECTURE", value_parser = Architecture::parse_selector)]
    architecture: Vec<Architecture>,

    /// Suite to change [default: the only suite]
    #[arg(short, long)]
    suite: Option<String>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suite = session.suite_to_change(args.suite.as_deref()).await?;
    let keys = session.keys_to_publish(&suite).await?;
    let mut remove = Vec::new();
    let names = args.names.iter().map(|text| Wanted::parse(text, Named::Package));
    for Wanted { named, version } in
        names.chain(args.source.iter().map(|text| Wanted::parse(text, Named::Source)))
    {
        let architectures: Vec<Option<Architecture>> = match &args.architecture[..] {
            [] => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        };
        for architecture in architectures {
            let removal = Removal { named: named.clone(), version: version.clone(), architecture };
            if !remove.contains(&removal) {
                remove.push(removal);
            }
        }
    }
    let edit = SuiteEdit { remove, ..SuiteEdit::default() };
    session.commit(&suite, keys, &edit, &args.change).await?;
    Ok(ExitCode::SUCCESS)
}
