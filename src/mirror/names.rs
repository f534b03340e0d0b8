//! The other names of a suite at the destination: each shows the new suite too, also where the source does not know of it.

use super::{
    difference::{Difference, Sides, is_recorded_as_finished},
    run::Run,
};
use crate::{
    names::Suite,
    suite::{archive::Archive, error::Error, other_names::OtherNames, published::made_for},
};

impl Run<'_> {
    /// Returns the other names of a suite that are to be published with it, by the records at the destination: those that the
    /// run does not copy itself. Without a change there are none, unless the last run may have been interrupted before.
    ///
    /// # Errors
    /// [`Error::OtherName`] if the suite is another name of one that the run does not copy.
    pub(super) async fn other_names(
        &self,
        sides: &Sides<'_>,
        difference: &Difference,
    ) -> Result<Vec<Suite>, Error> {
        let Some(there) = sides.there.pointer() else { return Ok(Vec::new()) };
        let suite = sides.source.name();
        // Without `InRelease`, no file at the destination shows that a run has finished.
        let is_known_as_finished =
            there.is_in_release() || is_recorded_as_finished(self.destination, suite, &there.bytes);
        if !difference.swaps && difference.forms.is_empty() && is_known_as_finished {
            return Ok(Vec::new());
        }
        let OtherNames { mut names, of } = OtherNames::read(self.destination, suite).await?;
        names.retain(|name| !self.how.suites.contains(name));
        let is_still = |of: &Suite| {
            sides
                .source
                .release()
                .is_some_and(|release| made_for(of, release, &sides.source.path("")).is_ok())
        };
        match of.filter(|of| difference.swaps && !self.how.suites.contains(of) && is_still(of)) {
            Some(of) => Err(Error::OtherName { suite: suite.clone(), of }),
            None => Ok(names),
        }
    }

    /// Publishes the suite under its other names at the destination.
    pub(super) async fn publish_other_names(
        &mut self,
        suite: &Suite,
        difference: &Difference,
        names: &[Suite],
    ) -> Result<(), Error> {
        let there = Archive { store: self.destination.clone(), trust: self.archive.trust.clone() };
        let known = Some(&difference.files);
        let changed = there.publish_other_names((suite, known), names, self.how.events).await?;
        self.synced.changed.extend(changed);
        Ok(())
    }
}
