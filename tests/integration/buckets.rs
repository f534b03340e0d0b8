//! Stores in the buckets of the test servers, each in a folder of its own bucket, so that prefixes are tested too.

use std::time::Duration;

use publish::store::{Environment, LeaseTimes, Location, Store};

use crate::servers::{self, Bucket};

/// Short times for a lease: these servers list every write at once.
pub(crate) const QUICK: LeaseTimes = LeaseTimes {
    settling: Duration::from_millis(100),
    length: Duration::from_secs(8),
    max_wait: Duration::from_secs(100),
};

impl Bucket {
    /// The store at this location.
    pub(crate) fn store(&self) -> Store {
        open(&self.location, &self.environment()).unwrap()
    }
}

/// Opens the store at a location.
pub(crate) fn open(location: &str, environment: &Environment) -> Result<Store, publish::store::Error> {
    let location = Location::parse(location, std::path::Path::new("/nowhere")).unwrap();
    Store::open(&location, environment)
}

/// A new bucket on every server.
pub(crate) fn each() -> impl Iterator<Item = Bucket> {
    [moto, rgw, azure, gcs, swift].into_iter().filter_map(|make| make())
}

pub(crate) fn moto() -> Option<Bucket> {
    servers::moto().map(within)
}

pub(crate) fn rgw() -> Option<Bucket> {
    servers::rgw().map(within)
}

pub(crate) fn azure() -> Option<Bucket> {
    servers::azure().map(within)
}

pub(crate) fn gcs() -> Option<Bucket> {
    servers::gcs().map(within)
}

pub(crate) fn swift() -> Option<Bucket> {
    servers::swift().map(within)
}

pub(crate) fn ignoring() -> Option<Bucket> {
    servers::ignoring().map(within)
}

fn within(bucket: Bucket) -> Bucket {
    Bucket { location: format!("{}/a/b~c", bucket.location), ..bucket }
}
