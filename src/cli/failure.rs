//! Errors as a user sees them: what failed, why, what to do; and the one table of exit codes.

use std::error::Error;

use crate::{archive, config, purge, signing, store};

/// The command failed.
pub const FAILED: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// Others published in between, too often; the same command may succeed later.
pub const RACE: u8 = 3;
/// `check` found damage.
pub const DAMAGE: u8 = 4;

/// Why a command failed: one or more errors and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What went wrong; at least one.
    pub errors: Vec<Told>,
    /// A closing sentence where there are several.
    pub summary: Option<String>,
}

/// One error, told.
#[derive(Debug, serde::Serialize)]
pub struct Told {
    /// What failed.
    pub error: String,
    /// Why, from the outermost cause to the innermost.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of one error.
    #[must_use]
    pub fn of(error: &dyn Error, hint: Option<String>) -> Self {
        Self { code: FAILED, errors: vec![Told::of(error, hint)], summary: None }
    }

    /// A failure in plain words.
    #[must_use]
    pub fn text(error: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            code: FAILED,
            errors: vec![Told { error: error.into(), causes: Vec::new(), hint }],
            summary: None,
        }
    }

    /// A command line that makes no sense.
    #[must_use]
    pub fn usage(error: impl Into<String>) -> Self {
        Self { code: USAGE, ..Self::text(error, None) }
    }

    /// Both; the code of the first counts.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.errors.extend(other.errors);
        self.summary = match (self.summary, other.summary) {
            (Some(one), Some(other)) => Some(format!("{one}\nerror: {other}")),
            (one, other) => one.or(other),
        };
        self
    }

    /// Puts what was being done before the error.
    #[must_use]
    pub fn while_doing(mut self, what: impl Into<String>) -> Self {
        let what = what.into();
        for told in &mut self.errors {
            let inner = std::mem::replace(&mut told.error, what.clone());
            told.causes.insert(0, inner);
        }
        self
    }
}

impl Told {
    fn of(error: &dyn Error, hint: Option<String>) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(inner) = cause {
            causes.push(inner.to_string());
            cause = inner.source();
        }
        Self { error: error.to_string(), causes, hint }
    }
}

impl From<archive::Error> for Failure {
    fn from(error: archive::Error) -> Self {
        match &error {
            archive::Error::Refused(all) => Self {
                code: FAILED,
                errors: all.iter().map(|refusal| Told::of(refusal, refusal.hint())).collect(),
                summary: (all.len() > 1).then(|| error.to_string()),
            },
            archive::Error::RaceLost { .. }
            | archive::Error::Overtaken { .. }
            | archive::Error::Pruning { .. } => Self { code: RACE, ..Self::of(&error, error.hint()) },
            _ => Self::of(&error, error.hint()),
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::of(&error, error.hint())
    }
}

impl From<signing::Error> for Failure {
    fn from(error: signing::Error) -> Self {
        Self::of(&error, error.hint())
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::of(&error, None)
    }
}

impl From<purge::Error> for Failure {
    fn from(error: purge::Error) -> Self {
        let errors = error.failures.iter().map(|failure| Told::of(failure, failure.hint())).collect();
        Self { code: FAILED, errors, summary: Some(error.to_string()) }
    }
}
