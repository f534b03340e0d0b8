//! Buckets: opens a client of `object_store` from a location and the environment variables.
//!
//! Every setting is passed to the client explicitly; it never reads the environment of the process itself.

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

/// The reason why a bucket cannot be opened, and a hint.
struct Refused {
    why: String,
    hint: Option<String>,
}

/// The objects of a bucket, and the endpoint unless it is the default one.
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

/// An open bucket.
pub(super) struct Opened {
    pub(super) objects: Arc<dyn ObjectStore>,
    /// The client, if the bucket is a Swift container.
    pub(super) swift: Option<Swift>,
    /// The endpoint, unless it is the default one.
    pub(super) endpoint: Option<String>,
}

/// Opens a bucket; sends no request.
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
