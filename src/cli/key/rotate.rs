//! `publish key rotate`: replaces the signing key in two steps.

use std::{process::ExitCode, time::Duration};

use super::{clients::print_clients, progress::print_event};
use crate::{
    archive::{OVERLAP, RotateOptions, Rotated, Step},
    cli::{change_args::ChangeArgs, failure::Failure, json, replacement::ROTATE_BY_HAND, session::Session},
    config::parse_span,
    names::Suite,
    signing::parse_expiry,
    store::Location,
};

/// Replace the signing key in two steps, without breaking clients
///
/// First, sign with both keys: generate a new key, write `SignWith: OLD NEW` to conf/distributions, re-sign every suite, and
/// publish both keys as the package NAME-archive-keyring. Later, with --finish, drop the old key. Run the same command again
/// to complete an interrupted step.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key rotate --dry-run\n\
\x20 publish key rotate\n\
\x20 publish key rotate --finish")]
pub(crate) struct Args {
    /// Drop the old key: the second step, once clients have the new one
    #[arg(long)]
    finish: bool,

    /// With --finish, require that the new key was published TIME ago; `0d` if the old key is compromised [default: 30d]
    #[arg(long, value_name = "TIME", value_parser = parse_overlap, requires = "finish", conflicts_with = "expires")]
    after: Option<Duration>,

    /// New key: a file, a fingerprint or a gpg key [default: generate one]; with --finish, the key to keep
    #[arg(long, value_name = "KEY")]
    to: Option<String>,

    /// Expiry of the generated key: 3y, 18m, 90d, a date such as 2030-01-31, or never
    #[arg(long, value_name = "TIME", default_value = "3y", conflicts_with_all = ["to", "finish"])]
    expires: String,

    /// Name of the keyring package without -archive-keyring [default: as published, else from the `Origin` of the suites]
    #[arg(long)]
    name: Option<String>,

    /// Rotate the key of this suite only; repeatable [default: all signed suites]
    #[arg(short, long)]
    suite: Vec<String>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

/// Parses a span, which may be zero.
fn parse_overlap(text: &str) -> Result<Duration, String> {
    match text.trim() {
        "0" | "0d" | "0h" | "0w" => Ok(Duration::ZERO),
        text => parse_span(text),
    }
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    if matches!(session.location, Location::Web(_)) && !session.plans {
        return Err(Failure::text(format!("`{}` is read-only", session.location), None));
    }
    let events = session.events();
    let publisher = session.publisher(&args.change, &events)?;
    let config = match &session.config_path {
        _ if publisher.keychain.is_overridden() => {
            let error = "the key is named outside the configuration, so there is no `SignWith:` to change";
            return Err(by_hand(error));
        }
        Some(path) if !session.config.suites.is_empty() => path.clone(),
        _ => return Err(by_hand("there is no configuration, so there is no `SignWith:` to change")),
    };
    let options = RotateOptions {
        current: session.current.clone(),
        to: args.to.clone(),
        expires: parse_expiry(&args.expires, session.now)?,
        name: args.name.clone(),
        suites: args.suite.clone(),
        finish: args.finish,
        after: args.after.unwrap_or(OVERLAP),
        ..RotateOptions::new(config)
    };
    let report = publisher.rotate_keys(&options, &|event| print_event(session, &event)).await?;
    print_report(session, &report).await?;
    if session.ui.json() {
        session.ui.object(&json::Rotated::from(&report));
    }
    Ok(ExitCode::SUCCESS)
}

fn by_hand(error: &str) -> Failure {
    Failure::text(error, Some(ROTATE_BY_HAND.to_owned()))
}

async fn print_report(session: &Session<'_>, report: &Rotated) -> Result<(), Failure> {
    let ui = session.ui;
    match report.step {
        Step::Nothing => ui.say("Nothing to do: no key rotation is in progress"),
        Step::Finished if report.completes && report.dry_run => ui.say("The key rotation would be finished"),
        Step::Finished if report.completes => {
            ui.say("The key rotation is finished: interrupted steps were completed");
        }
        Step::Finished => print_dropped(session, report),
        Step::Begun | Step::UnderWay => {
            if let Some(suites) = &report.planned {
                print_plan(session, report, suites);
            } else {
                if report.step == Step::UnderWay {
                    print_progress(session, report);
                }
                if let Some((name, _, suites)) = &report.package {
                    print_clients(session, name, suites).await?;
                }
            }
            print_next(session, report);
        }
    }
    Ok(())
}

fn print_progress(session: &Session<'_>, report: &Rotated) {
    let since = report.since.as_ref().map(|day| format!(" since {day}")).unwrap_or_default();
    let rest = match (report.completes, report.dry_run) {
        (false, _) => "",
        (true, true) => "; interrupted steps would be completed",
        (true, false) => "; interrupted steps were completed",
    };
    session.ui.say(&format!("The key rotation is in progress{since}: both keys sign{rest}"));
}

fn print_plan(session: &Session<'_>, report: &Rotated, suites: &[Suite]) {
    let ui = session.ui;
    let suites: Vec<String> = suites.iter().map(|suite| format!("`{suite}`")).collect();
    if !suites.is_empty() {
        ui.say(&format!("Would sign with both keys: {}", suites.join(", ")));
    }
    if let Some((name, version, _)) = &report.package {
        ui.say(&format!("Would publish {name} {version} with both keys"));
        ui.say("Clients whose `Signed-By:` names its keyring only need to upgrade; all others must install it first");
    }
}

fn print_next(session: &Session<'_>, report: &Rotated) {
    if report.has_snapshots {
        session
            .ui
            .say("\nClients that use only a snapshot do not get the package: give them archive-key.asc");
    }
    let day = report.finish.as_ref().map(|day| format!(", from {day} on")).unwrap_or_default();
    session.ui.say(&format!("\nNext, once clients have the new key{day}: publish key rotate --finish"));
}

fn print_dropped(session: &Session<'_>, report: &Rotated) {
    let verb = if report.dry_run { "would no longer be" } else { "is no longer" };
    for key in &report.dropped {
        let place = match &key.file {
            Some(file) => format!("; its secret part is in {file}"),
            // It may be elsewhere: a plan needs no secret.
            None if report.dry_run => String::new(),
            None => "; its secret part is in the keyring of gpg".to_owned(),
        };
        session.ui.say(&format!(
            "The old key {} {verb} used{place}: delete it once all clients can update",
            key.fingerprint
        ));
    }
}
