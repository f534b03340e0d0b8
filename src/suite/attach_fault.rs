//! Why a file of another tool cannot be listed by a suite, with remedies.

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

impl AttachFault {
    /// Returns a remedy.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let detach = |suite: &Suite, path: &str| format!("`publish attach --suite {suite} --detach {path}`");
        let hint = match self {
            Self::Path { .. } => {
                "name a path below the suite, such as `--as main/dep11/Components-amd64.yml`"
            }
            Self::Unreadable { .. } | Self::TooLarge { .. } => return None,
            Self::Translation { .. } => {
                "each stanza needs `Package`, `Description-md5` and `Description-LANGUAGE`"
            }
            Self::OtherSuite { .. } => "name that suite with `--suite`",
            Self::Configured { field, .. } => {
                let field = field.split(':').next().unwrap_or_default();
                return Some(format!(
                    "remove `{field}:` of the suite from conf/distributions, then run the same command again"
                ));
            }
            Self::NotListed { suite, near: Some(near), .. } => {
                return Some(format!("did you mean {}?", detach(suite, near)));
            }
            Self::NotListed { suite, attached, .. } => {
                let Some(first) = attached.first() else {
                    return Some(format!("suite `{suite}` lists no file that could be detached"));
                };
                let more = match attached.len() {
                    1 => String::new(),
                    count => format!(" of {count}, such as `{}`", attached[1..count.min(4)].join("`, `")),
                };
                return Some(format!("{} detaches one{more}", detach(suite, first)));
            }
        };
        Some(hint.to_owned())
    }
}
