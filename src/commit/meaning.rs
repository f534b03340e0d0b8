//! The meaning of an operation: the things that it was resolved to on the first base, once for all tries.
//!
//! `remove foo` means the versions of `foo` that were published when the command began. After a lost race the operation is
//! planned again on the winner's state; if it would now do something that it did not mean before, it must not be carried
//! out: the user asked for another change, or saw another one with `--dry-run`.

use std::collections::BTreeSet;

use crate::{names::Suite, operations::plan::Plan, suite::error::Error};

/// The resolved meaning of an operation, and the state on which it was resolved.
pub(crate) struct Meaning {
    base: Option<String>,
    resolved: BTreeSet<String>,
}

impl Meaning {
    /// The meaning of a plan that was made on a base, by the name of its generation.
    pub(super) fn of(plan: &Plan, base: Option<String>) -> Self {
        Self { base, resolved: plan.resolved.clone() }
    }

    /// Requires a later plan to do nothing that was not meant. Another publisher may have done a part of it already.
    ///
    /// # Errors
    /// [`Error::Overtaken`] with both states.
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
    fn a_later_plan_may_do_less_and_nothing_else() {
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
