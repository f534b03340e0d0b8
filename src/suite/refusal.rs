//! Reasons why one package cannot be added, copied, moved or removed.

use super::attach_fault::AttachFault;
use crate::{
    deb,
    names::{Architecture, Component, Suite},
    package_type::PackageType,
    pool, store,
};

/// One package that cannot be added, or one name that cannot be copied or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{subject}`{}", suite.as_ref().map(|suite| format!(" {preposition} suite `{suite}`")).unwrap_or_default())]
#[non_exhaustive]
pub struct Refusal {
    /// `add`, `copy`, `move` or `remove`.
    pub action: &'static str,
    /// `to` or `from`.
    pub preposition: &'static str,
    /// The file or the name.
    pub subject: String,
    /// The suite, if the reason depends on it.
    pub suite: Option<Suite>,
    /// Why.
    pub source: Reason,
}

/// The reason why a package cannot be added, copied or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The file cannot be read.
    #[error("cannot read the file")]
    Unreadable(#[source] std::io::Error),
    /// The file is not a valid .deb.
    #[error(transparent)]
    Deb(#[from] deb::Error),
    /// The file is not the description of a source package, or its files do not match it.
    #[error(transparent)]
    Dsc(#[from] deb::DscFault),
    /// dpkg cannot unpack its files, which an index of files lists.
    #[error("dpkg cannot unpack it")]
    Files(#[source] deb::DataFault),
    /// The file is not the description of an upload, its files do not match it, or it is not allowed.
    #[error(transparent)]
    Changes(#[from] deb::ChangesFault),
    /// A file of another tool cannot be listed, or taken from the list.
    #[error(transparent)]
    Attach(#[from] AttachFault),
    /// Its files would have paths that are not allowed.
    #[error(transparent)]
    Path(#[from] pool::Error),
    /// Two source packages need different files at one path.
    #[error("{package} and {other} both have the file `{path}`, with different contents")]
    SharedFile {
        /// Name, version and architecture.
        package: String,
        /// Name, version and architecture of the other package.
        other: String,
        /// The path in the pool.
        path: String,
    },
    /// The same package is published with other bytes.
    #[error("{package} is published with other contents: {published}, the new file has {new}")]
    OtherContents {
        /// Name, version and architecture.
        package: String,
        /// The digest of the published file.
        published: String,
        /// The digest of the new file.
        new: String,
    },
    /// The same package was given twice with other bytes.
    #[error("{package} is also in `{other}`, with other contents: {there} there, {new} here")]
    GivenTwice {
        /// Name, version and architecture.
        package: String,
        /// The other file.
        other: String,
        /// The digest of the other file.
        there: String,
        /// The digest of this file.
        new: String,
    },
    /// Another package would have the same file name.
    #[error(
        "{package} and {other} would share the file `{path}`: a file name does not contain the epoch of a version"
    )]
    SameFile {
        /// Name, version and architecture.
        package: String,
        /// Name, version and architecture of the other package.
        other: String,
        /// The path in the pool.
        path: String,
    },
    /// The path in the pool holds other bytes.
    #[error(transparent)]
    Pool(store::Error),
    /// The path in the pool holds other bytes than those of the file, which a suite lists there.
    #[error("the archive has the file as `{path}`, where suite `{suite}` lists it, but damaged")]
    DamagedInPool {
        /// The path in the pool.
        path: String,
        /// The suite.
        suite: Suite,
    },
    /// The path in the pool of a package of another archive holds other bytes.
    #[error("the pool has other bytes at `{path}` than the other archive, which has SHA256 {sha256}")]
    OtherInPool {
        /// The path in the pool.
        path: String,
        /// The digest in the index of the other archive.
        sha256: String,
    },
    /// A file of a source package is neither beside its description nor in the pool.
    #[error(
        "a file that it lists is neither in the same folder nor, with the listed digests, at `{path}` in the archive"
    )]
    NotInPool {
        /// The path in the pool.
        path: String,
    },
    /// The pool file of a package of another suite is missing or has another size.
    #[error("`{path}` {}", lost(*size, *found))]
    Lost {
        /// The path in the pool.
        path: String,
        /// The size in the index of the suite.
        size: u64,
        /// The size in the store.
        found: Option<u64>,
    },
    /// The same package is published in another component.
    #[error("{package} is already published in component `{component}`")]
    OtherComponent {
        /// Name, version and architecture.
        package: String,
        /// The component that has it.
        component: Component,
    },
    /// The index has the same version for another architecture.
    #[error("{package} and {other} would be in one index; apt could install either of them")]
    OtherArchitecture {
        /// Name, version and architecture.
        package: String,
        /// Name, version and architecture of the other package.
        other: String,
    },
    /// A field that dpkg or apt cannot read.
    #[error(transparent)]
    Stanza(#[from] deb::BadStanza),
    /// The suite does not have that architecture.
    #[error("architecture `{architecture}` is not one of the suite's: {}", list(known))]
    Architecture {
        /// The architecture of the package.
        architecture: Architecture,
        /// The architectures of the suite.
        known: Vec<Architecture>,
    },
    /// The component has no packages of that type.
    #[error("component `{component}` is configured without packages of type `{package_type}`{}", if known.is_empty() { String::new() } else { format!("; there are: {}", list(known)) })]
    NotListed {
        /// The type of the package.
        package_type: PackageType,
        /// Its component.
        component: Component,
        /// The components that have packages of that type.
        known: Vec<Component>,
    },
    /// A newer version is published, and only newer ones were to be added.
    #[error("{package} is older than {newest}, which is published")]
    NotNewer {
        /// Name, version and architecture.
        package: String,
        /// The newest version.
        newest: String,
    },
    /// `Limit` would remove it at once.
    #[error("`Limit: {limit}` keeps newer versions only; the newest is {newest}")]
    BelowLimit {
        /// The number of versions kept.
        limit: usize,
        /// The newest version.
        newest: String,
    },
    /// No package of that name is published.
    #[error("no such package is published")]
    NotPublished {
        /// The published versions or architectures of that name.
        others: Vec<String>,
        /// The published name that is nearest to it.
        near: Option<String>,
    },
}

fn lost(size: u64, found: Option<u64>) -> String {
    match found {
        None => "is missing".into(),
        Some(found) => format!("has {found} bytes instead of {size}"),
    }
}

/// Renders names for a message.
pub(crate) fn list<T: ToString>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{}`", name.to_string())).collect::<Vec<_>>().join(", ")
}
