//! The output of a command that fails.

use serde::Serialize;

use super::document::Document;
use crate::cli::failure::{Failure, Problem};

/// The errors of a command.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Failed {
    status: u8,
    errors: Vec<Error>,
    summary: Option<String>,
}

/// One error.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Error {
    kind: &'static str,
    file: Option<String>,
    retry: bool,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Document for Failed {}

impl From<&Failure> for Failed {
    fn from(failure: &Failure) -> Self {
        Self {
            status: failure.code,
            errors: failure.errors.iter().map(Error::from).collect(),
            summary: (!failure.summary.is_empty()).then(|| failure.summary.join("; ")),
        }
    }
}

impl From<&Problem> for Error {
    fn from(problem: &Problem) -> Self {
        Self {
            kind: problem.class.kind.name(),
            file: problem.class.file.clone(),
            retry: problem.class.retry,
            message: problem.message.clone(),
            causes: problem.causes.clone(),
            hint: problem.hint.clone(),
        }
    }
}
