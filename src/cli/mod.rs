//! The command line: arguments, output and exit codes.
//!
//! Each subcommand is a file with its `Args` and its `run`. The time of an operation and the environment are
//! passed down from here; `ui` and `progress_bar` print; the exit codes are in `failure`, `ending_signal` and
//! `reprepro/status`.

mod add;
mod doctor;
mod stats;
mod file_list;
mod attach;
mod check;
mod serve;
mod client;
mod copy;
mod pull;
mod import;
mod other_archive;
mod completions;
mod help;
mod man;
mod unknown_command;
mod other_words;
mod init;
mod key;
mod log;
mod diff;
mod drop;
mod export;
mod outcome;
mod prune;
mod publishing;
mod refresh;
mod remove;
mod rollback;
mod show;
mod list;
mod list_format;
mod snapshot;
mod reprepro;
mod outhook;
mod format;
mod uploads;
mod change_args;
mod sync;
mod sources;
mod public_url;
mod state;
mod session_keys;
mod session;
mod place;
mod replacement;
mod given_keys;
mod global;
mod threads;
mod clock;
mod algorithm;
mod interrupt;
mod ui;
mod json;
mod progress;
mod progress_bar;
mod text;
mod secrets;
mod ending_signal;
mod failure;
mod class;
mod hints;
mod shell;

pub use serve::Server;

use std::{
    process::ExitCode,
    sync::{Arc, LazyLock},
};

use clap::{CommandFactory, Parser, Subcommand};

use failure::Failure;
use global::Global;
use session::Session;
use ui::Ui;

use crate::store::Location;

/// Publish Debian packages as a signed APT archive, atomically and without a database.
#[derive(Debug, Parser)]
#[command(name = "publish", version, long_version = VERSION.as_str(), max_term_width = 100, after_help = AFTER_HELP)]
#[command(disable_help_subcommand = true, disable_help_flag = true, arg_required_else_help = true)]
#[command(after_long_help = LONG_AFTER_HELP.as_str())]
struct Cli {
    #[command(flatten)]
    global: Global,

    /// Print help (`publish --help` has all global options)
    #[arg(short, long, global = true, action = clap::ArgAction::Help, help_heading = "Global options")]
    help: Option<bool>,

    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:\n\
\x20 publish --archive /srv/apt init --suite stable --origin Example\n\
\x20 publish --archive /srv/apt add ./build/*.deb\n\
\x20 publish --archive s3://packages.example.org/apt list\n\n\
Exit codes: 0 success or nothing to do, 1 failure, 2 usage error, 3 lost race (retry), \
4 `check` or `doctor` found a fault, 5 store or network out of reach (try again later), \
130 and 143 ended by SIGINT and SIGTERM.\n\n\
Topics: see `publish help`.";

/// Pages of commands show few of the global options; the page of `publish` itself has all of them.
static LONG_AFTER_HELP: LazyLock<String> =
    LazyLock::new(|| format!("{}\n\n{AFTER_HELP}", global::rare().trim_end()));

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Add(add::Args),
    Attach(attach::Args),
    Copy(copy::Args),
    Pull(pull::Args),
    Import(import::Args),
    Remove(remove::Args),
    Rollback(rollback::Args),
    List(list::Args),
    Show(show::Args),
    Log(log::Args),
    Diff(diff::Args),
    Client(client::Args),
    Check(check::Args),
    Doctor(doctor::Args),
    Stats(stats::Args),
    Prune(prune::Args),
    Refresh(refresh::Args),
    Export(export::Args),
    Drop(drop::Args),
    Snapshot(snapshot::Args),
    Sync(sync::Args),
    Serve(serve::Args),
    Key(key::Args),
    Reprepro(reprepro::Args),
    Outhook(outhook::Args),
    Help(help::Args),
    #[command(hide = true)]
    Completions(completions::Args),
    #[command(hide = true)]
    Man(man::Args),
}

impl Command {
    /// Whether the command prints what it would change, and changes nothing.
    fn plans(&self) -> bool {
        match self {
            Self::Add(args) => args.change.dry_run,
            Self::Attach(args) => args.change.dry_run,
            Self::Copy(args) => args.change.dry_run,
            Self::Pull(args) => args.change.dry_run,
            Self::Import(args) => args.change.dry_run,
            Self::Remove(args) => args.change.dry_run,
            Self::Rollback(args) => args.change.dry_run,
            Self::Prune(args) => args.change.dry_run,
            Self::Refresh(args) => args.change.dry_run,
            Self::Export(args) => args.change.dry_run,
            Self::Drop(args) => args.dry_run,
            Self::Snapshot(args) => args.change.dry_run,
            Self::Doctor(args) => args.dry_run,
            Self::Key(args) => args.plans(),
            _ => false,
        }
    }
}

impl Command {
    /// The URL under which clients read the archive; that of `sync` is for its destination.
    fn public_url(&self) -> Option<&str> {
        match self {
            Self::Add(args) => args.public_url.as_deref(),
            Self::Client(args) => args.public_url.as_deref(),
            Self::Doctor(args) => args.public_url.as_deref(),
            _ => None,
        }
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(arguments) = reprepro::requested(std::env::args_os()) {
        return reprepro::main(arguments);
    }
    if let Some(words) = completions::requested(std::env::args_os()) {
        completions::complete(Cli::command(), &words, &Ui::new(false, true, false));
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&with_option_of(error)),
    };
    let ui = Arc::new(Ui::new(cli.global.json, cli.global.quiet, cli.global.verbose));
    if let Some(done) = offline(&cli.command, &ui) {
        return match done {
            Ok(()) => ui.end(ExitCode::SUCCESS),
            Err(failure) => ui.failure(&failure),
        };
    }
    if let Command::Reprepro(args) = cli.command {
        return reprepro::main(args.arguments);
    }
    let runtime = match threads::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return ui.failure(&Failure::of(&error, None)),
    };
    let done = if let Command::Serve(_) = cli.command {
        // It ends when it is interrupted.
        Ok(runtime.block_on(run(cli, &ui)))
    } else {
        runtime.block_on(interrupt::unless_interrupted(run(cli, &ui), &ui))
    };
    match done {
        Ok(Ok(code)) => ui.end(code),
        Ok(Err(failure)) => ui.failure(&failure),
        Err(signal) => {
            // Steps that block, such as a running gpg, are not waited for.
            runtime.shutdown_background();
            ui.interrupted(signal)
        }
    }
}

/// Runs a command that needs no archive.
fn offline(command: &Command, ui: &Ui) -> Option<Result<(), Failure>> {
    Some(match command {
        Command::Help(args) => help::run(args, Cli::command(), ui),
        Command::Man(args) => man::run(args, Cli::command()),
        Command::Completions(args) => {
            completions::run(args, ui);
            Ok(())
        }
        _ => return None,
    })
}

/// Prints clap's help, version or usage error (status 2), the latter also as an object with `--json`.
fn not_understood(error: &clap::Error) -> ExitCode {
    let arguments = || std::env::args_os().skip(1).take_while(|argument| argument != "--");
    let is_json = arguments().any(|argument| argument == "--json");
    let ui = Ui::new(is_json, false, false);
    // Other tools have `-V` for `--verbose`: a command after it would not run, and the status would be 0.
    let is_alone = || {
        let mut all = std::env::args_os().skip(1);
        all.next().is_some_and(|only| only == "-V" || only == "--version") && all.next().is_none()
    };
    if error.kind() == clap::error::ErrorKind::DisplayVersion && !is_alone() {
        let mut failure = Failure::usage("`-V` and `--version` take no other argument, and run no command");
        failure.errors.iter_mut().for_each(|problem| {
            problem.hint =
                Some("print more with `--verbose`; print the version with `publish -V`".to_owned());
        });
        return ui.failure(&failure);
    }
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == clap::error::ErrorKind::InvalidSubcommand
        && let Some(clap::error::ContextValue::String(word)) =
            error.get(clap::error::ContextKind::InvalidSubcommand)
    {
        let mut root = Cli::command();
        root.build();
        return ui.failure(&unknown_command::unknown(&root, &named_commands(&root), word));
    }
    if let Some((variable, value)) = variable_of(error) {
        if value.is_empty() {
            return ui.failure(&Failure::empty_variable(&variable));
        }
        let failure = usage(error).while_doing(format!("the value of {variable} is not valid"));
        return ui.failure(&failure);
    }
    if is_json {
        ui.failure_object(&usage(error));
    }
    ui.usage(&error.render().to_string(), || drop(error.print()));
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE))
}

/// The commands that the command line of this process names, each below the one before it.
fn named_commands(root: &clap::Command) -> Vec<&clap::Command> {
    let mut named = Vec::new();
    for word in std::env::args_os().skip(1).take_while(|word| word != "--") {
        named.extend(named.last().copied().unwrap_or(root).find_subcommand(word));
    }
    named
}

/// Suggests the option of the command that a cut option begins, such as `--architecture` for `--arch`: the parser compares
/// letters, and suggests an option of all commands.
fn with_option_of(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let Some(ContextValue::String(given)) =
        error.get(ContextKind::InvalidArg).filter(|_| error.kind() == ErrorKind::UnknownArgument)
    else {
        return error;
    };
    let Some(cut) = given.strip_prefix("--").filter(|cut| cut.len() > 1) else { return error };
    let mut root = Cli::command();
    root.build();
    let command = named_commands(&root).pop().unwrap_or(&root);
    let of = |command: &clap::Command| {
        let options =
            command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(clap::Arg::get_long);
        options.filter(|option| option.starts_with(cut)).map(|option| format!("--{option}")).min()
    };
    if let Some(meant) = of(command) {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(meant));
        let usage = command.clone().render_usage();
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    }
    error
}

/// The variable whose value the parser rejected, and that value: the command line does not have its option.
fn variable_of(error: &clap::Error) -> Option<(String, std::ffi::OsString)> {
    let Some(clap::error::ContextValue::String(shown)) = error.get(clap::error::ContextKind::InvalidArg)
    else {
        return None;
    };
    let option = shown.split([' ', '=']).next()?;
    let is_given = |word: std::ffi::OsString| {
        let word = word.to_string_lossy().into_owned();
        word == option || word.starts_with(&format!("{option}="))
    };
    if std::env::args_os().skip(1).any(is_given) {
        return None;
    }
    let command = Cli::command();
    let all = command.get_arguments().chain(command.get_subcommands().flat_map(clap::Command::get_arguments));
    let mut named =
        all.filter(|arg| arg.get_long().is_some_and(|long| option.strip_prefix("--") == Some(long)));
    let variable = named.find_map(|arg| arg.get_env())?.to_str()?;
    Some((variable.to_owned(), std::env::var_os(variable)?))
}

/// Converts a usage error of clap: its first paragraph, and its tip as the hint.
fn usage(error: &clap::Error) -> Failure {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("no command given");
    }
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let mut failure = Failure::usage(message.split_whitespace().collect::<Vec<_>>().join(" "));
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: ")).map(ToOwned::to_owned);
    failure.errors.iter_mut().for_each(|problem| problem.hint.clone_from(&tip));
    failure
}

async fn run(mut cli: Cli, ui: &Ui) -> Result<ExitCode, Failure> {
    if let Command::Check(check::Args { location: Some(location), .. }) = &cli.command {
        place::instead_of_archive(&mut cli.global, location)?;
    }
    if matches!(cli.command, Command::Outhook(_))
        && let Some((archive, config)) = outhook::of_reprepro()
    {
        cli.global.archive = archive;
        cli.global.config = cli.global.config.or(config);
    }
    let plans = cli.command.plans();
    let is_init = matches!(cli.command, Command::Init(_));
    let public_url = public_url::given(cli.command.public_url())?;
    let opened = Session::open(cli.global, ui, clock::now(), is_init, plans);
    let mut session = match opened {
        Err(failure) if matches!(cli.command, Command::Doctor(_)) => return doctor::unopened(failure, ui),
        opened => opened?,
    };
    session.public_url = public_url.or(session.public_url);
    let is_on_the_web = matches!(session.location, Location::Web(_));
    let done = Box::pin(command(cli.command, session)).await;
    if is_on_the_web { done.map_err(Failure::of_a_reader) } else { done }
}

async fn command(command: Command, session: Session<'_>) -> Result<ExitCode, Failure> {
    match command {
        Command::Init(args) => init::run(&args, &session).await,
        Command::Add(args) => add::run(args, &session).await,
        Command::Attach(args) => attach::run(&args, &session).await,
        Command::Copy(args) => copy::run(&args, &session).await,
        Command::Pull(args) => Box::pin(pull::run(&args, session)).await,
        Command::Import(args) => Box::pin(import::run(&args, session)).await,
        Command::Remove(args) => remove::run(&args, &session).await,
        Command::Rollback(args) => rollback::run(&args, &session).await,
        Command::List(args) => list::run(&args, &session).await,
        Command::Show(args) => show::run(&args, &session).await,
        Command::Log(args) => log::run(&args, &session).await,
        Command::Diff(args) => diff::run(&args, &session).await,
        Command::Client(args) => client::run(&args, &session).await,
        Command::Check(args) => check::run(&args, &session).await,
        Command::Doctor(args) => Box::pin(doctor::run(&args, &session)).await,
        Command::Stats(args) => stats::run(&args, &session).await,
        Command::Prune(args) => prune::run(&args, &session).await,
        Command::Refresh(args) => refresh::run(&args, &session).await,
        Command::Export(args) => export::run(&args, &session).await,
        Command::Drop(args) => drop::run(&args, &session).await,
        Command::Snapshot(args) => snapshot::run(&args, &session).await,
        Command::Sync(args) => Box::pin(sync::run(&args, &session)).await,
        Command::Serve(args) => serve::run(&args, &session).await,
        Command::Key(args) => key::run(&args, &session).await,
        Command::Outhook(args) => Box::pin(outhook::run(&args, &session)).await,
        // Run before the session was opened.
        Command::Help(_) | Command::Man(_) | Command::Completions(_) | Command::Reprepro(_) => {
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The version, the commit, and the crypto backend, which packagers may choose.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), option_env!("PUBLISH_COMMIT").unwrap_or("unknown"));
    format!("{version}\ncommit: {commit}\nOpenPGP: {}", sequoia_openpgp::crypto::backend())
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// The examples of a command and of those below it, each as its words.
    fn examples(command: &clap::Command, found: &mut Vec<Vec<String>>) {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with("  publish "));
        // As a shell splits them: blanks within quotes separate nothing.
        let quoted =
            |(at, part): (usize, &str)| if at % 2 == 1 { part.replace(' ', "\0") } else { part.to_owned() };
        let words = |line: &str| {
            let line: String = line.split('\'').enumerate().map(quoted).collect();
            let words = line.split_whitespace().map(|word| word.replace('\0', " "));
            // The shell takes a redirection away.
            words.take_while(|word| !word.starts_with('>')).collect()
        };
        let before = found.len();
        found.extend(lines.map(words));
        assert!(found.len() > before, "`{}` shows no example", command.get_name());
        command.get_subcommands().for_each(|below| examples(below, found));
    }

    #[test]
    fn every_command_shows_examples_that_parse() {
        let mut found = Vec::new();
        examples(&Cli::command(), &mut found);
        assert!(found.len() > 30, "{}", found.len());
        for words in found {
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("`{}`: {error}", words.join(" "));
            }
        }
    }
}
