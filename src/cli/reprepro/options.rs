//! The options of one call: those of `conf/options`, of the environment and of the command line, in this order.

use std::path::Path;

use super::{
    folders::{Folders, Named},
    settings::{IGNORED, Meaning, long, short},
};
use crate::{dists::IndexKind, size::bytes};

/// `conf/options` is a few lines that people write.
const LONGEST_FILE: u64 = 1 << 20;

/// The options of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) folders: Folders,
    /// The number of `-v` less that of `-s`; `-V` counts five.
    pub(super) verbosity: i32,
    pub(super) section: Option<String>,
    pub(super) priority: Option<String>,
    /// Alternatives that are separated by `|`; empty for all.
    pub(super) components: Vec<String>,
    pub(super) architectures: Vec<String>,
    pub(super) kinds: Vec<IndexKind>,
    pub(super) ignored: Vec<String>,
    /// How often `--delete` is given.
    pub(super) delete: u8,
    pub(super) nothing_is_error: bool,
    pub(super) list_format: Option<String>,
    pub(super) list_max: Option<u64>,
    pub(super) list_skip: u64,
    pub(super) gnupg_home: Option<String>,
    pub(super) endhook: Option<String>,
    pub(super) outhook: Option<String>,
    pub(super) restricted: Restricted,
    pub(super) trust_existing: bool,
    pub(super) allow_releaseinfo_change: bool,
    /// Keys in place of those of `SignWith`.
    pub(super) sign_with: Vec<String>,
}

/// The packages that `--restrict` and its relatives name, and the files of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Restricted {
    pub(super) sources: Vec<String>,
    pub(super) binaries: Vec<String>,
    pub(super) source_files: Vec<String>,
    pub(super) binary_files: Vec<String>,
}

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommandLine {
    Help,
    Version,
    /// The options, and the words from the command on.
    Call(Box<Options>, Vec<String>),
}

/// An option and its value.
type Setting = (Meaning, String);

/// The options before the command, and the words from it on. Reads no file.
pub(super) fn split(arguments: &[String]) -> Result<(Vec<Setting>, Vec<String>), String> {
    let mut settings = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.clone().next() {
        if argument == "--" {
            rest.next();
            break;
        }
        if argument == "-" || !argument.starts_with('-') {
            break;
        }
        rest.next();
        if let Some(text) = argument.strip_prefix("--") {
            let (name, value) =
                text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
            let meaning = long(name)?;
            let value = match (meaning.takes_value(), value) {
                (false, Some(_)) => return Err(format!("option `--{name}` takes no value")),
                (false, None) => String::new(),
                (true, Some(value)) => value.to_owned(),
                (true, None) => {
                    rest.next().cloned().ok_or_else(|| format!("option `--{name}` requires a value"))?
                }
            };
            settings.push((meaning, value));
            continue;
        }
        for (at, letter) in argument[1..].char_indices() {
            let meaning = short(letter)?;
            if !meaning.takes_value() {
                let count = if letter == 'V' { "5" } else { "1" };
                settings.push((meaning, count.to_owned()));
                continue;
            }
            let attached = &argument[1 + at + letter.len_utf8()..];
            let value = if attached.is_empty() {
                rest.next().cloned().ok_or_else(|| format!("option `-{letter}` requires a value"))?
            } else {
                attached.to_owned()
            };
            settings.push((meaning, value));
            break;
        }
    }
    Ok((settings, rest.cloned().collect()))
}

/// Reads a command line, with the file `options` of the configuration.
pub(super) fn parse(arguments: &[String]) -> Result<CommandLine, String> {
    let (settings, words) = split(arguments)?;
    let is = |meaning| settings.iter().any(|(found, _)| *found == meaning);
    if is(Meaning::Help) {
        return Ok(CommandLine::Help);
    }
    if is(Meaning::Version) {
        return Ok(CommandLine::Version);
    }
    for (meaning, option) in [
        (Meaning::Component, "-C"),
        (Meaning::Architecture, "-A"),
        (Meaning::Type, "-T"),
        (Meaning::Section, "-S"),
        (Meaning::Priority, "-P"),
    ] {
        let mut values = settings.iter().filter(|(found, _)| *found == meaning).map(|(_, value)| value);
        let first = values.next();
        // The same once more says nothing else.
        if values.any(|value| Some(value) != first) {
            return Err(format!("`{option}` is given several times: separate alternatives by `|` in one"));
        }
    }
    let given = named(&settings).or(Named::of_environment());
    let conf = given.clone().resolved().conf;
    let file = of_file(&conf.join("options"))?;
    let folders = given.or(named(&file)).resolved();
    let mut options = Options {
        folders,
        verbosity: 0,
        section: None,
        priority: None,
        components: Vec::new(),
        architectures: Vec::new(),
        kinds: Vec::new(),
        ignored: Vec::new(),
        delete: 0,
        nothing_is_error: false,
        list_format: None,
        list_max: None,
        list_skip: 0,
        gnupg_home: None,
        endhook: None,
        outhook: None,
        restricted: Restricted::default(),
        trust_existing: false,
        allow_releaseinfo_change: false,
        sign_with: Vec::new(),
    };
    for (meaning, value) in file.into_iter().chain(settings) {
        options.set(meaning, value)?;
    }
    Ok(CommandLine::Call(Box::new(options), words))
}

fn named(settings: &[Setting]) -> Named {
    let mut named = Named::default();
    for (meaning, value) in settings {
        let folder = match meaning {
            Meaning::Base => &mut named.base,
            Meaning::Out => &mut named.out,
            Meaning::Conf => &mut named.conf,
            Meaning::Dists => &mut named.dists,
            Meaning::Logs => &mut named.logs,
            Meaning::Database => &mut named.database,
            Meaning::Morgue => &mut named.morgue,
            _ => continue,
        };
        *folder = Some(value.clone());
    }
    named
}

/// Reads `conf/options`: a long option in each line, without its dashes.
fn of_file(path: &Path) -> Result<Vec<Setting>, String> {
    let shown = path.display();
    let text = match crate::regular::read_within(path, LONGEST_FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            return Err(format!("`{shown}` is larger than {}", bytes(LONGEST_FILE)));
        }
        Err(error) => return Err(format!("cannot read `{shown}`: {error}")),
    };
    let text = String::from_utf8(text).map_err(|_| format!("`{shown}` is not UTF-8"))?;
    let mut settings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |why: String| format!("`{shown}`, line {}: {why}", number + 1);
        let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
        let (name, value) = line.split_at(end);
        let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
        let meaning = long(name.trim_start_matches("--")).map_err(at)?;
        if matches!(meaning, Meaning::TrustExisting | Meaning::AllowReleaseInfoChange) {
            return Err(at(format!("option `{name}` is for one call: give it on the command line")));
        }
        match (meaning.takes_value(), value.is_empty()) {
            (true, true) => return Err(at(format!("option `{name}` requires a value"))),
            (false, false) => return Err(at(format!("option `{name}` takes no value"))),
            _ => settings.push((meaning, if value.is_empty() { "1" } else { value }.to_owned())),
        }
    }
    Ok(settings)
}

impl Options {
    fn set(&mut self, meaning: Meaning, value: String) -> Result<(), String> {
        let words = |value: &str| value.split('|').map(ToOwned::to_owned).collect::<Vec<_>>();
        let number = |option: &str| -> Result<u64, String> {
            value.parse().map_err(|_| format!("the value of `--{option}` is `{value}`; expected a number"))
        };
        let count = || if value == "5" { 5 } else { 1 };
        match meaning {
            Meaning::Verbose => self.verbosity += count(),
            Meaning::Silent => self.verbosity -= 1,
            Meaning::Section => self.section = Some(value),
            Meaning::Priority => self.priority = Some(value),
            Meaning::Component => self.components = words(&value),
            Meaning::Architecture => self.architectures = words(&value),
            Meaning::Type => self.kinds = kinds(&value)?,
            Meaning::Ignore => {
                for word in value.split(',').filter(|word| !word.is_empty()) {
                    let kind = word.split(['=', '_']).next().unwrap_or(word);
                    if !IGNORED.contains(&word) && !IGNORED.contains(&kind) {
                        return Err(format!(
                            "`--ignore` names the unknown kind of error `{word}`; there are {}",
                            IGNORED.join(", ")
                        ));
                    }
                    self.ignored.push(word.to_owned());
                }
            }
            Meaning::Unignore => {
                self.ignored.retain(|ignored| !value.split(',').any(|word| word == ignored));
            }
            Meaning::RestrictSource => self.restricted.sources.push(value),
            Meaning::RestrictBinary => self.restricted.binaries.push(value),
            Meaning::RestrictSourceFile => self.restricted.source_files.push(value),
            Meaning::RestrictBinaryFile => self.restricted.binary_files.push(value),
            Meaning::Export => {
                let known = ["silent-never", "never", "changed", "lookedat", "normal", "force"];
                if !known.contains(&value.as_str()) {
                    return Err(format!(
                        "the value of `--export` is `{value}`; expected one of {}",
                        known.join(", ")
                    ));
                }
            }
            Meaning::ListFormat => self.list_format = Some(value).filter(|format| format != "NONE"),
            Meaning::ListMax => self.list_max = Some(number("list-max")?).filter(|max| *max > 0),
            Meaning::ListSkip => self.list_skip = number("list-skip")?,
            Meaning::WaitForLock => {
                number("waitforlock")?;
            }
            Meaning::GnupgHome => self.gnupg_home = Some(value),
            Meaning::Endhook => self.endhook = Some(value),
            Meaning::Outhook => self.outhook = Some(value),
            Meaning::Delete(true) => self.delete = self.delete.saturating_add(1),
            Meaning::Delete(false) => self.delete = 0,
            Meaning::NothingIsError(is_error) => self.nothing_is_error = is_error,
            Meaning::TrustExisting => self.trust_existing = true,
            Meaning::AllowReleaseInfoChange => self.allow_releaseinfo_change = true,
            Meaning::SignWith => self.sign_with.push(value),
            _ => {}
        }
        Ok(())
    }

    /// Whether errors of a kind are ignored.
    pub(super) fn ignores(&self, kind: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored == kind)
    }
}

fn kinds(value: &str) -> Result<Vec<IndexKind>, String> {
    let all = [IndexKind::Packages, IndexKind::Installer, IndexKind::Debug, IndexKind::Sources];
    let kind = |word: &str| all.into_iter().find(|kind| kind.package_type() == word);
    let unknown = |word: &str| format!("the value of `-T` is `{word}`; expected `deb`, `udeb` or `dsc`");
    value.split('|').map(|word| kind(word).ok_or_else(|| unknown(word))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<(Options, Vec<String>), String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        match parse(&words)? {
            CommandLine::Call(options, words) => Ok((*options, words)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_are_written_in_every_form_that_scripts_have() {
        for words in [
            &["-b", "/r", "-C", "main", "list", "x"][..],
            &["-b/r", "-Cmain", "list", "x"],
            &["-Vb", "/r", "--component=main", "list", "x"],
            &["--basedir", "/r", "--component", "main", "--", "list", "x"],
            &["--basedir=/r", "-vvVsC", "main", "--waitforlock", "3", "list", "x"],
        ] {
            let (options, rest) = of(words).unwrap();
            assert_eq!(
                (options.folders.base.as_str(), &options.components[..]),
                ("/r", &["main".to_owned()][..])
            );
            assert_eq!(rest, ["list", "x"], "{words:?}");
        }
        assert_eq!(of(&["-VvvS", "net", "-s"]).unwrap().0.verbosity, 6);
        let (options, rest) =
            of(&["-T", "deb|dsc", "-A", "amd64|source", "--delete", "--delete", "list", "-T"]).unwrap();
        assert_eq!(options.kinds, [IndexKind::Packages, IndexKind::Sources]);
        assert_eq!((options.architectures.len(), options.delete), (2, 2));
        // Options come before the command.
        assert_eq!(rest, ["list", "-T"]);
        let options =
            of(&["--ignore=8bit,oldfile", "--unignore=8bit", "-C", "a", "-C", "a", "list"]).unwrap().0;
        assert!(options.ignores("oldfile") && !options.ignores("8bit"));
        let options = of(&["--restrict", "src=1", "--restrict-file-bin", "f", "update"]).unwrap().0;
        assert_eq!(
            (&*options.restricted.sources, &*options.restricted.binary_files),
            (&["src=1".to_owned()][..], &["f".to_owned()][..])
        );
    }

    #[test]
    fn errors_name_the_option() {
        for (words, expected) in [
            (&["--nosuch", "list"][..], "`--nosuch`"),
            (&["-x", "list"], "`-x`"),
            (&["-b"], "`-b` requires a value"),
            (&["--basedir"], "`--basedir` requires a value"),
            (&["--delete=yes", "list"], "`--delete` takes no value"),
            (&["-C", "a", "-C", "b", "list"], "`-C` is given several times"),
            (&["--export=nonsense", "list"], "`--export` is `nonsense`"),
            (&["--ignore=nonsense", "list"], "`nonsense`"),
            (&["--waitforlock", "x", "list"], "`--waitforlock` is `x`"),
            (&["-T", "rpm", "list"], "`rpm`"),
        ] {
            let error = of(words).unwrap_err();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }

    #[test]
    fn the_file_of_options_has_the_lowest_priority() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("conf");
        std::fs::create_dir(&conf).unwrap();
        let text = "# a comment\nverbose\n\ncomponent contrib\nsection=net\noutdir +b/www\nignore wrongdistribution\n";
        std::fs::write(conf.join("options"), text).unwrap();
        let base = folder.path().to_str().unwrap();
        let (options, _) = of(&["-b", base, "-S", "admin", "list", "x"]).unwrap();
        assert_eq!(options.components, ["contrib"]);
        assert_eq!(options.section.as_deref(), Some("admin"));
        assert_eq!(options.folders.out, format!("{base}/www"));
        assert!(options.verbosity == 1 && options.ignores("wrongdistribution"));
        for (text, expected) in [
            ("nosuch\n", "line 1: unrecognized option"),
            ("trust-existing\n", "line 1: option `trust-existing` is for one call"),
            ("\ncomponent\n", "line 2: option `component` requires"),
        ] {
            std::fs::write(conf.join("options"), text).unwrap();
            let error = of(&["-b", base, "list", "x"]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
