//! Runs one call: parses it, opens the session, and runs the command and the hooks.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
    sync::{Arc, Mutex, PoisonError},
};

use clap::Parser as _;

use super::{
    call::Call,
    check, copy, export, flood, folders, hooks, include, include_changes, incoming, internals, list, ls,
    notices, notifiers,
    options::{self, CommandLine, Options},
    outlog::OutLog,
    pool, remove, reoverride, reports, sizes, snapshots, status, tracks, update, vanished,
    words::{self, Known, Word},
};
use crate::cli::{
    clock,
    failure::Failure,
    global::Global,
    interrupt,
    session::Session,
    threads,
    ui::{Ui, text_width},
};
use crate::{config::SuiteConfig, guide, names::Suite, signing};

/// The options that every command of this program has.
#[derive(clap::Parser)]
struct OnlyGlobal {
    #[command(flatten)]
    global: Global,
}

/// Runs a command line of reprepro, without the name of the program.
pub(in super::super) fn main(arguments: Vec<OsString>) -> ExitCode {
    let given: Result<Vec<String>, OsString> = arguments.into_iter().map(OsString::into_string).collect();
    let plain = Ui::new(false, false, false);
    let wrong = |text: &str| {
        let hint = Some("for the commands and options run `publish help reprepro`".to_owned());
        let failure = status::with(status::USAGE, Failure::text(text, hint));
        plain.failure(&failure)
    };
    let given = match given {
        Ok(given) => given,
        Err(word) => return wrong(&format!("argument `{}` is not UTF-8", word.display())),
    };
    let (options, rest) = match options::parse(&given) {
        Ok(CommandLine::Call(options, rest)) => (options, rest),
        Ok(CommandLine::Help) => {
            let text = guide::topic("reprepro").map(|topic| guide::render(topic.text, text_width()));
            plain.text(&text.unwrap_or_default());
            return plain.end(ExitCode::SUCCESS);
        }
        Ok(CommandLine::Version) => {
            plain.say(concat!("publish ", env!("CARGO_PKG_VERSION"), ", in place of reprepro 5.3"));
            return ExitCode::SUCCESS;
        }
        Err(error) => return wrong(&error),
    };
    let Some((name, rest)) = rest.split_first() else { return wrong("no command is given") };
    let Some(known) = words::find(name) else { return wrong(&format!("unknown command `{name}`")) };
    if let Some(ended) = with_gnupg_home(&options, &given) {
        return wrong(&format!("cannot run this program again: {ended}"));
    }
    let status = run(&options, known, rest);
    match &options.endhook {
        Some(hook) => ExitCode::from(hooks::end(hook, &options, known, rest, status)),
        None => ExitCode::from(status),
    }
}

/// Runs this program again with the variable that names gpg's home, which gpg and its agent read. Returns only if that
/// fails or is not needed.
fn with_gnupg_home(options: &Options, given: &[String]) -> Option<std::io::Error> {
    let home = options.gnupg_home.as_ref()?;
    if std::env::var_os("GNUPGHOME").is_some_and(|set| set == home.as_str()) {
        return None;
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return Some(error),
    };
    Some(Command::new(program).arg0("reprepro").args(given).env("GNUPGHOME", home).exec())
}

/// Runs a command; returns its status.
fn run(options: &Options, known: &'static Known, arguments: &[String]) -> u8 {
    let ui = Arc::new(Ui::new(false, options.verbosity < 0, options.verbosity > 4));
    let failed = |failure: &Failure| {
        let _ = ui.failure(failure);
        ui.say("There have been errors!");
        status::of(failure)
    };
    if let Err(error) = known.check(arguments.len()) {
        return failed(&status::text(status::FAILED, error));
    }
    let runtime = match threads::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Failure::of(&error, None)),
    };
    let ended = Mutex::new(0);
    let work = async {
        let status = command(options, known, arguments, &ui).await?;
        *ended.lock().unwrap_or_else(PoisonError::into_inner) = status;
        Ok(ExitCode::SUCCESS)
    };
    let done = runtime.block_on(interrupt::unless_interrupted(work, &ui));
    match done {
        Ok(Ok(_)) => {
            let status = *ended.lock().unwrap_or_else(PoisonError::into_inner);
            // A list that could not be written is not complete.
            if ui.end(ExitCode::SUCCESS) == ExitCode::SUCCESS { status } else { status::FAILED }
        }
        Ok(Err(failure)) => failed(&failure),
        Err(signal) => {
            runtime.shutdown_background();
            let _ = ui.interrupted(signal);
            signal.code()
        }
    }
}

async fn command(
    options: &Options,
    known: &'static Known,
    arguments: &[String],
    ui: &Ui,
) -> Result<u8, Failure> {
    if let Some(text) = known.misfit(options) {
        return Err(status::text(status::FAILED, text));
    }
    let (session, default_forms) = open(options, ui)?;
    let cause = ("REPREPRO_CAUSING_COMMAND", OsString::from(known.name));
    signing::set_variables(options.folders.variables().into_iter().chain([cause]).collect());
    let outlog = Mutex::new(OutLog::default());
    let call = Call { options, session, word: known.name, arguments, default_forms, outlog };
    let done = dispatch(&call, known.word).await;
    // Earlier changes are published even if a later one failed.
    let hooked = hooks::out(&call);
    let status = done?;
    hooked?;
    Ok(status)
}

/// Opens the session of the repository; returns also the suites whose indices are not configured.
fn open<'a>(options: &Options, ui: &'a Ui) -> Result<(Session<'a>, Vec<Suite>), Failure> {
    let folders = &options.folders;
    if !folders.have_dists_in_out() {
        let text = format!(
            "`--distdir` is `{}`: clients look for `dists/` beside `pool/`, in `{}`",
            folders.dists.display(),
            folders.out
        );
        let hint = "name the folder of both with `--outdir`".to_owned();
        return Err(status::with(status::FAILED, Failure::text(text, Some(hint))));
    }
    let config = folders.conf.join("distributions");
    if !config.exists() {
        return Err(status::text(status::FILE, format!("there is no `{}`", config.display())));
    }
    let global = ["publish", "--archive", &folders.out, "--config"].map(OsString::from).into_iter();
    let keys = options.sign_with.iter().map(|key| OsString::from(format!("--sign-with={key}")));
    let trust = options.trust_existing.then(|| OsString::from("--trust-existing"));
    let allow = options.allow_releaseinfo_change.then(|| OsString::from("--allow-releaseinfo-change"));
    let global = global.chain([config.clone().into_os_string()]).chain(keys).chain(trust).chain(allow);
    let global = OnlyGlobal::try_parse_from(global).map_err(|error| Failure::of(&error, None))?.global;
    let mut session = Session::open_without_warnings(global, ui, clock::now(), false, false)?;
    session.builds_on_unverified =
        session.location.folder().is_some_and(|folder| folders::holds(folder, &config));
    let is_default = |suite: &&SuiteConfig| suite.index_releases.is_none();
    let default_forms = session.config.suites.iter().filter(is_default);
    let default_forms = default_forms.map(|suite| suite.codename.clone()).collect();
    for suite in &mut session.config.suites {
        // A newer version replaces the older ones, unless `Limit` says otherwise.
        if suite.limit.is_none() && !suite.unlimited {
            suite.limit = Some(1);
        }
        suite.index_releases = suite.index_releases.or(Some(true));
        suite.source_releases = suite.source_releases.or(Some(true));
    }
    notices::print(options, &session);
    Ok((session, default_forms))
}

async fn dispatch(call: &Call<'_>, word: Word) -> Result<u8, Failure> {
    match word {
        Word::IncludeDeb | Word::IncludeUdeb | Word::IncludeDdeb | Word::IncludeDsc => {
            include::run(call, word).await
        }
        Word::Include => include_changes::run(call).await,
        Word::ProcessIncoming => incoming::run(call).await,
        Word::Remove
        | Word::RemoveSource
        | Word::RemoveSources
        | Word::RemoveMatched
        | Word::RemoveFilter => remove::run(call, word).await,
        Word::Copy | Word::CopySource | Word::CopyMatched | Word::CopyFilter => copy::copy(call, word).await,
        Word::Move | Word::MoveSource | Word::MoveMatched | Word::MoveFilter => {
            copy::move_away(call, word).await
        }
        Word::Restore | Word::RestoreSource | Word::RestoreMatched | Word::RestoreFilter => {
            copy::restore(call, word).await
        }
        Word::Flood => flood::run(call).await,
        Word::List | Word::ListMatched | Word::ListFilter => list::run(call, word).await,
        Word::Ls | Word::LsByComponent => ls::run(call, word == Word::LsByComponent).await,
        Word::Export => export::run(call).await,
        Word::CreateSymlinks => export::create_links(call),
        Word::GenSnapshot => snapshots::make(call).await,
        Word::UnreferenceSnapshot => snapshots::remove(call).await,
        Word::Check => check::suites(call).await,
        Word::CheckPool => check::pool(call).await,
        Word::DumpReferences => pool::references(call).await,
        Word::DumpUnreferenced => pool::unreferenced(call).await,
        Word::DeleteUnreferenced => pool::delete(call, None).await,
        Word::DeleteIfUnreferenced => pool::delete_these(call).await,
        Word::Reoverride => reoverride::run(call).await,
        Word::ClearVanished => vanished::run(call).await,
        Word::UnusedSources | Word::SourceMissing | Word::ReportCruft => reports::sources(call, word).await,
        Word::BuildNeeding => reports::build_needing(call).await,
        Word::Codenames => Ok(list::codenames(call)),
        Word::Identifiers => list::identifiers(call),
        Word::RerunNotifiers => notifiers::run(call).await,
        Word::DumpTracks => tracks::dump(call).await,
        Word::RemoveTrack => tracks::remove(call).await,
        Word::RemoveAllTracks => tracks::remove_all(call),
        Word::TidyTracks => tracks::tidy(call),
        Word::Rules(kind, how) => update::run(call, kind, how).await,
        Word::Nothing | Word::NothingIsDone => {
            // The names of suites are checked all the same.
            call.suites(call.arguments).map(|_| call.status(word == Word::NothingIsDone))
        }
        Word::Sizes => sizes::run(call).await,
        Word::VersionCompare
        | Word::ExtractControl
        | Word::ExtractFiles
        | Word::DumpContents
        | Word::ListChecksums
        | Word::ListMd5Sums => internals::run(call, word).await,
    }
}
