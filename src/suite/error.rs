//! Errors of operations, commits, syncs and prunes.

use super::{
    error_text::{changed, few, files, generations, no_generation, package_files, refusals, there_are},
    failed::Failed,
    refusal::{Refusal, list},
    release_info::ReleaseInfo,
};
use crate::{
    config,
    digest::Digests,
    dists::{packages, release, sources},
    names::{self, Component, Suite},
    package_type::PackageType,
    signing, store,
};

/// An error of an operation. The archive is unchanged, except for unreferenced files that `prune` deletes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed or refused.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Signing failed.
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
    /// A suite has indices or generations, but no release file.
    #[error("suite `{suite}` has indices (`{path}`) but no `InRelease` or `Release` file")]
    NoPointer {
        /// The suite.
        suite: Suite,
        /// An index.
        path: String,
    },
    /// The pointer of a suite has no trusted signature.
    #[error("the signature of `{path}` is not trusted")]
    Untrusted {
        /// The file.
        path: String,
        /// Why.
        source: signing::Distrust,
    },
    /// A suite of another archive is not signed by one of the keys, and is not copied.
    #[error("suite `{suite}` cannot be copied: its signature is not verified")]
    Unverified {
        /// The suite.
        suite: Suite,
        /// Why.
        source: Box<Error>,
    },
    /// A new archive would begin beside one without `dists/`.
    #[error(
        "`{location}` holds an archive without `dists/`: clients that read `{index}` at its root would not see the packages"
    )]
    FlatArchive {
        /// The location of the archive.
        location: String,
        /// The index at its root.
        index: String,
    },
    /// A suite that is a source has expired.
    #[error("suite `{suite}` of the source has expired: its `Valid-Until` was {until}")]
    Expired {
        /// The suite.
        suite: Suite,
        /// The time.
        until: jiff::Timestamp,
    },
    /// A suite that is a source has no readable time of expiry.
    #[error(
        "suite `{suite}` of the source is not known to be valid: its `Valid-Until` is no date: `{}`",
        found.escape_debug()
    )]
    UnreadableExpiry {
        /// The suite.
        suite: Suite,
        /// The text.
        found: String,
    },
    /// A suite that is a source is dated later than apt accepts.
    #[error(
        "suite `{suite}` of the source is not valid yet: its `Date` is {date}, more than 10 s after {now}"
    )]
    NotYetValid {
        /// The suite.
        suite: Suite,
        /// Its time.
        date: jiff::Timestamp,
        /// The time of this machine.
        now: jiff::Timestamp,
    },
    /// A suite would have expired before it is published.
    #[error("suite `{suite}` would be valid until {until}, which has passed: clients refuse it")]
    BornExpired {
        /// The suite.
        suite: Suite,
        /// The time.
        until: jiff::Timestamp,
    },
    /// The pointer of a suite was signed for another suite.
    #[error("`{path}` was not made for suite `{suite}`: its name is `{named}`")]
    OtherSuite {
        /// The file.
        path: String,
        /// The suite.
        suite: Suite,
        /// The `Codename` or `Suite` in the pointer.
        named: String,
    },
    /// A suite has no signature although a key is configured for it.
    #[error("`{path}` is not signed, although a key is configured")]
    NotSigned {
        /// The file.
        path: String,
    },
    /// A publisher without a key has changed a suite while it was signed for the first time.
    #[error(
        "suite `{suite}` was published with and without a signature at the same time: `dists/{suite}/Release` has changes that `dists/{suite}/InRelease` does not have"
    )]
    Crossed {
        /// The suite.
        suite: Suite,
    },
    /// Surplus versions of an unsigned suite, which any writer may have changed, would be signed.
    #[error(
        "cannot move surplus versions of suite `{suite}` to suite `{to}`: `{suite}` is not signed and `{to}` is"
    )]
    UnsignedSurplus {
        /// The suite.
        suite: Suite,
        /// The suite that they were to be moved to.
        to: Suite,
    },
    /// Packages of an unsigned suite, which any writer may have changed, would be signed.
    #[error("cannot copy packages of suite `{suite}` to suite `{to}`: `{suite}` is not signed and `{to}` is")]
    UnsignedSource {
        /// The suite.
        suite: Suite,
        /// The suite that they were to be copied to.
        to: Suite,
    },
    /// A mirror that leaves out a part of a suite: the new release file would list that part as empty.
    #[error(
        "suite `{suite}` is the part of a mirror ({part}), without `{path}`: a change would publish a suite without it"
    )]
    PartOfMirror {
        /// The suite.
        suite: Suite,
        /// The part that the mirror has.
        part: String,
        /// An index that it leaves out.
        path: String,
    },
    /// A suite is signed, and no signing key is configured.
    #[error("suite `{suite}` is signed, but no key is configured to sign it with")]
    NoKey {
        /// The suite.
        suite: Suite,
    },
    /// A suite is signed, and no trusted public key is known.
    #[error("suite `{suite}` is signed, but no public key is known to verify it with")]
    NoPublicKey {
        /// The suite.
        suite: Suite,
    },
    /// A file differs from its entry in the pointer.
    #[error("`{path}` does not match the release file: listed are {} bytes with SHA256 {}, found {} bytes with SHA256 {}",
        listed.size, listed.sha256, found.size, found.sha256)]
    Mismatch {
        /// The file.
        path: String,
        /// The entry in the pointer.
        listed: Box<release::Listed>,
        /// The file that was read.
        found: Box<Digests>,
    },
    /// A file is longer than its entry in the pointer.
    #[error("`{path}` does not match the release file")]
    Longer {
        /// The file.
        path: String,
        /// Its size and the limit.
        source: store::Error,
    },
    /// Two compressed forms of an index have different contents.
    #[error("`{path}` and `{other}` have different contents: {} bytes with SHA256 {}, and {} bytes with SHA256 {}",
        found.size, found.sha256, listed.size, listed.sha256)]
    Contradicts {
        /// A form of an index.
        path: String,
        /// Another form of it.
        other: String,
        /// The text that the first form unpacks to, or its beginning.
        found: Box<Digests>,
        /// The text of the other form.
        listed: Box<release::Listed>,
    },
    /// A listed index is missing in every form.
    #[error("`{path}` is listed in the release file, but missing in every compression")]
    Missing {
        /// The file.
        path: String,
    },
    /// The source lists indices of a component or an architecture, and has none of them: it is a mirror of a part.
    #[error("`{path}` is listed in the release file, and the source has no index of {what} `{name}`")]
    NotMirrored {
        /// An index of it.
        path: String,
        /// `component` or `architecture`.
        what: &'static str,
        /// Its name.
        name: String,
        /// The names of those that the source has.
        there: Vec<String>,
    },
    /// The archive that packages are taken from has no suite of this name.
    #[error("there is no suite `{suite}` in `{location}`")]
    NoSuchSuite {
        /// The suite.
        suite: Suite,
        /// The location of that archive.
        location: String,
    },
    /// A source that is a mirror of a part leaves out what is to be copied.
    #[error("the source is a mirror of a part of suite `{suite}` ({part}): it leaves out {what} `{name}`")]
    LeftOutBySource {
        /// The suite.
        suite: Suite,
        /// The part that the mirror has.
        part: String,
        /// `component` or `architecture`.
        what: &'static str,
        /// The name of what it leaves out.
        name: String,
    },
    /// Only the packages for all architectures are to be copied, and they are in the indices of the others.
    #[error("the source has no index of architecture `all`; it has {}", list(known))]
    NoIndexOfAll {
        /// The architectures of the source.
        known: Vec<String>,
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
    #[error("suite `{suite}` is read-only (`ReadOnly: yes`)")]
    ReadOnly {
        /// The suite.
        suite: Suite,
    },
    /// The suite does not allow replacing the contents of a published version.
    #[error("cannot replace packages in suite `{suite}`: its published versions are immutable")]
    NotMutable {
        /// The suite.
        suite: Suite,
    },
    /// A snapshot is immutable.
    #[error("`{suite}` is a snapshot and cannot be changed")]
    Snapshot {
        /// The snapshot.
        suite: Suite,
    },
    /// A snapshot of that name exists with different content.
    #[error("snapshot `{snapshot}` already exists with different content")]
    SnapshotThere {
        /// The snapshot.
        snapshot: Suite,
    },
    /// Two suites would have the same folder of indices.
    #[error(
        "component `{component}` of suite `{suite}` and component `{theirs}` of suite `{other}` would share the folder `dists/{suite}/{component}`"
    )]
    Collision {
        /// The suite to change.
        suite: Suite,
        /// Its new component.
        component: Component,
        /// The published suite.
        other: Suite,
        /// Its component.
        theirs: Component,
    },
    /// The suite is being dropped, or a drop of it was interrupted.
    #[error("suite `{suite}` is being dropped")]
    BeingDropped {
        /// The suite.
        suite: Suite,
    },
    /// The suite is another name of one, and is published with that.
    #[error("suite `{suite}` is another name of suite `{of}`")]
    OtherName {
        /// The name.
        suite: Suite,
        /// The suite.
        of: Suite,
    },
    /// A file of the archive that packages are taken from is not as its release file says.
    #[error("cannot take packages from `{location}`")]
    Source {
        /// The location of that archive.
        location: String,
        /// Why.
        source: Box<Error>,
    },
    /// The suite is published under other names too, which would be left without it.
    #[error("suite `{suite}` is also published as {}", list(names))]
    HasOtherNames {
        /// The suite.
        suite: Suite,
        /// Its other names.
        names: Vec<Suite>,
    },
    /// A suite has no such component.
    #[error("suite `{suite}` has no component `{component}`; it has {}", list(known))]
    UnknownComponent {
        /// The requested component.
        component: Component,
        /// The suite.
        suite: Suite,
        /// The components of the suite.
        known: Vec<Component>,
    },
    /// A file of the configuration cannot be read.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// An override names a component that cannot be one.
    #[error("in the overrides of the suite")]
    OverrideComponent(#[source] names::Error),
    /// No command would find a suite of this name.
    #[error("`{suite}` cannot be the name of a suite: folders of indices have such names")]
    Hidden {
        /// The name.
        suite: Suite,
    },
    /// No suite is published, and the pool has packages: the release files may be lost, and nothing may be built on that.
    #[error(
        "`{location}` has {} in `pool/` and no suite in `dists/`: the archive seems to have lost `dists/`",
        package_files(*.packages)
    )]
    PoolWithoutSuites {
        /// The archive.
        location: String,
        /// How many files of packages its pool has.
        packages: usize,
        /// The suite to publish, if there is one.
        suite: Option<Suite>,
    },
    /// The component has the name of a folder in which a component lists its packages of a type.
    #[error("component `{component}` is the place of the packages of type `{reserved}` of another component")]
    ReservedComponent {
        /// The requested component.
        component: Component,
        /// The type.
        reserved: PackageType,
    },
    /// `apt update` would stop on every client until its user accepts the changed release information.
    #[error("`apt update` would stop at suite `{suite}` on every client: {}", changed(changes))]
    StopsApt {
        /// The suite.
        suite: Suite,
        /// The changed fields.
        changes: Vec<ReleaseInfo>,
    },
    /// The edit was refused, with every reason, not only the first.
    #[error("{}", refusals(.0))]
    Refused(Vec<Refusal>),
    /// An input file or folder cannot be read.
    #[error("cannot read `{path}`")]
    Input {
        /// The file or folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// An input folder holds no package.
    #[error("no `.deb` or `.dsc` file in folder `{path}`")]
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
    /// A stanza of an index has no valid value in a field that identifies its file.
    #[error("package `{package}` in `{path}` has no valid `{field}`")]
    Incomplete {
        /// The index.
        path: String,
        /// The package.
        package: String,
        /// The field.
        field: &'static str,
    },
    /// An index references a path that is not one of a package file.
    #[error("`{path}` references `{}`, which is not a path of a package file", names.escape_debug())]
    Unsafe {
        /// The index.
        path: String,
        /// The path that it references.
        names: String,
    },
    /// The source of a sync lists an index that it does not have.
    #[error("the source does not have `{path}`, which its release file lists")]
    NotAtSource {
        /// The file.
        path: String,
    },
    /// No suite of the source has a part of this name.
    #[error("no suite of the source has the {what} `{name}`; there are {}", list(known))]
    UnknownPart {
        /// The kind of the part.
        what: &'static str,
        /// The requested name.
        name: String,
        /// The known names.
        known: Vec<String>,
    },
    /// A suite is not published at the source.
    #[error("there is no suite `{suite}`{}", there_are(known))]
    NotPublished {
        /// The suite.
        suite: Suite,
        /// The published suites, if they are known.
        known: Vec<Suite>,
    },
    /// The destination has a newer revision of a suite.
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
    #[error("suite `{suite}` is signed in `{destination}`, but not here")]
    NoLongerSigned {
        /// The suite.
        suite: Suite,
        /// The destination.
        destination: String,
    },
    /// A file to include does not exist.
    #[error("there is no file `{path}` to include")]
    NotIncluded {
        /// The file.
        path: String,
    },
    /// A file to include is private.
    #[error("cannot copy `{path}`: configuration, databases and hidden files are private")]
    Private {
        /// The file.
        path: String,
    },
    /// A file to include holds a secret key.
    #[error("`{path}` contains a secret key")]
    Secret {
        /// The file.
        path: String,
    },
    /// Files could not be copied to another store.
    #[error("{} could not be copied", files(.0.len()))]
    NotCarried(Vec<Failed>),
    /// A folder whose name is not valid for a suite holds a pointer.
    #[error("the folder of `{}` is not a valid suite name", path.escape_debug())]
    OddSuite {
        /// The pointer.
        path: String,
        /// Why.
        source: names::Error,
    },
    /// The content of a generation does not match the digest in its name.
    #[error("generation `{path}` does not match its name")]
    Generation {
        /// The folder.
        path: String,
    },
    /// A generation has no release file.
    #[error("generation `{path}` has no release file: `prune` has deleted it, or is about to")]
    GenerationGone {
        /// The folder.
        path: String,
    },
    /// The generations of a suite on the web are unknown.
    #[error("a web server has no list of the generations of suite `{suite}`")]
    UnlistedGenerations {
        /// The suite.
        suite: Suite,
    },
    /// No kept generation of a suite matches.
    #[error("{}", no_generation(suite, requested.as_deref(), known))]
    NoGeneration {
        /// The suite.
        suite: Suite,
        /// The requested name; `None` for an earlier generation.
        requested: Option<String>,
        /// The kept generations, the oldest first.
        known: Vec<String>,
    },
    /// Files that an earlier generation references are missing or damaged.
    #[error(
        "cannot roll suite `{suite}` back to `generations/{generation}`: files are missing or damaged: {}",
        few(files)
    )]
    IncompleteGeneration {
        /// The suite.
        suite: Suite,
        /// The generation.
        generation: String,
        /// The files.
        files: Vec<String>,
    },
    /// A pointer is older than one that was published: a rollback attack, or a restored backup.
    #[error(
        "`{path}` is older than a published generation: it is of {date}, that one of {newer} ({witness})"
    )]
    RolledBack {
        /// The pointer.
        path: String,
        /// Its `Date`.
        date: jiff::Timestamp,
        /// The `Date` of the newer one.
        newer: jiff::Timestamp,
        /// The evidence of the newer pointer.
        witness: String,
    },
    /// The caller requested the operation to end early.
    #[error("the operation was interrupted")]
    Interrupted,
    /// Another prune is running, or has taken this one over.
    #[error("another `prune` is running in `{location}`")]
    Pruning {
        /// The store.
        location: String,
    },
    /// Another publisher won the race, and the operation would now do more than was requested.
    #[error("suite `{suite}` was changed concurrently, and this operation would now also {change}{}",
        generations(planned_on.as_deref(), now.as_deref()))]
    Overtaken {
        /// The suite.
        suite: Suite,
        /// The change that was not requested.
        change: String,
        /// The generation on which the operation was first planned.
        planned_on: Option<String>,
        /// The generation that is published now.
        now: Option<String>,
    },
    /// The operation is published, but a step after the commit failed.
    #[error("suite `{suite}` is published, but its last steps failed")]
    Unfinished {
        /// The suite.
        suite: Suite,
        /// Why.
        source: Box<Error>,
    },
    /// Other publishers won the race for another name of a suite in every try.
    #[error(
        "`{name}`, another name of suite `{suite}`, may show an earlier state: other publishers changed it {times} times"
    )]
    NameBehind {
        /// The suite.
        suite: Suite,
        /// Its other name.
        name: Suite,
        /// The number of tries.
        times: usize,
    },
    /// Other publishers won the race in every try.
    #[error("lost the race for suite `{suite}` {times} times: other publishers changed it concurrently")]
    RaceLost {
        /// The suite.
        suite: Suite,
        /// The number of tries.
        times: u32,
    },
}

impl Error {
    /// A suite that is not published; the others are not named.
    pub(crate) fn not_published(suite: &Suite) -> Self {
        Self::NotPublished { suite: suite.clone(), known: Vec::new() }
    }
}

impl Error {
    /// Returns an error that says that the operation is published although a later step failed.
    pub(crate) fn unfinished(suite: &Suite, source: Self) -> Self {
        Self::Unfinished { suite: suite.clone(), source: Box::new(source) }
    }
}

/// Renders an error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
