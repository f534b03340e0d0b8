//! `publish copy`: copies packages from one suite to another.

use std::process::ExitCode;

use super::{change_args::ChangeArgs, failure::Failure, session::Session, state, text::shell_word};
use crate::{
    archive::{Copies, Named, SuiteEdit, Trust, Wanted, Which},
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
\x20 publish copy --source foo=1.2-3 --from testing --to stable\n\
\x20 publish copy hello --from stable@1 --to stable")]
pub(super) struct Args {
    /// Packages to copy, binary and source: the newest version, or the given one; `*`, `?` and `[…]` match as in a shell
    #[arg(required_unless_present_any = ["source", "all"], value_name = "NAME[=VERSION]")]
    names: Vec<String>,

    /// Suite to copy from, or one of its generations
    #[arg(long, value_name = "SUITE[@STATE]")]
    from: String,

    /// Suite to copy to; also `--suite`
    #[arg(long, short_alias = 's', alias = "suite", value_name = "SUITE")]
    to: String,

    /// Create --to if the archive has no suite of that name
    #[arg(long)]
    new_suite: bool,

    /// Copy this source package, or the given version of it, and all packages built from it; a pattern too; repeatable
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
    let (name, which) = from(args, session)?;
    let from = session.suite_to_copy_from(name)?;
    if from.codename == suite.codename && which.is_none() {
        let (from, to) = (&args.from, &args.to);
        return Err(Failure::usage(format!("`--from {from}` and `--to {to}` are the same suite")));
    }
    let keys = session.keys_to_publish(&suite).await?;
    let trust = tokio::task::block_in_place(|| session.trust_to_copy_from(&from, &keys.trust));
    let generation = match &which {
        Some(which) => {
            let archive = session.archive(Trust::unverified());
            Some(archive.generation_name(&from.codename, which).await?)
        }
        None => None,
    };
    let copies = Copies {
        generation,
        wanted: args.wanted(),
        architectures: args.architecture.clone(),
        component: args.component.clone(),
        ..Copies::new(from.codename, trust)
    };
    let edit = SuiteEdit { copy: Some(copies), ..SuiteEdit::default() };
    session.commit_packages(&suite, keys, &edit, &args.change).await?;
    Ok(ExitCode::SUCCESS)
}

/// Splits `--from`, which may not name another archive.
fn from<'a>(args: &'a Args, session: &Session<'_>) -> Result<(&'a str, Option<Which>), Failure> {
    let text = &args.from;
    let is_destination = || session.destinations().is_ok_and(|known| known.find(text).is_some());
    let is_suite = session.config.find(text).is_some();
    if text.contains(['#', ':']) || text.starts_with(['.', '/']) || !is_suite && is_destination() {
        let names = args.names.iter().map(|name| shell_word(name)).collect::<Vec<_>>().join(" ");
        let hint = format!("publish pull {} --from {} {names}", args.to, shell_word(text));
        let text = format!("`--from {text}` is another archive, and `copy` copies within one");
        return Err(Failure::text(text, Some(hint.trim_end().to_owned())).into_usage());
    }
    state::split(text)
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
