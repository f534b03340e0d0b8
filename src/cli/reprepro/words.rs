//! The commands of reprepro: their names, their arguments, and how they are recognized.

use std::ffi::OsString;

use super::options::{self, Options, Restricted};
use crate::{config::RuleKind, dists::IndexKind};

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    IncludeDeb,
    IncludeUdeb,
    IncludeDdeb,
    IncludeDsc,
    Include,
    ProcessIncoming,
    Remove,
    RemoveSource,
    RemoveSources,
    RemoveMatched,
    RemoveFilter,
    Copy,
    CopySource,
    CopyMatched,
    CopyFilter,
    Move,
    MoveSource,
    MoveMatched,
    MoveFilter,
    Restore,
    RestoreSource,
    RestoreMatched,
    RestoreFilter,
    Flood,
    List,
    ListMatched,
    ListFilter,
    Ls,
    LsByComponent,
    Export,
    CreateSymlinks,
    GenSnapshot,
    UnreferenceSnapshot,
    Check,
    CheckPool,
    DumpReferences,
    DumpUnreferenced,
    DeleteUnreferenced,
    DeleteIfUnreferenced,
    ClearVanished,
    Reoverride,
    UnusedSources,
    SourceMissing,
    ReportCruft,
    BuildNeeding,
    Codenames,
    Identifiers,
    RerunNotifiers,
    Sizes,
    VersionCompare,
    ExtractControl,
    ExtractFiles,
    DumpContents,
    ListChecksums,
    ListMd5Sums,
    DumpTracks,
    RemoveTrack,
    RemoveAllTracks,
    TidyTracks,
    /// Suites take packages by the rules of a kind.
    Rules(RuleKind, Use),
    /// It has nothing to do here: there is no database, and every change is published.
    Nothing,
    /// The same, which counts as done.
    NothingIsDone,
}

/// The use of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Apply,
    Check,
    Dump,
    PreDelete,
}

/// A command with the number of its arguments.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) word: Word,
    fewest: usize,
    most: usize,
    /// The arguments for a message.
    arguments: &'static str,
}

const MANY: usize = usize::MAX;

const fn known(
    name: &'static str,
    word: Word,
    (fewest, most): (usize, usize),
    arguments: &'static str,
) -> Known {
    Known { name, word, fewest, most, arguments }
}

/// Every command of reprepro 5.3, and those of later ones that change packages.
pub(super) const WORDS: &[Known] = &[
    known("includedeb", Word::IncludeDeb, (2, MANY), "CODENAME FILE.deb..."),
    known("includeudeb", Word::IncludeUdeb, (2, MANY), "CODENAME FILE.udeb..."),
    known("includeddeb", Word::IncludeDdeb, (2, MANY), "CODENAME FILE.ddeb..."),
    known("includedsc", Word::IncludeDsc, (2, 2), "CODENAME FILE.dsc"),
    known("include", Word::Include, (2, 2), "CODENAME FILE.changes"),
    known("processincoming", Word::ProcessIncoming, (1, 2), "RULESET [FILE.changes]"),
    known("remove", Word::Remove, (2, MANY), "CODENAME NAME[=VERSION]..."),
    known("removesrc", Word::RemoveSource, (2, 3), "CODENAME SOURCE [VERSION]"),
    known("removesrcs", Word::RemoveSources, (2, MANY), "CODENAME SOURCE[=VERSION]..."),
    known("removematched", Word::RemoveMatched, (2, 2), "CODENAME GLOB"),
    known("removefilter", Word::RemoveFilter, (2, 2), "CODENAME FORMULA"),
    known("copy", Word::Copy, (3, MANY), "DESTINATION SOURCE NAME[=VERSION]..."),
    known("copysrc", Word::CopySource, (3, MANY), "DESTINATION SOURCE SOURCEPACKAGE [VERSION...]"),
    known("copymatched", Word::CopyMatched, (3, 3), "DESTINATION SOURCE GLOB"),
    known("copyfilter", Word::CopyFilter, (3, 3), "DESTINATION SOURCE FORMULA"),
    known("move", Word::Move, (3, MANY), "DESTINATION SOURCE NAME[=VERSION]..."),
    known("movesrc", Word::MoveSource, (3, MANY), "DESTINATION SOURCE SOURCEPACKAGE [VERSION...]"),
    known("movematched", Word::MoveMatched, (3, 3), "DESTINATION SOURCE GLOB"),
    known("movefilter", Word::MoveFilter, (3, 3), "DESTINATION SOURCE FORMULA"),
    known("restore", Word::Restore, (3, MANY), "CODENAME SNAPSHOT NAME[=VERSION]..."),
    known("restoresrc", Word::RestoreSource, (3, MANY), "CODENAME SNAPSHOT SOURCEPACKAGE [VERSION...]"),
    known("restorematched", Word::RestoreMatched, (3, 3), "CODENAME SNAPSHOT GLOB"),
    known("restorefilter", Word::RestoreFilter, (3, 3), "CODENAME SNAPSHOT FORMULA"),
    known("flood", Word::Flood, (1, 2), "CODENAME [ARCHITECTURE]"),
    known("list", Word::List, (1, 2), "CODENAME [NAME]"),
    known("listmatched", Word::ListMatched, (2, 2), "CODENAME GLOB"),
    known("listfilter", Word::ListFilter, (2, 2), "CODENAME FORMULA"),
    known("ls", Word::Ls, (1, 1), "NAME"),
    known("lsbycomponent", Word::LsByComponent, (1, 1), "NAME"),
    known("export", Word::Export, (0, MANY), "[CODENAME...]"),
    known("createsymlinks", Word::CreateSymlinks, (0, MANY), "[CODENAME...]"),
    known("gensnapshot", Word::GenSnapshot, (2, 2), "CODENAME NAME"),
    known("unreferencesnapshot", Word::UnreferenceSnapshot, (2, 2), "CODENAME NAME"),
    known("check", Word::Check, (0, MANY), "[CODENAME...]"),
    known("checkpool", Word::CheckPool, (0, 1), "[fast]"),
    known("dumpreferences", Word::DumpReferences, (0, 0), ""),
    known("dumpunreferenced", Word::DumpUnreferenced, (0, 0), ""),
    known("deleteunreferenced", Word::DeleteUnreferenced, (0, 0), ""),
    known("deleteifunreferenced", Word::DeleteIfUnreferenced, (0, MANY), "[FILE...]"),
    known("clearvanished", Word::ClearVanished, (0, 0), ""),
    known("unusedsources", Word::UnusedSources, (0, MANY), "[CODENAME...]"),
    known("sourcemissing", Word::SourceMissing, (0, MANY), "[CODENAME...]"),
    known("reportcruft", Word::ReportCruft, (0, MANY), "[CODENAME...]"),
    known("build-needing", Word::BuildNeeding, (2, 3), "CODENAME ARCHITECTURE [GLOB]"),
    known("rerunnotifiers", Word::RerunNotifiers, (0, MANY), "[CODENAME...]"),
    known("dumptracks", Word::DumpTracks, (0, MANY), "[CODENAME...]"),
    known("removetrack", Word::RemoveTrack, (3, 3), "CODENAME SOURCE VERSION"),
    known("retrack", Word::Nothing, (0, MANY), "[CODENAME...]"),
    known("tidytracks", Word::TidyTracks, (0, MANY), "[CODENAME...]"),
    known("removealltracks", Word::RemoveAllTracks, (1, MANY), "CODENAME..."),
    known("rereference", Word::NothingIsDone, (0, MANY), "[CODENAME...]"),
    known("redochecksums", Word::Nothing, (0, MANY), "[CODENAME...]"),
    known("repairdescriptions", Word::Nothing, (0, MANY), "[CODENAME...]"),
    known("forcerepairdescriptions", Word::Nothing, (0, MANY), "[CODENAME...]"),
    known("collectnewchecksums", Word::Nothing, (0, 0), ""),
    known("translatelegacychecksums", Word::Nothing, (0, 0), ""),
    known("translatelegacyreferences", Word::Nothing, (0, 0), ""),
    known("translatefilelists", Word::Nothing, (0, 0), ""),
    known("generatefilelists", Word::NothingIsDone, (0, 1), "[reread]"),
    known("cleanlists", Word::Nothing, (0, 0), ""),
    known("_listcodenames", Word::Codenames, (0, 0), ""),
    known("_listconfidentifiers", Word::Identifiers, (0, MANY), "[CODENAME...]"),
    known("_listdbidentifiers", Word::Identifiers, (0, MANY), "[CODENAME...]"),
    known("reoverride", Word::Reoverride, (0, MANY), "[CODENAME...]"),
    known("sizes", Word::Sizes, (0, MANY), "[CODENAME...]"),
    known("_versioncompare", Word::VersionCompare, (2, 2), "VERSION VERSION"),
    known("__extractcontrol", Word::ExtractControl, (1, 1), "FILE.deb"),
    known("__extractfilelist", Word::ExtractFiles, (1, 1), "FILE.deb"),
    known("_dumpcontents", Word::DumpContents, (1, 1), "IDENTIFIER"),
    known("_listchecksums", Word::ListChecksums, (0, 0), ""),
    known("_listmd5sums", Word::ListMd5Sums, (0, 0), ""),
    known("update", Word::Rules(RuleKind::Update, Use::Apply), (0, MANY), "[CODENAME...]"),
    known("checkupdate", Word::Rules(RuleKind::Update, Use::Check), (0, MANY), "[CODENAME...]"),
    known("dumpupdate", Word::Rules(RuleKind::Update, Use::Dump), (0, MANY), "[CODENAME...]"),
    known("predelete", Word::Rules(RuleKind::Update, Use::PreDelete), (0, MANY), "[CODENAME...]"),
    known("pull", Word::Rules(RuleKind::Pull, Use::Apply), (0, MANY), "[CODENAME...]"),
    known("checkpull", Word::Rules(RuleKind::Pull, Use::Check), (0, MANY), "[CODENAME...]"),
    known("dumppull", Word::Rules(RuleKind::Pull, Use::Dump), (0, MANY), "[CODENAME...]"),
];

/// The commands of this program with the same names, which `publish NAME` means.
const CLASHING: [&str; 7] = ["list", "copy", "remove", "check", "export", "update", "pull"];

impl Known {
    /// Checks the number of arguments after the command.
    pub(super) fn check(&self, count: usize) -> Result<(), String> {
        let problem = match count {
            few if few < self.fewest => "too few",
            many if many > self.most => "too many",
            _ => return Ok(()),
        };
        let usage = format!("{} {}", self.name, self.arguments);
        Err(format!(
            "{problem} arguments for `{}`: expected `reprepro [OPTION...] {}`",
            self.name,
            usage.trim_end()
        ))
    }

    /// Why the command cannot follow the options.
    pub(super) fn misfit(&self, options: &Options) -> Option<String> {
        let word = self.word;
        let (is_source, kinds) = (|name: &String| name == "source", &options.kinds);
        if !kinds.is_empty() && !options.architectures.is_empty() {
            let has_source = options.architectures.iter().any(is_source);
            if kinds.iter().all(|kind| *kind == IndexKind::Sources) && !has_source {
                return Some("`-T dsc` selects nothing with a `-A` that does not name `source`".to_owned());
            }
            if options.architectures.iter().all(is_source) && !kinds.contains(&IndexKind::Sources) {
                return Some("`-A source` selects nothing with a `-T` that does not name `dsc`".to_owned());
            }
        }
        let own = match word {
            Word::IncludeDeb => Some(IndexKind::Packages),
            Word::IncludeUdeb => Some(IndexKind::Installer),
            Word::IncludeDdeb => Some(IndexKind::Debug),
            Word::IncludeDsc => Some(IndexKind::Sources),
            _ => None,
        };
        if let Some(own) = own.filter(|own| !kinds.is_empty() && !kinds.contains(own)) {
            return Some(format!(
                "the command includes packages of type `{}`, which `-T` does not name",
                own.package_type()
            ));
        }
        (options.restricted != Restricted::default() && !matches!(word, Word::Rules(..)))
            .then(|| "`--restrict` and its relatives are for `update`, `pull` and their dry runs".to_owned())
    }
}

/// Finds a command by its name.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    WORDS.iter().find(|known| known.name == name)
}

/// Whether reprepro has a command of this name.
pub(in super::super) fn is_command(name: &str) -> bool {
    find(name).is_some()
}

/// Returns the arguments of a call that is meant for this room: by the name `reprepro`, by `publish reprepro`, or by a
/// command that only reprepro has.
pub(in super::super) fn requested(mut arguments: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    let program = arguments.next()?;
    let rest: Vec<OsString> = arguments.collect();
    let name = std::path::Path::new(&program).file_name()?;
    if name == "reprepro" {
        return Some(rest);
    }
    if rest.first().is_some_and(|first| first == "reprepro") {
        return Some(rest[1..].to_vec());
    }
    let texts: Vec<String> =
        rest.iter().map(|text| text.to_str().map(ToOwned::to_owned)).collect::<Option<_>>()?;
    let (_, words) = options::split(&texts).ok()?;
    let first = words.first()?;
    (find(first).is_some() && !CLASHING.contains(&first.as_str())).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_and_then_the_command() {
        let called = |words: &[&str]| {
            requested(words.iter().map(OsString::from)).map(|words| words.join(std::ffi::OsStr::new(" ")))
        };
        let meant = |words: &[&str]| called(words).map(|words| words.into_string().unwrap());
        assert_eq!(meant(&["/usr/local/bin/reprepro", "list", "x"]).as_deref(), Some("list x"));
        assert_eq!(meant(&["publish", "reprepro", "-b", "r", "list"]).as_deref(), Some("-b r list"));
        assert_eq!(meant(&["publish", "-Vb", "r", "includedeb", "x"]).as_deref(), Some("-Vb r includedeb x"));
        assert_eq!(meant(&["publish", "createsymlinks"]).as_deref(), Some("createsymlinks"));
        for ours in [
            &["publish"][..],
            &["publish", "list", "x"],
            &["publish", "-b", "r", "copy", "x"],
            &["publish", "add", "includedeb"],
            &["publish", "--archive", "includedeb", "list"],
            &["publish", "-V"],
            &["publish", "--json", "list"],
        ] {
            assert_eq!(meant(ours), None, "{ours:?}");
        }
    }

    #[test]
    fn commands_are_named_once_and_check_their_arguments() {
        let mut names: Vec<&str> = WORDS.iter().map(|known| known.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        let remove = find("remove").unwrap();
        assert_eq!(remove.check(2), Ok(()));
        assert!(remove.check(1).unwrap_err().contains("reprepro [OPTION...] remove CODENAME NAME"));
        assert!(find("dumpreferences").unwrap().check(1).unwrap_err().starts_with("too many arguments"));
    }

    fn parsed(words: &[&str]) -> Options {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        match options::parse(&words).unwrap() {
            options::CommandLine::Call(options, _) => *options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn selections_that_hold_nothing_are_errors() {
        for (words, word, fits) in [
            (&["-T", "dsc", "-A", "amd64", "list"][..], "list", false),
            (&["-T", "deb", "-A", "source", "list"], "list", false),
            (&["-T", "deb|dsc", "-A", "source", "list"], "list", true),
            (&["-T", "dsc", "-A", "amd64|source", "list"], "list", true),
            (&["-T", "dsc", "includedeb"], "includedeb", false),
            (&["--restrict", "foo", "list"], "list", false),
            (&["--restrict-file", "foo", "update"], "update", true),
            (&["-T", "deb|dsc", "includedsc"], "includedsc", true),
        ] {
            assert_eq!(find(word).unwrap().misfit(&parsed(words)).is_none(), fits, "{words:?}");
        }
    }
}
