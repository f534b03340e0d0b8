//! The capabilities of a store: conditional writes, and copies on the server.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::location::{Location, Service};

/// How concurrent writes to one object are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConditionalWrites {
    /// Native conditional writes.
    Native,
    /// A lease, which gives weaker guarantees: the store ignores the condition and overwrites.
    Lease,
}

impl ConditionalWrites {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "natively",
            Self::Lease => "by lease",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Native, Self::Lease].into_iter().find(|decides| decides.name() == name)
    }
}

/// The capabilities of a store; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Capabilities {
    pub(super) known: Arc<OnceCell<ConditionalWrites>>,
    /// Whether server-side copies get the requested headers.
    pub(super) copies: Arc<OnceCell<bool>>,
    /// The subject of the facts in the cache.
    pub(super) subject: Option<String>,
}

impl Capabilities {
    /// The capabilities of a location at an endpoint, if there is one: two servers may have buckets of the same name.
    pub(super) fn of(location: &Location, endpoint: Option<&str>) -> Self {
        let subject = Some(format!("{location} {}", endpoint.unwrap_or_default()));
        let copies = Arc::new(OnceCell::new_with(native_copies(location, endpoint.is_none())));
        Self { copies, subject, ..Self::unshared(location) }
    }

    /// The same, neither cached nor shared.
    pub(super) fn unshared(location: &Location) -> Self {
        let known = match location {
            Location::Bucket(bucket) if bucket.service == Service::Swift => Some(ConditionalWrites::Lease),
            Location::Bucket(_) => None,
            Location::Folder(_) | Location::Web(_) | Location::Memory => Some(ConditionalWrites::Native),
        };
        let copies = native_copies(location, false);
        let (known, copies) = (OnceCell::new_with(known), OnceCell::new_with(copies));
        Self { known: Arc::new(known), copies: Arc::new(copies), subject: None }
    }

    #[cfg(test)]
    pub(super) fn by_lease() -> Self {
        let known = Arc::new(OnceCell::new_with(Some(ConditionalWrites::Lease)));
        Self { known, copies: Arc::default(), subject: None }
    }
}

/// Returns whether the store copies on the server, with the requested headers; `None` if that has to be detected.
fn native_copies(location: &Location, documented: bool) -> Option<bool> {
    match location {
        Location::Folder(_) => Some(true),
        // The memory store keeps the headers of the source.
        Location::Memory | Location::Web(_) => Some(false),
        Location::Bucket(bucket) => match bucket.service {
            Service::Swift => Some(true),
            Service::Azure => Some(false),
            Service::S3 | Service::Gcs => documented.then_some(true),
        },
    }
}
