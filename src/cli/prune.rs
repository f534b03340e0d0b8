//! `publish prune`: old versions out of the suites, then garbage out of the archive.

use std::{
    process::ExitCode,
    time::{Duration, SystemTime},
};

use super::{
    change_args::ChangeArgs,
    failure::Failure,
    json::{self, Publication},
    session::Session,
    ui::{Ui, count},
};
use crate::{
    archive::{Archive, CommitReport, GRACE, Keep, Prune, Pruned, Retention, SuiteEdit, Swept},
    config::{SuiteConfig, parse_generations, parse_span},
    size::bytes,
};

/// So many deleted objects are told one by one without `--verbose`.
const FEW: usize = 10;

/// Takes old versions out of the suites, then deletes what no client can still need
///
/// First the retention: of each package the newest versions stay, as many as --keep or `Limit:` of the suite says, and
/// with --older-than all that is younger. The newest version always stays. A suite that others name in `Archive:` loses
/// versions by its own `Limit:` alone, unless --suite names it.
///
/// Then every file is deleted that no state of any suite leads to which is current or kept (`KeepFor:`,
/// `KeepGenerations:`), and that is older than two days. Jobs may go on publishing meanwhile.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only old versions and old states of this suite; may be repeated
    #[arg(short, long)]
    suite: Vec<String>,

    /// How many versions of each package stay in the suites, instead of `Limit:`
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,

    /// Only versions go whose files came into the pool longer ago than this; of each package one stays, or more by --keep or
    /// `Limit:`
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    older_than: Option<Duration>,

    /// Only versions of packages of this name go; `*` stands for any text, `?` for one character; may be repeated
    #[arg(long, value_name = "NAME")]
    package: Vec<String>,

    /// How long a state is kept after the next one took its place [default: `KeepFor:` of the suite, else 7d]
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    keep_for: Option<Duration>,

    /// How many states of a suite are kept at least [default: `KeepGenerations:` of the suite, else 3]
    #[arg(long, value_name = "NUMBER", value_parser = parse_generations)]
    keep_generations: Option<usize>,

    #[command(flatten)]
    asked: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suites = session.suites_as_configured(&args.suite).await?;
    if !args.package.is_empty() && suites.iter().all(|suite| args.retention(suite, session).is_none()) {
        return Err(Failure::usage(
            "which versions of `--package` go? say `--keep NUMBER` or `--older-than TIME`".to_owned(),
        ));
    }
    let mut retention = Vec::new();
    for suite in &suites {
        retention.extend(retain(args, suite, session).await?);
    }
    let keep = suites.iter().map(|suite| (suite.codename.clone(), args.states(Some(suite)))).collect();
    let events = session.events();
    let how = Prune {
        keep,
        otherwise: args.suite.is_empty().then(|| args.states(None)),
        grace: GRACE,
        now: session.now,
        dry_run: args.asked.dry_run,
        events: &events,
    };
    let trust = tokio::task::block_in_place(|| session.trust_to_read());
    let pruned = Archive::new(session.store.clone(), trust).prune(&how).await?;
    if session.ui.json() {
        let suites = retention.iter().map(Publication::from).collect();
        session.ui.object(&json::Pruned::new(suites, &pruned));
    } else {
        tell(&pruned, session.ui);
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes old versions out of one suite, if it says how many stay.
async fn retain(
    args: &Args,
    suite: &SuiteConfig,
    session: &Session<'_>,
) -> Result<Option<CommitReport>, Failure> {
    let Some(retention) = args.retention(suite, session) else { return Ok(None) };
    let keys = session.keys_to_publish(suite).await?;
    let edit = SuiteEdit { retention: Some(retention), ..SuiteEdit::default() };
    let outcome = session.publish(suite, keys, &edit, &args.asked).await?;
    if !session.ui.json() && outcome.generation.is_some() {
        session.ui.outcome(&outcome);
    }
    Ok(Some(outcome))
}

impl Args {
    /// Which versions of packages are to stay in a suite, if anything says so.
    fn retention(&self, suite: &SuiteConfig, session: &Session<'_>) -> Option<Retention> {
        if self.suite.is_empty() {
            // What nobody may change is left out where it was not named.
            if suite.read_only {
                return None;
            }
            // So is what was surplus elsewhere and went there to be kept, but for a limit of its own.
            let goes_to = |other: &SuiteConfig| other.archive.as_ref() == Some(&suite.codename);
            if session.config.suites.iter().any(goes_to) {
                let names = self.package.clone();
                return suite.limit.map(|versions| Retention { versions, since: None, names });
            }
        }
        let asked = self.keep.and_then(|keep| usize::try_from(keep).ok());
        // Of what is old enough, one version stays where nothing says how many.
        let versions = asked.or(suite.limit).or(self.older_than.map(|_| 1))?;
        let since = self.older_than.map(|age| session.now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
        Some(Retention { versions, since, names: self.package.clone() })
    }

    /// Which states are kept of a suite.
    fn states(&self, suite: Option<&SuiteConfig>) -> Keep {
        let default = Keep::default();
        let generations = self.keep_generations.or_else(|| suite?.keep_generations);
        let span = self.keep_for.or_else(|| suite?.keep_for);
        Keep { generations: generations.unwrap_or(default.generations), span: span.unwrap_or(default.span) }
    }
}

fn tell(pruned: &Pruned, ui: &Ui) {
    let size = |all: &[Swept]| bytes(all.iter().map(|swept| swept.bytes).sum());
    let line = |swept: &Swept| format!("  {} ({}): {}", swept.path, bytes(swept.bytes), swept.why);
    let (verb, all) = (if pruned.dry_run { "Would delete" } else { "Deleted" }, &pruned.deleted);
    if all.is_empty() {
        ui.say("Nothing to delete");
    } else {
        ui.say(&format!("{verb} {}, {}", count(all.len(), "object"), size(all)));
        for swept in all {
            if pruned.dry_run || all.len() <= FEW {
                ui.say(&line(swept));
            } else {
                ui.detail(&line(swept));
            }
        }
    }
    if !pruned.spared.is_empty() {
        let (objects, size) = (count(pruned.spared.len(), "object"), size(&pruned.spared));
        ui.say(&format!(
            "{objects}, {size}, that no kept state leads to may be needed in a moment, and stay for now"
        ));
        pruned.spared.iter().for_each(|swept| ui.detail(&line(swept)));
    }
}
