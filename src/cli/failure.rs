//! Errors as they are printed: message, causes and hint; and the table of exit codes.

use std::{error::Error, path::Path};

use super::{
    class::{Class, Kind},
    hints,
};
use crate::{archive, config, purge, signing, store};

/// The command failed.
pub(super) const FAILED: u8 = 1;
/// The command line is invalid.
pub(super) const USAGE: u8 = 2;
/// The command lost the race too often; the same command may succeed later.
pub(super) const RACE: u8 = 3;
/// `check` or `doctor` found a fault.
pub(super) const DAMAGE: u8 = 4;
/// The store or the network is out of reach; the same command may succeed later.
pub(super) const OUT_OF_REACH: u8 = 5;

/// Why a command failed: one or more errors and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) code: u8,
    /// At least one error.
    pub(super) errors: Vec<Problem>,
    /// Summaries of several errors.
    pub(super) summary: Vec<String>,
}

/// One error as text, with its class.
#[derive(Debug)]
pub(super) struct Problem {
    /// The failed operation.
    pub(super) message: String,
    /// The causes, from the outermost to the innermost.
    pub(super) causes: Vec<String>,
    /// The remedy.
    pub(super) hint: Option<String>,
    /// The machine-readable class.
    pub(super) class: Class,
}

impl Failure {
    /// A failure of one error that has no class.
    pub(super) fn of(error: &dyn Error, hint: Option<String>) -> Self {
        Problem::of(error, hint, Class::of(Kind::Other)).into()
    }

    /// A local file that cannot be read or written.
    pub(super) fn file(error: &std::io::Error, path: &Path, doing: &str) -> Self {
        let path = path.display().to_string();
        let class = Class { file: Some(path.clone()), ..Class::of(Kind::Input) };
        let failure = Self::from(Problem::of(error, None, class));
        failure.while_doing(format!("cannot {doing} `{path}`"))
    }

    /// A failure with a plain message.
    pub(super) fn text(error: impl Into<String>, hint: Option<String>) -> Self {
        let class = Class::of(Kind::Other);
        Problem { message: error.into(), causes: Vec::new(), hint, class }.into()
    }

    /// An invalid command line.
    pub(super) fn usage(error: impl Into<String>) -> Self {
        Self::text(error, None).into_usage()
    }

    /// A variable of the environment that is set and empty, such as a secret of a CI system under a wrong name.
    pub(super) fn empty_variable(name: &str) -> Self {
        let hint = format!("give it a value, or run `unset {name}`");
        Self::text(format!("{name} is set, but empty"), Some(hint)).into_usage()
    }

    /// The same errors, as those of an invalid command line.
    pub(super) fn into_usage(self) -> Self {
        Self { code: USAGE, ..self.kind(Kind::Usage) }
    }

    /// Several errors with a summary.
    pub(super) fn several(errors: Vec<Problem>, summary: Vec<String>) -> Self {
        let is_out_of_reach = !errors.is_empty() && errors.iter().all(|error| error.class.is_out_of_reach());
        Self { code: if is_out_of_reach { OUT_OF_REACH } else { FAILED }, errors, summary }
    }

    /// The same errors, of this kind.
    pub(super) fn kind(mut self, kind: Kind) -> Self {
        self.errors.iter_mut().for_each(|problem| problem.class.kind = kind);
        self
    }

    /// The same errors with another hint.
    pub(super) fn with_hint(mut self, hint: &str) -> Self {
        self.errors.iter_mut().for_each(|problem| problem.hint = Some(hint.to_owned()));
        self
    }

    /// The same errors with hints for a reader of the archive, such as a client on the web: it cannot write there.
    pub(super) fn of_a_reader(mut self) -> Self {
        let hints = self.errors.iter_mut().filter_map(|problem| problem.hint.as_mut());
        for hint in hints.filter(|hint| hint.contains("publish check --repair")) {
            "only the publisher of the archive can repair it: report the error there, or read another mirror"
                .clone_into(hint);
        }
        self
    }

    /// Combines both. A retry does not help if one of them says so.
    pub(super) fn and(mut self, other: Self) -> Self {
        let again = |code| matches!(code, RACE | OUT_OF_REACH);
        self.code = if again(self.code) { other.code } else { self.code };
        self.errors.extend(other.errors);
        self.summary.extend(other.summary);
        self
    }

    /// The same errors with other texts.
    pub(super) fn map_texts(&self, change: impl Fn(&str) -> String) -> Self {
        let problem = |problem: &Problem| Problem {
            message: change(&problem.message),
            causes: problem.causes.iter().map(|cause| change(cause)).collect(),
            hint: problem.hint.as_deref().map(&change),
            class: Class { file: problem.class.file.as_deref().map(&change), ..problem.class.clone() },
        };
        Self {
            code: self.code,
            errors: self.errors.iter().map(problem).collect(),
            summary: self.summary.iter().map(|summary| change(summary)).collect(),
        }
    }

    /// Adds the operation as the outermost message.
    pub(super) fn while_doing(mut self, what: impl Into<String>) -> Self {
        let what = what.into();
        for problem in &mut self.errors {
            let inner = std::mem::replace(&mut problem.message, what.clone());
            problem.causes.insert(0, inner);
        }
        self
    }
}

impl Problem {
    /// An error with its causes.
    pub(super) fn of(error: &dyn Error, hint: Option<String>, class: Class) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(inner) = cause {
            causes.push(inner.to_string());
            cause = inner.source();
        }
        Self { message: error.to_string(), causes, hint, class }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::several(vec![problem], Vec::new())
    }
}

impl From<&archive::Failed> for Problem {
    fn from(failed: &archive::Failed) -> Self {
        Self::of(failed, hints::of_failed(failed), failed.into())
    }
}

impl From<archive::Error> for Failure {
    fn from(error: archive::Error) -> Self {
        if let archive::Error::Refused(all) = &error {
            let problem = |refusal: &archive::Refusal| {
                Problem::of(refusal, hints::refusal::hint(refusal), Class::from(refusal))
            };
            let summary = (all.len() > 1).then(|| error.to_string()).into_iter().collect();
            return Self::several(all.iter().map(problem).collect(), summary);
        }
        if let archive::Error::NotCarried(failed) = &error {
            let mut errors: Vec<Problem> = failed.iter().map(Problem::from).collect();
            if let Some(last) = errors.last_mut().filter(|last| last.hint.is_none()) {
                last.hint = hints::archive::hint(&error);
            }
            return Self::several(errors, vec![error.to_string()]);
        }
        let is_race = matches!(
            error,
            archive::Error::RaceLost { .. }
                | archive::Error::Overtaken { .. }
                | archive::Error::Pruning { .. }
                | archive::Error::BeingDropped { .. }
        );
        // The same command finishes it, once the store is in reach.
        let is_unfinished = matches!(
            &error,
            archive::Error::Unfinished { source, .. } if Class::from(&**source).is_out_of_reach()
        );
        let failure = Self::from(Problem::of(&error, hints::archive::hint(&error), Class::from(&error)));
        match (is_race, is_unfinished) {
            (true, _) => Self { code: RACE, ..failure },
            (_, true) => Self { code: OUT_OF_REACH, ..failure },
            _ => failure,
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Problem::of(&error, hints::store::hint(&error), Class::from(&error)).into()
    }
}

impl From<archive::KeyError> for Failure {
    fn from(error: archive::KeyError) -> Self {
        use archive::KeyError as E;
        match error {
            E::Archive(error) => error.into(),
            E::Signing(error) => error.into(),
            error => {
                let is_usage = matches!(error, E::AlreadySigns { .. } | E::PackageName { .. });
                let problem = Problem::of(&error, hints::keys::hint(&error), Class::from(&error));
                Self { code: if is_usage { USAGE } else { FAILED }, ..Self::from(problem) }
            }
        }
    }
}

impl From<signing::Error> for Failure {
    fn from(error: signing::Error) -> Self {
        // Values of the command line.
        let is_usage = matches!(error, signing::Error::Expiry { .. } | signing::Error::Name { .. });
        let failure = Self::from(Problem::of(&error, hints::signing::hint(&error), Class::from(&error)));
        if is_usage { failure.into_usage() } else { failure }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Problem::of(&error, None, Class::from(&error)).into()
    }
}

impl From<purge::Error> for Failure {
    fn from(error: purge::Error) -> Self {
        let problem = |failure: &purge::NotPurged| Problem::of(failure, failure.hint(), failure.into());
        let errors = error.failures.iter().map(problem).collect();
        Self { code: FAILED, errors, summary: vec![error.to_string()] }
    }
}
