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

/// Variables whose values become parts of a URL or of a header.
const WORDS: [&str; 12] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
];

/// Opens a bucket; sends no request.
pub(crate) fn open(bucket: &Bucket, environment: &Environment, watch: &Watch) -> Result<Opened, Error> {
    let unusable = |why, hint| Error::Unusable { location: bucket.to_string(), why, hint };
    if let Some(name) = environment.with_blanks(&WORDS) {
        let hint = format!("set {name} again, without blanks and line ends");
        return Err(unusable(format!("{name} contains a blank or a control character"), Some(hint)));
    }
    let is_word = |text: &str| !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if let Some((name, _)) = bucket.options.iter().find(|(_, value)| !is_word(value)) {
        let hint = Some(format!("correct `{name}=` in the location"));
        return Err(unusable(format!("its option `{name}` contains a blank or a control character"), hint));
    }
    let http = || Ok(Http::new(environment, watch.clone())?);
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
