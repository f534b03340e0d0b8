//! The checksum headers of S3 (`x-amz-checksum-…`), for servers that reject them.
//!
//! They are sent beside the signature, so that the server stores the checksum and rejects bytes that were damaged in
//! transit; the signature covers the SHA-256 of the body too, so nothing is lost without them. Some servers reject the
//! headers, on every request or only on the parts of a large upload. Such a request is signed and sent again without
//! them, and later requests are sent without them at once.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};
use reqwest::{StatusCode, header::AUTHORIZATION};

use super::copy::Sign;
use crate::store::http::Http;

/// The headers, by the beginnings of their names.
const HEADERS: [&str; 2] = ["x-amz-checksum-", "x-amz-sdk-checksum-"];
/// Codes of an error that is about the bytes, and not about the header: the server understood the checksum.
const OF_THE_BYTES: [&str; 6] = [
    "<Code>BadDigest<",
    "<Code>InvalidDigest<",
    "<Code>XAmzContentSHA256Mismatch<",
    "<Code>XAmzContentChecksumMismatch<",
    "<Code>IncompleteBody<",
    "<Code>RequestTimeout<",
];

/// Creates HTTP clients that drop the headers where the server rejects them.
#[derive(Debug, Clone)]
pub(super) struct Checksums {
    http: Http,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Signs a request again; known once the store is open.
    signer: OnceLock<Box<dyn Sign>>,
    dropped: AtomicBool,
}

impl Checksums {
    /// Sends the headers until the server rejects them, or never.
    pub(super) fn new(http: Http, sent: bool) -> Self {
        let shared = Shared { signer: OnceLock::new(), dropped: AtomicBool::new(!sent) };
        Self { http, shared: Arc::new(shared) }
    }

    /// Sets the signer of requests to the bucket.
    pub(super) fn sign_with(&self, signer: impl Sign) {
        // Set once, by the only caller.
        let _ = self.shared.signer.set(Box::new(signer));
    }
}

impl HttpConnector for Checksums {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = self.http.connect(options)?;
        Ok(HttpClient::new(Dropping { inner, shared: Arc::clone(&self.shared) }))
    }
}

/// A client that drops the headers where the server rejects them.
#[derive(Debug)]
struct Dropping {
    inner: HttpClient,
    shared: Arc<Shared>,
}

#[async_trait::async_trait]
impl HttpService for Dropping {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let Some(signer) = self.shared.signer.get().filter(|_| has_checksum(&request)) else {
            return self.inner.execute(request).await;
        };
        if self.shared.dropped.load(Relaxed) {
            return self.inner.execute(without(request, &**signer).await?).await;
        }
        let answer = self.inner.execute(request.clone()).await?;
        if !matches!(answer.status(), StatusCode::BAD_REQUEST | StatusCode::NOT_IMPLEMENTED) {
            return Ok(answer);
        }
        let (parts, body) = answer.into_parts();
        let body = body.bytes().await?;
        let text = String::from_utf8_lossy(&body);
        if OF_THE_BYTES.iter().any(|code| text.contains(code)) {
            return Ok(HttpResponse::from_parts(parts, body.into()));
        }
        let plain = self.inner.execute(without(request, &**signer).await?).await?;
        // The answer to the plain request is the one that counts; only another answer shows that the header was the
        // cause.
        if plain.status() != parts.status {
            self.shared.dropped.store(true, Relaxed);
        }
        Ok(plain)
    }
}

fn is_checksum(name: &str) -> bool {
    HEADERS.iter().any(|header| name.starts_with(header))
}

fn has_checksum(request: &HttpRequest) -> bool {
    request.headers().keys().any(|name| is_checksum(name.as_str()))
}

/// Removes the headers, and signs the request again: the signature covers every header.
async fn without(mut request: HttpRequest, signer: &dyn Sign) -> Result<HttpRequest, HttpError> {
    let names: Vec<_> = request.headers().keys().filter(|name| is_checksum(name.as_str())).cloned().collect();
    for name in names {
        request.headers_mut().remove(name);
    }
    request.headers_mut().remove(AUTHORIZATION);
    signer.sign(&mut request).await.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
    Ok(request)
}
