//! `conf/incoming`: the queues of uploads, in reprepro's format (reprepro(1), "conf/incoming").

use std::path::Path;

use super::{
    error::Error,
    lines::{Lines, missing, text_of},
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
    /// The fields that reprepro does not have.
    pub unknown: Vec<String>,
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
        let needed = |name: &str| text(name)?.ok_or_else(|| missing(stanza, name));
        let words = |name: &str| {
            let value = text(name)?.unwrap_or_default();
            Ok::<Vec<String>, String>(value.split_whitespace().map(ToOwned::to_owned).collect())
        };
        let mut queue = Self {
            name: needed("Name")?,
            folder: needed("IncomingDir")?,
            logs: text("LogDir")?,
            morgue: text("MorgueDir")?,
            default: text("Default")?,
            ..Self::default()
        };
        let is_known = |name: &str| FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name));
        let unknown = stanza.fields().iter().map(|field| field.name).filter(|name| !is_known(name));
        queue.unknown = unknown.map(ToOwned::to_owned).collect();
        for word in words("Allow")? {
            let (from, to) = word.split_once('>').unwrap_or((&word, &word));
            queue.allow.push((from.to_owned(), to.to_owned()));
        }
        if queue.allow.is_empty() && queue.default.is_none() {
            return Err("one of the fields `Allow` and `Default` is needed".to_owned());
        }
        queue.multiple = text("Multiple")?.is_some_and(|value| value.eq_ignore_ascii_case("yes"));
        for word in words("Options")? {
            match word.as_str() {
                "multiple_distributions" => queue.multiple = true,
                "limit_arch_all" => queue.limit_arch_all = true,
                _ => return Err(format!("field `Options` has the unknown word `{word}`")),
            }
        }
        for word in words("Permit")? {
            match word.as_str() {
                "older_version" => queue.permit_older = true,
                "unused_files" => queue.permit_unused_files = true,
                "unlisted_binaries" => queue.permit_unlisted_binaries = true,
                _ => return Err(format!("field `Permit` has the unknown word `{word}`")),
            }
        }
        for word in words("Cleanup")? {
            match word.as_str() {
                "on_deny" => queue.cleanup.on_deny = true,
                "on_error" => queue.cleanup.on_error = true,
                "unused_files" => queue.cleanup.unused_files = true,
                "unused_buildinfo_files" => queue.cleanup.unused_buildinfos = true,
                _ => return Err(format!("field `Cleanup` has the unknown word `{word}`")),
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
            ("IncomingDir: x\nAllow: a\n", "`Name` is missing"),
            ("Name: x\nAllow: a\n", "`IncomingDir` is missing"),
            ("Name: x\nIncomingDir: i\n", "`Allow` and `Default`"),
            ("Name: x\nIncomingDir: i\nAllow: a\nOptions: y\n", "unknown word `y`"),
            ("Name: x\nIncomingDir: i\nAllow: a\n\nName: x\nIncomingDir: i\nAllow: a\n", "already used"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
