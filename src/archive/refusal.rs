//! Why one package cannot be added, copied or removed, and what the user can do about it.

use crate::{
    deb,
    names::{Architecture, Component, Suite},
    store,
};

/// So many packages are named that were not meant.
const MOST_SHOWN: usize = 20;

/// One package that cannot be taken, or one name that cannot be copied or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{subject}`{}", suite.as_ref().map(|suite| format!(" {preposition} suite `{suite}`")).unwrap_or_default())]
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

impl Refusal {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match (&self.source, &self.suite) {
            // Nobody is about to publish it: it was, in two suites, and only now they meet.
            (Reason::OtherContents { .. }, Some(suite)) if self.action == "move" => Some(format!(
                "take one of the two out with `publish remove`: the one in suite `{suite}`, or the one that would go there"
            )),
            (reason, _) => reason.hint(),
        }
    }
}

/// Why a package cannot be taken or removed.
#[derive(Debug, thiserror::Error)]
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
pub(super) fn list<T: ToString>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{}`", name.to_string())).collect::<Vec<_>>().join(", ")
}

impl Reason {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Unreadable(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                "run `publish` as a user who may read the file"
            }
            Self::Unreadable(_) => return None,
            Self::Deb(error) => return error.hint(),
            Self::OtherContents { .. } => {
                "a published version never changes; build it as a new version, such as one with `+1` added"
            }
            Self::GivenTwice { .. } => "give only one of the two files",
            Self::SameFile { .. } => "build one of the two with another upstream version or revision",
            Self::Pool(store::Error::Occupied { path, .. }) => {
                return Some(format!(
                    "a published file never changes: build it as a new version, such as one with `+1` added; if no state lists `{path}`, it is left over from a crash or another tool: `publish prune` deletes it once it is two days old, then add the package again"
                ));
            }
            Self::Pool(error) => return error.hint(),
            Self::Lost { .. } => {
                "`publish check` tells what else the archive lacks; `publish add` of the same file puts it back"
            }
            Self::OtherComponent { .. } => "remove it there first; its file stays in the pool",
            Self::Architecture { .. } => "add it to `Architectures:` of the suite in conf/distributions",
            Self::BelowLimit { .. } => {
                "raise `Limit:` in conf/distributions to publish older versions beside newer ones"
            }
            Self::NotNewer { .. } => "without `--if-newer` it is published beside the newer one",
            Self::NotPublished { others } if others.is_empty() => "`publish list` shows what is published",
            Self::NotPublished { others } => {
                let more = match others.len().saturating_sub(MOST_SHOWN) {
                    0 => String::new(),
                    more => format!(", and {more} more"),
                };
                let others = &others[..others.len().min(MOST_SHOWN)];
                return Some(format!("published are: {}{more}", others.join(", ")));
            }
        };
        Some(text.into())
    }
}
