//! What to do about an error of a verb.

use super::{refusal, signing, store};
use crate::{
    archive::{Error, ReleaseInfo},
    dists::layout::{ArchivePath, SuitePath},
    signing::Distrust,
    store::Error as StoreError,
};

/// What the user can do about it.
pub(in crate::cli) fn hint(error: &Error) -> Option<String> {
    let text = match error {
        Error::Store(StoreError::TooLarge { path, .. }) if is_release_file(path) => RESTORE,
        Error::Store(error) => return store::hint(error),
        Error::Signing { source, .. } | Error::Keys { source } => return signing::hint(source),
        Error::Pointer { .. } => RESTORE,
        Error::Contradicts { .. } => {
            "clients of one see other packages than clients of the other: write the indices and the `Release` anew with the tool that made them, such as `reprepro export`, `aptly publish update` or `apt-ftparchive`, then run the command again"
        }
        Error::NoPointer { .. } => {
            "`publish check --repair` puts the last one back if it was kept; else restore it from a backup, or write it anew with the tool that made the suite"
        }
        Error::Untrusted { source: Distrust::UnknownSigners { .. }, .. } => {
            "if this is the key that signed the archive before, name a file with its public part in `TrustedKeys:` in conf/distributions; else compare the archive with a copy you trust, and adopt it once with `--trust-existing`"
        }
        Error::Untrusted { source: Distrust::Frame { .. }, .. } => {
            "the file is damaged: `publish check --repair` restores it from the newest state that is kept and that a trusted key signed; else restore it from a backup"
        }
        Error::Untrusted { source: Distrust::Damaged { .. }, .. } => {
            "the file is damaged, or somebody without the key may have changed it: `publish check --repair` restores it from the newest state that is kept and that a trusted key signed; or compare the archive with a copy you trust, and adopt it once with `--trust-existing`"
        }
        Error::Untrusted { .. } | Error::NotSigned { .. } | Error::OtherSuite { .. } => {
            "somebody without the key may have changed the archive: compare it with a copy you trust; if it is as it should be, adopt it once with `--trust-existing`"
        }
        Error::UnsignedSurplus { .. } => {
            "sign both suites, or name another one in `Archive:` in conf/distributions; `--trust-existing` moves what is there once"
        }
        Error::NoKey { .. } => "name the key with `--sign-with KEY` or `SignWith:` in conf/distributions",
        Error::NoPublicKey { .. } => {
            "name a file with the public key in `TrustedKeys:` in conf/distributions, or adopt the suite as it is with `--trust-existing`"
        }
        Error::Mismatch { .. }
        | Error::Longer { .. }
        | Error::Missing { .. }
        | Error::Unpack { .. }
        | Error::Index { .. } => {
            "the archive is damaged or was changed by other means; `publish check` tells all that is wrong with it"
        }
        Error::Refused(all) => match &all[..] {
            [only] => return refusal::hint(only),
            _ => return None,
        },
        Error::StopsApt { changes, .. } => return Some(what_apt_says(changes)),
        Error::ReadOnly { .. } => "take `ReadOnly:` out of its stanza in conf/distributions to change it",
        Error::NotMutable { .. } => {
            "build it as a new version; or write `Mutable: yes` into its stanza in conf/distributions, as for nightlies"
        }
        Error::Snapshot { .. } => "change the suite it was made of, and make another snapshot",
        Error::SnapshotThere { .. } => {
            "give the new one another name, or remove the old one first with `publish snapshot --remove`"
        }
        Error::UnknownComponent { .. } => "add it to `Components:` of the suite in conf/distributions",
        Error::Input { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            "run `publish` as a user who may read it"
        }
        Error::Input { .. } | Error::NotIncluded { .. } | Error::Private { .. } => return None,
        Error::NoDebs { .. } => "name the `.deb` files themselves, or the folder that holds them",
        Error::OddSuite { .. } => {
            "rename the folder to a name of a suite; if you move it away instead, `publish prune` deletes the packages that it alone leads to"
        }
        Error::Generation { .. } => {
            "it is damaged or was changed: restore it from a backup, or leave it until it is old enough for `publish prune` to delete it"
        }
        Error::RolledBack { .. } => {
            "somebody may have put an older state back: compare the archive with a copy you trust, and put the newer pointer back; or, if the older state is meant, build on it once with `--trust-existing`"
        }
        Error::NoGeneration { .. } => {
            "`publish log` shows the states that are kept; `KeepFor:` and `KeepGenerations:` say for how long"
        }
        Error::Lacks { .. } => {
            "put them back from a backup, or name another state with `--to`; `publish check` tells all that is missing or damaged"
        }
        Error::Pruning { .. } => {
            "run the same command again once it has ended; one that was killed counts as dead 15 minutes after it wrote `.publish/prune` last"
        }
        Error::RaceLost { .. } => "run the same command again",
        Error::Overtaken { .. } => {
            "nothing was changed: look at the new state with `publish log` and `publish diff`, then run the command again if it is still meant"
        }
        Error::Unfinished { source, .. } => match hint(source) {
            Some(hint) => return Some(format!("{hint}; then finish it with `publish check --repair`")),
            None => {
                "finish it with `publish check --repair`, or with the next command that publishes the suite"
            }
        },
        Error::Sources { .. } | Error::Incomplete { .. } | Error::Unsafe { .. } => {
            "make the indices of the source anew with the tool that made them"
        }
        Error::NotPublished { .. } => "`publish list` shows what is published",
        Error::Older { .. } => {
            "somebody published there directly, or this is an old copy of the archive; to put the older state there all the same, add `--allow-older`"
        }
        Error::NoLongerSigned { .. } => {
            "sign the suite here with `publish refresh --suite NAME --sign-with KEY`, then run `publish sync` again; clients that have seen it signed refuse it unsigned, so serve an unsigned suite at another destination"
        }
        Error::Secret { .. } => "move it out of the archive: whoever has it can sign in your name",
        Error::NotCarried(_) => "run the same command again: what was sent is not sent again",
    };
    Some(text.into())
}

fn is_release_file(path: &str) -> bool {
    matches!(ArchivePath::of(path), ArchivePath::Dists(SuitePath::Release { .. }))
}

/// What to do about a release file that cannot be read.
const RESTORE: &str =
    "`publish check --repair` restores it from the newest state that is kept; else restore it from a backup";

/// What users of clients would read, and what can be done about it.
fn what_apt_says(changes: &[ReleaseInfo]) -> String {
    let says = changes.iter().map(|ReleaseInfo { field, before, after }| {
        let (before, after) = (before.as_deref().unwrap_or_default(), after.as_deref().unwrap_or_default());
        format!("\"Repository '...' changed its '{field}' value from '{before}' to '{after}'\"")
    });
    let says = says.collect::<Vec<_>>().join(", ");
    format!(
        "`apt update` would say {says}, and update nothing until its user runs it with `--allow-releaseinfo-change`; put back \
         in conf/distributions what was published, or, if the change is meant, add `--allow-releaseinfo-change` here"
    )
}
