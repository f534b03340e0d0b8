//! `publish copy`: copies packages from one suite to another.

use std::process::ExitCode;

use super::{change_args::ChangeArgs, failure::Failure, session::Session};
use crate::{
    archive::{Copies, Named, SuiteEdit, Wanted},
    names::{Architecture, Component},
};

/// Copy packages from one suite to another, all of them or none
///
/// Suites share the pool, so no package file is uploaded again and the stanzas stay the same. The newest version of each
/// name and architecture is copied unless a version is given. A package that is already published with the same bytes is
/// skipped; one with different bytes is rejected.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish copy hello --from testing --to stable --dry-run\n\
\x20 publish copy 'libfoo*' hello=2.10-3 --from testing --to stable\n\
\x20 publish copy --source foo=1.2-3 --from testing --to stable")]
pub(super) struct Args {
    /// Packages to copy, binary and source: the newest version, or the given one; `*`, `?` and `[…]` match as in a shell
    #[arg(required_unless_present_any = ["source", "all"], value_name = "NAME[=VERSION]")]
    names: Vec<String>,

    /// Suite to copy from
    #[arg(long, value_name = "SUITE")]
    from: String,

    /// Suite to copy to
    #[arg(long, value_name = "SUITE")]
    to: String,

    /// Create --to if the archive has no suite of that name
    #[arg(long)]
    new_suite: bool,

    /// Copy this source package, or the given version of it, and all packages built from it; repeatable
    #[arg(long, value_name = "NAME[=VERSION]")]
    source: Vec<String>,

    /// Copy the newest version of every package in the suite
    #[arg(long, conflicts_with_all = ["names", "source"])]
    all: bool,

    /// Copy only packages of this architecture, such as `amd64`, `all` or `source`; repeatable
    #[arg(long, value_name = "ARCHITECTURE", value_parser = Architecture::parse_selector)]
    architecture: Vec<Architecture>,

    /// Component in --to [default: the one where --to has the package, else the one in --from]
    #[arg(short, long)]
    component: Option<Component>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suite = session.suite_to_extend(Some(&args.to), args.new_suite).await?;
    let from = session.suite_to_copy_from(&args.from)?;
    if from.codename == suite.codename {
        let (from, to) = (&args.from, &args.to);
        return Err(Failure::usage(format!("`--from {from}` and `--to {to}` are the same suite")));
    }
    let keys = session.keys_to_publish(&suite).await?;
    let trust = tokio::task::block_in_place(|| session.trust_to_copy_from(&from, &keys.trust));
    let copies = Copies {
        wanted: args.wanted(),
        architectures: args.architecture.clone(),
        component: args.component.clone(),
        ..Copies::new(from.codename, trust)
    };
    let edit = SuiteEdit { copy: Some(copies), ..SuiteEdit::default() };
    session.commit_packages(&suite, keys, &edit, &args.change).await?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn wanted(&self) -> Vec<Wanted> {
        if self.all {
            return vec![Wanted { named: Named::Package("*".into()), version: None }];
        }
        let names = self.names.iter().map(|text| Wanted::parse(text, Named::Package));
        names.chain(self.source.iter().map(|text| Wanted::parse(text, Named::Source))).collect()
    }
}
