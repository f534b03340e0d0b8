//! What a commit publishes: an edit, or one of the other verbs that make a new state of a suite.

use jiff::Timestamp;

use super::{
    Archive, Error, PublishedSuite, Refresh, SuiteEdit, plan::Plan, refresh, rollback, selected::Selected,
    snapshot,
};
use crate::{config::SuiteConfig, names::Suite};

/// What is to be published, as a wish that can be applied to any state of a suite.
pub(super) enum Intent<'a> {
    Edit(&'a SuiteEdit),
    /// Packages come that are surplus in another suite.
    Surplus(&'a [Selected]),
    Refresh(Refresh),
    RollBack(Option<&'a str>),
    Snapshot {
        of: &'a Suite,
    },
}

impl Intent<'_> {
    pub(super) async fn plan(
        &self,
        archive: &Archive,
        published: &PublishedSuite,
        config: &SuiteConfig,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        match self {
            Self::Edit(edit) => edit.plan(published, config, now).await,
            Self::Surplus(packages) => SuiteEdit::plan_surplus(packages, published, config, now).await,
            Self::Refresh(when) => refresh::plan(published, config, *when, now),
            Self::RollBack(to) => {
                rollback::plan(&archive.store, &archive.trust, published, config, *to, now).await
            }
            Self::Snapshot { of } => {
                snapshot::plan(&archive.store, &archive.trust, of, published, config, now).await
            }
        }
    }
}
