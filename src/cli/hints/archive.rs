//! Hints for errors of operations.

use super::{refusal, signing, store};
use crate::{
    archive::{Error, ReleaseInfo, own_name, snapshot_of},
    dists::layout::{ArchivePath, SuitePath},
    names::Suite,
    nearest::nearest,
    signing::Distrust,
    store::Error as StoreError,
};

/// Returns what the user can do about an error.
#[expect(clippy::too_many_lines, reason = "one line for each error")]
pub(in crate::cli) fn hint(error: &Error) -> Option<String> {
    let text = match error {
        Error::Store(StoreError::TooLarge { path, .. }) if is_release_file(path) => RESTORE,
        Error::Store(error) => return store::hint(error),
        Error::Signing { source, .. } | Error::Keys { source } => return signing::hint(source),
        Error::Contradicts { .. } => {
            "regenerate the indices and the `Release` with the tool that created them, such as `reprepro export`, `aptly publish update` or `apt-ftparchive`, then run the command again"
        }
        Error::NoPointer { .. } => {
            "restore the last retained one with `publish check --repair`; otherwise restore it from a backup, or regenerate it with the tool that created the suite"
        }
        Error::Untrusted { path, source: Distrust::Frame { .. } | Distrust::Damaged { .. } }
        | Error::Pointer { path, .. }
            if is_kept(path) =>
        {
            DAMAGED_GENERATION
        }
        Error::Pointer { .. } => RESTORE,
        Error::Untrusted { source, .. } => untrusted(source),
        Error::NotSigned { .. } | Error::OtherSuite { .. } => CHANGED,
        Error::Crossed { suite } => {
            return Some(format!(
                "compare both files; if both are correct, sign the changes of both with `publish refresh --suite {suite} --trust-existing`"
            ));
        }
        Error::Source { source, .. } if matches!(**source, Error::NotMirrored { .. }) => return hint(source),
        Error::NotMirrored { what, there, .. } => {
            let options: Vec<String> = there.iter().map(|name| format!("`--{what} {name}`")).collect();
            return Some(format!(
                "the source seems to be a mirror of a part: take only what it has with {}; otherwise it is being changed: run the same command again later",
                options.join(", ")
            ));
        }
        Error::Source { .. } => {
            "it is being changed, or it is damaged there: run the same command again later, or name another mirror; nothing was published"
        }
        Error::Unverified { source, .. }
            if matches!(**source, Error::Untrusted { source: Distrust::KeyExpired { .. }, .. }) =>
        {
            signing::EXPIRED_KEY
        }
        Error::Unverified { .. } => UNVERIFIED,
        Error::UnsignedSurplus { .. } => {
            "sign both suites, or name another suite in `Archive:` in conf/distributions; `--trust-existing` moves the unsigned packages once"
        }
        Error::UnsignedSource { suite, .. } => {
            return Some(format!(
                "sign `{suite}` as well; or, if it was signed before, compare it with a trusted copy; `--trust-existing` copies the unsigned packages once"
            ));
        }
        Error::PartOfMirror { .. } => {
            "publish to the archive that it mirrors, or mirror the whole suite; `publish pull` takes packages of a mirror into a suite of your own"
        }
        Error::NoKey { .. } => "name the key with `--sign-with KEY` or `SignWith:` in conf/distributions",
        Error::NoPublicKey { .. } => {
            "add a file with the public key to `TrustedKeys:` in conf/distributions, or adopt the suite once with `--trust-existing`"
        }
        Error::Mismatch { .. }
        | Error::Longer { .. }
        | Error::Missing { .. }
        | Error::Unpack { .. }
        | Error::Index { .. } => {
            "the archive is damaged or was changed by another tool: list all faults with `publish check`"
        }
        Error::Refused(all) => match &all[..] {
            [only] => return refusal::hint(only),
            _ => return None,
        },
        Error::StopsApt { changes, .. } => return Some(text_of_apt(changes)),
        Error::ReadOnly { .. } => "remove `ReadOnly:` from its stanza in conf/distributions",
        Error::NotMutable { .. } => {
            "build it as a new version; for nightly builds, add `Mutable: yes` to the stanza of the suite in conf/distributions"
        }
        Error::Snapshot { .. } => "change the original suite, then keep it with `publish snapshot NAME`",
        Error::SnapshotThere { snapshot } => {
            let name = own_name(snapshot);
            let of = snapshot_of(snapshot).map(|of| format!(" --suite {of}")).unwrap_or_default();
            return Some(format!(
                "use another name, or first remove the old snapshot with `publish snapshot {name}{of} --remove`"
            ));
        }
        Error::Collision { .. } => {
            "give the component or the suite another name in conf/distributions, or drop the other suite with `publish drop SUITE`"
        }
        Error::PoolWithoutSuites { .. } => {
            "restore `dists/` from a backup, or publish the packages of each suite again with `publish add --suite SUITE FOLDER`"
        }
        Error::OverrideComponent(_) => {
            "correct `$Component` in the file that `DebOverride:`, `UDebOverride:` or `DscOverride:` names"
        }
        Error::Hidden { .. } => {
            "choose another name; `binary-…`, `by-hash` and `generations`, and in a folder of a suite `source` and `i18n`, are reserved"
        }
        Error::ReservedComponent { .. } => {
            "name the component without its last part: the type of a package decides its index"
        }
        Error::UnknownComponent { .. } => "add it to `Components:` of the suite in conf/distributions",
        Error::Input { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            "run the command as a user who may read it"
        }
        Error::Input { .. } | Error::NotIncluded { .. } | Error::Private { .. } => return None,
        Error::NoDebs { .. } => "name the `.deb` and `.dsc` files, or the folder that contains them",
        Error::OddSuite { .. } => {
            "rename the folder to a valid suite name; if it is moved away instead, `publish prune` deletes the packages that only this suite references"
        }
        Error::GenerationGone { .. } => "list the retained generations with `publish log`",
        Error::Generation { .. } => DAMAGED_GENERATION,
        Error::RolledBack { .. } => {
            "this may be a rollback attack: compare the archive with a trusted copy, and restore the newer release file; if the older one is intended, accept it once with `--trust-existing`"
        }
        Error::BornExpired { .. } => {
            "leave out `--date` and PUBLISH_DATE, or name a later time; `--allow-expired` publishes it all the same, to reproduce an archive of the past"
        }
        Error::UnlistedGenerations { .. } => {
            "name one with `--to GENERATION`: `publish log` prints the names for the folder or bucket behind the web server"
        }
        Error::NoGeneration { .. } => {
            "list the retained generations with `publish log`; `KeepFor:` and `KeepGenerations:` set how long they are retained"
        }
        Error::IncompleteGeneration { .. } => {
            "restore them from a backup, or choose another generation with `--to`; list all missing and damaged files with `publish check`"
        }
        Error::Pruning { .. } => {
            "run the same command again when the prune has finished; a killed one is ignored 15 minutes after its last write to `.publish/prune`"
        }
        Error::BeingDropped { suite } => {
            return Some(format!(
                "run the same command again; if the drop was interrupted, finish it with `publish drop {suite}`"
            ));
        }
        Error::RaceLost { .. } | Error::NameBehind { .. } | Error::Interrupted => {
            "run the same command again"
        }
        Error::Overtaken { .. } => {
            "nothing was changed: review the new generation with `publish log` and `publish diff`, then run the command again if it still applies"
        }
        Error::Unfinished { source, .. } if matches!(**source, Error::Crossed { .. }) => return hint(source),
        Error::Unfinished { source, .. } => match hint(source) {
            Some(hint) => {
                return Some(format!("{hint}; then finish the commit with `publish check --repair`"));
            }
            None => {
                "finish the commit with `publish check --repair`; the next command that publishes the suite also does"
            }
        },
        Error::NotPublished { suite, known } if !known.is_empty() => {
            let near = nearest(suite.as_str(), known.iter().map(Suite::as_str))?;
            return Some(format!("did you mean `{near}`?"));
        }
        Error::NotPublished { suite, .. } if let Some(suite) = snapshot_of(suite) => {
            return Some(format!("list the snapshots with `publish snapshot --list --suite {suite}`"));
        }
        Error::NotPublished { .. } => "list the published packages with `publish list`",
        other => return of_other_archive(other),
    };
    Some(text.into())
}

/// Returns the hint for an error in which a second archive takes part: the source or the destination of a sync.
fn of_other_archive(error: &Error) -> Option<String> {
    let text = match error {
        Error::Sources { .. } | Error::Incomplete { .. } | Error::Unsafe { .. } => {
            "regenerate the indices of the source archive with the tool that created them"
        }
        Error::Older { .. } => {
            "the destination was published to directly, or this is an old copy of the archive; to overwrite it with the older suite, add `--allow-older`"
        }
        Error::NoLongerSigned { .. } => {
            "sign the suite here with `publish refresh --suite NAME --sign-with KEY`, then run `publish sync` again; clients refuse a suite that is no longer signed, so sync an unsigned suite to another destination"
        }
        Error::Secret { .. } => {
            "move the secret key out of the archive: anyone who can read it can sign as you"
        }
        Error::FlatArchive { .. } => {
            "begin the archive in another folder: `publish --archive FOLDER import LOCATION` takes the packages of this one; or move its `Packages*` and `Release*` away, then run the command again"
        }
        Error::Expired { .. } => {
            "its publisher has not renewed it, or an old copy is served: wait for the publisher, or name another mirror; renew an archive of your own with `publish refresh`; if the source is correct as it is, copy it once with `--trust-existing`"
        }
        Error::NoSuchSuite { location, .. } => {
            return Some(format!("name a suite that is there, as in `--from {location}#SUITE`"));
        }
        Error::NoIndexOfAll { .. } => {
            "packages for all architectures are in the index of each of these: name one with `--architecture`; `publish pull SUITE --architecture all --all` takes them alone"
        }
        Error::LeftOutBySource { .. } => {
            "name a part that it has, or copy from the archive that it mirrors; a sync of the mirror with other options brings the rest there"
        }
        Error::UnreadableExpiry { .. } => {
            "clients refuse it too (apt: `Invalid 'Valid-Until' entry`): its publisher has to correct it; if the source is correct as it is, copy it once with `--trust-existing`"
        }
        Error::NotYetValid { .. } => {
            "clients refuse it too (`Acquire::Max-FutureTime` of apt is 10 s): correct the clock of this machine, or of the publisher, or wait until then; if the source is correct as it is, copy it once with `--trust-existing`"
        }
        Error::HasOtherNames { names, .. } => {
            let commands: Vec<String> = names.iter().map(|name| format!("`publish drop {name}`")).collect();
            return Some(format!("first drop its other names with {}", commands.join(" and ")));
        }
        Error::OtherName { of, .. } => {
            return Some(format!(
                "publish in suite `{of}`, such as with `--suite {of}`: both names then show the change"
            ));
        }
        Error::NotAtSource { .. } => {
            "the source is being updated, or is not complete: run the same command again later, or name another mirror; `--ignore-missing` goes on without it"
        }
        Error::NotCarried(_) => {
            "fix the cause, then run the same command again: files that were copied are not copied again"
        }
        _ => return None,
    };
    Some(text.into())
}

/// Returns the hint for an untrusted signature.
fn untrusted(distrust: &Distrust) -> &'static str {
    match distrust {
        Distrust::UnknownSigners { .. } => {
            "if this key signed the archive before, add a file with its public part to `TrustedKeys:` in conf/distributions; otherwise compare the archive with a trusted copy, then adopt it once with `--trust-existing`"
        }
        Distrust::Frame { .. } => {
            "the file is damaged: restore the newest retained generation that a trusted key signed with `publish check --repair`; otherwise restore it from a backup"
        }
        Distrust::Damaged { .. } => {
            "the file is damaged or was changed without the key: restore the newest retained generation that a trusted key signed with `publish check --repair`; or compare the archive with a trusted copy, then adopt it once with `--trust-existing`"
        }
        Distrust::NotBelieved { .. } => CHANGED,
        Distrust::KeyExpired { .. } => signing::EXPIRED_KEY,
        Distrust::Unverifiable { .. } => {
            "verify it with `gpgv --keyring ./KEYS.gpg InRelease`; if its signature is good, adopt the archive once with `--trust-existing`: the next commit signs it with the current key"
        }
    }
}

/// Hint for a suite that `sync` does not copy.
const UNVERIFIED: &str = "the destination keeps its suite as it is: name the keys of the source with `--keyring FILE`; if the source is correct as it is, copy it once with `--trust-existing`";

/// Hint for a release file that may have been changed by an attacker.
const CHANGED: &str = "the archive may have been changed without the key: compare it with a trusted copy; if it is correct, adopt it once with `--trust-existing`";

/// Hint for a retained generation that cannot be read.
const DAMAGED_GENERATION: &str = "choose another generation from `publish log`, or restore the file from a backup; `publish check --repair` restores the current generation, and `publish prune` deletes an old one when it expires";

fn is_kept(path: &str) -> bool {
    matches!(ArchivePath::of(path), ArchivePath::Dists(SuitePath::Generation { .. }))
}

fn is_release_file(path: &str) -> bool {
    matches!(ArchivePath::of(path), ArchivePath::Dists(SuitePath::Release { .. }))
}

/// Hint for a release file that cannot be read.
const RESTORE: &str = "restore the newest retained generation with `publish check --repair`; otherwise restore it from a backup";

/// Quotes the error that apt would print on clients, and says how to proceed.
fn text_of_apt(changes: &[ReleaseInfo]) -> String {
    let mut says: Vec<String> = Vec::new();
    for ReleaseInfo { field, before, after, .. } in changes {
        let (before, after) = (before.as_deref().unwrap_or_default(), after.as_deref().unwrap_or_default());
        let text = match *field {
            "NotAutomatic" | "ButAutomaticUpgrades" => "default priority for apt_preferences(5)".to_owned(),
            _ => format!("'{field}' value from '{before}' to '{after}'"),
        };
        says.push(format!("\"Repository '...' changed its {text}\""));
    }
    says.dedup();
    let says = says.join(", ");
    format!(
        "`apt update` would print {says}, and stop until its user runs it with `--allow-releaseinfo-change`; restore the \
         published value in conf/distributions or, if the change is intended, add `--allow-releaseinfo-change` here"
    )
}
