//! What can go wrong with a purge.

use std::{fmt, io};

use crate::config::PurgeRule;

/// Not every purger did its work; the archive is published all the same.
#[derive(Debug)]
#[non_exhaustive]
pub struct Error {
    /// Those that did not; at least one.
    pub failures: Vec<NotPurged>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the archive is published; caches may serve the old suite for as long as their Cache-Control says",
        )
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failures.first().map(|failure| failure as _)
    }
}

/// A purger that did not do its work.
#[derive(Debug, thiserror::Error)]
#[error("{} failed", purge_by(rule))]
#[non_exhaustive]
pub struct NotPurged {
    /// Who.
    pub rule: PurgeRule,
    /// Why.
    #[source]
    pub cause: Cause,
}

fn purge_by(rule: &PurgeRule) -> String {
    match rule {
        PurgeRule::Command(_) => format!("the purge command {rule}"),
        _ => format!("the purge of {rule}"),
    }
}

/// Why a purger did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// A variable that lacks.
    #[error("the environment has no `{variable}`")]
    Missing {
        /// The variable.
        variable: &'static str,
    },
    /// A variable whose value cannot be used; it may be secret and is not told.
    #[error("what `{variable}` says cannot be used: expected {expected}")]
    BadVariable {
        /// The variable.
        variable: &'static str,
        /// What it could say.
        expected: &'static str,
    },
    /// An address or a request that cannot be made.
    #[error("cannot ask `{url}`")]
    Request {
        /// The address.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer came.
    #[error("`{host}` gave no answer, asked {tries} times")]
    NoAnswer {
        /// Who was asked.
        host: String,
        /// How often.
        tries: u32,
        /// Why.
        source: reqwest::Error,
    },
    /// The service refused.
    #[error("{service} answered {status}: {text}")]
    Answer {
        /// The service.
        service: &'static str,
        /// The status, as in `403 Forbidden`.
        status: String,
        /// What it said.
        text: String,
    },
    /// The command said no.
    #[error("{status}: {stderr}")]
    Command {
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it wrote to its standard error last.
        stderr: String,
    },
    /// The command could not be run.
    #[error("cannot run it")]
    Run(#[from] io::Error),
}

impl NotPurged {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.cause {
            Cause::Missing { variable } => Some(format!("set `{variable}` where `publish` runs")),
            Cause::Answer { status, .. } if status.starts_with("401") || status.starts_with("403") => {
                Some("look whether the credentials in the environment may purge".into())
            }
            _ => None,
        }
    }
}
