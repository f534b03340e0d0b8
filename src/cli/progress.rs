//! The progress of a command, for the report if a signal ends it.

use std::fmt::Write as _;

use crate::{archive::Event, names::Suite};

/// The suites that a command has published so far.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// The location, if it is not that of the archive.
    place: String,
    suites: Vec<String>,
    /// The suite whose conditional write is in flight.
    in_flight: Option<Suite>,
    /// The number of steps in progress that must not be cut short.
    critical: usize,
    deleted: usize,
    is_reported: bool,
}

impl Published {
    /// Sets the location of the next suites.
    pub(super) fn at(&mut self, location: &str) {
        self.place = format!(" in {location}");
    }

    /// Notes an event.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Critical { begins: true } => self.critical += 1,
            Event::Critical { begins: false } => {
                self.critical = self.critical.saturating_sub(1);
                self.in_flight = None;
            }
            Event::Publishing { suite } => self.in_flight = Some(suite.clone()),
            Event::Published { suite } => {
                self.in_flight = None;
                let suite = format!("suite `{suite}`{}", self.place);
                if !self.suites.contains(&suite) {
                    self.suites.push(suite);
                }
            }
            Event::Deleted { done, .. } => self.deleted = *done,
            _ => {}
        }
    }

    /// Whether a step is in progress that must not be cut short.
    pub(super) fn is_critical(&self) -> bool {
        self.critical > 0
    }

    /// Reports what is published, once.
    pub(super) fn report(&mut self) -> Option<String> {
        if std::mem::replace(&mut self.is_reported, true) {
            return None;
        }
        let mut report = match &self.suites[..] {
            [] => "no new generation was published".to_owned(),
            [only] => format!("{only} is published"),
            all => format!("{} are published", all.join(", ")),
        };
        if let Some(suite) = &self.in_flight {
            let _ = write!(report, ", and suite `{suite}`{} may be: see `publish log {suite}`", self.place);
        } else if !self.suites.is_empty() {
            report.push_str(" and nothing else; its last steps are finished by the next command");
        }
        match self.deleted {
            0 => {}
            1 => report.push_str("; 1 object was deleted"),
            deleted => drop(write!(report, "; {deleted} objects were deleted")),
        }
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(name: &str) -> Suite {
        Suite::parse(name).unwrap()
    }

    #[test]
    fn the_report_names_what_is_published_and_what_may_be() {
        let mut published = Published::default();
        published.note(&Event::Critical { begins: true });
        published.note(&Event::Publishing { suite: suite("stable") });
        assert!(published.is_critical());
        published.note(&Event::Published { suite: suite("stable") });
        published.note(&Event::Critical { begins: false });
        assert!(!published.is_critical());
        published.at("s3://apt");
        published.note(&Event::Critical { begins: true });
        published.note(&Event::Publishing { suite: suite("testing") });
        let report = published.report().unwrap();
        assert_eq!(
            report,
            "suite `stable` is published, and suite `testing` in s3://apt may be: see `publish log testing`"
        );
        assert_eq!(published.report(), None);
    }

    #[test]
    fn a_lost_race_publishes_nothing() {
        let mut published = Published::default();
        published.note(&Event::Critical { begins: true });
        published.note(&Event::Publishing { suite: suite("stable") });
        published.note(&Event::Critical { begins: false });
        published.note(&Event::Deleted { done: 2, total: 3 });
        assert_eq!(published.report().unwrap(), "no new generation was published; 2 objects were deleted");
    }
}
