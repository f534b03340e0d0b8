//! Why a file of another tool cannot be listed by a suite.

use std::io;

use crate::{names::Suite, size};

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
    /// `publish` writes it, because the suite is configured so.
    #[error(
        "the path `{path}` is not allowed: the suite is configured with `{field}`, so `publish` writes it"
    )]
    Configured {
        /// The path.
        path: String,
        /// The field.
        field: &'static str,
    },
    /// No such file is listed.
    #[error("no such file is listed")]
    NotListed {
        /// The suite.
        suite: Suite,
        /// The listed file that was meant, as far as that can be told.
        near: Option<String>,
        /// All files that can be detached.
        attached: Vec<String>,
    },
}
