//! The HTTP client of every store: one place for time limits, certificates, proxies, and for counting.
//!
//! It stands below `object_store`, which repeats requests and signs them; so what is counted here was really sent.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
        HttpService,
    },
};
use reqwest::{
    Certificate, Method, NoProxy, Proxy,
    header::{CONTENT_LENGTH, HeaderValue},
};

use super::{
    environment::Environment,
    limit::Limit,
    listing,
    pace::Pace,
    requests::Watch,
    response_headers::ResponseHeaders,
    spool::{self, too_slow},
};
use crate::digest::Md5Digest;

/// A connection is there after so long, or never will be.
const CONNECT: Duration = Duration::from_secs(10);
/// A server that says nothing for so long says nothing any more. A whole body is held to its pace ([`Pace`]).
const SILENCE: Duration = Duration::from_secs(60);
/// An answer to a request without a body begins within so long, or never.
const ANSWERS_WITHIN: Duration = Duration::from_secs(150);
/// The metadata service of a cloud answers at once, or this machine is in none.
const METADATA: Duration = Duration::from_secs(2);
/// So much of what a server says of a failure is read.
const COMPLAINT: u64 = 64 << 10;
/// What a server answers where no object is read, such as a page of a listing: a thousand names, which are short.
const ANSWER: u64 = 64 << 20;
/// What is read where nothing says how much is wanted or how much will come.
const UNSIZED: u64 = 64 << 20;
/// Where a web server tells no size, no more bytes than this are counted.
const COUNTED: u64 = 16 << 30;
/// Where clouds tell a machine its credentials.
const METADATA_HOSTS: [&str; 3] = ["169.254.169.254", "metadata.google.internal", "metadata"];

/// What clients are made from.
#[derive(Debug, Clone)]
pub(super) struct Http {
    watch: Watch,
    roots: Vec<Certificate>,
    proxies: Vec<Proxy>,
    web: bool,
    /// One without and one with TLS alone: all who ask share its connections.
    clients: Arc<[OnceLock<HttpClient>; 2]>,
}

/// Says why no client can be made.
#[derive(Debug)]
pub(super) struct Unusable(pub(super) String);

impl Http {
    /// What the environment says of certificates and proxies; a client counts what it sends.
    pub(super) fn new(environment: &Environment, watch: Watch) -> Result<Self, Unusable> {
        // Fails where the program has chosen one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = Vec::new();
        for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
            if let Some(path) = environment.get(variable) {
                let bad = |error: &dyn std::fmt::Display| Unusable(format!("`{path}` ({variable}): {error}"));
                let pem = crate::regular::read(path.as_ref()).map_err(|error| bad(&error))?;
                let found = Certificate::from_pem_bundle(&pem).map_err(|error| bad(&error))?;
                if found.is_empty() {
                    return Err(bad(&"there is no certificate in it"));
                }
                roots.extend(found);
            }
        }
        Ok(Self { watch, roots, proxies: proxies(environment)?, web: false, clients: Arc::default() })
    }

    /// For servers that know nothing of object stores.
    pub(super) fn for_web(self) -> Self {
        Self { web: true, ..self }
    }

    /// What `object_store` is told of clients.
    pub(super) fn options(url: Option<&str>) -> ClientOptions {
        ClientOptions::new().with_allow_http(url.is_some_and(|url| url.starts_with("http://")))
    }

    /// What is worth a repetition gets six, within a minute.
    pub(super) fn retry() -> RetryConfig {
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            base: 2.,
        };
        RetryConfig { backoff, max_retries: 6, retry_timeout: Duration::from_secs(60) }
    }
}

/// The proxies that the usual variables name.
fn proxies(environment: &Environment) -> Result<Vec<Proxy>, Unusable> {
    let without = environment.first_of(&["no_proxy", "NO_PROXY"]).and_then(NoProxy::from_string);
    let mut proxies = Vec::new();
    for (names, make) in [
        (&["https_proxy", "HTTPS_PROXY"][..], Proxy::https as fn(String) -> reqwest::Result<Proxy>),
        // Not HTTP_PROXY: in a CGI script that is a header of whoever asks.
        (&["http_proxy"], Proxy::http),
        (&["all_proxy", "ALL_PROXY"], Proxy::all),
    ] {
        if let Some(url) = environment.first_of(names) {
            // Not the text itself: it may hold a password.
            let bad = |error| Unusable(format!("the proxy in `{}`: {error}", names[0]));
            proxies.push(make(url.to_owned()).map_err(bad)?.no_proxy(without.clone()));
        }
    }
    Ok(proxies)
}

impl HttpConnector for Http {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let shared = &self.clients[usize::from(!plain)];
        if let Some(client) = shared.get() {
            return Ok(client.clone());
        }
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("publish/", env!("CARGO_PKG_VERSION")))
            .https_only(!plain)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .tls_certs_merge(self.roots.clone())
            .no_proxy();
        for proxy in &self.proxies {
            client = client.proxy(proxy.clone());
        }
        let client = client
            .build()
            .map_err(|error| object_store::Error::Generic { store: "HTTP", source: Box::new(error) })?;
        let client = HttpClient::new(Counted { client, watch: self.watch.clone(), web: self.web });
        Ok(shared.get_or_init(|| client).clone())
    }
}

/// The MD5 that Azure tells in a header of its own, for `object_store` hands on none.
#[derive(Debug, Clone, Copy)]
pub(super) struct ContentMd5(pub(super) Md5Digest);

impl ContentMd5 {
    const HEADER: &str = "content-md5";

    /// Reads a digest in base64.
    fn parse(text: &str) -> Option<Self> {
        // Room for 24 digits, of which a digest fills 22.
        let mut bytes = [0; 18];
        let length = BASE64.decode_slice(text, &mut bytes).ok()?;
        Some(Self(<[u8; 16]>::try_from(&bytes[..length]).ok()?.into()))
    }
}

/// A client that counts what it sends, and hears what time it is there.
#[derive(Debug)]
struct Counted {
    client: reqwest::Client,
    watch: Watch,
    web: bool,
}

impl Counted {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.watch.counter.count(listing::is_asked(&request));
        if request.uri().host().is_some_and(|host| METADATA_HOSTS.contains(&host)) {
            return match tokio::time::timeout(METADATA, self.client.call(request)).await {
                Ok(response) => response.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error)),
                // A kind that is not tried again.
                Err(late) => Err(HttpError::new(HttpErrorKind::Unknown, late)),
            };
        }
        // A server may send one interim answer (1xx) after the other, for ever. What is sent with a body takes its time.
        let sends_nothing = matches!(*request.method(), Method::GET | Method::HEAD | Method::DELETE);
        let response = if sends_nothing {
            let late = |late| HttpError::new(HttpErrorKind::Unknown, late);
            tokio::time::timeout(ANSWERS_WITHIN, self.client.call(request)).await.map_err(late)?
        } else {
            self.client.call(request).await
        };
        let response = response.map_err(worth_repeating)?;
        self.watch.clock.heard(response.headers());
        Ok(response)
    }

    /// Asks a server that may not tell the size of what it sends; then it is read to its end.
    async fn send_to_web(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // In a path `+` is itself, but there are servers that make a space of it; apt encodes it too.
        let uri = request.uri().to_string().replace('+', "%2B");
        if let Ok(uri) = uri.parse() {
            *request.uri_mut() = uri;
        }
        let head = request.method() == Method::HEAD;
        let response = self.send(request.clone()).await?;
        let sized = response.headers().contains_key(CONTENT_LENGTH);
        let fine = if head {
            // 405 and 501: it knows no HEAD.
            sized && response.status().is_success()
                || !(response.status().is_success() || [405, 501].contains(&response.status().as_u16()))
        } else {
            sized || !response.status().is_success()
        };
        if fine {
            return Ok(response);
        }
        let limit = request.extensions().get::<Limit>().copied();
        let response = if head {
            *request.method_mut() = Method::GET;
            let response = self.send(request).await?;
            if !response.status().is_success() {
                return Ok(response);
            }
            response
        } else {
            response
        };
        let (mut parts, body) = response.into_parts();
        if head {
            if !parts.headers.contains_key(CONTENT_LENGTH) {
                let size = length(body).await.map_err(worth_repeating)?;
                parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
            }
            return Ok(HttpResponse::from_parts(parts, Bytes::new().into()));
        }
        // One byte more than is read at most says that there is more.
        let most = limit.map_or(UNSIZED, Limit::get).saturating_add(1);
        let (size, body) = spool::measured(body, most).await.map_err(worth_repeating)?;
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
        Ok(HttpResponse::from_parts(parts, body))
    }
}

#[async_trait::async_trait]
impl HttpService for Counted {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if self.web {
            let response = self.send_to_web(request).await?;
            let mut response = if response.status().is_success() {
                response
            } else {
                let (parts, body) = response.into_parts();
                let body = up_to(body, COMPLAINT).await.map_err(worth_repeating)?;
                HttpResponse::from_parts(parts, body.into())
            };
            let served = ResponseHeaders::of(response.headers());
            response.extensions_mut().insert(served);
            return Ok(response);
        }
        let listing = listing::is_asked(&request);
        let is_read = request.method() == reqwest::Method::GET;
        let mut response = self.send(request).await?;
        let md5 = response.headers().get(ContentMd5::HEADER).and_then(|value| value.to_str().ok());
        if let Some(md5) = md5.and_then(ContentMd5::parse) {
            response.extensions_mut().insert(md5);
        }
        let is_success = response.status().is_success();
        if is_success && is_read && !listing {
            // An object, which is handed on as it comes; where it breaks off, the rest is asked for.
            return Ok(response);
        }
        // Read here, an answer that breaks off is one more broken connection, which is worth another try.
        let (parts, body) = response.into_parts();
        let most = if is_success { ANSWER } else { COMPLAINT };
        let body = up_to(body, most).await.map_err(worth_repeating)?;
        let body = if is_success && listing { listing::without_foreign(body) } else { body };
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

/// Reads a body, and no more of it than so many bytes.
async fn up_to(mut body: HttpResponseBody, most: u64) -> Result<Bytes, HttpError> {
    let (mut read, mut pace) = (BytesMut::new(), Pace::begin());
    while (read.len() as u64) < most {
        let Some(frame) = body.frame().await else { break };
        if let Ok(piece) = frame?.into_data() {
            pace.count(piece.len() as u64).map_err(too_slow)?;
            let left = usize::try_from(most - read.len() as u64).unwrap_or(usize::MAX);
            read.extend_from_slice(&piece[..piece.len().min(left)]);
        }
    }
    Ok(read.freeze())
}

/// Counts the bytes of a body, up to a size that no file of an archive has.
async fn length(mut body: HttpResponseBody) -> Result<u64, HttpError> {
    let (mut size, mut pace) = (0, Pace::begin());
    while size < COUNTED
        && let Some(frame) = body.frame().await
    {
        let piece = frame?.into_data().map_or(0, |piece| piece.len() as u64);
        size = pace.count(piece).map_err(too_slow)?;
    }
    Ok(size)
}

/// A broken connection is worth another try whatever was asked: what is written twice is the same both times, and a
/// conditional write that is refused the second time is looked at by who asked for it. A name that nobody knows and a
/// certificate that is not trusted will be the same in a minute.
fn worth_repeating(error: HttpError) -> HttpError {
    let hopeless = || {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(inner) = cause {
            let text = inner.to_string();
            if text.contains("certificate") || text.contains("Name or service not known") {
                return true;
            }
            cause = inner.source();
        }
        false
    };
    match error.kind() {
        _ if hopeless() => HttpError::new(HttpErrorKind::Unknown, error),
        HttpErrorKind::Timeout | HttpErrorKind::Interrupted => HttpError::new(HttpErrorKind::Request, error),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_in_base64() {
        let read = |text| ContentMd5::parse(text).map(|md5| md5.0.to_string());
        assert_eq!(read("1B2M2Y8AsgTpgAmY7PhCfg==").as_deref(), Some("d41d8cd98f00b204e9800998ecf8427e"));
        assert_eq!(read("/////////////////////w==").as_deref(), Some(&"f".repeat(32)[..]));
        for bad in ["", "==", "1B2M2Y8AsgTpgAmY7PhCfg", "1B2M2Y8AsgTpgAmY7PhC-g==", "éééééééééééé=="]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
