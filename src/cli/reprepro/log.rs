//! `Log:` of a suite: a file of changes, and scripts that are run for each change (reprepro(1), "Log").

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::SystemTime,
};

use jiff::Timestamp;

use super::{folders::Folders, targets, words};
use crate::{
    archive::{CommitReport, Listing},
    cli::{failure::Failure, ui::Ui},
    config::SuiteConfig,
    dists::{Entry, IndexKey},
};

/// The call that changes suites.
pub(super) struct Changer<'a> {
    pub(super) folders: &'a Folders,
    pub(super) ui: &'a Ui,
    /// The name of the command.
    pub(super) word: &'static str,
    /// The time of the call.
    pub(super) now: SystemTime,
}

/// The file or the suite that a change comes from, for the scripts.
#[derive(Debug, Clone, Default)]
pub(super) struct Cause {
    pub(super) file: Option<String>,
    pub(super) from: Option<String>,
    /// The files of packages that come from several, by name, version and architecture.
    pub(super) files: Vec<([String; 3], String)>,
    /// The rules that packages are taken by, by the index and the name.
    pub(super) rules: BTreeMap<(IndexKey, String), ByRule>,
}

/// The rule that a package is taken by.
#[derive(Debug, Clone)]
pub(super) struct ByRule {
    pub(super) rule: String,
    /// The suite of this archive that it comes from.
    pub(super) from: Option<String>,
}

impl Cause {
    /// The file that a change comes from.
    fn file_of(&self, event: &Event<'_>) -> Option<&String> {
        let is = |[name, version, architecture]: &[String; 3]| {
            event.new.is_some_and(|new| {
                *new.name == **name && *new.version == **version && *new.architecture == **architecture
            })
        };
        self.files.iter().find(|(package, _)| is(package)).map(|(_, file)| file).or(self.file.as_ref())
    }

    /// The variables that say where a change comes from.
    fn variables(&self, event: Option<&Event<'_>>) -> Vec<(&'static str, String)> {
        let file = event.map_or(self.file.as_ref(), |event| self.file_of(event));
        let by = event.filter(|event| event.new.is_some());
        let by = by.and_then(|event| self.rules.get(&(event.index.clone(), event.name.to_owned())));
        let from = by.and_then(|by| by.from.as_ref()).or(self.from.as_ref());
        let variables = [
            ("REPREPRO_CAUSING_FILE", file),
            ("REPREPRO_CAUSING_RULE", by.map(|by| &by.rule)),
            ("REPREPRO_FROM", from),
        ];
        variables.into_iter().filter_map(|(name, value)| Some((name, value?.clone()))).collect()
    }
}

/// The value of `Log:`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Log {
    file: Option<String>,
    scripts: Vec<Script>,
}

/// A script, and the changes that it is run for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Script {
    program: String,
    /// Run for accepted uploads, not for packages.
    changes: bool,
    kind: Option<String>,
    architecture: Option<String>,
    component: Option<String>,
    /// The only command whose changes it is run for.
    via: Option<String>,
}

/// A change of one index.
struct Event<'a> {
    action: &'static str,
    suite: &'a SuiteConfig,
    index: &'a IndexKey,
    name: &'a str,
    new: Option<&'a Entry>,
    old: Option<&'a Entry>,
}

impl Log {
    fn parse(text: &str) -> Result<Self, String> {
        let mut log = Self::default();
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace().peekable();
            if number == 0 && words.peek().is_some_and(|word| !word.starts_with('-')) {
                log.file = words.next().map(ToOwned::to_owned);
            }
            let mut script = Script::default();
            while let Some(word) = words.next() {
                let Some(option) = word.strip_prefix('-') else {
                    script.program =
                        std::iter::once(word).chain(words.by_ref()).collect::<Vec<_>>().join(" ");
                    break;
                };
                let (name, value) =
                    option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
                let mut value =
                    || value.map(ToOwned::to_owned).or_else(|| words.next().map(ToOwned::to_owned));
                match name {
                    "-changes" => script.changes = true,
                    "-type" | "T" | "-packagetype" => script.kind = value(),
                    "-architecture" | "A" => script.architecture = value(),
                    "-component" | "C" => script.component = value(),
                    "-via" => script.via = value(),
                    _ => return Err(format!("option `{word}` of a script in `Log` is unknown")),
                }
            }
            if !script.program.is_empty() {
                log.scripts.push(script);
            } else if script != Script::default() {
                return Err("a line of `Log` has options and no script".to_owned());
            }
        }
        Ok(log)
    }
}

impl Script {
    /// Whether it is run for changes of a command.
    fn is_caused_by(&self, word: &str) -> bool {
        self.via.as_deref().is_none_or(|via| via == word)
    }

    fn is_for(&self, event: &Event<'_>) -> bool {
        let is = |asked: &Option<String>, found: &str| asked.as_ref().is_none_or(|asked| asked == found);
        let component = event.index.component().map(ToString::to_string).unwrap_or_default();
        !self.changes
            && is(&self.kind, event.index.kind().package_type())
            && is(&self.architecture, targets::architecture(event.index))
            && is(&self.component, &component)
    }
}

/// Pairs the removed and the inserted packages of each index: a new version replaces an old one.
fn events<'a>(report: &'a CommitReport, suite: &'a SuiteConfig) -> Vec<Event<'a>> {
    let mut events: Vec<Event<'a>> = Vec::new();
    let mut gone: Vec<&Listing> = report.listings.iter().filter(|listing| !listing.is_new).collect();
    for new in report.listings.iter().filter(|listing| listing.is_new) {
        let is_old = |old: &&Listing| old.index == new.index && old.entry.name == new.entry.name;
        let old = gone.iter().position(is_old).map(|at| &gone.remove(at).entry);
        events.push(Event {
            action: if old.is_some() { "replace" } else { "add" },
            suite,
            index: &new.index,
            name: &new.entry.name,
            new: Some(&new.entry),
            old,
        });
    }
    events.extend(gone.into_iter().map(|old| Event {
        action: "remove",
        suite,
        index: &old.index,
        name: &old.entry.name,
        new: None,
        old: Some(&old.entry),
    }));
    events
}

impl Event<'_> {
    /// The words of a line of the file, which are also the first arguments of a script.
    fn words(&self) -> Vec<String> {
        let component = self.index.component().map(ToString::to_string).unwrap_or_default();
        let first = [
            self.action,
            self.suite.codename.as_str(),
            self.index.kind().package_type(),
            &component,
            targets::architecture(self.index),
            self.name,
        ];
        let versions = self.new.iter().chain(&self.old).map(|entry| entry.version.to_string());
        first.into_iter().map(ToOwned::to_owned).chain(versions).collect()
    }

    /// The arguments of a script: with the files of the new and of the old package.
    fn arguments(&self) -> Vec<String> {
        let mut words = self.words();
        for entry in self.new.iter().chain(&self.old) {
            words.push("--".to_owned());
            words.extend(files(entry));
        }
        words
    }
}

/// The files of a package, the main one first.
fn files(entry: &Entry) -> Vec<String> {
    let main = entry.main_file();
    let others = entry.files.iter().filter(|file| Some(*file) != main);
    main.into_iter().chain(others).filter_map(|file| file.path.clone()).collect()
}

/// Records the changes of a commit in the log of its suite, and runs its scripts.
pub(super) fn record(
    by: &Changer<'_>,
    suite: &SuiteConfig,
    report: &CommitReport,
    cause: &Cause,
) -> Result<(), Failure> {
    let Some(log) = of(by, suite) else { return Ok(()) };
    let events = events(report, suite);
    if let Some(name) = log.file.as_ref().filter(|_| !events.is_empty()) {
        let lines = events.iter().map(|event| event.words().join(" "));
        append(by, &by.folders.logs.join(name), lines)?;
    }
    for event in &events {
        for script in log.scripts.iter().filter(|script| script.is_for(event)) {
            run(by, script, &event.arguments(), cause.variables(Some(event)));
        }
    }
    Ok(())
}

/// Runs the scripts for every package of an index, as if it had just been published.
/// Returns whether one was run.
pub(super) fn rerun(by: &Changer<'_>, suite: &SuiteConfig, index: &IndexKey, entries: &[Entry]) -> bool {
    let Some(log) = of(by, suite) else { return false };
    let mut is_run = false;
    for entry in entries {
        let event = Event { action: "info", suite, index, name: &entry.name, new: Some(entry), old: None };
        for script in log.scripts.iter().filter(|script| script.is_for(&event)) {
            run(by, script, &event.arguments(), Vec::new());
            is_run = true;
        }
    }
    is_run
}

/// Runs the scripts for accepted uploads.
pub(super) fn accepted(by: &Changer<'_>, suite: &SuiteConfig, words: &[String], cause: &Cause) {
    let Some(log) = of(by, suite) else { return };
    for script in log.scripts.iter().filter(|script| script.changes) {
        run(by, script, words, cause.variables(None));
    }
}

/// The log of a suite, with the scripts for this command.
fn of(by: &Changer<'_>, suite: &SuiteConfig) -> Option<Log> {
    let text = suite.log.as_ref()?;
    match Log::parse(text) {
        Ok(mut log) => {
            for via in log.scripts.iter().filter_map(|script| script.via.as_deref()) {
                if words::find(via).is_none() {
                    by.ui.warn(&format!(
                        "`Log` of suite `{}`: `--via={via}` names no command, so its script is never run",
                        suite.codename
                    ));
                }
            }
            log.scripts.retain(|script| script.is_caused_by(by.word));
            Some(log)
        }
        Err(why) => {
            by.ui.warn(&format!("`Log` of suite `{}` is not used: {why}", suite.codename));
            None
        }
    }
}

fn append(by: &Changer<'_>, path: &Path, lines: impl Iterator<Item = String>) -> Result<(), Failure> {
    let now = Timestamp::try_from(by.now).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = now.strftime("%Y-%m-%d %H:%M:%S");
    let text: String =
        lines.flat_map(|line| [date.to_string(), " ".to_owned(), line, "\n".to_owned()]).collect();
    let failed = |error: std::io::Error| Failure::file(&error, path, "write");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    // One write: lines of concurrent calls do not mix.
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// Runs a script. Its failure is a warning: the change is published.
fn run(by: &Changer<'_>, script: &Script, arguments: &[String], cause: Vec<(&'static str, String)>) {
    let program = by.folders.hook(&script.program);
    let mut command = Command::new(&program);
    command.args(arguments).stdin(Stdio::null());
    command.envs(by.folders.variables()).env("REPREPRO_CAUSING_COMMAND", by.word).envs(cause);
    let problem = match command.status() {
        Ok(status) if status.success() => return,
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    by.ui.warn(&format!("the script `{}` of `Log` failed: {problem}", program.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_names_a_file_and_scripts() {
        let log = Log::parse("bookworm.log\n --type=dsc changelogs\n -A amd64 -C main two.sh\n --changes mail.sh\n--via=include x").unwrap();
        assert_eq!(log.file.as_deref(), Some("bookworm.log"));
        let programs: Vec<&str> = log.scripts.iter().map(|script| &*script.program).collect();
        assert_eq!(programs, ["changelogs", "two.sh", "mail.sh", "x"]);
        assert_eq!(log.scripts[0].kind.as_deref(), Some("dsc"));
        assert_eq!(log.scripts[1].architecture.as_deref(), Some("amd64"));
        assert!(log.scripts[2].changes);
        assert!(log.scripts[2].is_caused_by("include"));
        assert!(log.scripts[3].is_caused_by("include") && !log.scripts[3].is_caused_by("includedeb"));
        assert_eq!(Log::parse("").unwrap(), Log::default());
        assert_eq!(Log::parse("\n x.sh").unwrap().file, None);
        assert!(Log::parse("a\n --nosuch x").unwrap_err().contains("--nosuch"));
        assert!(Log::parse("a\n --type=dsc").unwrap_err().contains("no script"));
    }
}
