//! Why one package cannot be added, copied or removed.

use crate::{
    deb,
    names::{Architecture, Component, Suite},
    store,
};

/// One package that cannot be taken, or one name that cannot be copied or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{subject}`{}", suite.as_ref().map(|suite| format!(" {preposition} suite `{suite}`")).unwrap_or_default())]
#[non_exhaustive]
pub struct Refusal {
    /// `add`, `copy` or `remove`.
    pub action: &'static str,
    /// `to` or `from`.
    pub preposition: &'static str,
    /// The file or the name.
    pub subject: String,
    /// The suite, where the reason has to do with it.
    pub suite: Option<Suite>,
    /// Why.
    pub source: Reason,
}

/// Why a package cannot be taken or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The file cannot be read.
    #[error("cannot read the file")]
    Unreadable(#[source] std::io::Error),
    /// The file is no proper .deb.
    #[error(transparent)]
    Deb(#[from] deb::Error),
    /// The same package is published with other bytes.
    #[error("{package} is published with other contents: {published}, the new one has {new}")]
    OtherContents {
        /// Name, version and architecture.
        package: String,
        /// What is published.
        published: String,
        /// What was given.
        new: String,
    },
    /// The same package was given twice with other bytes.
    #[error("{package} is also in `{other}`, with other contents: {there} there, {new} here")]
    GivenTwice {
        /// Name, version and architecture.
        package: String,
        /// The other file.
        other: String,
        /// What that has.
        there: String,
        /// What this has.
        new: String,
    },
    /// Another package would have the same file name.
    #[error(
        "{package} and {other} would share the file `{path}`: the epoch of a version is no part of a file name"
    )]
    SameFile {
        /// Name, version and architecture.
        package: String,
        /// The other's.
        other: String,
        /// The path in the pool.
        path: String,
    },
    /// The file's place in the pool holds other bytes.
    #[error(transparent)]
    Pool(store::Error),
    /// The file of a package of another suite is not as it should be.
    #[error("`{path}` {}", lost(*size, *found))]
    Lost {
        /// The path in the pool.
        path: String,
        /// The size that the suite tells.
        size: u64,
        /// The size that is found.
        found: Option<u64>,
    },
    /// The same package stands in another component.
    #[error("{package} is published in component `{component}` already")]
    OtherComponent {
        /// Name, version and architecture.
        package: String,
        /// Where it is.
        component: Component,
    },
    /// The suite is not for that architecture.
    #[error("architecture `{architecture}` is not one of the suite's: {}", list(known))]
    Architecture {
        /// The package's.
        architecture: Architecture,
        /// The suite's.
        known: Vec<Architecture>,
    },
    /// A newer one is published, and only newer ones were to be added.
    #[error("{package} is older than {newest}, which is published")]
    NotNewer {
        /// Name, version and architecture.
        package: String,
        /// The newest version.
        newest: String,
    },
    /// `Limit` would take it out at once.
    #[error("`Limit: {limit}` keeps newer versions only; the newest is {newest}")]
    BelowLimit {
        /// The number of versions kept.
        limit: usize,
        /// The newest version.
        newest: String,
    },
    /// Nothing of that name is published.
    #[error("no such package is published")]
    NotPublished {
        /// Versions or architectures of that name that are.
        others: Vec<String>,
    },
}

fn lost(size: u64, found: Option<u64>) -> String {
    match found {
        None => "is not there".into(),
        Some(found) => format!("has {found} bytes, and should have {size}"),
    }
}

/// Names for a message.
pub(crate) fn list<T: ToString>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{}`", name.to_string())).collect::<Vec<_>>().join(", ")
}
