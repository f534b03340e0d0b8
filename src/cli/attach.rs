//! `publish attach`: lists files of other tools in a suite.

use std::{path::PathBuf, process::ExitCode};

use super::{change_args::ChangeArgs, failure::Failure, session::Session};
use crate::{
    archive::{AttachFault, AttachedPath, Attachment, Reason, Refusal, SuiteEdit},
    compression::Compression,
    names::Suite,
};

/// List a file of another tool in a suite, such as metadata for software centers
///
/// Publish the file in the folder of the suite, under its path and its digest, in the same atomic step as the release file
/// that lists it. `rollback`, `copy` of a snapshot and `sync` take it along. When packages change, metadata that describes
/// them (`dep11/`) is no longer listed: attach it again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish attach Components-amd64.yml --as main/dep11/Components-amd64.yml --compress gz,xz\n\
\x20 publish attach icons.tar.gz --as main/dep11/icons-64x64.tar.gz --suite testing\n\
\x20 publish attach --detach main/dep11/Components-amd64.yml")]
pub(super) struct Args {
    /// File to list
    #[arg(required_unless_present = "detach", requires = "path")]
    file: Option<PathBuf>,

    /// Path below the folder of the suite, such as main/dep11/Components-amd64.yml; with the extension of a compression if
    /// FILE is compressed
    #[arg(long = "as", value_name = "PATH", requires = "file")]
    path: Option<String>,

    /// Publish compressed forms as well
    #[arg(long, value_name = "FORM", value_delimiter = ',', value_parser = form, requires = "file")]
    compress: Vec<Compression>,

    /// Stop listing the file at this path, in all of its forms; repeatable
    #[arg(long, value_name = "PATH")]
    detach: Vec<String>,

    /// Suite to change [default: the only suite]
    #[arg(short, long)]
    suite: Option<String>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suite = session.suite_to_change(args.suite.as_deref()).await?;
    let mut attach = Vec::new();
    if let (Some(file), Some(path)) = (&args.file, &args.path) {
        let path = AttachedPath::parse(path).map_err(|fault| refused("attach", path, fault, None))?;
        let read = tokio::task::block_in_place(|| Attachment::read(file, path.clone(), &args.compress));
        attach.push(read.map_err(|fault| refused("attach", path.as_str(), fault, None))?);
    }
    let detach = args.detach.iter().map(|path| {
        let fault = |fault| refused("detach", path, fault, Some(&suite.codename));
        AttachedPath::to_detach(path).map_err(fault)
    });
    let detach = detach.collect::<Result<Vec<_>, _>>()?;
    let keys = session.keys_to_publish(&suite).await?;
    let edit = SuiteEdit::attaching(attach, detach);
    let outcome = session.publish(&suite, keys, &edit, &args.change).await?;
    if !session.ui.json() {
        for change in &outcome.changes {
            session.ui.say(change);
        }
    }
    session.ui.outcome(&outcome);
    Ok(ExitCode::SUCCESS)
}

fn refused(action: &'static str, subject: &str, fault: AttachFault, suite: Option<&Suite>) -> Failure {
    let (subject, source) = (subject.escape_debug().to_string(), Reason::Attach(fault));
    let refusal = Refusal { action, preposition: "from", subject, suite: suite.cloned(), source };
    crate::archive::Error::Refused(vec![refusal]).into()
}

/// Parses a form: `gz`, `xz` or `zst`, with or without the dot.
fn form(text: &str) -> Result<Compression, String> {
    match text.trim_start_matches('.') {
        "gz" => Ok(Compression::Gzip),
        "xz" => Ok(Compression::Xz),
        "zst" => Ok(Compression::Zstd),
        _ => Err("expected `gz`, `xz` or `zst`".to_owned()),
    }
}
