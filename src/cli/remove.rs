//! `publish remove`: packages out of a suite.

use std::process::ExitCode;

use super::{change_args::ChangeArgs, failure::Failure, session::Session};
use crate::{
    archive::{Removal, SuiteEdit},
    names::Architecture,
};

/// Removes packages from a suite: all that are named in one step, or none
///
/// Their files stay in the pool, for clients that have read the suite before.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Names of packages; with `=VERSION` only that version
    #[arg(required = true, value_name = "NAME[=VERSION]")]
    names: Vec<String>,

    /// Only packages of this architecture (`all` is one); may be repeated
    #[arg(long, value_name = "ARCHITECTURE")]
    architecture: Vec<Architecture>,

    /// The suite [default: the only one there is]
    #[arg(short, long)]
    suite: Option<String>,

    #[command(flatten)]
    asked: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suite = session.suite_to_change(args.suite.as_deref()).await?;
    let keys = session.keys_to_publish(&suite).await?;
    let mut remove = Vec::new();
    for named in &args.names {
        let (name, version) = match named.split_once('=') {
            Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
            None => (named.clone(), None),
        };
        let architectures: Vec<Option<Architecture>> = match &args.architecture[..] {
            [] => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        };
        for architecture in architectures {
            let removal = Removal { name: name.clone(), version: version.clone(), architecture };
            if !remove.contains(&removal) {
                remove.push(removal);
            }
        }
    }
    let edit = SuiteEdit { remove, ..SuiteEdit::default() };
    session.commit(&suite, keys, &edit, &args.asked).await?;
    Ok(ExitCode::SUCCESS)
}
