//! The options of reprepro by their names, and the meaning that each has here.

/// The meaning of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Help,
    Version,
    Verbose,
    Silent,
    Base,
    Out,
    Conf,
    Dists,
    Logs,
    Database,
    Morgue,
    Section,
    Priority,
    Component,
    Architecture,
    Type,
    Ignore,
    Unignore,
    Export,
    ListFormat,
    ListMax,
    ListSkip,
    /// How often to wait for a lock; nothing is locked here, so only the number is checked.
    WaitForLock,
    GnupgHome,
    /// The packages that `update` and `pull` act on, by their source.
    RestrictSource,
    RestrictBinary,
    /// The same, in files.
    RestrictSourceFile,
    RestrictBinaryFile,
    Endhook,
    Outhook,
    /// Delete the files that were included.
    Delete(bool),
    NothingIsError(bool),
    /// Accept a published suite once although its signature cannot be verified, or is to be removed.
    TrustExisting,
    /// Publish release information whose change apt asks its users to confirm.
    AllowReleaseInfoChange,
    /// A key that signs in place of those of `SignWith`.
    SignWith,
    /// Nothing to do: it is about the database, downloads, or a step that does not exist here.
    Nothing,
    /// The same, with a value.
    NothingWithValue,
}

impl Meaning {
    /// Whether the option needs a value.
    pub(super) fn takes_value(self) -> bool {
        !matches!(
            self,
            Self::Help
                | Self::Version
                | Self::Verbose
                | Self::Silent
                | Self::Delete(_)
                | Self::NothingIsError(_)
                | Self::TrustExisting
                | Self::AllowReleaseInfoChange
                | Self::Nothing
        )
    }
}

/// The options that have a meaning here, by their long names.
const LONG: &[(&str, Meaning)] = &[
    ("help", Meaning::Help),
    ("version", Meaning::Version),
    ("verbose", Meaning::Verbose),
    ("silent", Meaning::Silent),
    ("basedir", Meaning::Base),
    ("outdir", Meaning::Out),
    ("confdir", Meaning::Conf),
    ("distdir", Meaning::Dists),
    ("logdir", Meaning::Logs),
    ("dbdir", Meaning::Database),
    ("morguedir", Meaning::Morgue),
    ("section", Meaning::Section),
    ("priority", Meaning::Priority),
    ("component", Meaning::Component),
    ("architecture", Meaning::Architecture),
    ("type", Meaning::Type),
    ("packagetype", Meaning::Type),
    ("ignore", Meaning::Ignore),
    ("unignore", Meaning::Unignore),
    ("noignore", Meaning::Unignore),
    ("export", Meaning::Export),
    ("list-format", Meaning::ListFormat),
    ("list-max", Meaning::ListMax),
    ("list-skip", Meaning::ListSkip),
    ("waitforlock", Meaning::WaitForLock),
    ("gnupghome", Meaning::GnupgHome),
    ("endhook", Meaning::Endhook),
    ("outhook", Meaning::Outhook),
    ("restrict", Meaning::RestrictSource),
    ("restrict-source", Meaning::RestrictSource),
    ("restrict-src", Meaning::RestrictSource),
    ("restrict-binary", Meaning::RestrictBinary),
    ("restrict-bin", Meaning::RestrictBinary),
    ("restrict-file", Meaning::RestrictSourceFile),
    ("restrict-file-source", Meaning::RestrictSourceFile),
    ("restrict-file-src", Meaning::RestrictSourceFile),
    ("restrict-file-binary", Meaning::RestrictBinaryFile),
    ("restrict-file-bin", Meaning::RestrictBinaryFile),
    ("delete", Meaning::Delete(true)),
    ("nodelete", Meaning::Delete(false)),
    ("nothingiserror", Meaning::NothingIsError(true)),
    ("nonothingiserror", Meaning::NothingIsError(false)),
];

/// Options of this program alone. Their names are not shortened, so that a shortened name of reprepro keeps its meaning.
const OWN: &[(&str, Meaning)] = &[
    ("trust-existing", Meaning::TrustExisting),
    ("allow-releaseinfo-change", Meaning::AllowReleaseInfoChange),
    ("sign-with", Meaning::SignWith),
];

/// Options without a meaning here; each has a form with `no` before it.
const SWITCHES: &[&str] = &[
    "force",
    "nolistsdownload",
    "listsdownload",
    "keepunreferencedfiles",
    "keepunusednewfiles",
    "keepunneededlists",
    "keepdirectories",
    "keeptemporaries",
    "ask-passphrase",
    "skipold",
    "guessgpgtty",
    "verbosedb",
    "verbosedatabase",
    "onlysmalldeletes",
    "show-percent",
    "fast",
];

/// Options with a value and without a meaning here.
const VALUES: &[&str] = &[
    "listdir",
    "methoddir",
    "spacecheck",
    "safetymargin",
    "dbsafetymargin",
    "gunzip",
    "bunzip2",
    "unlzma",
    "unxz",
    "lunzip",
    "unzstd",
];

/// The kinds of errors that `--ignore` names.
pub(super) const IGNORED: &[&str] = &[
    "ignore",
    "forbiddenchar",
    "8bit",
    "emptyfilenamepart",
    "spaceonlyline",
    "malformedchunk",
    "unknownfield",
    "wrongdistribution",
    "missingfield",
    "brokenold",
    "brokensignatures",
    "brokenversioncmp",
    "extension",
    "unusedarch",
    "surprisingarch",
    "surprisingbinary",
    "wrongsourceversion",
    "wrongversion",
    "undefinedtarget",
    "undefinedtracking",
    "unusedoption",
    "flatandnonflat",
    "expiredkey",
    "revokedkey",
    "expiredsignature",
    "wrongarchitecture",
    "oldfile",
    "longkeyid",
    "missingfile",
    "conflictingarchall",
    "uploaders",
    "dbconsistency",
    "dscinbinnmu",
];

/// Returns the meaning of a long name, or of the beginning of only one.
pub(super) fn long(name: &str) -> Result<Meaning, String> {
    let switches = SWITCHES.iter().flat_map(|name| [(*name).to_owned(), format!("no{name}")]);
    let all: Vec<(String, Meaning)> = LONG
        .iter()
        .map(|(name, meaning)| ((*name).to_owned(), *meaning))
        .chain(switches.map(|name| (name, Meaning::Nothing)))
        .chain(VALUES.iter().map(|name| ((*name).to_owned(), Meaning::NothingWithValue)))
        .collect();
    if let Some((_, meaning)) = OWN.iter().find(|(known, _)| *known == name) {
        return Ok(*meaning);
    }
    if let Some((_, meaning)) = all.iter().find(|(known, _)| known == name) {
        return Ok(*meaning);
    }
    let begun: Vec<&(String, Meaning)> = all.iter().filter(|(known, _)| known.starts_with(name)).collect();
    match begun[..] {
        [(_, meaning)] if !name.is_empty() => Ok(*meaning),
        [_, _, ..] if !name.is_empty() => {
            let names: Vec<String> = begun.iter().map(|(known, _)| format!("`--{known}`")).collect();
            Err(format!("option `--{name}` is ambiguous: {}", names.join(", ")))
        }
        _ => Err(format!("unrecognized option `--{name}`")),
    }
}

/// Returns the meaning of a short name.
pub(super) fn short(letter: char) -> Result<Meaning, String> {
    Ok(match letter {
        'h' => Meaning::Help,
        'v' | 'V' => Meaning::Verbose,
        's' => Meaning::Silent,
        'b' => Meaning::Base,
        'i' => Meaning::Ignore,
        'C' => Meaning::Component,
        'A' => Meaning::Architecture,
        'T' => Meaning::Type,
        'S' => Meaning::Section,
        'P' => Meaning::Priority,
        'f' => Meaning::Nothing,
        _ => return Err(format!("invalid option `-{letter}`")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_shortened_to_what_only_one_begins_with() {
        assert_eq!(long("basedir"), Ok(Meaning::Base));
        assert_eq!(long("base"), Ok(Meaning::Base));
        assert_eq!(long("noskipold"), Ok(Meaning::Nothing));
        assert_eq!(long("ask-passphrase"), Ok(Meaning::Nothing));
        assert_eq!(long("trust-existing"), Ok(Meaning::TrustExisting));
        assert_eq!((long("t"), long("si")), (Ok(Meaning::Type), Ok(Meaning::Silent)));
        // Also the beginning of `list-max`.
        assert!(long("list-").unwrap_err().contains("ambiguous"));
        for unknown in ["", "nosuch", "archive", "json"] {
            assert!(long(unknown).unwrap_err().contains("unrecognized"), "{unknown}");
        }
    }
}
