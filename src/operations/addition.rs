//! A package that an edit brings, from a file or from another suite, once its component is known.

use super::{copied_package::CopiedPackage, read_debs::Incoming};
use crate::{
    dists::PackageEntry,
    names::{Architecture, Component},
    pool::PoolPath,
    store::Content,
    suite::{
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

/// A package that an edit brings.
pub(crate) struct Addition {
    /// Its stanza.
    pub(crate) entry: PackageEntry,
    /// Where it goes.
    pub(crate) component: Component,
    /// Its architecture.
    pub(crate) architecture: Architecture,
    /// Where its file lies in the pool.
    pub(crate) path: PoolPath,
    /// Where it comes from.
    pub(crate) origin: PackageSource,
}

/// Where a package comes from.
pub(crate) enum PackageSource {
    /// From a file, which the pool may lack.
    File(Content),
    /// From another suite: a file of this size is in the pool.
    Pool(u64),
    /// From another suite, where it is surplus: a file of this size is in the pool.
    Surplus(u64),
}

impl Addition {
    /// A .deb that was read; with a path in the pool that no other bytes can have, where it may take the place of another.
    pub(crate) fn of(incoming: &Incoming, component: Component, replaces: bool) -> Self {
        let Incoming { file, package, stamp } = incoming;
        let path =
            if replaces { PoolPath::unique(&component, package) } else { PoolPath::of(&component, package) };
        let content = Content::File { file: file.clone(), digests: *package.digests(), stamp: *stamp };
        Self {
            entry: PackageEntry::of(package, &path),
            component,
            architecture: package.architecture().clone(),
            path,
            origin: PackageSource::File(content),
        }
    }

    /// A package of another suite.
    pub(crate) fn of_pool(
        selected: &CopiedPackage,
        component: Component,
        origin: fn(u64) -> PackageSource,
    ) -> Self {
        let CopiedPackage { entry, architecture, path, size, .. } = selected.clone();
        Self { entry, component, architecture, path, origin: origin(size) }
    }

    /// What the user calls it.
    pub(crate) fn subject(&self) -> String {
        match &self.origin {
            PackageSource::File(Content::File { file, .. }) => file.display().to_string(),
            _ => format!("{} {} {}", self.entry.name(), self.entry.version(), self.entry.architecture()),
        }
    }

    /// Why it cannot come.
    pub(crate) fn refusal(&self, published: &PublishedSuite, source: Reason) -> Refusal {
        let suite = Some(published.name().clone());
        Refusal { action: self.action(), preposition: "to", subject: self.subject(), suite, source }
    }

    /// What the user calls its coming.
    pub(crate) fn action(&self) -> &'static str {
        match self.origin {
            PackageSource::File(_) => "add",
            PackageSource::Pool(_) => "copy",
            PackageSource::Surplus(_) => "move",
        }
    }

    /// Whether it is surplus in another suite.
    pub(crate) fn is_surplus(&self) -> bool {
        matches!(self.origin, PackageSource::Surplus(_))
    }
}
