//! Whether a store decides between two writers by itself, found out before it is believed.
//!
//! There are servers that take the headers of a conditional write, ignore them, overwrite, and answer that all is well
//! (Garage, older gateways), and some that refuse such headers altogether. So, before the first write that depends on it, a
//! bucket is tried: at an object of its own, whose bytes are always the same, so that any number of processes may do it at
//! once and no other object is ever touched. What came out is remembered on this machine for a week.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{PutMode, UpdateVersion};
use tokio::sync::OnceCell;

use super::{
    Store,
    content::blocking,
    copy, diagnose,
    error::Error,
    location::{Location, Service},
    parse,
};

/// The object at which it is tried.
const PROBE: &str = ".publish/probe";
/// What is in it, for people who find it.
const TEXT: &str = "publish found out here whether this store honours conditional writes. \
                    This may be deleted; it is made again when needed.\n";
/// The kind of the fact in the cache, which is believed for so long: a server may be exchanged for another.
const KIND: &str = "conditions";
const BELIEVED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What decides between two who write one object at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionalWrites {
    /// The store itself: it honours conditional writes.
    Native,
    /// A lease that whoever writes takes first, which is weaker: the store overwrites, whatever the condition.
    Lease,
}

impl ConditionalWrites {
    fn name(self) -> &'static str {
        match self {
            Self::Native => "natively",
            Self::Lease => "by lease",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Native, Self::Lease].into_iter().find(|decides| decides.name() == name)
    }
}

/// What is known of a store; clones of it know the same.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    known: Arc<OnceCell<ConditionalWrites>>,
    /// Whether it copies by itself, under the headers that it is told.
    pub(super) copies: Arc<OnceCell<bool>>,
    /// What the facts are remembered by.
    subject: Option<String>,
}

impl Verdict {
    /// What is known of a location on a server, where one is named: the same name may be a bucket of another.
    pub(super) fn of(location: &Location, endpoint: Option<&str>) -> Self {
        let subject = Some(format!("{location} {}", endpoint.unwrap_or_default()));
        let copies = Arc::new(OnceCell::new_with(copy::known(location, endpoint.is_none())));
        Self { copies, subject, ..Self::of_its_own(location) }
    }

    /// The same, found out anew and remembered nowhere.
    pub(super) fn of_its_own(location: &Location) -> Self {
        let known = match location {
            Location::Bucket(bucket) if bucket.service == Service::Swift => Some(ConditionalWrites::Lease),
            Location::Bucket(_) => None,
            Location::Folder(_) | Location::Web(_) | Location::Memory => Some(ConditionalWrites::Native),
        };
        let copies = copy::known(location, false);
        let (known, copies) = (OnceCell::new_with(known), OnceCell::new_with(copies));
        Self { known: Arc::new(known), copies: Arc::new(copies), subject: None }
    }

    #[cfg(test)]
    pub(super) fn by_lease() -> Self {
        let known = Arc::new(OnceCell::new_with(Some(ConditionalWrites::Lease)));
        Self { known, copies: Arc::default(), subject: None }
    }
}

impl Store {
    /// What decides between two writers here; a bucket of which nothing is known is tried, by three or four small writes.
    pub async fn conditional_writes(&self) -> Result<ConditionalWrites, Error> {
        self.verdict.known.get_or_try_init(|| self.find_out()).await.copied()
    }

    async fn find_out(&self) -> Result<ConditionalWrites, Error> {
        if let Some(decides) = self.recall(KIND).await.as_deref().and_then(ConditionalWrites::parse) {
            return Ok(decides);
        }
        let decides = self.probe().await?;
        self.remember(KIND, decides.name()).await;
        Ok(decides)
    }

    /// What was found out about this store not long ago.
    pub(super) async fn recall(&self, kind: &'static str) -> Option<String> {
        let (cache, subject) = self.cache().cloned().zip(self.verdict.subject.clone())?;
        let known = blocking(move || cache.recall(kind, &subject)).await;
        known.filter(|(_, age)| *age < BELIEVED).map(|(text, _)| text)
    }

    /// Remembers what was found out about this store.
    pub(super) async fn remember(&self, kind: &'static str, text: &'static str) {
        if let Some((cache, subject)) = self.cache().cloned().zip(self.verdict.subject.clone()) {
            blocking(move || cache.remember(kind, &subject, text)).await;
        }
    }

    async fn probe(&self) -> Result<ConditionalWrites, Error> {
        // Whoever was here before has left it, or it is there now; or somebody takes it away meanwhile, which is no fault
        // of the server, so it has three tries.
        let mut honoured = false;
        for _ in 0..3 {
            honoured = self.refuses(PutMode::Create).await?;
            if honoured {
                break;
            }
        }
        if !honoured {
            return Ok(ConditionalWrites::Lease);
        }
        for mode in self.modes(Some(&self.never())) {
            if !self.refuses(mode).await? {
                return Ok(ConditionalWrites::Lease);
            }
        }
        Ok(ConditionalWrites::Native)
    }

    /// Whether the server refuses to write under a condition; that it can say no more than that it knows no conditions
    /// is the same as that it ignores them.
    async fn refuses(&self, mode: PutMode) -> Result<bool, Error> {
        let (at, bytes) = (parse(PROBE)?, Bytes::from_static(TEXT.as_bytes()));
        let put = self.put(&at, bytes, mode, || self.headers.of_mutable(PROBE));
        match put.await {
            Err(error) if diagnose::no_bucket(&error) => Err(self.failed("write", PROBE, error)),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. }
                // How some say that there is nothing to compare with.
                | object_store::Error::NotFound { .. },
            ) => Ok(true),
            Ok(()) | Err(object_store::Error::NotImplemented { .. }) => Ok(false),
            Err(error) if diagnose::status(&error) == Some(501) => Ok(false),
            Err(error) => Err(self.failed("write", PROBE, error)),
        }
    }

    /// A state in which no object ever was, well formed for the service.
    fn never(&self) -> UpdateVersion {
        let (e_tag, version) = match self.service() {
            Some(Service::Gcs) => (None, Some("1")),
            Some(Service::Azure) => (Some("\"0x8000000000000000\""), None),
            _ => (Some("\"00000000000000000000000000000000\""), None),
        };
        UpdateVersion { e_tag: e_tag.map(ToOwned::to_owned), version: version.map(ToOwned::to_owned) }
    }
}
