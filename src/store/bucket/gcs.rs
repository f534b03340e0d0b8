//! Google Cloud Storage, with the variables and files of Google's own tools
//! (<https://cloud.google.com/docs/authentication/application-default-credentials>).

use std::sync::Arc;

use object_store::{
    StaticCredentialProvider,
    gcp::{GcpCredential, GoogleCloudStorageBuilder},
};

use super::{Objects, Refused};
use crate::store::{Bucket, Environment, http::Http, location};

pub(super) fn open(bucket: &Bucket, environment: &Environment, http: Http) -> Result<Objects, Refused> {
    let emulator = environment
        .get("STORAGE_EMULATOR_HOST")
        .map(|host| if host.contains("://") { host.to_owned() } else { format!("http://{host}") });
    let endpoint = bucket.options.get("endpoint").or(emulator.as_ref());
    let endpoint = endpoint.map(|endpoint| endpoint.trim_end_matches('/'));
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&bucket.name)
        .with_http_connector(http)
        .with_client_options(Http::options(endpoint))
        .with_retry(Http::retry());
    if let Some(endpoint) = endpoint {
        location::check_endpoint(endpoint)
            .map_err(|why| Refused::new(why, "correct STORAGE_EMULATOR_HOST"))?;
        builder = builder.with_base_url(endpoint);
    }
    let well_known = || {
        let folder = match environment.get("CLOUDSDK_CONFIG") {
            Some(folder) => folder.into(),
            None => environment.home()?.join(".config/gcloud"),
        };
        let file = folder.join("application_default_credentials.json");
        file.is_file().then(|| file.display().to_string())
    };
    let account = environment.first_of(&["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"]);
    builder = if let Some(key) = environment.get("GOOGLE_SERVICE_ACCOUNT_KEY") {
        builder.with_service_account_key(key)
    } else if let Some(path) = account {
        builder.with_service_account_path(path)
    } else if let Some(path) = environment.get("GOOGLE_APPLICATION_CREDENTIALS") {
        builder.with_application_credentials(path)
    } else if emulator.is_some() {
        // It asks for none.
        let nobody = GcpCredential { bearer: String::new() };
        builder.with_credentials(Arc::new(StaticCredentialProvider::new(nobody)))
    } else if let Some(path) = well_known() {
        builder.with_application_credentials(path)
    } else {
        builder
    };
    Ok((Arc::new(builder.build()?), endpoint.map(ToOwned::to_owned)))
}
