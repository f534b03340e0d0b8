//! `publish prune`: removes old versions from the suites, then collects garbage.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use super::{
    change_args::ChangeArgs,
    class::Kind,
    failure::Failure,
    json::{self, Publication},
    session::Session,
    ui::{Ui, count},
};
use crate::{
    archive::{
        Archive, CommitReport, GRACE, Keep, Prune, Pruned, Retained, Retention, SuiteEdit, Swept, Trust,
    },
    config::{SuiteConfig, parse_generations, parse_span},
    size::bytes,
    store::Location,
};

/// Maximum number of deleted objects that are printed without `--verbose`.
const FEW: usize = 10;

/// Remove old package versions, then delete unreferenced files
///
/// First, remove old versions from the suites. Each package keeps its newest versions, as many as --keep or `Limit:` of the
/// suite allows; with --older-than it also keeps every version that is younger. The newest version is always kept. A suite
/// that other suites name in `Archive:` is limited only by its own `Limit:`, unless --suite names it.
///
/// Then delete every file that no current or retained generation references (`KeepFor:`, `KeepGenerations:`) and that is
/// older than two days. Other jobs can publish at the same time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish prune --dry-run\n\
\x20 publish prune --keep 3\n\
\x20 publish prune --older-than 90d --keep 3 --package 'linux-*'")]
pub(super) struct Args {
    /// Prune only this suite; repeatable
    #[arg(short, long)]
    suite: Vec<String>,

    /// Number of versions to keep of each package, instead of `Limit:`
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,

    /// Remove only versions added to the pool more than TIME ago, such as 90d; keep one version of each package, or as many
    /// as --keep or `Limit:` allows
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    older_than: Option<Duration>,

    /// Remove only versions of packages of this name; `*`, `?` and `[…]` match as in a shell; repeatable
    #[arg(long, value_name = "NAME")]
    package: Vec<String>,

    /// Retain a generation for TIME after it was replaced [default: `KeepFor:` of the suite, else 7d]
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    keep_for: Option<Duration>,

    /// Retain at least NUMBER generations of each suite [default: `KeepGenerations:` of the suite, else 3]
    #[arg(long, value_name = "NUMBER", value_parser = parse_generations)]
    keep_generations: Option<usize>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    if let Location::Web(location) = &session.location {
        let text = format!("`{location}` has no list of files, so what to delete is unknown");
        let hint = "name the folder or bucket behind the web server, such as `--archive s3://BUCKET/PREFIX`";
        return Err(Failure::text(text, Some(hint.to_owned())).kind(Kind::Refused));
    }
    let suites = if args.suite.is_empty() && session.archive(Trust::unverified()).is_all_dropped().await? {
        Vec::new()
    } else {
        session.suites_as_configured(&args.suite).await?
    };
    if !args.package.is_empty() && suites.iter().all(|suite| args.retention(suite, session).is_none()) {
        return Err(Failure::usage(
            "`--package` needs a retention rule: add `--keep NUMBER` or `--older-than TIME`".to_owned(),
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
        dry_run: args.change.dry_run,
        only: None,
        events: &events,
        stop: Some(session.ui.stop()),
    };
    let trust = tokio::task::block_in_place(|| session.trust_to_read());
    session.ui.step("Marking files in use");
    let pruned = Archive::new(session.store.clone(), trust).prune(&how).await;
    let pruned = pruned.map_err(|error| session.failure(error))?;
    if session.ui.json() {
        let suites = retention.iter().map(Publication::from).collect();
        session.ui.object(&json::Pruned::new(suites, &pruned));
    } else {
        print_report(&pruned, session.ui);
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes old versions from one suite if it has a retention rule.
async fn retain(
    args: &Args,
    suite: &SuiteConfig,
    session: &Session<'_>,
) -> Result<Option<CommitReport>, Failure> {
    let Some(retention) = args.retention(suite, session) else { return Ok(None) };
    let keys = session.keys_to_publish(suite).await?;
    let edit = SuiteEdit { retention: Some(retention), ..SuiteEdit::default() };
    let outcome = session.publish(suite, keys, &edit, &args.change).await?;
    if !session.ui.json() && outcome.generation.is_some() {
        session.ui.outcome(&outcome);
    }
    Ok(Some(outcome))
}

impl Args {
    /// Returns the retention rule of a suite, if it has one.
    fn retention(&self, suite: &SuiteConfig, session: &Session<'_>) -> Option<Retention> {
        if self.suite.is_empty() {
            // A read-only suite is changed only on request.
            if suite.read_only {
                return None;
            }
            // A target of `Archive:` exists to keep old versions; only its own limit applies to it.
            let goes_to = |other: &SuiteConfig| other.archive.as_ref() == Some(&suite.codename);
            if session.config.suites.iter().any(goes_to) {
                let names = self.package.clone();
                return suite.limit.map(|versions| Retention { versions, since: None, names });
            }
        }
        let asked = self.keep.and_then(|keep| usize::try_from(keep).ok());
        // `--older-than` alone keeps one version.
        let versions = asked.or(suite.limit).or(self.older_than.map(|_| 1))?;
        let since = self.older_than.map(|age| session.now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
        Some(Retention { versions, since, names: self.package.clone() })
    }

    /// Returns which generations of a suite are retained.
    fn states(&self, suite: Option<&SuiteConfig>) -> Keep {
        let generations = self.keep_generations.or_else(|| suite?.keep_generations);
        let span = self.keep_for.or_else(|| suite?.keep_for);
        Keep::of(generations, span)
    }
}

fn print_report(pruned: &Pruned, ui: &Ui) {
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
    let mut reasons: BTreeMap<&str, Vec<&Swept>> = BTreeMap::new();
    for swept in &pruned.spared {
        reasons.entry(&swept.why).or_default().push(swept);
    }
    for (why, spared) in reasons {
        let size = bytes(spared.iter().map(|swept| swept.bytes).sum());
        let objects = count(spared.len(), "object");
        ui.say(&format!("Spared {objects}, {size}, although no retained generation references them: {why}"));
        for swept in spared {
            ui.detail(&line(swept));
        }
    }
    let Retained { generations, objects, bytes: size, .. } = pruned.retained;
    if generations > 0 {
        ui.say(&format!(
            "Retained {}, and {}, {}, that only they reference (`KeepFor`, `KeepGenerations`)",
            count(generations, "earlier generation"),
            count(objects, "object"),
            bytes(size),
        ));
    }
    if pruned.all_recent && (generations > 0 || !pruned.spared.is_empty()) {
        ui.say(
            "Every file is younger than two days, as after a fresh checkout or a restore: ages count from the \
             modification times of the files",
        );
    }
}
