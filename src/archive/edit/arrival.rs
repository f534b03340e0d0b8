//! A package that an edit brings, once its component is known.

use crate::{
    archive::{Incoming, PublishedSuite, Reason, Refusal},
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
    /// Its file.
    pub(super) content: Content,
}

impl Arrival {
    /// A .deb that was read.
    pub(super) fn of(incoming: &Incoming, component: Component) -> Self {
        let Incoming { file, package, stamp } = incoming;
        let path = PoolPath::of(&component, package);
        let content = Content::File { file: file.clone(), digests: *package.digests(), stamp: *stamp };
        Self {
            entry: PackageEntry::of(package, &path),
            component,
            architecture: package.architecture().clone(),
            path,
            content,
        }
    }

    /// What the user calls it.
    pub(super) fn subject(&self) -> String {
        match &self.content {
            Content::File { file, .. } => file.display().to_string(),
            Content::Bytes(..) => self.path.to_string(),
        }
    }

    /// Why it cannot come.
    pub(super) fn refusal(&self, published: &PublishedSuite, source: Reason) -> Refusal {
        let suite = Some(published.name().clone());
        Refusal { action: "add", preposition: "to", subject: self.subject(), suite, source }
    }
}
