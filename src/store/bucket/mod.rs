//! Buckets: from a location and what the environment says to a client of `object_store`.
//!
//! The client is told everything; nothing here lets it look into the environment of the process by itself.

mod azure;
mod gcs;
mod profile;
mod s3;

use std::sync::Arc;

use object_store::{ObjectStore, path::Path, prefix::PrefixStore};

use super::{Bucket, Environment, Error, Service, http::Http, requests::Counter, swift::Swift, trouble};

/// Why a bucket cannot be opened, and what to do about it.
struct Refused {
    why: String,
    hint: Option<String>,
}

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

/// Opens a bucket; nothing is asked of it yet. A container of Swift, which can do more than an object store, is handed out
/// beside it.
pub(super) fn open(
    bucket: &Bucket,
    environment: &Environment,
    counter: &Counter,
    swift: &mut Option<Swift>,
) -> Result<Arc<dyn ObjectStore>, Error> {
    let unusable = |why, hint| Error::Unusable { location: bucket.to_string(), why, hint };
    let http = || {
        Http::new(environment, counter.clone()).map_err(|unusable| Refused { why: unusable.0, hint: None })
    };
    let opened = match bucket.service {
        Service::S3 => http().and_then(|http| s3::open(bucket, environment, http)),
        Service::Gcs => http().and_then(|http| gcs::open(bucket, environment, http)),
        Service::Azure => http().and_then(|http| azure::open(bucket, environment, http)),
        Service::Swift => {
            let opened = Swift::open(&bucket.name, &bucket.prefix, &bucket.options, environment, counter)?;
            return Ok(Arc::new(swift.insert(opened).clone()));
        }
    };
    let objects = opened.map_err(|Refused { why, hint }| {
        unusable(why, hint.or_else(|| Some(trouble::credentials(bucket))))
    })?;
    if bucket.prefix.is_empty() {
        return Ok(objects);
    }
    let prefix = Path::parse(&bucket.prefix)
        .map_err(|error| unusable(error.to_string(), Some("correct the folder in the location".into())))?;
    Ok(Arc::new(PrefixStore::new(objects, prefix)))
}
