//! `conf/incoming`: the queues of uploads, in reprepro's format (reprepro(1), "conf/incoming").

use std::path::Path;

use super::{
    error::Error,
    lines::{Lines, text_of},
};
use crate::stanza::Stanza;

/// A queue of uploads. Names of folders are as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent settings")]
#[non_exhaustive]
pub struct Queue {
    /// The name of the rules.
    pub name: String,
    /// The folder in which uploads arrive.
    pub folder: String,
    /// The folder that keeps the descriptions of accepted uploads.
    pub logs: Option<String>,
    /// The folder that files are moved to instead of being deleted.
    pub morgue: Option<String>,
    /// The distributions that uploads may name, each with the suite that they go to.
    pub allow: Vec<(String, String)>,
    /// The suite of uploads for any other distribution.
    pub default: Option<String>,
    /// Whether an upload goes to every suite that its distributions allow, instead of the first.
    pub multiple: bool,
    /// Whether packages for all architectures are listed only for the architectures of the upload.
    pub limit_arch_all: bool,
    /// Whether an upload that is older than what is published is no error.
    pub permit_older: bool,
    /// Whether an upload may have files that are not used.
    pub permit_unused_files: bool,
    /// Whether an upload may have packages that its `Binary` does not list.
    pub permit_unlisted_binaries: bool,
    /// The files that leave the queue besides published packages.
    pub cleanup: Cleanup,
    /// The fields and words that reprepro does not have.
    pub unknown: Vec<String>,
    /// The fields that reprepro requires and that are not there.
    pub missing: Vec<&'static str>,
}

/// The fields of reprepro.
const FIELDS: [&str; 11] = [
    "Name",
    "IncomingDir",
    "TempDir",
    "LogDir",
    "MorgueDir",
    "Allow",
    "Default",
    "Multiple",
    "Options",
    "Permit",
    "Cleanup",
];

/// Those that each queue needs. The folder `TempDir` is not used here.
const REQUIRED: [&str; 3] = ["Name", "IncomingDir", "TempDir"];

/// The files that leave a queue besides published packages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent settings")]
#[non_exhaustive]
pub struct Cleanup {
    /// Those that are refused.
    pub on_deny: bool,
    /// Those that are damaged.
    pub on_error: bool,
    /// The files of published uploads that are not used.
    pub unused_files: bool,
    /// The records of builds of published uploads, if they are not used.
    pub unused_buildinfos: bool,
}

impl Queue {
    /// Reads the queues of a file.
    pub fn read(path: &Path) -> Result<Vec<Self>, Error> {
        Lines::named_stanzas(path, Self::parse, |queue| &queue.name)
    }

    fn parse(stanza: &Stanza<'_>) -> Result<Self, String> {
        let text = |name: &str| {
            Ok::<_, String>(
                text_of(stanza, name)?.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()),
            )
        };
        let words = |name: &str| {
            let value = text(name)?.unwrap_or_default();
            Ok::<Vec<String>, String>(value.split_whitespace().map(ToOwned::to_owned).collect())
        };
        let mut queue = Self {
            name: text("Name")?.unwrap_or_default(),
            folder: text("IncomingDir")?.unwrap_or_default(),
            logs: text("LogDir")?,
            morgue: text("MorgueDir")?,
            default: text("Default")?,
            ..Self::default()
        };
        let is_known = |name: &str| FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name));
        let unknown = stanza.fields().iter().map(|field| field.name).filter(|name| !is_known(name));
        queue.unknown = unknown.map(|name| format!("field `{name}`")).collect();
        for name in REQUIRED {
            if text(name)?.is_none() {
                queue.missing.push(name);
            }
        }
        for word in words("Allow")? {
            let (from, to) = word.split_once('>').unwrap_or((&word, &word));
            queue.allow.push((from.to_owned(), to.to_owned()));
        }
        if queue.allow.is_empty() && queue.default.is_none() {
            return Err("one of the fields `Allow` and `Default` is needed".to_owned());
        }
        queue.multiple = match text("Multiple")?.unwrap_or_default().to_ascii_lowercase().as_str() {
            "yes" | "y" | "true" | "1" => true,
            "no" | "n" | "false" | "0" | "" => false,
            other => return Err(format!("field `Multiple` is `{other}`; expected `yes` or `no`")),
        };
        let unknown = &mut queue.unknown;
        let mut is_no_word =
            |field: &str, word: &str| unknown.push(format!("word `{word}` in field `{field}`"));
        for word in words("Options")? {
            match word.as_str() {
                "multiple_distributions" => queue.multiple = true,
                "limit_arch_all" => queue.limit_arch_all = true,
                _ => is_no_word("Options", &word),
            }
        }
        for word in words("Permit")? {
            match word.as_str() {
                "older_version" => queue.permit_older = true,
                "unused_files" => queue.permit_unused_files = true,
                "unlisted_binaries" => queue.permit_unlisted_binaries = true,
                _ => is_no_word("Permit", &word),
            }
        }
        for word in words("Cleanup")? {
            match word.as_str() {
                "on_deny" => queue.cleanup.on_deny = true,
                "on_error" => queue.cleanup.on_error = true,
                "unused_files" => queue.cleanup.unused_files = true,
                "unused_buildinfo_files" => queue.cleanup.unused_buildinfos = true,
                _ => is_no_word("Cleanup", &word),
            }
        }
        Ok(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Queue>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("incoming");
        std::fs::write(&path, text).unwrap();
        Queue::read(&path).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            format!("{error} {cause}")
        })
    }

    #[test]
    fn queues_are_read_as_by_reprepro() {
        let text = "Name: default # the first\nIncomingDir: incoming\nTempDir: tmp\nAllow: bookworm unstable>sid\n\
                    Cleanup: on_deny on_error unused_files\nPermit: unused_files older_version\n\n\
                    # another\nname: other\nincomingdir: /in\nDefault: sid\nMultiple: yes\nOptions: limit_arch_all\nLogDir: logs\n";
        let [first, second] = &read(text).unwrap()[..] else { panic!() };
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(first.allow, [pair("bookworm", "bookworm"), pair("unstable", "sid")]);
        assert!(first.cleanup.on_deny && first.cleanup.on_error && first.permit_older && !first.multiple);
        assert!(first.permit_unused_files && first.cleanup.unused_files && !first.cleanup.unused_buildinfos);
        assert!(!first.permit_unlisted_binaries);
        assert_eq!((second.name.as_str(), second.default.as_deref()), ("other", Some("sid")));
        assert!(second.multiple && second.limit_arch_all && second.logs.is_some());
    }

    #[test]
    fn errors_name_the_field() {
        for (text, expected) in [
            ("Name: x\nIncomingDir: i\n", "`Allow` and `Default`"),
            ("Name: x\nIncomingDir: i\nAllow: a\nMultiple: y e s\n", "`Multiple` is `y e s`"),
            ("Name: x\nIncomingDir: i\nAllow: a\n\nName: x\nIncomingDir: i\nAllow: a\n", "already used"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn fields_that_are_missing_and_words_that_are_unknown_are_noted() {
        let text = "Allow: a\nOptions: y\nPermit: older_version z\nCleanUpp: on_deny\n";
        let [queue] = &read(text).unwrap()[..] else { panic!() };
        assert_eq!(queue.missing, REQUIRED);
        assert_eq!(
            queue.unknown,
            ["field `CleanUpp`", "word `y` in field `Options`", "word `z` in field `Permit`"]
        );
        assert!(queue.permit_older);
    }
}
