//! The meaning of an operation: the changes that it was resolved to on the first base, as a requirement for all tries.
//!
//! `remove foo` means the versions of `foo` that were published when the command started. After a lost race the
//! operation is planned again on the new base. If it would now make a change that was not part of its meaning, it must
//! fail: the user requested another change, or saw another one with `--dry-run`.

use std::collections::BTreeSet;

use crate::{names::Suite, operations::plan::Plan, suite::error::Error};

/// The resolved changes of an operation, and the generation on which it was resolved.
pub(crate) struct Meaning {
    base: Option<String>,
    resolved: BTreeSet<String>,
}

impl Meaning {
    /// Takes the meaning from a plan; `base` is the generation of its base.
    pub(super) fn of(plan: &Plan, base: Option<String>) -> Self {
        Self { base, resolved: plan.resolved.clone() }
    }

    /// Requires that a later plan makes no further changes. It may make fewer, if another publisher has made some of
    /// them.
    ///
    /// # Errors
    /// [`Error::Overtaken`] with both generations.
    pub(super) fn requires(&self, plan: &Plan, suite: &Suite, now: Option<String>) -> Result<(), Error> {
        match plan.resolved.difference(&self.resolved).next() {
            None => Ok(()),
            Some(change) => Err(Error::Overtaken {
                suite: suite.clone(),
                change: change.clone(),
                planned_on: self.base.clone(),
                now,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(resolved: &[&str]) -> Plan {
        Plan { resolved: resolved.iter().map(|text| (*text).to_owned()).collect(), ..Plan::default() }
    }

    #[test]
    fn a_later_plan_may_make_fewer_changes_and_no_others() {
        let suite = Suite::parse("stable").unwrap();
        let meaning = Meaning::of(&plan(&["remove a 1", "remove a 2"]), Some("one".into()));
        let requires = |resolved: &[&str]| meaning.requires(&plan(resolved), &suite, Some("two".into()));
        assert!(requires(&["remove a 1", "remove a 2"]).is_ok());
        assert!(requires(&["remove a 2"]).is_ok());
        assert!(requires(&[]).is_ok());
        let error = requires(&["remove a 2", "remove a 3"]).unwrap_err();
        assert!(matches!(&error, Error::Overtaken { change, .. } if change == "remove a 3"));
        let shown = error.to_string();
        assert!(shown.contains("`one`") && shown.contains("`two`"), "{shown}");
    }
}
