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
    credentials_file,
    external_account::ExternalAccount,
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
/// The variables with an access token: those of Google's Terraform provider and of gcloud.
const ACCESS_TOKENS: [&str; 2] = ["GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"];
/// The variables with the path of a file of credentials of any type.
const FILES: [&str; 2] = ["GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"];

pub(super) fn open(bucket: &Bucket, environment: &Environment, http: &Http) -> Result<Objects, OpenError> {
    let emulator = environment
        .get("STORAGE_EMULATOR_HOST")
        .map(|host| if host.contains("://") { host.to_owned() } else { format!("http://{host}") });
    let endpoint = bucket.options.get("endpoint").or(emulator.as_ref());
    let endpoint = endpoint.map(|endpoint| endpoint.trim_end_matches('/'));
    let server = endpoint.unwrap_or(SERVER);
    http.require_roots(endpoint)?;
    let client = http.connect(&Http::options(endpoint))?;
    let builder = GoogleCloudStorageBuilder::new()
        .with_base_url(server)
        .with_bucket_name(&bucket.name)
        .with_http_connector(http.clone())
        .with_client_options(Http::options(endpoint))
        .with_retry(Http::retry());
    if let Some(endpoint) = endpoint {
        location::check_endpoint(endpoint)
            .map_err(|why| OpenError::new(why, "correct STORAGE_EMULATOR_HOST"))?;
    }
    let objects = with_credentials(builder, environment, http, emulator.is_some())?.build()?;
    let signer = Bearer(Arc::clone(objects.credentials()));
    let url = format!("{server}/{}", encoded(&bucket.name));
    let place = Place { bucket: bucket.name.clone(), url, dialect: "x-goog-" };
    Ok((Arc::new(Copying { objects, signer, http: client, place }), endpoint.map(ToOwned::to_owned)))
}

/// Takes the first available of: the key of a service account, an access token, a file of credentials, those of an
/// emulator, those of gcloud, those of the machine.
fn with_credentials(
    builder: GoogleCloudStorageBuilder,
    environment: &Environment,
    http: &Http,
    is_emulator: bool,
) -> Result<GoogleCloudStorageBuilder, OpenError> {
    if let Some(key) = environment.get("GOOGLE_SERVICE_ACCOUNT_KEY") {
        return Ok(builder.with_service_account_key(key));
    }
    if let Some(path) = environment.first_of(&["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"]) {
        let key = credentials_file::read(path, "the key of a service account")?;
        return Ok(builder.with_service_account_key(key));
    }
    if let Some(name) = ACCESS_TOKENS.into_iter().find(|name| environment.get(name).is_some()) {
        return with_token(builder, environment.get(name).unwrap_or_default(), name);
    }
    if let Some(path) = environment.get("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE") {
        let token = credentials_file::read(path, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE")?;
        return with_token(builder, &token, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE");
    }
    if let Some(name) = FILES.into_iter().find(|name| environment.get(name).is_some()) {
        return with_file(builder, environment.get(name).unwrap_or_default(), name, http);
    }
    if is_emulator {
        // The emulator requires no authentication.
        return Ok(with_bearer(builder, String::new()));
    }
    match well_known(environment) {
        Some(path) => with_file(builder, &path, "of gcloud", http),
        None => Ok(builder),
    }
}

/// Uses an access token as it is; it cannot be renewed.
fn with_token(
    builder: GoogleCloudStorageBuilder,
    token: &str,
    name: &str,
) -> Result<GoogleCloudStorageBuilder, OpenError> {
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        let hint = "set it to the output of `gcloud auth print-access-token`";
        return Err(OpenError::new(format!("{name} is not an access token"), hint));
    }
    Ok(with_bearer(builder, token.to_owned()))
}

fn with_bearer(builder: GoogleCloudStorageBuilder, bearer: String) -> GoogleCloudStorageBuilder {
    builder.with_credentials(Arc::new(StaticCredentialProvider::new(GcpCredential { bearer })))
}

/// Uses a file of credentials, whose `type` says what it holds.
fn with_file(
    builder: GoogleCloudStorageBuilder,
    path: &str,
    what: &str,
    http: &Http,
) -> Result<GoogleCloudStorageBuilder, OpenError> {
    let text = credentials_file::read(path, what)?;
    let invalid = |why: String| {
        let hint = "use the key file of a service account, the file of a workload identity federation, or that of \
                    `gcloud auth application-default login`";
        OpenError::new(format!("`{path}` ({what}) {why}"), hint)
    };
    // The position alone: the text of the error could quote a secret.
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        invalid(format!("is not JSON, at line {} column {}", error.line(), error.column()))
    })?;
    match json["type"].as_str() {
        Some("service_account") => Ok(builder.with_service_account_key(text)),
        Some("external_account") => {
            let account = ExternalAccount::parse(path, json, http.clone())?;
            Ok(builder.with_credentials(Arc::new(account)))
        }
        // Read again by `object_store`.
        Some("authorized_user") => Ok(builder.with_application_credentials(path)),
        Some(other) => Err(invalid(format!("holds credentials of type `{}`", other.escape_debug()))),
        None => Err(invalid("holds no credentials: it has no `type`".to_owned())),
    }
}

/// Returns the file that gcloud writes, if it exists.
fn well_known(environment: &Environment) -> Option<String> {
    let folder = match environment.get("CLOUDSDK_CONFIG") {
        Some(folder) => folder.into(),
        None => environment.home()?.join(".config/gcloud"),
    };
    let file = folder.join("application_default_credentials.json");
    file.is_file().then(|| file.display().to_string())
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
