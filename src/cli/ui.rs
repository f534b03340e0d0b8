//! The only code that prints: data to stdout, all else to stderr.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Read, Write},
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    failure::{self, Failure},
    json,
};
use crate::archive::Event;

/// Prints the output of a command.
pub(super) struct Ui {
    json: bool,
    quiet: bool,
    verbose: bool,
    progress: Option<ProgressBar>,
    phase: Mutex<Phase>,
    /// Printed warnings: suites may share a key, and one warning is enough.
    warned: Mutex<BTreeSet<String>>,
    /// The first error of writing to stdout.
    unwritten: Mutex<Option<io::Error>>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Phase {
    Nothing,
    Reading,
    Storing,
    Deleting,
}

impl Ui {
    /// Applies the global options; shows progress only if stderr is a terminal.
    #[must_use]
    pub(super) fn new(json: bool, quiet: bool, verbose: bool) -> Self {
        let terminal = io::stderr().is_terminal() && !quiet && !json;
        let bar = || ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self {
            json,
            quiet,
            verbose,
            progress: terminal.then(bar),
            phase: Mutex::new(Phase::Nothing),
            warned: Mutex::default(),
            unwritten: Mutex::default(),
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

    /// Writes requested data to stdout.
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
        self.end_progress();
        let _ = write!(io::stderr().lock(), "{question} [y/N] ");
        let mut answer = String::new();
        let read = io::BufRead::read_line(&mut io::stdin().lock().take(64), &mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }

    /// Prints a line with `--verbose`.
    pub(super) fn detail(&self, line: &str) {
        if self.verbose && !self.json {
            self.line(line);
        }
    }

    /// Prints a warning once, also with `--json` and `--quiet`.
    pub(super) fn warn(&self, text: &str) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
            self.line(&format!("warning: {text}"));
        }
    }

    /// Prints all errors, and returns the exit code.
    #[must_use]
    pub(super) fn failure(&self, failure: &Failure) -> ExitCode {
        if self.json {
            self.object(&json::Failed::from(failure));
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
        if let Some(summary) = &failure.summary {
            self.line(&format!("error: {summary}"));
        }
        ExitCode::from(failure.code)
    }

    /// Prints an event of the library.
    pub(super) fn event(&self, event: Event) {
        match event {
            Event::Read { done, total } => self.progress(Phase::Reading, done as u64, total as u64),
            Event::Stored { done, total } => self.progress(Phase::Storing, done, total),
            Event::Deleted { done, total } => self.progress(Phase::Deleting, done as u64, total as u64),
            Event::Warning(text) => self.warn(&text),
            // A missing mount looks like a new archive.
            Event::NewArchive { location } => {
                self.say(&format!("Beginning a new archive: there was none in {location}"));
            }
            Event::Phase { what, suite, files, bytes } => {
                let size = crate::size::bytes(bytes);
                self.say(&format!("Sending {what} of suite `{suite}`: {}, {size}", count(files, "file")));
            }
            Event::Written { path, bytes } => {
                self.detail(&format!("wrote {path} ({})", crate::size::bytes(bytes)));
            }
            Event::LostRace { times } => {
                self.detail(&format!(
                    "lost the race against another publisher; retrying (attempt {})",
                    times + 1
                ));
            }
        }
    }

    fn progress(&self, phase: Phase, done: u64, total: u64) {
        let Some(bar) = self.progress.as_ref().filter(|_| total > 0) else { return };
        let mut current = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != phase {
            *current = phase;
            let template = match phase {
                Phase::Reading => "Reading {bar:30} {pos}/{len} packages, {eta} left",
                Phase::Deleting => "Deleting {bar:30} {pos}/{len} objects, {eta} left",
                _ => {
                    "Storing {bar:30} {binary_bytes}/{binary_total_bytes}, {binary_bytes_per_sec}, {eta} left"
                }
            };
            bar.reset();
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
        }
        bar.set_length(total);
        bar.set_position(done);
        if done == total {
            bar.finish_and_clear();
            *current = Phase::Nothing;
        }
    }

    fn end_progress(&self) {
        if let Some(bar) = &self.progress {
            bar.finish_and_clear();
        }
    }

    fn line(&self, line: &str) {
        self.end_progress();
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

/// Escapes untrusted text for one line of a terminal.
#[must_use]
pub(super) fn plain(text: &str) -> String {
    // Bidirectional controls can make a text look like another.
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// `1 package`, `2 packages`, `10,000 packages`.
#[must_use]
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", indicatif::HumanCount(number as u64))
}
