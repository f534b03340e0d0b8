//! `refresh`: re-signs the published content under a new `Date`.

use jiff::Timestamp;

use super::{
    dates::{self, Refresh},
    plan::Plan,
};
use crate::{
    config::SuiteConfig,
    suite::{base::VerifiedBase, error::Error},
};

/// Plans to publish the same content under a new `Date`, if that is due.
pub(crate) fn plan(
    published: &VerifiedBase,
    config: &SuiteConfig,
    when: Refresh,
    now: Timestamp,
) -> Result<Plan, Error> {
    let Some(old) = published.release() else {
        return Err(Error::not_published(published.name()));
    };
    let mut plan = Plan::default();
    let unreadable = |source| Error::Pointer { path: published.path("Release"), source };
    let (date, until) = (old.date().map_err(unreadable)?, old.valid_until().map_err(unreadable)?);
    if dates::is_due(date, until, config, when, now) {
        let mut new = old.clone();
        dates::set(&mut new, published, config, now, &mut plan.notes)?;
        plan.release = Some(new);
    }
    Ok(plan)
}
