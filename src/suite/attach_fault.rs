//! Why a file of another tool cannot be listed by a suite, with remedies.

use std::io;

use crate::size;

/// Why a file cannot be attached or detached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachFault {
    /// A path that it cannot have.
    #[error("the path `{path}` is not allowed: {why}")]
    Path {
        /// The path.
        path: String,
        /// The rule.
        why: &'static str,
    },
    /// The file cannot be read or unpacked.
    #[error("cannot read `{file}`")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It unpacks to more than is allowed.
    #[error("`{file}` unpacks to more than {}", size::bytes(*limit))]
    TooLarge {
        /// The file.
        file: String,
        /// The limit.
        limit: u64,
    },
    /// A translation that apt cannot parse: it stops every client of that language.
    #[error("`{file}` is not an index of translations, at which apt would stop: {why}")]
    Translation {
        /// The file.
        file: String,
        /// The problem.
        why: String,
    },
    /// It would be in the folder of another suite.
    #[error("it would be in the folder of suite `{suite}`")]
    OtherSuite {
        /// The suite.
        suite: String,
    },
    /// No such file is listed.
    #[error("no such file is listed")]
    NotListed,
}

impl AttachFault {
    /// Returns a remedy.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Path { .. } => {
                "name a path below the suite, such as `--as main/dep11/Components-amd64.yml`"
            }
            Self::Unreadable { .. } | Self::TooLarge { .. } => return None,
            Self::Translation { .. } => {
                "each stanza needs `Package`, `Description-md5` and `Description-LANGUAGE`"
            }
            Self::OtherSuite { .. } => "name that suite with `--suite`",
            Self::NotListed => {
                "list the files of the suite with `publish check --verbose`, or read its `Release`"
            }
        };
        Some(hint.to_owned())
    }
}
