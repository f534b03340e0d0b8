//! `Addition`: a package to include, from a file or from another suite, with its component.

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

/// A package to include.
pub(crate) struct Addition {
    /// Its stanza.
    pub(crate) entry: PackageEntry,
    /// Its component.
    pub(crate) component: Component,
    /// Its architecture.
    pub(crate) architecture: Architecture,
    /// The path of its file in the pool.
    pub(crate) path: PoolPath,
    /// Its source.
    pub(crate) origin: PackageSource,
}

/// The source of a package.
pub(crate) enum PackageSource {
    /// A file, which may not be in the pool yet.
    File(Content),
    /// Another suite: a file of this size is in the pool.
    Pool(u64),
    /// Another suite, where it is surplus: a file of this size is in the pool.
    Surplus(u64),
}

impl Addition {
    /// Includes a .deb. If it may replace another package, its path in the pool is content-addressed.
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

    /// Includes a package of another suite.
    pub(crate) fn of_pool(
        selected: &CopiedPackage,
        component: Component,
        origin: fn(u64) -> PackageSource,
    ) -> Self {
        let CopiedPackage { entry, architecture, path, size, .. } = selected.clone();
        Self { entry, component, architecture, path, origin: origin(size) }
    }

    /// The package for messages.
    pub(crate) fn subject(&self) -> String {
        match &self.origin {
            PackageSource::File(Content::File { file, .. }) => file.display().to_string(),
            _ => format!("{} {} {}", self.entry.name(), self.entry.version(), self.entry.architecture()),
        }
    }

    /// Returns the refusal of this package.
    pub(crate) fn refusal(&self, published: &PublishedSuite, source: Reason) -> Refusal {
        let suite = Some(published.name().clone());
        Refusal { action: self.action(), preposition: "to", subject: self.subject(), suite, source }
    }

    /// The verb for messages.
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
