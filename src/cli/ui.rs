//! The only code that prints: data to stdout, all else to stderr.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Read, Write},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use super::{
    class::Kind,
    ending_signal::EndingSignal,
    failure::{self, Failure},
    json,
    progress::Published,
    progress_bar::{Phase, Progress},
    text::{Secrets, plain},
};
use crate::archive::Event;

/// Prints the output of a command.
pub(super) struct Ui {
    json: bool,
    quiet: bool,
    verbose: bool,
    /// Only on a terminal.
    progress: Option<Arc<Progress>>,
    /// Printed warnings: suites may share a key, and one warning is enough.
    warned: Mutex<BTreeSet<String>>,
    /// The first error of writing to stdout.
    unwritten: Mutex<Option<io::Error>>,
    /// The secrets in the environment, which no output contains.
    secrets: Secrets,
    /// The published suites, for the report of an interrupted command.
    published: Mutex<Published>,
    /// Asks an operation to end early.
    stop: Notify,
}

/// The maximum width of text, as of the help.
const TEXT_WIDTH: usize = 100;

/// The width of text on stdout: that of the terminal, at most that of the help.
pub(super) fn text_width() -> usize {
    let terminal = terminal_size::terminal_size_of(io::stdout());
    terminal.map_or(TEXT_WIDTH, |(width, _)| usize::from(width.0).min(TEXT_WIDTH))
}

impl Ui {
    /// Applies the global options; shows progress only if stderr is a terminal.
    #[must_use]
    pub(super) fn new(json: bool, quiet: bool, verbose: bool) -> Self {
        let terminal = io::stderr().is_terminal() && !quiet && !json;
        Self {
            json,
            quiet,
            verbose,
            progress: terminal.then(Progress::new),
            warned: Mutex::default(),
            unwritten: Mutex::default(),
            secrets: Secrets::of_process(),
            published: Mutex::default(),
            stop: Notify::new(),
        }
    }

    /// Whether a command prints one JSON object.
    #[must_use]
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Whether only errors, warnings and requested data are printed.
    #[must_use]
    pub(super) fn quiet(&self) -> bool {
        self.quiet
    }

    /// Whether details are printed.
    #[must_use]
    pub(super) fn verbose(&self) -> bool {
        self.verbose
    }

    /// Whether columns on stdout are aligned: a person reads them, and no script.
    #[must_use]
    #[expect(clippy::unused_self, reason = "standard output belongs to it")]
    pub(super) fn aligns(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Notified when a signal asks the command to end.
    #[must_use]
    pub(super) fn stop(&self) -> &Notify {
        &self.stop
    }

    /// Whether a step is in progress that must not be cut short.
    #[must_use]
    pub(super) fn is_critical(&self) -> bool {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).is_critical()
    }

    /// Sets the destination of what is published from now on, if it is not the archive.
    pub(super) fn destination(&self, location: &str) {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).at(location);
    }

    /// Writes requested text to stdout; its lines may contain foreign text.
    pub(super) fn text(&self, text: &str) {
        let mut shown = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
            shown.push_str(&self.shown(line));
            shown.push_str(end);
        }
        self.data(shown.as_bytes());
    }

    /// Writes a stanza to stdout, whose keys must not be changed by a mask.
    pub(super) fn stanza(&self, text: &str) {
        let lines = text.split('\n').map(plain).collect::<Vec<_>>();
        self.data(lines.join("\n").as_bytes());
    }

    /// Writes a published file to stdout: byte for byte, but escaped on a terminal.
    pub(super) fn published_text(&self, bytes: &[u8]) {
        if !io::stdout().is_terminal() {
            return self.data(bytes);
        }
        let text = String::from_utf8_lossy(bytes);
        // A tab only moves the cursor.
        let lines = text.split('\n').map(|line| line.split('\t').map(plain).collect::<Vec<_>>().join("\t"));
        self.data(lines.collect::<Vec<_>>().join("\n").as_bytes());
    }

    /// Writes bytes to stdout as they are.
    pub(super) fn data(&self, text: &[u8]) {
        self.end_progress();
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text).and_then(|()| stdout.flush()) {
            // A reader that closes the pipe (`| head`) is no failure.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
            _ => {}
        }
    }

    /// Returns the exit code of a completed command: a failed write to stdout makes it a failure.
    #[must_use]
    pub(super) fn end(&self, code: ExitCode) -> ExitCode {
        self.pause();
        match self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => code,
            Some(error) => {
                self.line("error: cannot write to standard output");
                self.line(&format!("  caused by: {error}"));
                ExitCode::from(failure::FAILED)
            }
        }
    }

    /// Prints the object of a command with `--json`.
    pub(super) fn object(&self, document: &impl json::Document) {
        self.data(&json::render(document));
    }

    /// Prints a line, unless `--quiet` or `--json` is given.
    pub(super) fn say(&self, line: &str) {
        if !self.quiet && !self.json {
            self.line(line);
        }
    }

    /// Asks a yes-or-no question; without a terminal there is no one to ask, and the command line itself confirms.
    #[must_use]
    pub(super) fn confirms(&self, question: &str) -> bool {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return true;
        }
        self.pause();
        let _ = write!(io::stderr().lock(), "{} [y/N] ", self.shown(question));
        let mut answer = String::new();
        let read = io::BufRead::read_line(&mut io::stdin().lock().take(64), &mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }

    /// Prints several lines, unless `--quiet` or `--json` is given.
    pub(super) fn block(&self, lines: &str) {
        lines.lines().for_each(|line| self.say(line));
    }

    /// Prints a line with `--verbose`.
    pub(super) fn detail(&self, line: &str) {
        if self.verbose && !self.json {
            self.line(line);
        }
    }

    /// Prints a line once, unless `--quiet` or `--json` is given.
    fn note(&self, text: &str) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
            self.say(text);
        }
    }

    /// Prints a warning once, also with `--json` and `--quiet`.
    pub(super) fn warn(&self, text: &str) {
        self.warn_with_hint(text, None);
    }

    /// Prints a warning and what the user can do about it, once.
    pub(super) fn warn_with_hint(&self, text: &str, hint: Option<String>) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
            self.line(&format!("warning: {text}"));
            if let Some(hint) = hint {
                self.line(&format!("hint: {hint}"));
            }
        }
    }

    /// Prints all errors, and returns the exit code.
    #[must_use]
    pub(super) fn failure(&self, failure: &Failure) -> ExitCode {
        self.pause();
        if self.json {
            self.failure_object(failure);
        }
        for problem in &failure.errors {
            self.line(&format!("error: {}", problem.message));
            for cause in &problem.causes {
                self.line(&format!("  caused by: {cause}"));
            }
            if let Some(hint) = &problem.hint {
                self.line(&format!("hint: {hint}"));
            }
        }
        for summary in &failure.summary {
            self.line(&format!("error: {summary}"));
        }
        ExitCode::from(failure.code)
    }

    /// Prints the object of a failure.
    pub(super) fn failure_object(&self, failure: &Failure) {
        let failure = failure.map_texts(|text| self.secrets.masked(text));
        self.object(&json::Failed::from(&failure));
    }

    /// Prints a usage error: in the colours of the parser, unless a part of it must not be printed as it is.
    pub(super) fn usage(&self, text: &str, print: impl FnOnce()) {
        if text.lines().all(|line| self.shown(line) == line) {
            return print();
        }
        text.trim_end().lines().for_each(|line| self.line(line));
    }

    /// Prints once that a signal ended the command, and what is published; returns the exit code.
    #[must_use]
    pub(super) fn interrupted(&self, signal: EndingSignal) -> ExitCode {
        let report = self.published.lock().unwrap_or_else(PoisonError::into_inner).report();
        if let Some(report) = report {
            let failure = Failure::text(format!("interrupted by {}: {report}", signal.name()), None);
            let mut failure = Failure { code: signal.code(), ..failure.kind(Kind::Interrupted) };
            failure.errors.iter_mut().for_each(|problem| problem.class.retry = true);
            return self.failure(&failure);
        }
        ExitCode::from(signal.code())
    }

    /// Prints an event of the library.
    pub(super) fn event(&self, event: Event) {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).note(&event);
        match event {
            Event::Critical { .. } | Event::Publishing { .. } | Event::Published { .. } => {}
            Event::Read { done, total } => self.count(Phase::Reading, done as u64, total as u64),
            Event::Listed { done, total } => self.count(Phase::Listing, done as u64, total as u64),
            Event::Stored { done, total } => self.count(Phase::Storing, done, total),
            Event::Deleted { done, total } => self.count(Phase::Deleting, done as u64, total as u64),
            Event::Step(what) => self.step(what),
            // gpg may ask for a passphrase.
            Event::Signing => self.pause(),
            Event::Warning(text) => self.warn(&text),
            // A missing mount looks like a new archive.
            Event::NewArchive { location } => {
                self.note(&format!("Creating a new archive: none exists in {location}"));
            }
            // The session knows the remedy.
            Event::Key(warning) => self.warn(&warning.to_string()),
            Event::PlannedWithoutKey { suite, unverified } => {
                let trusted = if unverified {
                    "; the suite is read without a trusted key: name one in `TrustedKeys:` to verify it"
                } else {
                    ""
                };
                self.note(&format!(
                    "No signing key of suite `{suite}` is available: this is the plan of a job that has it{trusted}"
                ));
            }
            Event::UnreadableKeys(problem) => {
                self.warn(&format!(
                    "some keys cannot be read, so their signatures are not verified: {problem}"
                ));
            }
            Event::Phase { what, suite, files, bytes } => {
                let size = crate::size::bytes(bytes);
                self.say(&format!("Sending {what} of suite `{suite}`: {}, {size}", count(files, "file")));
            }
            Event::Written { path, bytes } => {
                self.detail(&format!("wrote {path} ({})", crate::size::bytes(bytes)));
            }
            Event::KeysOfSource { suite } => self.warn(&format!(
                "suite `{suite}` is verified only with the key that its own server publishes: name the key that you trust with \
                 `--keyring FILE`"
            )),
            Event::WaitsForPrune { expires } => self.say(&format!(
                "Waiting until a running `publish prune` ends; if it was killed, its marker expires after {} minutes",
                expires.as_secs() / 60
            )),
            Event::LostRace { times } => {
                self.detail(&format!(
                    "lost the race against another publisher; retrying (attempt {})",
                    times + 1
                ));
            }
        }
    }

    /// Begins a step whose end is not known, such as the reading of a suite.
    pub(super) fn step(&self, what: &'static str) {
        self.progress.iter().for_each(|progress| progress.step(what));
    }

    /// Ends the step: another program may ask the user, or the command is at its end.
    pub(super) fn pause(&self) {
        self.progress.iter().for_each(|progress| progress.pause());
    }

    fn count(&self, phase: Phase, done: u64, total: u64) {
        self.progress.iter().for_each(|progress| progress.count(phase, done, total));
    }

    fn end_progress(&self) {
        self.progress.iter().for_each(|progress| progress.clear());
    }

    fn line(&self, line: &str) {
        self.end_progress();
        // Empty lines before and after a text are our own; a line break within it is foreign.
        let text = line.trim_start_matches('\n');
        let before = &line[..line.len() - text.len()];
        let text = text.trim_end_matches('\n');
        let after = &line[before.len() + text.len()..];
        let _ = writeln!(io::stderr().lock(), "{before}{}{after}", self.shown(text));
    }

    /// Returns one line of text as it may be printed: without secrets, and without control characters.
    fn shown(&self, line: &str) -> String {
        plain(&self.secrets.masked(line))
    }
}

/// `1 package`, `2 packages`, `10,000 packages`.
#[must_use]
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", indicatif::HumanCount(number as u64))
}
