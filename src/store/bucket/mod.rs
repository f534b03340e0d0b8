//! Buckets: from a location and what the environment says to a client of `object_store`.
//!
//! The client is told everything; nothing here lets it look into the environment of the process by itself.

mod azure;
mod gcs;
mod s3;
mod copy;
mod profile;

use std::sync::Arc;

use object_store::{ObjectStore, path::Path, prefix::PrefixStore};

use super::{
    diagnose,
    environment::Environment,
    error::Error,
    http::Http,
    location::{Bucket, Service},
    requests::Watch,
    swift::Swift,
};

/// Why a bucket cannot be opened, and what to do about it.
struct Refused {
    why: String,
    hint: Option<String>,
}

/// The objects of a bucket, and the server if it is not the one that all use who name none.
type Objects = (Arc<dyn ObjectStore>, Option<String>);

impl Refused {
    fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: Some(hint.into()) }
    }
}

impl From<object_store::Error> for Refused {
    fn from(error: object_store::Error) -> Self {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Self { why: cause.to_string(), hint: None }
    }
}

/// A bucket that is open.
pub(super) struct Opened {
    pub(super) objects: Arc<dyn ObjectStore>,
    /// A container of Swift, which can do more than an object store.
    pub(super) swift: Option<Swift>,
    /// The server, where it is not the one that all use who name none.
    pub(super) endpoint: Option<String>,
}

/// Opens a bucket; nothing is asked of it yet.
pub(super) fn open(bucket: &Bucket, environment: &Environment, watch: &Watch) -> Result<Opened, Error> {
    let unusable = |why, hint| Error::Unusable { location: bucket.to_string(), why, hint };
    let http =
        || Http::new(environment, watch.clone()).map_err(|unusable| Refused { why: unusable.0, hint: None });
    let opened = match bucket.service {
        Service::S3 => http().and_then(|http| s3::open(bucket, environment, http)),
        Service::Gcs => http().and_then(|http| gcs::open(bucket, environment, http)),
        Service::Azure => http().and_then(|http| azure::open(bucket, environment, http)),
        Service::Swift => {
            let opened = Swift::open(&bucket.name, &bucket.prefix, &bucket.options, environment, watch)?;
            return Ok(Opened { objects: Arc::new(opened.clone()), swift: Some(opened), endpoint: None });
        }
    };
    let (objects, endpoint) = opened.map_err(|Refused { why, hint }| {
        unusable(why, hint.or_else(|| Some(diagnose::credentials(bucket))))
    })?;
    let prefix = Path::parse(&bucket.prefix)
        .map_err(|error| unusable(error.to_string(), Some("correct the folder in the location".into())))?;
    let objects =
        if bucket.prefix.is_empty() { objects } else { Arc::new(PrefixStore::new(objects, prefix)) };
    Ok(Opened { objects, swift: None, endpoint })
}
