//! Google Cloud Storage, with the variables and files of Google's own tools
//! (<https://cloud.google.com/docs/authentication/application-default-credentials>).

use std::sync::Arc;

use object_store::{
    StaticCredentialProvider,
    client::{HttpConnector, HttpRequest},
    gcp::{GcpCredential, GcpCredentialProvider, GoogleCloudStorageBuilder},
};
use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::{
    copy::{Copying, Place, Sign},
    opened::{Objects, OpenError},
};
use crate::store::{
    environment::Environment,
    http::Http,
    location::{self, Bucket},
    swift::encoded,
};

/// The endpoint of Google itself.
const SERVER: &str = "https://storage.googleapis.com";

pub(super) fn open(bucket: &Bucket, environment: &Environment, http: Http) -> Result<Objects, OpenError> {
    let emulator = environment
        .get("STORAGE_EMULATOR_HOST")
        .map(|host| if host.contains("://") { host.to_owned() } else { format!("http://{host}") });
    let endpoint = bucket.options.get("endpoint").or(emulator.as_ref());
    let endpoint = endpoint.map(|endpoint| endpoint.trim_end_matches('/'));
    let server = endpoint.unwrap_or(SERVER);
    let client = http.connect(&Http::options(endpoint))?;
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_base_url(server)
        .with_bucket_name(&bucket.name)
        .with_http_connector(http)
        .with_client_options(Http::options(endpoint))
        .with_retry(Http::retry());
    if let Some(endpoint) = endpoint {
        location::check_endpoint(endpoint)
            .map_err(|why| OpenError::new(why, "correct STORAGE_EMULATOR_HOST"))?;
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
        // The emulator requires no authentication.
        let nobody = GcpCredential { bearer: String::new() };
        builder.with_credentials(Arc::new(StaticCredentialProvider::new(nobody)))
    } else if let Some(path) = well_known() {
        builder.with_application_credentials(path)
    } else {
        builder
    };
    let objects = builder.build()?;
    let signer = Bearer(Arc::clone(objects.credentials()));
    let url = format!("{server}/{}", encoded(&bucket.name));
    let place = Place { bucket: bucket.name.clone(), url, dialect: "x-goog-" };
    Ok((Arc::new(Copying { objects, signer, http: client, place }), endpoint.map(ToOwned::to_owned)))
}

/// Sets a bearer token as header.
#[derive(Debug)]
struct Bearer(GcpCredentialProvider);

#[async_trait::async_trait]
impl Sign for Bearer {
    async fn sign(&self, request: &mut HttpRequest) -> object_store::Result<()> {
        let token = &self.0.get_credential().await?.bearer;
        if !token.is_empty() {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|error| object_store::Error::Generic { store: "GCS", source: error.into() })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(())
    }
}
