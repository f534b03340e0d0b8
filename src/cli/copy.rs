//! `publish copy`: packages of one suite into another.

use std::process::ExitCode;

use super::{change_args::ChangeArgs, failure::Failure, session::Session, sources};
use crate::{
    archive::{Copies, Named, SuiteEdit, Wanted},
    names::{Architecture, Component},
};

/// Copies packages from one suite to another: all of them in one step, or none
///
/// Nothing is uploaded, since suites share the pool: what clients of the one suite see of a package, those of the other
/// then see too. Of each name and architecture the newest version in --from is meant, unless one is named. What is there
/// already with the same bytes is left as it is; with other bytes it is refused.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Names of packages: their newest versions, or with `=VERSION` that one; `*` stands for any text, `?` for one character
    #[arg(required_unless_present_any = ["source", "all"], value_name = "NAME[=VERSION]")]
    names: Vec<String>,

    /// The suite that the packages are in
    #[arg(long, value_name = "SUITE")]
    from: String,

    /// The suite that they are to be in too
    #[arg(long, value_name = "SUITE")]
    to: String,

    /// All packages that were built from this source, or with `=VERSION` from that version of it; may be repeated
    #[arg(long, value_name = "NAME[=VERSION]")]
    source: Vec<String>,

    /// Every package of the suite, its newest version
    #[arg(long, conflicts_with_all = ["names", "source"])]
    all: bool,

    /// Only packages of this architecture (`all` is one); may be repeated
    #[arg(long, value_name = "ARCHITECTURE")]
    architecture: Vec<Architecture>,

    /// The component of --to [default: that in which a package is]
    #[arg(short, long)]
    component: Option<Component>,

    #[command(flatten)]
    asked: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suite = session.suite_to_change(Some(&args.to)).await?;
    let from = session.suite_to_copy_from(&args.from)?;
    if from.codename == suite.codename {
        let (from, to) = (&args.from, &args.to);
        return Err(Failure::usage(format!("`--from {from}` and `--to {to}` are the same suite")));
    }
    let keys = session.keys_to_publish(&suite).await?;
    let copies = Copies {
        trust: tokio::task::block_in_place(|| session.trust_to_copy_from(&from, &keys.trust)),
        from: from.codename,
        wanted: args.wanted(),
        architectures: args.architecture.clone(),
        component: args.component.clone(),
    };
    let edit = SuiteEdit { copy: Some(copies), ..SuiteEdit::default() };
    let client_keys = keys.trust.client_keys().keyring.clone();
    let outcome = session.commit(&suite, keys, &edit, &args.asked).await?;
    sources::tell_first(session, &outcome, &client_keys)?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn wanted(&self) -> Vec<Wanted> {
        if self.all {
            return vec![Wanted { named: Named::Package("*".into()), version: None }];
        }
        let wanted = |kind: fn(String) -> Named| {
            move |text: &String| {
                let (name, version) = match text.split_once('=') {
                    Some((name, version)) => (name, Some(version.to_owned())),
                    None => (text.as_str(), None),
                };
                Wanted { named: kind(name.to_owned()), version }
            }
        };
        let names = self.names.iter().map(wanted(Named::Package));
        names.chain(self.source.iter().map(wanted(Named::Source))).collect()
    }
}
