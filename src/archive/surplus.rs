//! Where surplus versions go: into the suite that `Archive` names, before they leave their own.
//!
//! Two suites are two commits, and the order decides what a crash leaves. A version is published in the other suite first,
//! then it leaves this one: killed in between, it is in both, and the next command that finds it surplus goes on there.

use futures::{FutureExt, future::LocalBoxFuture};

use super::{Archive, Change, Commit, Error, Moved, Outcome, commit::Intent, edit::Selected};
use crate::{config::SuiteConfig, signing::SigningKeys};

/// The suite that surplus versions of another one go to, and what it takes to publish there.
pub struct Surplus {
    /// The archive, as far as this suite is trusted.
    pub archive: Archive,
    /// What the suite is to be.
    pub config: SuiteConfig,
    /// What signs it.
    pub keys: Option<SigningKeys>,
    /// Where its own surplus versions go.
    pub next: Option<Box<Surplus>>,
}

/// Publishes what is surplus in a suite where it is to go, if that is anywhere.
pub(super) async fn move_on(
    packages: &[(Change, Selected)],
    how: &Commit<'_>,
) -> Result<Option<Moved>, Error> {
    let Some(surplus) = how.surplus.filter(|_| !packages.is_empty()) else { return Ok(None) };
    let (packages, selected): (Vec<_>, Vec<_>) = packages.iter().cloned().unzip();
    let to = surplus.take(&selected, how).await?;
    Ok(Some(Moved { packages, to: Box::new(to) }))
}

impl Surplus {
    /// Publishes packages here that are surplus in another suite.
    fn take<'a>(
        &'a self,
        packages: &'a [Selected],
        how: &'a Commit<'_>,
    ) -> LocalBoxFuture<'a, Result<Outcome, Error>> {
        let how = Commit {
            config: &self.config,
            keys: self.keys.as_ref(),
            surplus: self.next.as_deref(),
            note: how.note.clone(),
            ..*how
        };
        // Boxed, since this suite may have surplus versions in its turn.
        async move { self.archive.publish(&Intent::Surplus(packages), &how).await }.boxed_local()
    }
}
