//! Errors of a store.

use super::{diagnose, location::Location, pace::TooSlow};
use crate::digest::Digests;
use crate::size::bytes;

/// This process, or the machine, has too many open files.
const EMFILE: i32 = rustix::io::Errno::MFILE.raw_os_error();
const ENFILE: i32 = rustix::io::Errno::NFILE.raw_os_error();
/// The hint for a full disk.
const NO_SPACE: &str =
    "free some space, or move the archive to a larger disk, then run the same command again";

/// An error of a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The object changed since it was read: another writer won the race.
    #[error("`{path}` was changed by another publisher")]
    Conflict {
        /// The path of the object.
        path: String,
    },
    /// An immutable object exists with other bytes.
    #[error(
        "`{path}` already exists with different contents: {}, the new file has {}",
        existing(*size, there.as_deref()),
        brief(new)
    )]
    Occupied {
        /// The path of the object.
        path: String,
        /// The size of the existing object.
        size: u64,
        /// The digests of the existing object; `None` if its size differs already, since it is not read then.
        there: Option<Box<Digests>>,
        /// The digests of the new content.
        new: Box<Digests>,
    },
    /// Not enough free space for the write.
    #[error("not enough space in `{location}`: {} needed, {} free", bytes(*needed), bytes(*free))]
    Full {
        /// The store.
        location: String,
        /// The number of bytes to write.
        needed: u64,
        /// The number of free bytes.
        free: u64,
    },
    /// An object is larger than the limit, or its stream does not end.
    #[error("`{path}` is larger than expected: at most {limit} bytes are read, {}", excess(*announced))]
    TooLarge {
        /// The object.
        path: String,
        /// The limit in bytes.
        limit: u64,
        /// The size announced by the store, if it exceeds the limit.
        announced: Option<u64>,
    },
    /// A local file changed after it was first read.
    #[error("`{path}` changed while it was being read")]
    Changed {
        /// The local file.
        path: String,
    },
    /// A local file cannot be read.
    #[error("cannot read `{path}`")]
    Source {
        /// The local file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A text is not a valid object path.
    #[error("`{}` cannot be the path of an object", path.escape_debug())]
    BadPath {
        /// The text.
        path: String,
    },
    /// The credentials, endpoints or certificates of the environment cannot be used.
    #[error("cannot open `{location}`: {why}")]
    Unusable {
        /// The store.
        location: String,
        /// The reason.
        why: String,
        /// A hint for the user.
        hint: Option<String>,
    },
    /// The store is read-only.
    #[error("cannot {action} `{path}`: `{location}` is read-only")]
    ReadOnly {
        /// The attempted action.
        action: &'static str,
        /// The object.
        path: String,
        /// The store.
        location: String,
    },
    /// The store cannot be listed.
    #[error("`{location}` cannot be listed: a web server has no listings")]
    Unlistable {
        /// The store.
        location: String,
    },
    /// A request to the store failed.
    #[error("cannot {action} `{path}`")]
    Failed {
        /// The attempted action.
        action: &'static str,
        /// The object.
        path: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Returns a hint for the user.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Full { .. } => Some(NO_SPACE.into()),
            Self::Changed { .. } => {
                Some("wait until the file is complete, then run the same command again".into())
            }
            Self::TooLarge { .. } => Some(
                "the file is damaged, or the server sends other content; compare it with a trusted copy"
                    .into(),
            ),
            Self::Unusable { hint, .. } => hint.clone(),
            Self::ReadOnly { .. } => Some("write to the folder or bucket that the web server serves".into()),
            Self::Failed { source, .. } => {
                if let Some(diagnosis) = source.downcast_ref::<diagnose::Diagnosis>() {
                    return diagnosis.hint.clone();
                }
                match source.downcast_ref::<std::io::Error>().map(std::io::Error::kind)? {
                    std::io::ErrorKind::PermissionDenied => Some(
                        "run the command as a user who may write there, or correct the owner of the folder"
                            .into(),
                    ),
                    std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                        Some(NO_SPACE.into())
                    }
                    _ => None,
                }
            }
            Self::Conflict { .. }
            | Self::Occupied { .. }
            | Self::Unlistable { .. }
            | Self::Source { .. }
            | Self::BadPath { .. } => None,
        }
    }

    /// Returns whether the server could not be reached at all, so that further requests are pointless.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.diagnosis().is_some_and(|diagnosis| diagnosis.unreachable)
    }

    /// Returns whether the object itself cannot be read, although others may be: it is not a regular file, its
    /// permissions forbid it, a link leads out of the archive, or the disk is damaged. Only for a store on this machine.
    #[must_use]
    pub fn is_of_object(&self) -> bool {
        let failed = match self {
            Self::Failed { action: "read", source, .. } => source.downcast_ref::<std::io::Error>(),
            Self::Source { source, .. } => Some(source),
            _ => None,
        };
        // Too many open files, or not enough memory: any other object would fail as well.
        let is_exhausted = |error: &std::io::Error| {
            error.kind() == std::io::ErrorKind::OutOfMemory
                || error.raw_os_error().is_some_and(|code| [EMFILE, ENFILE].contains(&code))
        };
        failed.is_some_and(|error| !is_exhausted(error))
    }

    /// Returns whether the same call may succeed later: another publisher won the race, or the server or the network
    /// failed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Conflict { .. } => true,
            Self::Failed { source, .. } => {
                source.is::<TooSlow>() || self.diagnosis().is_some_and(|diagnosis| diagnosis.transient)
            }
            _ => false,
        }
    }

    /// Returns whether the store has no space left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. }) || self.diagnosis().is_some_and(|diagnosis| diagnosis.full)
    }

    /// Returns whether a server refused the object itself, which it may do for one that does not exist.
    #[must_use]
    pub(crate) fn is_refusal(&self) -> bool {
        let status = self.diagnosis().and_then(|diagnosis| diagnosis.status);
        matches!(status, Some(401 | 403 | 410))
    }

    fn diagnosis(&self) -> Option<&diagnose::Diagnosis> {
        match self {
            Self::Failed { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }

    /// Builds the error for an object, with a text for users.
    pub(super) fn failed(
        action: &'static str,
        path: &str,
        error: object_store::Error,
        location: &Location,
    ) -> Self {
        let source = match diagnose::explain(&error, location) {
            Some(diagnosis) => Box::new(diagnosis),
            None => root_cause(error),
        };
        Self::Failed { action, path: path.to_owned(), source }
    }
}

/// Returns the I/O error inside an error of the object store, if there is one: only that is useful to a user.
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
    announced.map_or_else(|| "and more followed".to_owned(), |size| format!("it has {size} bytes"))
}

fn existing(size: u64, digests: Option<&Digests>) -> String {
    digests.map_or_else(|| format!("{size} bytes"), brief)
}

fn brief(digests: &Digests) -> String {
    format!("{} bytes with SHA256 {}", digests.size, digests.sha256)
}
