//! Deletion: bulk requests where the server supports them, and the segments of large objects.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use object_store::path::Path;
use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::{
    client::{Request, decoded, encoded},
    error::Error,
    get::is_large,
    handle::Inner,
    listing::Entry,
    wire::Answer,
};

/// The number of concurrent deletes if each needs its own request.
const AT_ONCE: usize = 8;

/// The final status of the bulk middleware, which is in the body; the HTTP status is always 200.
#[derive(Deserialize)]
struct Report {
    #[serde(rename = "Response Status")]
    status: String,
    #[serde(rename = "Response Body", default)]
    body: String,
    #[serde(rename = "Number Not Found", default)]
    absent: u64,
    #[serde(rename = "Number Deleted", default)]
    deleted: u64,
    #[serde(rename = "Errors", default)]
    errors: Vec<(String, String)>,
}

impl Inner {
    pub(super) fn delete_all(
        self: &Arc<Self>,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let inner = Arc::clone(self);
        // Requested once, and only for more than one name.
        let large: Arc<OnceCell<BTreeSet<String>>> = Arc::default();
        locations
            .chunks(self.limits.delete)
            .then(move |chunk| {
                let (inner, large) = (Arc::clone(&inner), Arc::clone(&large));
                async move { stream::iter(inner.delete_chunk(chunk, &large).await) }
            })
            .flatten()
            .boxed()
    }

    async fn delete_chunk(
        self: &Arc<Self>,
        chunk: Vec<object_store::Result<Path>>,
        large: &OnceCell<BTreeSet<String>>,
    ) -> Vec<object_store::Result<Path>> {
        let keys: Vec<String> = chunk.iter().flatten().map(|location| self.key(location.as_ref())).collect();
        let mut failures = match keys.as_slice() {
            [] => BTreeMap::new(),
            [_] => self.delete_each(&keys).await,
            _ => self.delete_many(keys, large).await,
        };
        let mut outcome = |location: Path| match failures.remove(&self.key(location.as_ref())) {
            Some(error) => Err(error.at(location.as_ref())),
            None => Ok(location),
        };
        chunk.into_iter().map(|location| location.and_then(&mut outcome)).collect()
    }

    /// Deletes many objects; returns those that failed, with the reason.
    async fn delete_many(
        self: &Arc<Self>,
        keys: Vec<String>,
        large: &OnceCell<BTreeSet<String>>,
    ) -> BTreeMap<String, Error> {
        let all =
            |error: Error, keys: Vec<String>| keys.into_iter().map(|key| (key, error.clone())).collect();
        // A bulk delete of a manifest leaves its segments.
        let segments = match large.get_or_try_init(|| self.all_segments()).await {
            Ok(segments) => segments,
            Err(error) => return all(error, keys),
        };
        let is_large = |key: &String| {
            let below = format!("{key}/");
            segments.range(below.clone()..).next().is_some_and(|segment| segment.starts_with(&below))
        };
        let (large, small): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_large);
        let mut failures = match self.bulk_delete(&self.container, &small).await {
            Ok(Some(failures)) => failures,
            Ok(None) => self.delete_each(&small).await,
            Err(error) => all(error, small),
        };
        failures.extend(self.delete_each(&large).await);
        failures
    }

    async fn all_segments(self: &Arc<Self>) -> Result<BTreeSet<String>, Error> {
        let below = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        let mut pages = self.pages(self.segments.clone(), below, false, String::new());
        let mut names = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Err(Error::NoContainer { .. }) => break,
                page => page?,
            };
            names.extend(page.into_iter().filter_map(|entry| match entry {
                Entry::Object(object) => Some(object.name),
                Entry::Folder { .. } => None,
            }));
        }
        Ok(names)
    }

    /// Deletes one by one.
    async fn delete_each(self: &Arc<Self>, keys: &[String]) -> BTreeMap<String, Error> {
        let deletions = keys.iter().cloned().map(|key| {
            let inner = Arc::clone(self);
            async move { inner.delete(&key).await.err().map(|error| (key, error)) }
        });
        let failed = stream::iter(deletions).buffer_unordered(AT_ONCE).filter_map(std::future::ready);
        failed.collect::<Vec<_>>().await.into_iter().collect()
    }

    /// Deletes one object, and its segments if it has any.
    pub(super) async fn delete(&self, key: &str) -> Result<(), Error> {
        // Deleting the segments needs a query parameter, which is an error for all other objects.
        let answer = self.client.send(&Request::new(Method::HEAD, &self.container, key)).await?;
        if answer.status.is_success() && is_large(&answer) {
            return self.delete_large(&self.container, key).await;
        }
        if !answer.status.is_success() {
            return Err(answer.error(&self.name(key)));
        }
        let answer = self.client.send(&Request::new(Method::DELETE, &self.container, key)).await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.error(&self.name(key))) }
    }

    pub(super) async fn delete_large(&self, container: &str, key: &str) -> Result<(), Error> {
        let name = format!("{container}/{key}");
        let request = Request::new(Method::DELETE, container, key)
            .slow()
            .query("multipart-manifest", "delete")
            .header("accept", HeaderValue::from_static("application/json"));
        let answer = self.client.send(&request).await?;
        if !answer.status.is_success() {
            return Err(answer.error(&name));
        }
        let Some(report) = report(&answer) else { return Ok(()) };
        match report.errors.first() {
            Some((object, status)) => Err(Error::Refused {
                object: decoded(object.trim_start_matches('/')),
                status: status.clone(),
                text: String::new(),
            }),
            None if report.deleted == 0 && report.absent > 0 => Err(Error::NoObject { object: name }),
            None if report.status.starts_with('2') => Ok(()),
            None => Err(Error::Refused { object: name, status: report.status, text: report.body }),
        }
    }

    /// Deletes names of a container with bulk requests; `None` if the server does not support them.
    ///
    /// A name that does not exist is not an error.
    pub(super) async fn bulk_delete(
        &self,
        container: &str,
        keys: &[String],
    ) -> Result<Option<BTreeMap<String, Error>>, Error> {
        let mut failures = BTreeMap::new();
        for keys in keys.chunks(self.limits.delete) {
            let lines: Vec<_> =
                keys.iter().map(|key| format!("/{}/{}", encoded(container), encoded(key))).collect();
            let headers = HeaderMap::from_iter([
                (CONTENT_TYPE, HeaderValue::from_static("text/plain")),
                (ACCEPT, HeaderValue::from_static("application/json")),
            ]);
            let request = Request::account(Method::POST)
                .slow()
                .query("bulk-delete", "")
                .headers(&headers)
                .body(Bytes::from(lines.join("\n")));
            let answer = self.client.send(&request).await?;
            // Without the middleware, this request updates the account's metadata: 204, and nothing is deleted.
            let Some(report) = report(&answer).filter(|_| answer.status == StatusCode::OK) else {
                return Ok(None);
            };
            if report.errors.is_empty() && !report.status.starts_with('2') {
                return Err(Error::Refused {
                    object: container.to_owned(),
                    status: report.status,
                    text: report.body,
                });
            }
            for (object, status) in report.errors {
                let object = decoded(object.trim_start_matches('/'));
                let key = object.strip_prefix(container).and_then(|key| key.strip_prefix('/'));
                let key = key.unwrap_or(&object).to_owned();
                let error = match status.get(..3) {
                    Some("403") => Error::Forbidden { object },
                    Some("404") => Error::NoObject { object },
                    _ => Error::Refused { object, status, text: String::new() },
                };
                failures.insert(key, error);
            }
        }
        Ok(Some(failures))
    }
}

fn report(answer: &Answer) -> Option<Report> {
    serde_json::from_slice(&answer.body).ok()
}
