//! HTTP requests of the Swift client: retried, with a timeout, and counted.
//!
//! Has no notion of tokens; [`super::client`] adds them.

use std::{
    convert::Infallible,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{HeaderMap, RETRY_AFTER},
};
use tokio::time::{Instant, sleep, timeout};

use super::error::Error;
use crate::store::{
    authorities,
    pace::Pace,
    requests::Watch,
    retry::{RetryPolicy, is_retryable},
};

/// Bodies are sent in pieces of this size, so that progress can be observed.
const PIECE: usize = 64 << 10;
/// The most bytes of an error response that are read.
const TEXT: usize = 64 << 10;
/// The most bytes of a response that is not an object: a page of ten thousand names, a catalogue.
const ANSWER: usize = 64 << 20;

/// One request.
#[derive(Clone)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether it counts as a listing.
    pub(super) listing: bool,
    /// Whether the body of a successful response is left as a stream.
    pub(super) stream: bool,
    /// Whether the server works for long before it responds.
    pub(super) slow: bool,
}

/// A response of the server.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The whole body, unless it is a stream.
    pub(super) body: Bytes,
    /// The body as a stream, if requested.
    pub(super) rest: Option<Response>,
}

impl Answer {
    /// Returns a header as text; `None` if it is not text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Converts an unexpected response to an error; `object` is the container with the object in it.
    pub(super) fn error(&self, object: &str) -> Error {
        let object = object.to_owned();
        match self.status {
            StatusCode::UNAUTHORIZED => Error::Token { object },
            StatusCode::FORBIDDEN => Error::Forbidden { object },
            StatusCode::NOT_FOUND => Error::NoObject { object },
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::INSUFFICIENT_STORAGE => {
                Error::Full { object, status: self.status.as_u16(), text: self.text() }
            }
            StatusCode::UNPROCESSABLE_ENTITY => Error::Damaged { object },
            status => Error::Refused { object, status: status.to_string(), text: self.text() },
        }
    }

    /// Returns the server's error text in one line.
    pub(super) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let mut plain = String::new();
        let mut in_tag = false;
        for c in text.chars() {
            match c {
                '<' => in_tag = true,
                '>' => {
                    in_tag = false;
                    plain.push(' ');
                }
                c if in_tag || c.is_control() && !c.is_whitespace() => {}
                c => plain.push(c),
            }
        }
        let words: Vec<_> = plain.split_whitespace().collect();
        words.join(" ").chars().take(200).collect()
    }
}

/// Sends requests.
pub(super) struct Wire {
    http: reqwest::Client,
    /// Whether it trusts any certificate.
    has_roots: bool,
    pub(super) watch: Watch,
    pub(super) retry: RetryPolicy,
}

impl Wire {
    /// Creates a wire that trusts the system's certificate authorities, and those of a file if there is one.
    pub(super) fn new(authorities: Option<&Path>, retry: RetryPolicy, watch: Watch) -> Result<Self, Error> {
        // The first provider that is installed is used, and all callers here install the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(10))
                // A token must not be sent to another host.
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("publish/", env!("CARGO_PKG_VERSION")))
        };
        let mut roots = Vec::new();
        let bad = |why: String| match authorities {
            Some(path) => {
                Error::BadValue { name: "OS_CACERT".into(), value: path.display().to_string(), why }
            }
            None => Error::Login { url: "the network".into(), why },
        };
        if let Some(path) = authorities {
            let pem = crate::regular::read(path).map_err(|error| bad(error.to_string()))?;
            let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| bad(chain(&error)))?;
            if found.is_empty() {
                return Err(bad("it contains no certificate".into()));
            }
            roots = found;
        }
        let (http, has_roots) = authorities::build(builder, &roots).map_err(|error| bad(chain(&error)))?;
        Ok(Self { http, has_roots, watch, retry })
    }

    /// Sends a request, with retries; returns any status.
    pub(super) async fn send(&self, request: &Outgoing) -> Result<Answer, Error> {
        let since = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = match self.once(request).await {
                Ok(answer) if !is_retryable(answer.status) => return Ok(answer),
                other => other,
            };
            let requested =
                answer.as_ref().ok().and_then(|answer| answer.header(RETRY_AFTER.as_str())?.parse().ok());
            let Some(pause) = self.retry.wait(tries, since, requested.map(Duration::from_secs)) else {
                let host = request.url.host_str().unwrap_or_default().to_owned();
                return answer.map_err(|why| Error::Unreachable { host, why });
            };
            sleep(pause).await;
        }
    }

    async fn once(&self, request: &Outgoing) -> Result<Answer, String> {
        self.watch.counter.count(request.listing);
        let sent = Arc::new(AtomicU64::new(0));
        let mut builder =
            self.http.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if !request.body.is_empty() {
            let body = Sent { rest: request.body.clone(), sent: Arc::clone(&sent) };
            builder = builder.body(reqwest::Body::wrap(body));
        } else if request.method != Method::GET && request.method != Method::HEAD {
            // Some servers require a length even for an empty body.
            builder = builder.header(reqwest::header::CONTENT_LENGTH, 0);
        }
        let response = Self::watched(builder.send(), &sent, self.silence(request)).await;
        let response = response.map_err(|why| {
            let is_distrust = !self.has_roots && why.contains("certificate");
            if is_distrust {
                format!("{}: {}", authorities::missing(None), authorities::INSTALL)
            } else {
                why
            }
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        if request.stream && status.is_success() {
            return Ok(Answer { status, headers, body: Bytes::new(), rest: Some(response) });
        }
        let limit = if status.is_success() { ANSWER } else { TEXT };
        let body = Self::whole(response, limit, self.silence(request)).await?;
        if status.is_success() && body.len() > limit {
            return Err(format!("the response has more than {}", crate::size::bytes(limit as u64)));
        }
        Ok(Answer { status, headers, body, rest: None })
    }

    fn silence(&self, request: &Outgoing) -> Duration {
        if request.slow { self.retry.silence.saturating_mul(10) } else { self.retry.silence }
    }

    /// Waits for a response as long as there is progress.
    async fn watched(
        answer: impl Future<Output = reqwest::Result<Response>>,
        sent: &AtomicU64,
        silence: Duration,
    ) -> Result<Response, String> {
        let mut answer = std::pin::pin!(answer);
        let mut before = 0;
        loop {
            if let Ok(answer) = timeout(silence, &mut answer).await {
                return answer.map_err(|error| chain(&error));
            }
            let now = sent.load(Ordering::Relaxed);
            if now == before {
                return Err(silent(silence));
            }
            before = now;
        }
    }

    /// Returns the next piece of a body; `None` at its end.
    pub(super) async fn piece(&self, response: &mut Response) -> Result<Option<Bytes>, String> {
        piece(response, self.retry.silence).await
    }

    /// Reads a body, up to the piece that exceeds a limit.
    async fn whole(mut response: Response, limit: usize, silence: Duration) -> Result<Bytes, String> {
        let (mut body, mut pace) = (BytesMut::new(), Pace::begin());
        while body.len() <= limit
            && let Some(piece) = piece(&mut response, silence).await?
        {
            pace.count(piece.len() as u64).map_err(|error| error.to_string())?;
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

async fn piece(response: &mut Response, silence: Duration) -> Result<Option<Bytes>, String> {
    match timeout(silence, response.chunk()).await {
        Ok(piece) => piece.map_err(|error| chain(&error)),
        Err(_) => Err(silent(silence)),
    }
}

fn silent(silence: Duration) -> String {
    format!("no data for {} s", silence.as_secs())
}

/// Returns an error and its causes in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(cause) = inner {
        let next = cause.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        inner = cause.source();
    }
    text
}

/// A body in memory that reports its progress.
struct Sent {
    rest: Bytes,
    sent: Arc<AtomicU64>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.sent.fetch_add(length as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
