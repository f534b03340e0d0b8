//! The errors of a purge.

use std::{fmt, io};

use crate::config::PurgeRule;

/// Some purgers failed; the archive is published all the same.
#[derive(Debug)]
#[non_exhaustive]
pub struct Error {
    /// Those that failed; at least one.
    pub failures: Vec<NotPurged>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the archive is published, but caches may serve the previous generation for as long as its Cache-Control allows",
        )
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failures.first().map(|failure| failure as _)
    }
}

/// A purger that failed.
#[derive(Debug, thiserror::Error)]
#[error("{} failed", purge_by(rule))]
#[non_exhaustive]
pub struct NotPurged {
    /// The purger.
    pub rule: PurgeRule,
    /// The reason.
    #[source]
    pub cause: Cause,
}

fn purge_by(rule: &PurgeRule) -> String {
    match rule {
        PurgeRule::Command(_) => format!("the purge command {rule}"),
        _ => format!("the purge of {rule}"),
    }
}

/// Why a purger failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// A variable is missing.
    #[error("the environment variable `{variable}` is not set")]
    Missing {
        /// The variable.
        variable: &'static str,
    },
    /// A variable has an unusable value, which is not shown because it may be secret.
    #[error("the environment variable `{variable}` is invalid; expected {expected}")]
    BadVariable {
        /// The variable.
        variable: &'static str,
        /// The expected form.
        expected: &'static str,
    },
    /// An invalid URL or request.
    #[error("cannot send a request to `{url}`")]
    Request {
        /// The address.
        url: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No response.
    #[error("`{host}` did not respond after {tries} tries")]
    NoAnswer {
        /// The host.
        host: String,
        /// The number of tries.
        tries: u32,
        /// The cause.
        source: reqwest::Error,
    },
    /// The service refused the request.
    #[error("{service} answered {status}: {text}")]
    Answer {
        /// The service.
        service: &'static str,
        /// The status, as in `403 Forbidden`.
        status: String,
        /// The message of the service.
        text: String,
    },
    /// The command failed.
    #[error("{status}: {stderr}")]
    Command {
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The end of its standard error.
        stderr: String,
    },
    /// The command could not be run.
    #[error("cannot run the command")]
    Run(#[from] io::Error),
}

impl NotPurged {
    /// Returns a remedy.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.cause {
            Cause::Missing { variable } => Some(format!("set `{variable}` where `publish` runs")),
            Cause::Answer { status, .. } if status.starts_with("401") || status.starts_with("403") => {
                Some("check that the credentials in the environment may purge".into())
            }
            _ => None,
        }
    }
}
