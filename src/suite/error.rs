//! What can go wrong with a verb.

use super::{
    failed::Failed,
    refusal::{Refusal, list},
    release_info::ReleaseInfo,
};
use crate::{
    digest::Digests,
    dists::{packages, release, sources},
    names::{self, Component, Suite},
    signing, store,
};

/// An error of a verb; the archive is as it was, but for files that nothing refers to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed or refused.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Nothing could be signed.
    #[error("cannot sign suite `{suite}`")]
    Signing {
        /// The suite.
        suite: Suite,
        /// Why.
        source: signing::Error,
    },
    /// The public keys cannot be written for clients.
    #[error("cannot write the public keys for clients")]
    Keys {
        /// Why.
        source: signing::Error,
    },
    /// The pointer of a suite does not parse.
    #[error("cannot read `{path}`")]
    Pointer {
        /// The file.
        path: String,
        /// Why.
        source: release::Error,
    },
    /// A suite has indices, and nothing that lists them.
    #[error("`{path}` is there, but no `InRelease` or `Release` of suite `{suite}` that lists it")]
    NoPointer {
        /// The suite.
        suite: Suite,
        /// An index.
        path: String,
    },
    /// The pointer of a suite has no signature that is believed.
    #[error("the signature of `{path}` is not trusted")]
    Untrusted {
        /// The file.
        path: String,
        /// Why.
        source: signing::Distrust,
    },
    /// The pointer of a suite was signed for another one.
    #[error("`{path}` was not made for suite `{suite}`: it calls itself `{named}`")]
    OtherSuite {
        /// The file.
        path: String,
        /// The suite.
        suite: Suite,
        /// What the pointer calls itself.
        named: String,
    },
    /// A suite has no signature although there is a key for it.
    #[error("`{path}` is not signed, although a key is configured")]
    NotSigned {
        /// The file.
        path: String,
    },
    /// Surplus versions of a suite that anybody may have changed would be signed.
    #[error(
        "surplus versions of suite `{suite}`, which is not signed, are not moved to suite `{to}`, which is"
    )]
    UnsignedSurplus {
        /// The suite.
        suite: Suite,
        /// Where they were to go.
        to: Suite,
    },
    /// A suite is signed, and nobody here has a key.
    #[error("suite `{suite}` is signed, and no key is configured to sign it with")]
    NoKey {
        /// The suite.
        suite: Suite,
    },
    /// A suite is signed, and it is not known whose signature to believe.
    #[error("suite `{suite}` is signed, and no public key is known to check it with")]
    NoPublicKey {
        /// The suite.
        suite: Suite,
    },
    /// A file differs from what the pointer says of it.
    #[error("`{path}` is not the file that the suite lists: listed are {} bytes with SHA256 {}, found {} bytes with SHA256 {}",
        listed.size, listed.sha256, found.size, found.sha256)]
    Mismatch {
        /// The file.
        path: String,
        /// What the pointer says.
        listed: Box<release::Listed>,
        /// What is there.
        found: Box<Digests>,
    },
    /// A file has more bytes than the pointer says.
    #[error("`{path}` is not the file that the suite lists")]
    Longer {
        /// The file.
        path: String,
        /// How many bytes it has.
        source: store::Error,
    },
    /// Two forms of an index hold different texts.
    #[error("`{path}` does not hold what `{other}` holds: {} bytes with SHA256 {}, and {} bytes with SHA256 {}",
        found.size, found.sha256, listed.size, listed.sha256)]
    Contradicts {
        /// A form of an index.
        path: String,
        /// Another form of it.
        other: String,
        /// The text that the first one unpacks to, or the beginning of it.
        found: Box<Digests>,
        /// The text of the other one.
        listed: Box<release::Listed>,
    },
    /// A listed index is not there in any form.
    #[error("`{path}` is listed by the suite and is not there, in any compression")]
    Missing {
        /// The file.
        path: String,
    },
    /// An index cannot be unpacked.
    #[error("cannot unpack `{path}`")]
    Unpack {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// An index does not parse.
    #[error("cannot read `{path}`")]
    Index {
        /// The file.
        path: String,
        /// Why.
        source: packages::Error,
    },
    /// The configuration forbids changes.
    #[error("suite `{suite}` is not to be changed: `ReadOnly: yes`")]
    ReadOnly {
        /// The suite.
        suite: Suite,
    },
    /// A version is not to change its contents.
    #[error("nothing is replaced in suite `{suite}`: a published version does not change there")]
    NotMutable {
        /// The suite.
        suite: Suite,
    },
    /// A snapshot is not to be changed.
    #[error("`{suite}` is a snapshot, which stays as it is")]
    Snapshot {
        /// The snapshot.
        suite: Suite,
    },
    /// A snapshot of that name is there.
    #[error("there is a snapshot `{snapshot}` already, with another content")]
    SnapshotThere {
        /// The snapshot.
        snapshot: Suite,
    },
    /// A suite has no such component.
    #[error("suite `{suite}` has no component `{component}`; it has {}", list(known))]
    UnknownComponent {
        /// What was asked for.
        component: Component,
        /// The suite.
        suite: Suite,
        /// What it has.
        known: Vec<Component>,
    },
    /// Every client's apt would stop at what a suite says of itself.
    #[error("apt would stop at suite `{suite}` on every client: {}", changed(changes))]
    StopsApt {
        /// The suite.
        suite: Suite,
        /// What changes.
        changes: Vec<ReleaseInfo>,
    },
    /// The edit cannot be made; every reason, not only the first.
    #[error("{}", refusals(.0))]
    Refused(Vec<Refusal>),
    /// Files that were given cannot be found.
    #[error("cannot read `{path}`")]
    Input {
        /// The file or folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A folder that was given holds no .deb.
    #[error("there is no `.deb` in folder `{path}`")]
    NoDebs {
        /// The folder.
        path: String,
    },
    /// An index of source packages does not parse.
    #[error("cannot read `{path}`")]
    Sources {
        /// The file.
        path: String,
        /// Why.
        source: sources::Error,
    },
    /// A stanza of an index does not say which file it means.
    #[error("in `{path}`: package `{package}` has no `{field}` that can be read")]
    Incomplete {
        /// The index.
        path: String,
        /// The package.
        package: String,
        /// The field.
        field: &'static str,
    },
    /// An index names a file that is none of the archive's packages.
    #[error("`{path}` names the file `{}`, which is not one that an archive shows", names.escape_debug())]
    Unsafe {
        /// The index.
        path: String,
        /// The file that it names.
        names: String,
    },
    /// A suite is not published at the source.
    #[error("there is no suite `{suite}`")]
    NotPublished {
        /// The suite.
        suite: Suite,
    },
    /// The destination has a newer state of a suite.
    #[error("suite `{suite}` in `{destination}` is newer ({there}) than here ({here})")]
    Older {
        /// The suite.
        suite: Suite,
        /// The destination.
        destination: String,
        /// `Date` of the source.
        here: jiff::Timestamp,
        /// `Date` of the destination.
        there: jiff::Timestamp,
    },
    /// The destination has a signed suite, and the source an unsigned one.
    #[error("suite `{suite}` is signed in `{destination}`, and not here")]
    NoLongerSigned {
        /// The suite.
        suite: Suite,
        /// The destination.
        destination: String,
    },
    /// A file that was asked for is not there.
    #[error("there is no file `{path}` to include")]
    NotIncluded {
        /// The file.
        path: String,
    },
    /// A file that was asked for is not for the world.
    #[error("`{path}` is not carried: configuration, databases and hidden files stay here")]
    Private {
        /// The file.
        path: String,
    },
    /// A file that was asked for holds a secret key.
    #[error("`{path}` holds a secret key")]
    Secret {
        /// The file.
        path: String,
    },
    /// Files could not be carried to another store.
    #[error("{} files could not be carried", .0.len())]
    NotCarried(Vec<Failed>),
    /// A folder that is no name of a suite holds a pointer.
    #[error("cannot tell what `{}` leads to", path.escape_debug())]
    OddSuite {
        /// The pointer.
        path: String,
        /// Why.
        source: names::Error,
    },
    /// A generation is not what its name says.
    #[error("`{path}` is not the state of the suite that its name says")]
    Generation {
        /// The folder.
        path: String,
    },
    /// There is no such state of a suite.
    #[error("{}", no_generation(suite, asked.as_deref(), known))]
    NoGeneration {
        /// The suite.
        suite: Suite,
        /// What was asked for; else an earlier one.
        asked: Option<String>,
        /// Those that are kept, the oldest first.
        known: Vec<String>,
    },
    /// Files are gone or damaged that an earlier state needs.
    #[error(
        "suite `{suite}` cannot go back to `generations/{generation}`: files that it needs are gone or damaged: {}",
        few(files)
    )]
    Lacks {
        /// The suite.
        suite: Suite,
        /// The generation.
        generation: String,
        /// The files.
        files: Vec<String>,
    },
    /// A pointer is older than one that was published.
    #[error("`{path}` has gone back in time: it is of {date}, and one of {newer} was published ({witness})")]
    RolledBack {
        /// The pointer.
        path: String,
        /// Its `Date`.
        date: jiff::Timestamp,
        /// The `Date` of the newer one.
        newer: jiff::Timestamp,
        /// Who says so.
        witness: String,
    },
    /// A prune is at work, or has been taken over.
    #[error("another `prune` is at work in `{location}`")]
    Pruning {
        /// The store.
        location: String,
    },
    /// Another job published in between, so that the operation would now be another one than was asked for.
    #[error("suite `{suite}` was changed while this change was being made, which would now also {change}{}",
        states(planned_on.as_deref(), now.as_deref()))]
    Overtaken {
        /// The suite.
        suite: Suite,
        /// The change that was not asked for.
        change: String,
        /// The state on which the operation was planned first.
        planned_on: Option<String>,
        /// The state that is published now.
        now: Option<String>,
    },
    /// The operation is published; a step after that failed.
    #[error("suite `{suite}` is published, but its last steps failed")]
    Unfinished {
        /// The suite.
        suite: Suite,
        /// Why.
        source: Box<Error>,
    },
    /// Others published again and again in between.
    #[error("suite `{suite}` was changed by others {times} times while this change was being made")]
    RaceLost {
        /// The suite.
        suite: Suite,
        /// How often it was tried.
        times: u32,
    },
}

fn states(planned_on: Option<&str>, now: Option<&str>) -> String {
    let shown = |state: Option<&str>| state.map_or_else(|| "none".to_owned(), |name| format!("`{name}`"));
    format!(" (planned on state {}, published is {})", shown(planned_on), shown(now))
}

fn refusals(all: &[Refusal]) -> String {
    match all {
        [only] => only.to_string(),
        [first, ..] => {
            let done = match first.action {
                "remove" => "removed",
                "copy" => "copied",
                _ => "added",
            };
            format!("{} packages cannot be {done}; nothing was published", all.len())
        }
        [] => "nothing was published".into(),
    }
}

fn no_generation(suite: &Suite, asked: Option<&str>, known: &[String]) -> String {
    let kept = if known.is_empty() { "none".to_owned() } else { list(known) };
    match asked {
        None => {
            format!("no earlier state of suite `{suite}` with another content is kept; there are: {kept}")
        }
        Some(asked) if known.iter().any(|name| name.starts_with(asked)) => {
            format!("more than one state of suite `{suite}` begins with `{asked}`; there are: {kept}")
        }
        Some(asked) => format!("no state `{asked}` of suite `{suite}` is kept; there are: {kept}"),
    }
}

/// The first of many.
fn few(files: &[String]) -> String {
    let more = files.len().saturating_sub(3);
    let first = list(&files[..files.len() - more]);
    if more > 0 { format!("{first} and {more} more") } else { first }
}

fn changed(changes: &[ReleaseInfo]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Error {
    /// Says that an operation is published although a step after that failed.
    pub(crate) fn unfinished(suite: &Suite, source: Self) -> Self {
        Self::Unfinished { suite: suite.clone(), source: Box::new(source) }
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
