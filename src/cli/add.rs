//! `publish add`: .debs into a suite.

use std::{path::PathBuf, process::ExitCode};

use super::{change_args::ChangeArgs, failure::Failure, session::Session, sources};
use crate::{
    archive::{NewPackage, SuiteEdit, find_files, read_packages},
    names::Component,
};

/// Adds packages to a suite: all of them in one step, or none
///
/// Reads each .deb once, puts it into the pool, and publishes the new indices. A package that is published already with
/// the same bytes is left as it is; one with other bytes is refused.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// .deb files, or folders with such files
    #[arg(required = true, value_name = "FILE|FOLDER")]
    files: Vec<PathBuf>,

    /// The suite [default: the only one there is, else `stable`]
    #[arg(short, long)]
    suite: Option<String>,

    /// The component [default: by the section of the package, else the first of the suite]
    #[arg(short, long)]
    component: Option<Component>,

    /// Refuses a version older than the newest published one of that name; without this it is added, and said
    #[arg(long)]
    if_newer: bool,

    /// Takes the place of a package of the same version with other contents, where the suite is `Mutable: yes`, such as one
    /// of nightlies; clients that have not heard of it still find the file of before
    #[arg(long)]
    replace: bool,

    /// Offers the packages to so many of a hundred machines first; adding the same file again with another number changes it,
    /// and 100 ends it
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    phased: Option<u8>,

    #[command(flatten)]
    asked: ChangeArgs,
}

pub(super) async fn run(args: Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suite = session.suite_to_change(args.suite.as_deref()).await?;
    let keys = session.keys_to_publish(&suite).await?;
    let files = find_files(&args.files)?;
    let events = session.events();
    let read = tokio::task::block_in_place(|| read_packages(files, &events))?;
    let component = |incoming| NewPackage { incoming, component: args.component.clone() };
    let add = read.into_iter().map(component).collect();
    let Args { if_newer, replace, phased, .. } = args;
    let edit = SuiteEdit { add, if_newer, replace, phased, ..SuiteEdit::default() };
    let client_keys = keys.trust.client_keys().keyring.clone();
    let outcome = session.commit(&suite, keys, &edit, &args.asked).await?;
    sources::tell_first(session, &outcome, &client_keys)?;
    Ok(ExitCode::SUCCESS)
}
