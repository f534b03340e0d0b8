//! The HTTP client of every store: timeouts, certificates, proxies, and the request counter.
//!
//! It is the layer below `object_store`, which retries and signs requests; so the counter shows the requests actually
//! sent.

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
    Certificate, Method, StatusCode, Url,
    header::{CONTENT_LENGTH, HeaderMap, HeaderValue, IF_RANGE, LOCATION},
    redirect,
};

use super::{
    authorities::{self, NoAuthorities},
    environment::Environment,
    limit::Limit,
    listing,
    pace::Pace,
    proxies::{Proxies, ProxyError, Unusable, VIA_PROXY, ViaProxy},
    requests::Watch,
    response_headers::ResponseHeaders,
    spelling,
    spool::{self, too_slow},
    transport,
};
use crate::digest::Md5Digest;

/// The timeout of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The timeout between two reads. The whole body has a minimum pace ([`Pace`]).
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// The timeout until the response of a request without a body begins.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(150);
/// The timeout of a cloud's metadata service, which responds at once if it exists.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);
/// The most bytes of an error response that are read.
const ERROR_BODY_LIMIT: u64 = 64 << 10;
/// The most bytes of a response that is not an object, such as a page of a listing: a thousand short names.
const RESPONSE_LIMIT: u64 = 64 << 20;
/// The most bytes of a body that are read if neither the request nor the response has a size.
const UNSIZED_LIMIT: u64 = 64 << 20;
/// The most bytes that are counted if a web server announces no size.
const COUNT_LIMIT: u64 = 16 << 30;
/// The hosts of the clouds' metadata services, which provide credentials.
const METADATA_HOSTS: [&str; 3] = ["169.254.169.254", "metadata.google.internal", "metadata"];

/// Creates HTTP clients.
#[derive(Debug, Clone)]
pub(super) struct Http {
    watch: Watch,
    roots: Vec<Certificate>,
    /// Why a file of certificates cannot be used.
    bad_roots: Option<String>,
    /// Why there are no certificates, if there are none.
    no_roots: String,
    proxies: Proxies,
    /// The path of the base URL of a web server that is no object store.
    web: Option<String>,
    /// One that permits plain HTTP and one for TLS only; all stores share their connections.
    clients: Arc<[OnceLock<HttpClient>; 2]>,
}

impl Http {
    /// Reads the certificates and proxies from the environment; the clients count their requests.
    pub(super) fn new(environment: &Environment, watch: Watch) -> Result<Self, Unusable> {
        // Fails if the program has installed a provider already, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (mut roots, mut bad_roots) = (Vec::new(), None);
        for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
            let Some(path) = environment.get(variable) else { continue };
            match certificates(path) {
                Ok(found) => roots.extend(found),
                Err(why) => bad_roots = Some(format!("`{path}` ({variable}): {why}")),
            }
        }
        let no_roots =
            bad_roots.clone().unwrap_or_else(|| authorities::missing(environment.get("SSL_CERT_DIR")));
        let proxies = Proxies::of(environment)?;
        Ok(Self { watch, roots, bad_roots, no_roots, proxies, web: None, clients: Arc::default() })
    }

    /// Refuses files of certificates that cannot be used, unless the server at a URL needs none.
    pub(super) fn require_roots(&self, url: Option<&str>) -> Result<(), Unusable> {
        match &self.bad_roots {
            Some(why) if !is_plain(url) => Err(Unusable(why.clone())),
            _ => Ok(()),
        }
    }

    /// Builds a client; `plain` permits requests without TLS, and `follows` redirects. Also returns whether it trusts any
    /// certificate.
    fn build(&self, plain: bool, follows: bool) -> object_store::Result<(reqwest::Client, bool)> {
        let builder = || {
            let redirects = if follows { redirect::Policy::default() } else { redirect::Policy::none() };
            let client = reqwest::Client::builder()
                .user_agent(concat!("publish/", env!("CARGO_PKG_VERSION")))
                .https_only(!plain)
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(READ_TIMEOUT)
                .redirect(redirects);
            self.proxies.set(client)
        };
        authorities::build(builder, &self.roots)
            .map_err(|error| object_store::Error::Generic { store: "HTTP", source: Box::new(error) })
    }

    /// Adapts the client to a web server that is no object store, by its base URL.
    pub(super) fn for_web(self, url: &str) -> Self {
        let path = Url::parse(url).map(|url| url.path().trim_end_matches('/').to_owned());
        Self { web: Some(path.unwrap_or_default()), ..self }
    }

    /// Returns the client options for `object_store`.
    pub(super) fn options(url: Option<&str>) -> ClientOptions {
        ClientOptions::new().with_allow_http(is_plain(url))
    }

    /// Retries up to six times within a minute.
    pub(super) fn retry() -> RetryConfig {
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            base: 2.,
        };
        RetryConfig { backoff, max_retries: 6, retry_timeout: Duration::from_secs(60) }
    }
}

/// Whether requests to a URL need no TLS.
fn is_plain(url: Option<&str>) -> bool {
    url.is_some_and(|url| url.starts_with("http://"))
}

/// Reads the certificates of a file.
fn certificates(path: &str) -> Result<Vec<Certificate>, String> {
    let pem = crate::regular::read(path.as_ref()).map_err(|error| error.to_string())?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| error.to_string())?;
    if found.is_empty() { Err("it contains no certificate".to_owned()) } else { Ok(found) }
}

impl HttpConnector for Http {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let shared = &self.clients[usize::from(!plain)];
        if let Some(client) = shared.get() {
            return Ok(client.clone());
        }
        let (reader, has_roots) = self.build(plain, true)?;
        let writer = if self.web.is_some() { reader.clone() } else { self.build(plain, false)?.0 };
        let client = HttpClient::new(CountingClient {
            reader,
            writer,
            watch: self.watch.clone(),
            no_roots: (!has_roots).then(|| self.no_roots.clone()),
            proxies: self.proxies.clone(),
            web: self.web.clone(),
        });
        Ok(shared.get_or_init(|| client).clone())
    }
}

/// The MD5 that Azure sends in a header of its own, which `object_store` drops.
#[derive(Debug, Clone, Copy)]
pub(super) struct ContentMd5(pub(super) Md5Digest);

impl ContentMd5 {
    const HEADER: &str = "content-md5";

    /// Parses a digest in base64.
    fn parse(text: &str) -> Option<Self> {
        // The buffer fits 24 base64 characters; a digest has 22 and padding.
        let mut bytes = [0; 18];
        let length = BASE64.decode_slice(text, &mut bytes).ok()?;
        Some(Self(<[u8; 16]>::try_from(&bytes[..length]).ok()?.into()))
    }
}

/// The validator of the object whose rest is requested: if it has changed, the server sends all of the new one.
#[derive(Debug, Clone)]
pub(super) struct IfRange(pub(super) HeaderValue);

/// An HTTP client that counts requests and reads the server's time.
#[derive(Debug)]
struct CountingClient {
    reader: reqwest::Client,
    /// Follows no redirect: that would turn a write into a read, whose success would count as that of the write.
    writer: reqwest::Client,
    watch: Watch,
    /// Why no certificate is trusted.
    no_roots: Option<String>,
    proxies: Proxies,
    web: Option<String>,
}

impl CountingClient {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.watch.counter.count(listing::is_listing(&request));
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        let client = if is_safe { &self.reader } else { &self.writer };
        if request.uri().host().is_some_and(|host| METADATA_HOSTS.contains(&host)) {
            return match tokio::time::timeout(METADATA_TIMEOUT, transport::send(client, request)).await {
                Ok(response) => response.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error)),
                // An error kind that is not retried.
                Err(late) => Err(HttpError::new(HttpErrorKind::Unknown, late)),
            };
        }
        // A server may send interim responses (1xx) for ever. The upload of a body takes its own time.
        let has_no_body = is_safe || *request.method() == Method::DELETE;
        let proxy = self.proxies.of_request(&request);
        let response = if has_no_body {
            let late = |late| HttpError::new(HttpErrorKind::Unknown, late);
            tokio::time::timeout(RESPONSE_TIMEOUT, transport::send(client, request)).await.map_err(late)?
        } else {
            transport::send(client, request).await
        };
        let explained = |error: HttpError| {
            let kind = error.kind();
            let error = match &self.no_roots {
                Some(missing) if authorities::is_distrust(&error) => {
                    HttpError::new(kind, NoAuthorities { missing: missing.clone(), source: error })
                }
                _ => error,
            };
            match (kind, &proxy) {
                (HttpErrorKind::Connect | HttpErrorKind::Timeout, Some(via)) => {
                    HttpError::new(kind, ProxyError { via: via.clone(), source: error })
                }
                _ => error,
            }
        };
        let mut response = response.map_err(explained).map_err(retryable)?;
        self.watch.clock.observe_headers(response.headers());
        if let Some(via) = proxy.filter(|via| via.may_answer) {
            response.extensions_mut().insert(via);
        }
        Ok(response)
    }

    /// Sends a request to a server that may not announce the size of the response; then the body is read to its end
    /// first.
    async fn send_to_web(&self, mut request: HttpRequest, base: &str) -> Result<HttpResponse, HttpError> {
        if let Some(uri) = spelling::as_apt(&request.uri().to_string(), base).and_then(|uri| uri.parse().ok())
        {
            *request.uri_mut() = uri;
        }
        if let Some(IfRange(validator)) = request.extensions().get().cloned() {
            request.headers_mut().insert(IF_RANGE, validator);
        }
        let head = request.method() == Method::HEAD;
        let response = self.send(request.clone()).await?;
        let sized = response.headers().contains_key(CONTENT_LENGTH);
        let fine = if head {
            // 405 and 501: the server does not support HEAD.
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
                let size = length(body).await.map_err(retryable)?;
                parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
            }
            return Ok(HttpResponse::from_parts(parts, Bytes::new().into()));
        }
        // One byte more than the limit shows that there is more.
        let most = limit.map_or(UNSIZED_LIMIT, Limit::get).saturating_add(1);
        let (size, body) = spool::measured(body, most).await.map_err(retryable)?;
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
        Ok(HttpResponse::from_parts(parts, body))
    }
}

#[async_trait::async_trait]
impl HttpService for CountingClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Some(base) = &self.web {
            let response = self.send_to_web(request, base).await?;
            let mut response = if response.status().is_success() {
                response
            } else {
                let (parts, body) = response.into_parts();
                let body = read_limited(body, ERROR_BODY_LIMIT).await.map_err(retryable)?;
                let body = with_proxy(as_text(body), parts.extensions.get());
                HttpResponse::from_parts(parts, body.into())
            };
            let served = ResponseHeaders::of(response.headers());
            response.extensions_mut().insert(served);
            return Ok(response);
        }
        let listing = listing::is_listing(&request);
        let is_read = request.method() == reqwest::Method::GET;
        let mut response = self.send(request).await?;
        let md5 = response.headers().get(ContentMd5::HEADER).and_then(|value| value.to_str().ok());
        if let Some(md5) = md5.and_then(ContentMd5::parse) {
            response.extensions_mut().insert(md5);
        }
        let is_success = response.status().is_success();
        if is_success && is_read && !listing {
            // An object, passed on as a stream; after a broken connection, the rest is requested.
            return Ok(response);
        }
        // Read here, so that a truncated response counts as a broken connection, which is retried.
        let (mut parts, body) = response.into_parts();
        let most = if is_success { RESPONSE_LIMIT } else { ERROR_BODY_LIMIT };
        let body = read_limited(body, most).await.map_err(retryable)?;
        let body = if is_success && listing { listing::without_invalid_keys(body) } else { body };
        let body = if is_success { body } else { as_text(body) };
        let (status, body) = with_region(parts.status, &parts.headers, body);
        parts.status = status;
        let body = if is_success { body } else { with_proxy(body, parts.extensions.get()) };
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

/// Replaces what is not UTF-8: `object_store` reads an error body as text, and would fail.
fn as_text(body: Bytes) -> Bytes {
    match std::str::from_utf8(&body) {
        Ok(_) => body,
        Err(_) => String::from_utf8_lossy(&body).into_owned().into(),
    }
}

/// Puts the proxy that may have answered before the body, the only part of an error response that `object_store` keeps.
/// A server cannot name one.
fn with_proxy(body: Bytes, via: Option<&ViaProxy>) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    match via {
        Some(via) => format!("<{VIA_PROXY}>{via}</{VIA_PROXY}>{text}").into(),
        None if text.contains(VIA_PROXY) => text.replace(VIA_PROXY, "").into(),
        None => body,
    }
}

/// Returns another status for a redirect, because `object_store` drops its body, which names the region of the bucket;
/// the answer to HEAD has no body, and names the region in a header.
fn with_region(status: StatusCode, headers: &HeaderMap, body: Bytes) -> (StatusCode, Bytes) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_name = |text: &&str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let region = header("x-amz-bucket-region").filter(is_name);
    let is_redirect = status.is_redirection() && status != StatusCode::NOT_MODIFIED;
    let is_silent = status == StatusCode::BAD_REQUEST && body.is_empty() && region.is_some();
    if !is_redirect && !is_silent {
        return (status, body);
    }
    let mut text = String::from_utf8_lossy(&body).into_owned();
    if !text.contains("<Code>") {
        text.push_str("<Code>PermanentRedirect</Code>");
    }
    if let Some(region) = region.filter(|_| !text.contains("<Region>")) {
        text.extend(["<Region>", region, "</Region>"]);
    }
    // Only the server: the query may hold a signature.
    let address = header(LOCATION.as_str()).and_then(|address| Url::parse(address).ok());
    if let Some(address) = address.filter(Url::has_host) {
        text.extend(["<Location>", &address.origin().ascii_serialization(), "</Location>"]);
    }
    (StatusCode::MISDIRECTED_REQUEST, text.into())
}

/// Reads a body up to a limit.
pub(super) async fn read_limited(mut body: HttpResponseBody, most: u64) -> Result<Bytes, HttpError> {
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
    while size < COUNT_LIMIT
        && let Some(frame) = body.frame().await
    {
        let piece = frame?.into_data().map_or(0, |piece| piece.len() as u64);
        size = pace.count(piece).map_err(too_slow)?;
    }
    Ok(size)
}

/// A broken connection is retried for every request: writes are idempotent, and a conditional write that fails on the
/// retry is resolved by its caller. An unknown host name and an untrusted certificate are permanent.
fn retryable(error: HttpError) -> HttpError {
    let is_permanent = || {
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
        _ if is_permanent() => HttpError::new(HttpErrorKind::Unknown, error),
        HttpErrorKind::Timeout | HttpErrorKind::Interrupted => HttpError::new(HttpErrorKind::Request, error),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_a_redirect_is_kept() {
        let region = ("x-amz-bucket-region", "eu-west-1");
        let moved = ("location", "https://s3.example.org:8443/a?X-Amz-Signature=secret");
        for (status, headers, body, expected) in [
            (301, vec![region], "", Some("<Code>PermanentRedirect</Code><Region>eu-west-1</Region>")),
            (
                307,
                vec![],
                "<Code>Other</Code><Region>x</Region>",
                Some("<Code>Other</Code><Region>x</Region>"),
            ),
            (400, vec![region], "", Some("<Code>PermanentRedirect</Code><Region>eu-west-1</Region>")),
            (
                302,
                vec![moved],
                "",
                Some("<Code>PermanentRedirect</Code><Location>https://s3.example.org:8443</Location>"),
            ),
            (400, vec![region], "<Code>Other</Code>", None),
            (304, vec![region], "", None),
            (200, vec![region], "", None),
            (403, vec![("x-amz-bucket-region", "$(x)")], "", None),
        ] {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let headers: HeaderMap = headers.into_iter().collect();
            let before = StatusCode::from_u16(status).unwrap();
            let (after, text) = with_region(before, &headers, Bytes::from_static(body.as_bytes()));
            match expected {
                Some(expected) => assert_eq!((after.as_u16(), &text[..]), (421, expected.as_bytes())),
                None => assert_eq!((after, &text[..]), (before, body.as_bytes())),
            }
        }
    }

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
