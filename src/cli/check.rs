//! `publish check`: an archive read as a client reads it.

use std::process::ExitCode;

use super::{Failure, failure, session::Session, ui::count};
use crate::store::Location;

/// Reads the archive as a client would: signature, every digest, every pool file
///
/// Prints one line for each fault, and ends with status 4 if there is any.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The archive, instead of the one that `--archive` names
    #[arg(value_name = "LOCATION")]
    pub(super) location: Option<String>,

    /// Only this suite
    #[arg(short, long)]
    suite: Option<String>,

    /// First restores what can be restored: what a killed publisher left undone, lost indices, a lost pointer
    #[arg(long)]
    repair: bool,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let mut suites = archive.lost_suites().await?;
    suites.retain(|suite| args.suite.as_ref().is_none_or(|asked| asked == suite.as_str()));
    match session.suites_to_read(&archive, args.suite.as_deref()).await {
        Ok(there) => suites.extend(there),
        // All that there was is lost.
        Err(_) if !suites.is_empty() => {}
        Err(failure) => return Err(failure),
    }
    if args.suite.is_none() && !matches!(session.location, Location::Web(_)) {
        for suite in suites.clone() {
            let snapshots =
                archive.snapshots(&suite).await?.into_iter().map(|snapshot| snapshot.name().clone());
            suites.extend(snapshots);
        }
    }
    if args.repair {
        for suite in &suites {
            let repaired = archive.repair(suite).await?;
            for path in repaired.restored {
                session.ui.say(&format!("Repaired {path}"));
            }
            for path in repaired.lost {
                session.ui.warn(&format!("`{path}` cannot be restored from what is there"));
            }
        }
    }
    let report = archive.check(&suites, &session.events()).await?;
    if session.ui.json() {
        session.ui.object(&report);
    } else {
        for note in &report.notes {
            session.ui.say(&format!("note: {note}"));
        }
        let faults = report.faults.iter().map(|fault| format!("{}: {}\n", fault.path, fault.problem));
        session.ui.data(faults.collect::<String>().as_bytes());
        session.ui.say(&format!(
            "Checked {}, {}, {}: {}",
            count(report.suites.len(), "suite"),
            count(report.packages, "package"),
            count(report.files, "file"),
            if report.faults.is_empty() {
                "all is as it should be".to_owned()
            } else {
                count(report.faults.len(), "fault")
            }
        ));
    }
    Ok(if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(failure::DAMAGE) })
}
