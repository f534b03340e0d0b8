//! The store: whether it can be reached, what it can do, and its clock.

use std::time::Duration;

use super::{args::Args, finding::Findings};
use crate::{
    archive::Trust,
    cli::{failure::Failure, session::Session},
    store::{self, ConditionalWrites, Examination, Location},
};

const TOPIC: &str = "store";

/// apt and the clouds accept signatures and requests of a clock that is a little ahead.
const NOTABLE: Duration = Duration::from_secs(5);
/// S3 and Azure refuse requests whose time differs by more than 15 minutes.
const WRONG: Duration = Duration::from_secs(5 * 60);

/// Looks at the store; returns whether it can be read.
pub(super) async fn look(args: &Args, session: &Session<'_>, findings: &mut Findings) -> bool {
    if let Location::Web(_) = session.location {
        findings.ok(TOPIC, format!("{} is read-only, as every web server", session.location));
        return true;
    }
    if let Some(folder) = session.location.folder()
        && !folder.is_dir()
    {
        let fix = session.command("init");
        findings.fault(TOPIC, format!("there is no folder {}", folder.display()), fix);
        return false;
    }
    if args.dry_run {
        return read(session, findings).await;
    }
    match session.store.examine().await {
        Ok(seen) => {
            findings.ok(TOPIC, format!("{} can be written, read and deleted", session.location));
            if session.location.bucket().is_some() {
                findings.ok("credentials", "the store accepts them");
            }
            report(seen, session, findings);
            clock(session, findings);
            true
        }
        Err(error) => {
            // The answer that refuses has a date too.
            clock(session, findings);
            failed(Failure::from(error), session, findings);
            false
        }
    }
}

/// Reads without writing.
async fn read(session: &Session<'_>, findings: &mut Findings) -> bool {
    let archive = session.archive(Trust::unverified());
    let listed = archive.suites().await;
    clock(session, findings);
    match listed {
        Ok(_) => {
            let text = "can be read and listed; writing was not tried, because of `--dry-run`";
            findings.ok(TOPIC, format!("{} {text}", session.location));
            true
        }
        Err(error) => {
            failed(Failure::from(error), session, findings);
            false
        }
    }
}

fn failed(failure: Failure, session: &Session<'_>, findings: &mut Findings) {
    let is_away = failure.errors.iter().all(|problem| problem.class.is_out_of_reach());
    if session.location.folder().is_some() {
        let fix = "let the user of this command write in the folder, such as `chown -R USER FOLDER`";
        findings.failure(TOPIC, failure, fix);
    } else {
        findings.failure(if is_away { TOPIC } else { "credentials" }, failure, "see `publish help buckets`");
    }
}

fn report(seen: Examination, session: &Session<'_>, findings: &mut Findings) {
    let help = "see `publish help buckets`";
    if !seen.reads {
        let text = "an object was not read as it was written: a cache may be in front of the store";
        findings.fault(TOPIC, text, "name the endpoint of the store itself");
    }
    if !seen.deletes {
        findings.warning(TOPIC, "a deleted object is still there", help);
    }
    match seen.conditional_writes {
        ConditionalWrites::Native => {
            findings.ok(TOPIC, "conditional writes work: jobs may publish at the same time");
        }
        ConditionalWrites::Lease if session.location.bucket().is_some_and(|bucket| bucket.service == store::Service::Swift) => {
            findings.ok(TOPIC, "no conditional writes, as in every Swift: a lease orders jobs that publish at the same time");
        }
        ConditionalWrites::Lease => findings.warning(
            TOPIC,
            "conditional writes are ignored: a lease orders jobs that publish at the same time, which is slower and weaker",
            "let one job publish at a time, or use a store with conditional writes; see `publish help buckets`",
        ),
    }
    match seen.cache_control {
        None => {}
        Some((asked, Some(stored))) if asked == stored => {
            findings.ok(TOPIC, format!("headers are kept: `Cache-Control: {stored}`"));
        }
        Some((asked, stored)) => findings.warning(
            TOPIC,
            format!(
                "`Cache-Control: {asked}` is not kept: {}",
                match stored {
                    Some(stored) => format!("the object has `{stored}`"),
                    None => "the object has none".to_owned(),
                }
            ),
            "set it at the CDN or the web server; see `publish help serving`",
        ),
    }
    match seen.lists {
        Ok(true) => findings.ok(TOPIC, "the store can be listed"),
        Ok(false) => findings.warning(TOPIC, "a listing leaves out a new object", help),
        Err(error) => {
            let problem = Failure::from(error).errors.into_iter().next();
            let why = problem.map(|problem| problem.message).unwrap_or_default();
            findings.warning(
                TOPIC,
                format!("the store cannot be listed, which `prune`, `log` and commands without `--suite` need: {why}"),
                "permit the job to list, such as `s3:ListBucket` on the bucket; see `publish help buckets`",
            );
        }
    }
}

/// Compares the clocks, if an answer had a date.
pub(super) fn clock(session: &Session<'_>, findings: &mut Findings) {
    difference(session.store.clock_difference(session.clock), "the store", findings);
}

/// Reports the difference to the clock of a server.
pub(super) fn difference(of: Option<(bool, Duration)>, server: &str, findings: &mut Findings) {
    let Some((is_ahead, difference)) = of else { return };
    let side = if is_ahead { "ahead of" } else { "behind" };
    let text = format!("the clock of this machine is {} s {side} that of {server}", difference.as_secs());
    let fix = "timedatectl set-ntp true";
    if difference > WRONG {
        findings.fault("clock", text, fix);
    } else if difference > NOTABLE {
        findings.warning("clock", text, fix);
    } else {
        findings.ok("clock", format!("the clock of this machine is that of {server}"));
    }
}
