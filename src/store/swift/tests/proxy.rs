//! A proxy between the client and a real server: records every request, and injects faults.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::{Request, Response, body::Frame, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reqwest::header::HeaderMap;
use tokio::{net::TcpListener, sync::Barrier};

/// A recorded request.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    /// With the query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    /// The status of the response, once it was sent.
    pub(super) status: u16,
}

impl Seen {
    pub(super) fn is_login(&self) -> bool {
        self.path.starts_with("/auth") || self.path.ends_with("/tokens")
    }
}

/// The action for a request.
pub(super) enum Act {
    Pass,
    /// Responds without asking the server.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Forwards the request, and breaks the connection before the response.
    Swallow,
    /// Breaks the connection after this many bytes of the response.
    Cut(usize),
    /// Forwards a damaged body.
    Damage,
    /// Replaces a header of the response.
    Rewrite(&'static str, String),
    /// Responds to all requests at the barrier together, without asking the server.
    Together(Arc<Barrier>, u16),
    /// Never responds.
    Hang,
}

type Body = BoxBody<Bytes, std::io::Error>;
type Decide = dyn Fn(&Seen, &[Seen]) -> Act + Send + Sync;

pub(super) struct Proxy {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Proxy {
    /// Starts a proxy; `decide` gets each request and all earlier ones.
    pub(super) async fn start(
        server: &str,
        decide: impl Fn(&Seen, &[Seen]) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (server, all, decide) = (server.to_owned(), Arc::clone(&seen), Arc::new(decide));
        let http = super::http();
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let (server, all, http) = (server.clone(), Arc::clone(&all), http.clone());
                let decide: Arc<Decide> = decide.clone();
                let service = service_fn(move |request| {
                    pass(request, server.clone(), Arc::clone(&all), Arc::clone(&decide), http.clone())
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
            }
        });
        Self { url, seen }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn logins(&self) -> usize {
        self.seen().iter().filter(|seen| seen.is_login()).count()
    }

    /// Returns method and status of all requests except logins.
    pub(super) fn answers(&self) -> Vec<(String, u16)> {
        let storage = self.seen().into_iter().filter(|seen| !seen.is_login());
        storage.map(|seen| (seen.method, seen.status)).collect()
    }
}

async fn pass(
    request: Request<Incoming>,
    server: String,
    all: Arc<Mutex<Vec<Seen>>>,
    decide: Arc<Decide>,
    http: reqwest::Client,
) -> Result<Response<Body>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let seen = Seen { method: parts.method.to_string(), path, headers: parts.headers.clone(), status: 0 };
    let (number, act) = {
        let mut all = all.lock().unwrap();
        let act = decide(&seen, &all);
        all.push(seen.clone());
        (all.len() - 1, act)
    };
    let mut bytes = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let answered = |status: u16| all.lock().unwrap()[number].status = status;
    let ask = async |bytes: Bytes| {
        let mut headers = parts.headers.clone();
        headers.remove("host");
        let request = http.request(parts.method.clone(), format!("{server}{}", seen.path));
        request.headers(headers).body(bytes).send().await.unwrap()
    };
    match act {
        Act::Answer(status, headers, body) => {
            answered(status);
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            return Ok(response.body(whole(body.into())).unwrap());
        }
        Act::Together(barrier, status) => {
            barrier.wait().await;
            answered(status);
            return Ok(Response::builder().status(status).body(whole(Bytes::new())).unwrap());
        }
        Act::Hang => std::future::pending().await,
        Act::Swallow => {
            ask(bytes).await;
            return Err(std::io::Error::other("swallowed"));
        }
        Act::Damage => {
            let mut damaged = bytes.to_vec();
            if let Some(byte) = damaged.first_mut() {
                *byte ^= 1;
            }
            bytes = damaged.into();
        }
        Act::Pass | Act::Cut(_) | Act::Rewrite(..) => {}
    }
    let answer = ask(bytes).await;
    answered(answer.status().as_u16());
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" {
            response = response.header(name, value);
        }
    }
    if let Act::Rewrite(name, value) = &act {
        response.headers_mut().unwrap().insert(*name, value.parse().unwrap());
    }
    let body = answer.bytes().await.unwrap();
    let body = match act {
        Act::Cut(length) if length < body.len() => cut(body.slice(..length)),
        _ => whole(body),
    };
    Ok(response.body(body).unwrap())
}

fn whole(bytes: Bytes) -> Body {
    http_body_util::Full::new(bytes).map_err(|never: Infallible| match never {}).boxed()
}

/// Returns a body that breaks off after these bytes.
fn cut(bytes: Bytes) -> Body {
    let pieces = stream::unfold(Some(bytes), |bytes| async move {
        if let Some(bytes) = bytes {
            return Some((Ok(Frame::data(bytes)), None));
        }
        // The bytes should arrive before the error.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Some((Err(std::io::Error::other("cut")), None))
    });
    BodyExt::boxed(StreamBody::new(pieces))
}
