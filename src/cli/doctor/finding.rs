//! The findings of the doctor, each with its remedy.

use crate::cli::{failure::Failure, json};

/// How good a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// All is well.
    Ok,
    /// It works, and something may be better, or ends soon.
    Warning,
    /// A command or a client fails.
    Fault,
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// One finding.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) topic: &'static str,
    pub(super) level: Level,
    pub(super) text: String,
    /// The remedy: a command, or a sentence.
    pub(super) fix: Option<String>,
}

/// All findings, in order.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) all: Vec<Finding>,
}

impl Findings {
    pub(super) fn ok(&mut self, topic: &'static str, text: impl Into<String>) {
        self.all.push(Finding { topic, level: Level::Ok, text: text.into(), fix: None });
    }

    pub(super) fn warning(&mut self, topic: &'static str, text: impl Into<String>, fix: impl Into<String>) {
        let fix = Some(fix.into());
        self.all.push(Finding { topic, level: Level::Warning, text: text.into(), fix });
    }

    pub(super) fn fault(&mut self, topic: &'static str, text: impl Into<String>, fix: impl Into<String>) {
        self.all.push(Finding { topic, level: Level::Fault, text: text.into(), fix: Some(fix.into()) });
    }

    /// Adds each error of a failure; without a hint the remedy is the one given here.
    pub(super) fn failure(&mut self, topic: &'static str, failure: Failure, fix: &str) {
        for problem in failure.errors {
            let text = std::iter::once(problem.message).chain(problem.causes).collect::<Vec<_>>().join(": ");
            self.fault(topic, text, problem.hint.unwrap_or_else(|| fix.to_owned()));
        }
    }

    pub(super) fn count(&self, level: Level) -> usize {
        self.all.iter().filter(|finding| finding.level == level).count()
    }

    pub(super) fn document(&self) -> json::Diagnosis {
        let finding = |finding: &Finding| json::Finding {
            topic: finding.topic.to_lowercase().replace(' ', "-"),
            level: finding.level.name(),
            text: finding.text.clone(),
            fix: finding.fix.clone(),
        };
        json::Diagnosis {
            fault_count: self.count(Level::Fault),
            warning_count: self.count(Level::Warning),
            findings: self.all.iter().map(finding).collect(),
        }
    }
}
