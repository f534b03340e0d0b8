//! `SuiteEdit`: packages to add, to copy and to remove, as a wish that can be applied to any state of a suite.
//!
//! [`SuiteEdit::plan`] applies it to what is published: it decides for each package, makes the new indices and the new
//! `Release`, and refuses what would change something published. Nothing is written. Who loses the race for the commit
//! plans the same edit again on the winner's state.

use std::time::SystemTime;

use jiff::Timestamp;

use super::{
    addition::PackageSource, copied_package::CopiedPackage, copy::Copies, plan::Plan, read_debs::Incoming,
};
use crate::{
    config::SuiteConfig,
    names::{Architecture, Component},
    suite::{base::VerifiedBase, error::Error},
};

/// What a suite's content is to become.
#[derive(Default)]
#[non_exhaustive]
pub struct SuiteEdit {
    /// Packages that are to be there.
    pub add: Vec<NewPackage>,
    /// Whether a version is refused that is older than the newest one of that name, which clients would prefer.
    pub if_newer: bool,
    /// Whether a package takes the place of one of the same version with other contents. Only a suite that is
    /// [`mutable`](SuiteConfig::mutable) takes that.
    pub replace: bool,
    /// The share of machines that `add` is offered to, in per cent: another one, where a package is there already.
    pub phased: Option<u8>,
    /// Packages of another suite that are to be there too.
    pub copy: Option<Copies>,
    /// Packages that are not to be there.
    pub remove: Vec<Removal>,
    /// Which versions of all packages are to stay.
    pub retention: Option<Retention>,
}

/// A package that is to be there.
pub struct NewPackage {
    /// What was read.
    pub incoming: Incoming,
    /// Its component; else its section decides, or the suite's first component.
    pub component: Option<Component>,
}

/// Packages that are not to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Their name.
    pub name: String,
    /// Only this version.
    pub version: Option<String>,
    /// Only this architecture.
    pub architecture: Option<Architecture>,
}

impl From<Incoming> for NewPackage {
    fn from(incoming: Incoming) -> Self {
        Self { incoming, component: None }
    }
}

/// Which versions of the packages of a suite are to stay; the newest of each name and architecture always does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// How many versions of a package stay at least, the newest ones.
    pub versions: usize,
    /// What came into the pool after this time stays too.
    pub since: Option<SystemTime>,
    /// Only packages that are called so, in which `*` stands for any text and `?` for one character; all where there are
    /// none.
    pub names: Vec<String>,
}

impl SuiteEdit {
    /// An edit that adds packages.
    #[must_use]
    pub fn adding(packages: impl IntoIterator<Item = impl Into<NewPackage>>) -> Self {
        Self { add: packages.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// An edit that copies packages of another suite.
    #[must_use]
    pub fn copying(packages: Copies) -> Self {
        Self { copy: Some(packages), ..Self::default() }
    }

    /// An edit that removes packages.
    #[must_use]
    pub fn removing(packages: impl IntoIterator<Item = Removal>) -> Self {
        Self { remove: packages.into_iter().collect(), ..Self::default() }
    }

    /// Applies the edit to what is published.
    pub(crate) async fn plan(
        &self,
        published: &VerifiedBase,
        config: &SuiteConfig,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        if self.replace && !config.mutable {
            return Err(Error::NotMutable { suite: published.name().clone() });
        }
        let (copied, notes) = match &self.copy {
            Some(copies) => copies.select(published.store()).await?,
            None => Default::default(),
        };
        let mut plan = self.plan_with(&copied, PackageSource::Pool, published, config, now).await?;
        plan.notes.extend(notes);
        Ok(plan)
    }

    /// Brings packages that are surplus in another suite.
    pub(crate) async fn plan_surplus(
        selected: &[CopiedPackage],
        published: &VerifiedBase,
        config: &SuiteConfig,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        Self::default().plan_with(selected, PackageSource::Surplus, published, config, now).await
    }

    async fn plan_with(
        &self,
        selected: &[CopiedPackage],
        origin: fn(u64) -> PackageSource,
        published: &VerifiedBase,
        config: &SuiteConfig,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        let (shape, additions) = self.shape(published, config, selected, origin)?;
        let mut indices = self.load(published, &shape, &additions).await?;
        let mut plan = Plan::default();
        let mut refused = self.apply_removals(published, &mut indices, &mut plan);
        refused.extend(self.apply_additions(published, &shape, &additions, &mut indices, &mut plan));
        refused.extend(self.apply_retention(published, config, &additions, &mut indices, &mut plan).await?);
        if !refused.is_empty() {
            return Err(Error::Refused(refused));
        }
        if additions.is_empty() && published.pointer().is_none() {
            // What brings nothing begins no suite.
            return Ok(plan);
        }
        let changed = indices.all.into_iter().filter(|(name, _)| indices.changed.contains(name)).collect();
        plan.render(changed, published, config, &shape, now).await?;
        Ok(plan)
    }
}
