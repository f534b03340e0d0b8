//! Opens a bucket of any service.

use std::sync::Arc;

use object_store::{path::Path, prefix::PrefixStore};

use super::{
    azure, gcs,
    opened::{OpenError, Opened},
    s3,
};
use crate::store::{
    diagnose,
    environment::Environment,
    error::Error,
    http::Http,
    location::{Bucket, Service},
    requests::Watch,
    swift::Swift,
};

/// Opens a bucket; sends no request.
pub(crate) fn open(bucket: &Bucket, environment: &Environment, watch: &Watch) -> Result<Opened, Error> {
    let unusable = |why, hint| Error::Unusable { location: bucket.to_string(), why, hint };
    let http = || {
        Http::new(environment, watch.clone()).map_err(|unusable| OpenError { why: unusable.0, hint: None })
    };
    let opened = match bucket.service {
        Service::S3 => http().and_then(|http| s3::open(bucket, environment, http)),
        Service::Gcs => http().and_then(|http| gcs::open(bucket, environment, &http)),
        Service::Azure => http().and_then(|http| azure::open(bucket, environment, http)),
        Service::Swift => {
            let opened = Swift::open(&bucket.name, &bucket.prefix, &bucket.options, environment, watch)
                .map_err(|error| unusable(error.to_string(), error.hint()))?;
            return Ok(Opened { objects: Arc::new(opened.clone()), swift: Some(opened), endpoint: None });
        }
    };
    let (objects, endpoint) = opened.map_err(|OpenError { why, hint }| {
        unusable(why, hint.or_else(|| Some(diagnose::credentials(bucket))))
    })?;
    let prefix = Path::parse(&bucket.prefix)
        .map_err(|error| unusable(error.to_string(), Some("correct the folder in the location".into())))?;
    let objects =
        if bucket.prefix.is_empty() { objects } else { Arc::new(PrefixStore::new(objects, prefix)) };
    Ok(Opened { objects, swift: None, endpoint })
}
