//! Classes of errors, for scripts: what kind an error is, which file it is about, and whether running the same command
//! again may succeed.

use std::path::Path;

use crate::{
    archive::{self, AttachFault, FailedBecause, Reason},
    config, purge, signing, store,
};

/// The kind of an error. The names are part of the output: see `json/schema.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Usage,
    NotFound,
    Input,
    Conflict,
    Refused,
    ReleaseInfo,
    RaceLost,
    Untrusted,
    Signing,
    Damaged,
    Store,
    Full,
    Config,
    Purge,
    Unfinished,
    Interrupted,
    Other,
}

impl Kind {
    /// The name in the output.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::NotFound => "not-found",
            Self::Input => "input",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::ReleaseInfo => "release-info",
            Self::RaceLost => "race-lost",
            Self::Untrusted => "untrusted",
            Self::Signing => "signing",
            Self::Damaged => "damaged",
            Self::Store => "store",
            Self::Full => "full",
            Self::Config => "config",
            Self::Purge => "purge",
            Self::Unfinished => "unfinished",
            Self::Interrupted => "interrupted",
            Self::Other => "other",
        }
    }
}

/// The class of an error.
#[derive(Debug, Clone)]
pub(super) struct Class {
    pub(super) kind: Kind,
    /// The file or object that it concerns.
    pub(super) file: Option<String>,
    /// Whether running the same command again may succeed, with nothing else changed.
    pub(super) retry: bool,
}

impl Class {
    /// A class that a retry does not help.
    pub(super) fn of(kind: Kind) -> Self {
        Self { kind, file: None, retry: false }
    }

    fn about(kind: Kind, file: &str) -> Self {
        Self { file: Some(file.to_owned()), ..Self::of(kind) }
    }

    fn at(kind: Kind, path: &Path) -> Self {
        Self::about(kind, &path.display().to_string())
    }

    /// Whether the store or the network is out of reach.
    pub(super) fn is_out_of_reach(&self) -> bool {
        self.kind == Kind::Store && self.retry
    }

    fn retryable(self) -> Self {
        Self { retry: true, ..self }
    }
}

impl From<&archive::Error> for Class {
    fn from(error: &archive::Error) -> Self {
        use archive::Error as E;
        match error {
            E::Store(error) => error.into(),
            E::Signing { source, .. } | E::Keys { source } => source.into(),
            E::Untrusted { path, .. }
            | E::NotSigned { path }
            | E::OtherSuite { path, .. }
            | E::RolledBack { path, .. } => Self::about(Kind::Untrusted, path),
            E::Unverified { source, .. } | E::Source { source, .. } => Self::from(&**source),
            E::Crossed { .. }
            | E::Expired { .. }
            | E::UnreadableExpiry { .. }
            | E::NotYetValid { .. }
            | E::NoPublicKey { .. }
            | E::UnsignedSource { .. }
            | E::UnsignedSurplus { .. } => Self::of(Kind::Untrusted),
            E::NoKey { .. } => Self::of(Kind::Signing),
            E::Pointer { path, .. }
            | E::NoPointer { path, .. }
            | E::Mismatch { path, .. }
            | E::Longer { path, .. }
            | E::Missing { path }
            | E::NotMirrored { path, .. }
            | E::NotAtSource { path }
            | E::Unpack { path, .. }
            | E::Index { path, .. }
            | E::Sources { path, .. }
            | E::Incomplete { path, .. }
            | E::Unsafe { path, .. }
            | E::OddSuite { path, .. }
            | E::Contradicts { path, .. }
            | E::Generation { path } => Self::about(Kind::Damaged, path),
            E::IncompleteGeneration { files, .. } => {
                files.first().map_or_else(|| Self::of(Kind::Damaged), |file| Self::about(Kind::Damaged, file))
            }
            E::ReadOnly { .. }
            | E::BornExpired { .. }
            | E::NotMutable { .. }
            | E::Snapshot { .. }
            | E::SnapshotThere { .. }
            | E::PartOfMirror { .. }
            | E::UnknownComponent { .. }
            | E::UnknownPart { .. }
            | E::NoIndexOfAll { .. }
            | E::LeftOutBySource { .. }
            | E::OtherName { .. }
            | E::HasOtherNames { .. }
            | E::Hidden { .. }
            | E::ReservedComponent { .. }
            | E::OverrideComponent(_)
            | E::Collision { .. }
            | E::PoolWithoutSuites { .. }
            | E::FlatArchive { .. }
            | E::Older { .. }
            | E::NoLongerSigned { .. } => Self::of(Kind::Refused),
            E::Private { path } | E::Secret { path } => Self::about(Kind::Refused, path),
            E::StopsApt { .. } => Self::of(Kind::ReleaseInfo),
            E::Config(error) => error.into(),
            E::Refused(all) => all.first().map_or_else(|| Self::of(Kind::Refused), Self::from),
            E::Input { path, .. } => Self::about(Kind::Input, path),
            E::NoDebs { path } | E::NotIncluded { path } | E::GenerationGone { path } => {
                Self::about(Kind::NotFound, path)
            }
            E::NotPublished { .. }
            | E::NoSuchSuite { .. }
            | E::NoGeneration { .. }
            | E::UnlistedGenerations { .. } => Self::of(Kind::NotFound),
            E::NotCarried(failed) => failed.first().map_or_else(|| Self::of(Kind::Store), Self::from),
            E::Pruning { .. }
            | E::BeingDropped { .. }
            | E::Overtaken { .. }
            | E::RaceLost { .. }
            | E::NameBehind { .. } => Self::of(Kind::RaceLost).retryable(),
            E::Interrupted => Self::of(Kind::Interrupted).retryable(),
            // The next command that publishes the suite finishes it.
            E::Unfinished { source, .. } => {
                Self { kind: Kind::Unfinished, retry: true, ..Self::from(&**source) }
            }
        }
    }
}

impl From<&archive::Refusal> for Class {
    fn from(refusal: &archive::Refusal) -> Self {
        let kind = match &refusal.source {
            Reason::Pool(error) => return error.into(),
            Reason::Lost { path, .. } | Reason::DamagedInPool { path, .. } => {
                return Self::about(Kind::Damaged, path);
            }
            Reason::Unreadable(_)
            | Reason::Deb(_)
            | Reason::Dsc(_)
            | Reason::Files(_)
            | Reason::Changes(_)
            | Reason::NotInPool { .. }
            | Reason::Attach(
                AttachFault::Unreadable { .. }
                | AttachFault::TooLarge { .. }
                | AttachFault::Translation { .. },
            )
            | Reason::Path(_)
            | Reason::Stanza(_) => Kind::Input,
            Reason::OtherContents { .. }
            | Reason::GivenTwice { .. }
            | Reason::SameFile { .. }
            | Reason::SharedFile { .. }
            | Reason::OtherInPool { .. }
            | Reason::OtherArchitecture { .. }
            | Reason::OtherComponent { .. } => Kind::Conflict,
            Reason::Attach(AttachFault::NotListed { .. }) | Reason::NotPublished { .. } => Kind::NotFound,
            Reason::Attach(_)
            | Reason::Architecture { .. }
            | Reason::NotListed { .. }
            | Reason::NotNewer { .. }
            | Reason::BelowLimit { .. } => Kind::Refused,
        };
        // The subject of other actions is a package name.
        let is_file = refusal.action == "add";
        Self { file: is_file.then(|| refusal.subject.clone()), ..Self::of(kind) }
    }
}

impl From<&archive::Failed> for Class {
    fn from(failed: &archive::Failed) -> Self {
        let class = match &failed.source {
            FailedBecause::Store(error) => Self::from(error),
            FailedBecause::Local { path, .. } => Self::about(Kind::Input, path),
            FailedBecause::Absent | FailedBecause::Differs { .. } | FailedBecause::Package { .. } => {
                Self::of(Kind::Damaged)
            }
        };
        Self { file: Some(failed.path.clone()), ..class }
    }
}

impl From<&store::Error> for Class {
    fn from(error: &store::Error) -> Self {
        use store::Error as E;
        match error {
            E::Conflict { path } => Self::about(Kind::RaceLost, path).retryable(),
            E::Occupied { path, .. } => Self::about(Kind::Conflict, path),
            E::Full { .. } => Self::of(Kind::Full),
            E::TooLarge { path, .. } => Self::about(Kind::Damaged, path),
            E::Changed { path } => Self::about(Kind::Input, path).retryable(),
            E::Source { path, .. } => Self::about(Kind::Input, path),
            E::Unusable { .. } | E::Unlistable { .. } => Self::of(Kind::Store),
            E::BadPath { path } | E::ReadOnly { path, .. } => Self::about(Kind::Refused, path),
            E::Failed { path, .. } if error.is_full() => Self::about(Kind::Full, path),
            E::Failed { path, .. } => Self { retry: error.is_transient(), ..Self::about(Kind::Store, path) },
        }
    }
}

impl From<&signing::Error> for Class {
    fn from(error: &signing::Error) -> Self {
        use signing::Error as E;
        match error {
            E::File { path, .. } | E::NoKeyFile { path } | E::Exists { path } => {
                Self::at(Kind::Signing, path)
            }
            E::CommandAmongKeys { command } | E::KeyOfCommand { command } | E::Command { command, .. } => {
                Self::at(Kind::Signing, command)
            }
            E::NotAKey { origin }
            | E::PublicOnly { origin, .. }
            | E::PassphraseMissing { origin }
            | E::WrongPassphrase { origin }
            | E::Refused { origin, .. } => Self::about(Kind::Signing, origin),
            E::Program { program, .. } => Self::at(Kind::Signing, program),
            E::Distrust(_) => Self::of(Kind::Untrusted),
            _ => Self::of(Kind::Signing),
        }
    }
}

impl From<&archive::KeyError> for Class {
    fn from(error: &archive::KeyError) -> Self {
        use archive::KeyError as E;
        match error {
            E::Archive(error) => error.into(),
            E::Signing(error) => error.into(),
            E::TrustedKeys { path, .. } => Self::at(Kind::Input, path),
            E::NotWritten { source, .. } => source.into(),
            E::AlreadySigns { .. } | E::PackageName { .. } => Self::of(Kind::Usage),
            _ => Self::of(Kind::Other),
        }
    }
}

impl From<&config::Error> for Class {
    fn from(error: &config::Error) -> Self {
        use config::Error as E;
        match error {
            E::Read { path, .. }
            | E::Stanza { path, .. }
            | E::Field { path, .. }
            | E::Value { path, .. }
            | E::Edit { path, .. }
            | E::Write { path, .. }
            | E::Line { path, .. }
            | E::ReadOnly { path } => Self::at(Kind::Config, path),
            E::Changed { path } => Self::at(Kind::Config, path).retryable(),
        }
    }
}

impl From<&purge::NotPurged> for Class {
    fn from(failure: &purge::NotPurged) -> Self {
        let retry = match &failure.cause {
            purge::Cause::Answer { status, .. } => status.starts_with('5') || status.starts_with("429"),
            purge::Cause::NoAnswer { .. } | purge::Cause::Command { .. } => true,
            _ => false,
        };
        Self { retry, ..Self::of(Kind::Purge) }
    }
}
