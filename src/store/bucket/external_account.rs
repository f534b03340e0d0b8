//! Workload identity federation: exchanges the identity token of a job for an access token of Google
//! (<https://google.aip.dev/auth/4117>, RFC 8693), and that for one of a service account where the file names one.
//!
//! `google-github-actions/auth` writes such a file. Its URLs are used as they are; a source of the token that runs a
//! program is not supported.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::Request;
use object_store::{
    CredentialProvider,
    client::{HttpConnector as _, HttpErrorKind, HttpRequest, HttpRequestBody},
    gcp::GcpCredential,
};
use reqwest::{
    StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE},
};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::{credentials_file, opened::OpenError};
use crate::store::{
    http::{Http, read_limited},
    login::LoginError,
    retry::{RetryPolicy, is_retryable},
};

/// The scope of the access token; the roles of the account limit it further.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The most bytes of a response.
const RESPONSE_LIMIT: u64 = 1 << 20;
/// The lifetime of the token of a service account, unless the file says otherwise.
const LIFETIME: u64 = 60 * 60;
/// A token is renewed this long before it expires, so that it outlives the requests and their retries.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// The most characters of a response that an error shows.
const SHOWN: usize = 300;

/// The account of a workload, and its current access token.
pub(super) struct ExternalAccount {
    path: String,
    file: File,
    http: Http,
    current: Mutex<Option<Token>>,
}

/// The file, as gcloud and GitHub's action write it.
#[derive(Deserialize)]
struct File {
    audience: String,
    subject_token_type: String,
    token_url: String,
    credential_source: Source,
    service_account_impersonation_url: Option<String>,
    #[serde(default)]
    service_account_impersonation: Impersonation,
}

/// Where the identity token of the job is: in a file, or at a URL.
#[derive(Deserialize)]
struct Source {
    file: Option<String>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: Option<String>,
    subject_token_field_name: Option<String>,
}

#[derive(Default, Deserialize)]
struct Impersonation {
    token_lifetime_seconds: Option<u64>,
}

/// An access token and the end of its life.
struct Token {
    credential: Arc<GcpCredential>,
    renewed: Instant,
}

/// The answer of the token exchange.
#[derive(Deserialize)]
struct Exchanged {
    access_token: String,
    expires_in: Option<u64>,
}

/// The answer of an impersonation.
#[derive(Deserialize)]
struct Impersonated {
    #[serde(rename = "accessToken")]
    access_token: String,
}

/// A step of the login, for its errors.
#[derive(Clone, Copy)]
enum Step {
    Identity,
    Exchange,
    Impersonation,
}

impl Step {
    fn failed(self) -> &'static str {
        match self {
            Self::Identity => "cannot get the identity token of this job",
            Self::Exchange => "cannot exchange the identity token of this job for an access token",
            Self::Impersonation => "cannot get an access token of the service account",
        }
    }

    fn hint(self, path: &str) -> String {
        match self {
            Self::Identity => format!(
                "in GitHub Actions, give the job `permissions: id-token: write` and run google-github-actions/auth in the \
                 same job, since `{path}` holds a token of that job alone"
            ),
            Self::Exchange => format!(
                "compare `audience` in `{path}` with the workload identity provider, and the identity of this job with its \
                 attribute condition"
            ),
            Self::Impersonation => {
                "give the identity of this job the role `Workload Identity User` \
                 (roles/iam.workloadIdentityUser) on the service account, and enable the IAM Service Account Credentials API"
                    .to_owned()
            }
        }
    }
}

impl std::fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalAccount").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ExternalAccount {
    /// Reads the content of a file of this type.
    pub(super) fn parse(path: &str, json: serde_json::Value, http: Http) -> Result<Self, OpenError> {
        let invalid = |why: String| {
            let hint =
                "create it again, such as with `gcloud iam workload-identity-pools create-cred-config`";
            OpenError::new(format!("`{path}` {why}"), hint)
        };
        let source = &json["credential_source"];
        for key in ["executable", "environment_id", "certificate"] {
            if !source[key].is_null() {
                return Err(OpenError::new(
                    format!("`{path}` gets the identity token by `{key}`, which is not supported"),
                    "use a `file` or a `url` as `credential_source`, or set GOOGLE_OAUTH_ACCESS_TOKEN to the output of \
                     `gcloud auth print-access-token`",
                ));
            }
        }
        // The text of the error names the missing field.
        let file: File = serde_json::from_value(json)
            .map_err(|error| invalid(format!("is not a file of a workload identity: {error}")))?;
        if file.credential_source.file.is_none() && file.credential_source.url.is_none() {
            return Err(invalid("names neither a `file` nor a `url` with the identity token".to_owned()));
        }
        let urls = [Some(&file.token_url), file.credential_source.url.as_ref()];
        for url in urls.into_iter().chain([file.service_account_impersonation_url.as_ref()]).flatten() {
            let is_web = |url: Url| matches!(url.scheme(), "http" | "https") && url.has_host();
            if !Url::parse(url).is_ok_and(is_web) {
                return Err(invalid(format!(
                    "names `{}`, which is not an `http://` or `https://` URL",
                    url.escape_debug()
                )));
            }
        }
        Ok(Self { path: path.to_owned(), file, http, current: Mutex::default() })
    }

    /// Gets a new access token.
    async fn log_in(&self) -> object_store::Result<Token> {
        let identity = self.identity().await?;
        let exchanged = self.exchange(&identity).await?;
        let Some(url) = &self.file.service_account_impersonation_url else {
            return Ok(Token::new(exchanged.access_token, exchanged.expires_in.unwrap_or(LIFETIME)));
        };
        let lifetime = self.file.service_account_impersonation.token_lifetime_seconds.unwrap_or(LIFETIME);
        let body = serde_json::json!({ "scope": [SCOPE], "lifetime": format!("{lifetime}s") }).to_string();
        let bearer = format!("Bearer {}", exchanged.access_token);
        let headers = [(AUTHORIZATION.as_str(), &bearer[..]), (CONTENT_TYPE.as_str(), "application/json")];
        let answer = self.request(Step::Impersonation, url, &headers, Some(body)).await?;
        let Impersonated { access_token } = self.parsed(Step::Impersonation, &answer)?;
        Ok(Token::new(access_token, lifetime))
    }

    /// Reads the identity token of the job.
    async fn identity(&self) -> object_store::Result<String> {
        let Source { file, url, headers, .. } = &self.file.credential_source;
        let bytes = match (file, url) {
            (Some(file), _) => {
                let read = credentials_file::read(file, "the identity token of this job");
                read.map_err(|error| self.failed(Step::Identity, &error.why, false))?.into()
            }
            (None, Some(url)) => {
                let headers: Vec<(&str, &str)> =
                    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                self.request(Step::Identity, url, &headers, None).await?
            }
            (None, None) => Bytes::new(),
        };
        let format = &self.file.credential_source.format;
        let token = if format.kind.as_deref() == Some("json") {
            let field = format.subject_token_field_name.as_deref().unwrap_or("access_token");
            let json: serde_json::Value = self.parsed(Step::Identity, &bytes)?;
            json[field].as_str().unwrap_or_default().to_owned()
        } else {
            String::from_utf8_lossy(&bytes).trim().to_owned()
        };
        if token.is_empty() {
            return Err(self.failed(Step::Identity, "the response contains none", false));
        }
        Ok(token)
    }

    /// Exchanges the identity token for an access token (RFC 8693, 2.1).
    async fn exchange(&self, identity: &str) -> object_store::Result<Exchanged> {
        let File { audience, subject_token_type, token_url, .. } = &self.file;
        // The query of a URL has the encoding of a form.
        let mut form = Url::parse("http://form/")
            .map_err(|error| self.failed(Step::Exchange, &error.to_string(), false))?;
        form.query_pairs_mut()
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .append_pair("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")
            .append_pair("audience", audience)
            .append_pair("scope", SCOPE)
            .append_pair("subject_token_type", subject_token_type)
            .append_pair("subject_token", identity);
        let body = form.query().unwrap_or_default().to_owned();
        let headers = [(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
        let answer = self.request(Step::Exchange, token_url, &headers, Some(body)).await?;
        self.parsed(Step::Exchange, &answer)
    }

    /// Sends a request, with retries: a POST if there is a body.
    async fn request(
        &self,
        step: Step,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> object_store::Result<Bytes> {
        RetryPolicy::default().run(|| self.request_once(step, url, headers, body.as_ref())).await
    }

    /// Sends a request once; the inner error is transient.
    async fn request_once(
        &self,
        step: Step,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&String>,
    ) -> object_store::Result<object_store::Result<Bytes>> {
        let host = Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let mut request = match body {
            Some(body) => Request::post(url).header(CONTENT_LENGTH, body.len()),
            None => Request::get(url),
        };
        request = request.header(ACCEPT, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(HttpRequestBody::empty, |body| body.clone().into());
        let request: HttpRequest =
            request.body(body).map_err(|error| self.failed(step, &error.to_string(), false))?;
        let client = self.http.connect(&Http::options(Some(url)))?;
        let unreachable = |source| {
            let source = Unreachable { doing: step.failed(), host: host.clone(), source };
            object_store::Error::Generic { store: "GCS", source: Box::new(source) }
        };
        let answer = match client.execute(request).await {
            Ok(answer) => answer,
            Err(error) => {
                let transient = matches!(error.kind(), HttpErrorKind::Connect | HttpErrorKind::Request);
                let error = unreachable(error);
                return if transient { Ok(Err(error)) } else { Err(error) };
            }
        };
        let status = answer.status();
        let body = match read_limited(answer.into_body(), RESPONSE_LIMIT).await {
            Ok(body) => body,
            Err(error) => return Ok(Err(unreachable(error))),
        };
        if status.is_success() {
            return Ok(Ok(body));
        }
        let why = format!("`{host}` answered {}", error_text(status, &body));
        let transient = is_retryable(status);
        let error = self.failed(step, &why, transient);
        if transient { Ok(Err(error)) } else { Err(error) }
    }

    fn parsed<T: serde::de::DeserializeOwned>(&self, step: Step, body: &[u8]) -> object_store::Result<T> {
        // The position alone: the answer holds a secret.
        serde_json::from_slice(body).map_err(|error| {
            let why = format!("the answer is invalid at line {} column {}", error.line(), error.column());
            self.failed(step, &why, false)
        })
    }

    fn failed(&self, step: Step, why: &str, transient: bool) -> object_store::Error {
        let (text, hint) = (format!("{}: {why}", step.failed()), step.hint(&self.path));
        object_store::Error::Generic { store: "GCS", source: Box::new(LoginError { text, hint, transient }) }
    }
}

impl Token {
    fn new(bearer: String, seconds: u64) -> Self {
        let lifetime = Duration::from_secs(seconds.min(24 * 60 * 60));
        // Half of a short life.
        let renewed = Instant::now() + lifetime.saturating_sub(MARGIN).max(lifetime / 2);
        Self { credential: Arc::new(GcpCredential { bearer }), renewed }
    }
}

#[async_trait::async_trait]
impl CredentialProvider for ExternalAccount {
    type Credential = GcpCredential;

    /// Returns the current token, or a new one; requests that need a new one wait for the same login.
    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| Instant::now() < token.renewed) {
            return Ok(Arc::clone(&token.credential));
        }
        let token = self.log_in().await?;
        Ok(Arc::clone(&current.insert(token).credential))
    }
}

/// A login server that cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("{doing} at `{host}`")]
struct Unreachable {
    doing: &'static str,
    host: String,
    source: object_store::client::HttpError,
}

/// Returns the status and the reason in an answer: those of OAuth (RFC 6749, 5.2) and of Google's interfaces.
fn error_text(status: StatusCode, body: &[u8]) -> String {
    // The name of a proxy may be before it.
    let start = body.iter().position(|byte| *byte == b'{').unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(&body[start..]).unwrap_or_default();
    let error = &json["error"];
    let texts = [&error["status"], error, &error["message"], &json["error_description"], &json["message"]];
    let texts: Vec<&str> = texts.into_iter().filter_map(serde_json::Value::as_str).collect();
    let reason: String = texts.join(": ").chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if reason.is_empty() { status.to_string() } else { format!("{status}: {reason}") }
}
