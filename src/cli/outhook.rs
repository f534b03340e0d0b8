//! `publish outhook`: the hook with which reprepro hands over each change to a destination.

use std::{collections::BTreeSet, path::Path, process::ExitCode};

use clap::Parser;

use super::{failure::Failure, session::Session, sync};

/// Copy each change of reprepro to a destination, as the `outhook` of reprepro
///
/// reprepro stays the tool that changes the repository. After each command, its changed suites are copied like `sync`
/// copies them: packages first, then the release file of each suite in one atomic step. The archive is the folder that
/// reprepro names in the environment (REPREPRO_OUT_DIR).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 printf '#!/bin/sh\\nexec publish outhook s3://packages.example.org/apt \"$1\"\\n' > conf/to-cdn.sh\n\
\x20 chmod +x conf/to-cdn.sh\n\
\x20 echo 'outhook to-cdn.sh' >> conf/options\n\n\
The hook of the last two lines is:\n\
\x20 publish outhook s3://packages.example.org/apt logs/1748736000-x.outlog")]
#[expect(clippy::doc_markdown, reason = "these comments are the help text")]
pub(super) struct Args {
    /// Destination, as for `publish sync`
    #[arg(value_name = "DESTINATION")]
    destination: String,

    /// The file that reprepro passes as the first argument of the hook
    #[arg(value_name = "OUTLOG")]
    outlog: std::path::PathBuf,

    /// Delete files of the destination that no current or retained generation references
    #[arg(long)]
    delete: bool,
}

/// A call of `sync`.
#[derive(Parser)]
struct Sync {
    #[command(flatten)]
    args: sync::Args,
}

/// The lines of an .outlog file are about the suites of one command.
const LONGEST: u64 = 64 << 20;

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let path = session.current.join(&args.outlog);
    let text = crate::regular::read_within(&path, LONGEST);
    let text = text.map_err(|error| Failure::file(&error, &path, "read"))?;
    let suites = changed(&String::from_utf8_lossy(&text));
    if suites.is_empty() {
        session.ui.say("Nothing to do: no suite has changed");
        return Ok(ExitCode::SUCCESS);
    }
    let mut words = vec!["sync".to_owned(), args.destination.clone()];
    words.extend(suites.iter().flat_map(|suite| ["--suite".to_owned(), suite.clone()]));
    words.extend(args.delete.then(|| "--delete".to_owned()));
    let sync = Sync::try_parse_from(words).map_err(|error| Failure::usage(error.to_string()))?;
    Box::pin(sync::run(&sync.args, session)).await
}

/// Returns the suites and snapshots that an .outlog file names.
fn changed(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(begun).map(ToOwned::to_owned).collect()
}

/// The suite that a line begins, by its folder.
fn begun(line: &str) -> Option<&str> {
    let mut fields = line.split('\t');
    let kind = fields.next()?;
    let is_begun =
        matches!(kind, "BEGIN-DISTRIBUTION" | "START-DISTRIBUTION" | "BEGIN-SNAPSHOT" | "START-SNAPSHOT");
    fields.nth(1)?.strip_prefix("dists/").filter(|_| is_begun)
}

/// Returns the archive and the configuration that reprepro names in the environment of its hooks.
pub(super) fn of_reprepro() -> Option<(String, Option<std::path::PathBuf>)> {
    let text = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let archive = text("REPREPRO_OUT_DIR")?.into_string().ok()?;
    let config = text("REPREPRO_CONFIG_DIR").map(|folder| Path::new(&folder).join("distributions"));
    Some((archive, config.filter(|path| path.exists())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_suites_are_those_that_the_outlog_begins() {
        let text = "POOLNEW\tpool/main/a/a/a_1_all.deb\n\
                    BEGIN-DISTRIBUTION\tbookworm\tdists/bookworm\tstable\n\
                    DISTFILE\tdists/bookworm\tRelease\t/r/dists/bookworm/Release\n\
                    END-DISTRIBUTION\tbookworm\tdists/bookworm\tstable\n\
                    BEGIN-SNAPSHOT\tbookworm\tdists/bookworm/snapshots/1\t1\n\
                    POOLDELETE\tpool/x.deb\n";
        assert_eq!(changed(text).into_iter().collect::<Vec<_>>(), ["bookworm", "bookworm/snapshots/1"]);
        assert!(changed("POOLDELETE\tpool/x.deb\nBEGIN-DISTRIBUTION\tx\n").is_empty());
    }
}
