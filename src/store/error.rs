//! What can go wrong with a store.

use super::{diagnose, location::Location};
use crate::digest::Digests;
use crate::size::bytes;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The object changed since it was read: somebody else won the race.
    #[error("`{path}` was changed by somebody else meanwhile")]
    Conflict {
        /// The object that was to be swapped.
        path: String,
    },
    /// A path that never changes holds other bytes.
    #[error("`{path}` holds other bytes already: {}, the new file has {}", brief(there), brief(new))]
    Occupied {
        /// The path of the object.
        path: String,
        /// What the store holds.
        there: Box<Digests>,
        /// What was to be written.
        new: Box<Digests>,
    },
    /// Not enough space for what is to be written.
    #[error("{} are needed in `{location}`, {} are free", bytes(*needed), bytes(*free))]
    Full {
        /// The store.
        location: String,
        /// Bytes that would be written.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// An object that has more bytes than are read of it, or does not end.
    #[error("`{path}` is larger than expected: at most {limit} bytes are read, {}", excess(*announced))]
    TooLarge {
        /// The object.
        path: String,
        /// How many bytes are read at most.
        limit: u64,
        /// The size that the store tells, where it does and that is more.
        announced: Option<u64>,
    },
    /// A local file that is no longer what it was when it was read first.
    #[error("`{path}` changed while it was being read")]
    Changed {
        /// The local file.
        path: String,
    },
    /// A local file that cannot be read.
    #[error("cannot read `{path}`")]
    Source {
        /// The local file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A text that cannot be the path of an object.
    #[error("`{}` cannot be the path of an object", path.escape_debug())]
    BadPath {
        /// The text.
        path: String,
    },
    /// What is said of credentials, endpoints or certificates cannot be used.
    #[error("cannot open `{location}`: {why}")]
    Unusable {
        /// The store.
        location: String,
        /// What is wrong.
        why: String,
        /// What the user can do about it.
        hint: Option<String>,
    },
    /// A store that is only read.
    #[error("cannot {action} `{path}`: `{location}` is only read")]
    ReadOnly {
        /// What was to be done.
        action: &'static str,
        /// The object.
        path: String,
        /// The store.
        location: String,
    },
    /// A store that does not tell what is in it.
    #[error("`{location}` cannot be listed: a web server does not say what is there")]
    Unlistable {
        /// The store.
        location: String,
    },
    /// The store refused or failed.
    #[error("cannot {action} `{path}`")]
    Failed {
        /// What was being done.
        action: &'static str,
        /// The object.
        path: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Full { .. } => {
                Some("make room, or put the archive on a larger disk; nothing was written".into())
            }
            Self::Changed { .. } => {
                Some("wait until the file is complete, then run the same command again".into())
            }
            Self::TooLarge { .. } => Some(
                "the file is damaged, or the server sends something else; compare it with a copy you trust"
                    .into(),
            ),
            Self::Unusable { hint, .. } => hint.clone(),
            Self::ReadOnly { .. } => {
                Some("write to the folder or the bucket that the web server shows".into())
            }
            Self::Failed { source, .. } => {
                if let Some(trouble) = source.downcast_ref::<diagnose::Trouble>() {
                    return trouble.hint.clone();
                }
                let kind = source.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
                (kind == Some(std::io::ErrorKind::PermissionDenied)).then(|| {
                    "run `publish` as a user who may write there, or correct the owner of the folder".into()
                })
            }
            Self::Conflict { .. }
            | Self::Occupied { .. }
            | Self::Unlistable { .. }
            | Self::Source { .. }
            | Self::BadPath { .. } => None,
        }
    }

    /// Whether nothing at all was heard of the server, so that asking it for something else is in vain too.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Failed { source, .. } => {
                source.downcast_ref::<diagnose::Trouble>().is_some_and(|trouble| trouble.unreachable)
            }
            _ => false,
        }
    }

    /// Whether the same call may succeed later with nothing else changed: another publisher was faster, the server or the
    /// network failed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Conflict { .. } => true,
            Self::Failed { source, .. } => {
                source.downcast_ref::<diagnose::Trouble>().is_some_and(|trouble| trouble.transient)
            }
            _ => false,
        }
    }

    /// The error of an object, as a user can read it.
    pub(super) fn failed(
        action: &'static str,
        path: &str,
        error: object_store::Error,
        location: &Location,
    ) -> Self {
        let source = match diagnose::explain(&error, location) {
            Some(trouble) => Box::new(trouble),
            None => root_cause(error),
        };
        Self::Failed { action, path: path.to_owned(), source }
    }
}

/// The input/output error inside an error of the object store where there is one: it alone says something to a user.
fn root_cause(error: object_store::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let Some(io) = io_cause(&error) else { return Box::new(error) };
    Box::new(
        io.raw_os_error().map_or_else(
            || std::io::Error::new(io.kind(), io.to_string()),
            std::io::Error::from_raw_os_error,
        ),
    )
}

pub(super) fn io_cause(error: &object_store::Error) -> Option<&std::io::Error> {
    let mut inner: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = inner {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        inner = cause.source();
    }
    None
}

fn excess(announced: Option<u64>) -> String {
    announced.map_or_else(|| "and more came".to_owned(), |size| format!("it has {size} bytes"))
}

fn brief(digests: &Digests) -> String {
    format!("{} bytes with SHA256 {}", digests.size, digests.sha256)
}
