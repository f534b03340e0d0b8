//! Fastly: one request per URL (<https://www.fastly.com/documentation/reference/api/purging/>).
//!
//! A URL is purged by `POST /purge/HOST/PATH`; the host identifies the service, and the token authorizes the request.

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    error::Cause,
    http::{Service, secret},
    urls::host_and_path,
};
use crate::store::Environment;

/// How many requests are sent concurrently.
const CONCURRENT: usize = 8;

pub(super) async fn purge(urls: &[String], environment: &Environment) -> Result<(), Cause> {
    let token = secret(environment, &["FASTLY_API_TOKEN"])?;
    let service = Service::new("Fastly", "https://api.fastly.com", "FASTLY_API_URL", environment)?;
    stream::iter(urls)
        .map(|url| purge_one(&service, &token, url))
        .buffer_unordered(CONCURRENT)
        .try_for_each(|()| async { Ok(()) })
        .await
}

async fn purge_one(service: &Service, token: &str, url: &str) -> Result<(), Cause> {
    let (host, path) = host_and_path(url);
    let request = service.url(&format!("/purge/{host}{path}"));
    let make = || {
        let request = service.client().post(&request).header("Fastly-Key", token);
        let request = request.header("Accept", "application/json").header("Content-Length", 0);
        request.build().map_err(|error| Cause::Request { url: url.to_owned(), source: error.into() })
    };
    service.send(make, error_message).await.map(drop)
}

/// `{"msg": "…", "detail": "…"}`.
fn error_message(answer: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    let message = answer.get("msg")?.as_str()?;
    let detail = answer.get("detail").and_then(serde_json::Value::as_str);
    Some(super::http::short(
        &detail.map_or_else(|| message.to_owned(), |detail| format!("{message}: {detail}")),
    ))
}
