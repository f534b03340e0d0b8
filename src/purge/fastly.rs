//! Fastly: one request for each address (<https://www.fastly.com/documentation/reference/api/purging/>).
//!
//! An address is purged by `POST /purge/HOST/PATH`; the host tells Fastly which service is meant, and the token whether
//! that is allowed.

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    error::Cause,
    http::{Service, secret},
    urls::host_and_path,
};
use crate::store::Environment;

/// So many requests are on their way at a time.
const AT_ONCE: usize = 8;

pub(super) async fn purge(urls: &[String], environment: &Environment) -> Result<(), Cause> {
    let token = secret(environment, &["FASTLY_API_TOKEN"])?;
    let service = Service::new("Fastly", "https://api.fastly.com", "FASTLY_API_URL", environment)?;
    stream::iter(urls)
        .map(|url| purge_one(&service, &token, url))
        .buffer_unordered(AT_ONCE)
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
    service.send(make, tell).await.map(drop)
}

/// `{"msg": "…", "detail": "…"}`.
fn tell(answer: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    let message = answer.get("msg")?.as_str()?;
    let detail = answer.get("detail").and_then(serde_json::Value::as_str);
    Some(super::http::short(
        &detail.map_or_else(|| message.to_owned(), |detail| format!("{message}: {detail}")),
    ))
}
