//! Requests to a login server.

use bytes::Bytes;
use reqwest::{
    Method, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue},
};

use crate::store::swift::{
    error::Error,
    wire::{Answer, Outgoing, Wire},
};

/// Posts credentials as JSON and maps error statuses.
pub(super) async fn post(wire: &Wire, url: &str, body: &serde_json::Value) -> Result<Answer, Error> {
    let headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (ACCEPT, HeaderValue::from_static("application/json")),
    ]);
    send(wire, Method::POST, url, headers, body.to_string().into()).await
}

pub(super) async fn send(
    wire: &Wire,
    method: Method,
    url: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Error> {
    let login = |why: String| Error::Login { url: url.into(), why };
    let request = Outgoing {
        method,
        url: Url::parse(url).map_err(|error| login(error.to_string()))?,
        headers,
        body,
        listing: false,
        stream: false,
        slow: false,
    };
    let answer = wire.send(&request).await?;
    match answer.status {
        status if status.is_success() => Ok(answer),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(Error::WrongKey { url: url.into(), status: answer.status.as_u16() })
        }
        status => Err(login(format!("the server answered {status}: {}", answer.text()))),
    }
}
