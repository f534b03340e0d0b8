//! A package that an edit brings, from a file or from another suite, once its component is known.

use crate::{
    archive::{Incoming, PublishedSuite, Reason, Refusal, selected::Selected},
    dists::PackageEntry,
    names::{Architecture, Component},
    pool::PoolPath,
    store::Content,
};

/// A package that an edit brings.
pub(super) struct Arrival {
    /// Its stanza.
    pub(super) entry: PackageEntry,
    /// Where it goes.
    pub(super) component: Component,
    /// Its architecture.
    pub(super) architecture: Architecture,
    /// Where its file lies in the pool.
    pub(super) path: PoolPath,
    /// Where it comes from.
    pub(super) origin: Origin,
}

/// Where a package comes from.
pub(super) enum Origin {
    /// From a file, which the pool may lack.
    File(Content),
    /// From another suite: a file of this size is in the pool.
    Pool(u64),
    /// From another suite, where it is surplus: a file of this size is in the pool.
    Surplus(u64),
}

impl Arrival {
    /// A .deb that was read; with a path in the pool that no other bytes can have, where it may take the place of another.
    pub(super) fn of(incoming: &Incoming, component: Component, replaces: bool) -> Self {
        let Incoming { file, package, stamp } = incoming;
        let path =
            if replaces { PoolPath::unique(&component, package) } else { PoolPath::of(&component, package) };
        let content = Content::File { file: file.clone(), digests: *package.digests(), stamp: *stamp };
        Self {
            entry: PackageEntry::of(package, &path),
            component,
            architecture: package.architecture().clone(),
            path,
            origin: Origin::File(content),
        }
    }

    /// A package of another suite.
    pub(super) fn of_pool(selected: &Selected, component: Component, origin: fn(u64) -> Origin) -> Self {
        let Selected { entry, architecture, path, size, .. } = selected.clone();
        Self { entry, component, architecture, path, origin: origin(size) }
    }

    /// What the user calls it.
    pub(super) fn subject(&self) -> String {
        match &self.origin {
            Origin::File(Content::File { file, .. }) => file.display().to_string(),
            _ => format!("{} {} {}", self.entry.name(), self.entry.version(), self.entry.architecture()),
        }
    }

    /// Why it cannot come.
    pub(super) fn refusal(&self, published: &PublishedSuite, source: Reason) -> Refusal {
        let suite = Some(published.name().clone());
        Refusal { action: self.action(), preposition: "to", subject: self.subject(), suite, source }
    }

    /// What the user calls its coming.
    pub(super) fn action(&self) -> &'static str {
        match self.origin {
            Origin::File(_) => "add",
            Origin::Pool(_) => "copy",
            Origin::Surplus(_) => "move",
        }
    }

    /// Whether it is surplus in another suite.
    pub(super) fn is_surplus(&self) -> bool {
        matches!(self.origin, Origin::Surplus(_))
    }
}
