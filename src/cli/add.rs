//! `publish add`: adds packages to a suite.

use std::{path::PathBuf, process::ExitCode};

use super::{
    change_args::ChangeArgs,
    failure::Failure,
    file_list::FileLists,
    session::Session,
    uploads::{self, Wanted},
};
use crate::{
    archive::{Incoming, NewPackage, Older, SuiteEdit, find_files, read_packages},
    names::Component,
};

/// Add packages to a suite, all of them or none
///
/// Upload the files to the pool, then publish the new indices in one atomic step. A package that is already published
/// with the same bytes is skipped; one with different bytes is rejected.
///
/// A .dsc adds a source package: the files that it lists are read from the same folder, or are in the pool already, and must
/// match it. A .udeb goes to the index of the installer, a .ddeb to that of debug symbols.
///
/// A .changes adds an upload to the suites that it names: every file is checked against it, and sections and priorities are
/// those that it lists. With `Uploaders` or `UploaderKeys` in the configuration its signature decides whether it is accepted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish add ./build/hello_2.10-3_amd64.deb\n\
\x20 publish add ./build --suite testing --dry-run\n\
\x20 publish add ./builds --skip-older\n\
\x20 publish add hello_2.10-3.dsc hello_2.10-3_amd64.deb\n\
\x20 publish add --contents ./build\n\
\x20 find ./build -name '*.deb' -newer stamp -print0 | publish add -0 -\n\
\x20 publish add hello_2.10-3_amd64.changes --keep-buildinfo\n\
\x20 publish add --phased 10 hello_2.10-4_amd64.deb")]
#[expect(clippy::struct_excessive_bools, reason = "options of the command line")]
pub(super) struct Args {
    /// .deb, .dsc, .udeb and .ddeb files, or folders that contain them; or .changes files; `-` reads their names from standard
    /// input
    #[arg(required_unless_present = "files_from", value_name = "FILE|FOLDER")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    lists: FileLists,

    /// Suite to change [default: the only one that is configured or published; `stable` in a new archive]
    #[arg(short, long)]
    suite: Option<String>,

    /// Create --suite in an archive that has other suites
    #[arg(long, requires = "suite")]
    new_suite: bool,

    /// Component [default: the one where the suite has the package, else from its Section, else the first]
    #[arg(short, long)]
    component: Option<Component>,

    /// Reject packages older than the newest published version; by default they are added with a warning
    #[arg(long)]
    if_newer: bool,

    /// Skip packages older than the newest published version, such as when a folder of builds is added again
    #[arg(long, conflicts_with = "if_newer")]
    skip_older: bool,

    /// Replace a published package of the same version with different contents, in a suite with `Mutable: yes`; clients that
    /// still hold the previous index can keep downloading the previous file
    #[arg(long)]
    replace: bool,

    /// Phase the update: offer it to PERCENT of machines (Phased-Update-Percentage); add the same file again to change
    /// PERCENT, 100 ends phasing
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    phased: Option<u8>,

    /// Publish indices of the files in all packages of the suite (Contents), for apt-file; a suite that has them keeps
    /// them up to date without this option
    #[arg(long)]
    contents: bool,

    /// Keep the .buildinfo files of an upload beside its packages in the pool, until `publish prune` deletes those
    #[arg(long)]
    keep_buildinfo: bool,

    /// Public key of an uploader: reject an upload without a valid signature of one of these keys
    #[arg(long = "uploader-key", value_name = "FILE")]
    uploader_keys: Vec<PathBuf>,

    /// URL under which clients read the archive, for their `.sources` [default: `Public-Url:` in the configuration]
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<String>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

impl Args {
    /// An edit with the options of the command line.
    fn options_of(&self, edit: SuiteEdit) -> SuiteEdit {
        let older = match (self.if_newer, self.skip_older) {
            (true, _) => Older::Refuse,
            (_, true) => Older::Skip,
            _ => Older::Add,
        };
        let Self { replace, phased, contents, .. } = *self;
        SuiteEdit { older, replace, phased, contents, ..edit }
    }
}

pub(super) async fn run(mut args: Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    args.files = tokio::task::block_in_place(|| args.lists.with(&args.files))?;
    if args.files.iter().any(|file| uploads::is_upload(file)) {
        let wanted = Wanted {
            files: &args.files,
            suite: args.suite.as_deref(),
            new_suite: args.new_suite,
            component: args.component.as_ref(),
            keep_buildinfo: args.keep_buildinfo,
            uploader_keys: &args.uploader_keys,
            asked: &args.change,
            options_of: &|edit| args.options_of(edit),
        };
        uploads::run(&wanted, session).await?;
        return Ok(ExitCode::SUCCESS);
    }
    for (is_given, option) in
        [(!args.uploader_keys.is_empty(), "--uploader-key"), (args.keep_buildinfo, "--keep-buildinfo")]
    {
        if is_given {
            let hint = format!("add the `.changes` file of the upload, or leave out `{option}`");
            let text = format!("`{option}` is for uploads, and no `.changes` file is given");
            return Err(Failure::text(text, Some(hint)).into_usage());
        }
    }
    let suite = session.suite_to_extend(args.suite.as_deref(), args.new_suite).await?;
    let keys = session.keys_to_publish(&suite).await?;
    let events = session.events();
    session.ui.step("Reading packages");
    let files = find_files(&args.files)?;
    let read = tokio::task::block_in_place(|| read_packages(files, &events))?;
    let new = |incoming: Incoming| {
        let found = !args.files.contains(&incoming.file);
        NewPackage { component: args.component.clone(), found, ..incoming.into() }
    };
    let add = read.into_iter().map(new).collect();
    let edit = args.options_of(SuiteEdit { add, ..SuiteEdit::default() });
    session.commit_packages(&suite, keys, &edit, &args.change).await?;
    Ok(ExitCode::SUCCESS)
}
