//! Paginated listings.
//!
//! A name that is not a valid path, such as `pool//x`, is skipped: other tools may leave such objects in a container,
//! and they must not make the listing fail.

use std::sync::Arc;

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use object_store::{Extensions, ListResult, ObjectMeta, path::Path};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::{client::Request, error::Error, get::LARGE, handle::Inner};

/// An entry of a page.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Entry {
    /// A common prefix, in a listing with a delimiter.
    Folder { subdir: String },
    /// An object.
    Object(Object),
}

/// An object in a listing.
#[derive(Deserialize)]
pub(super) struct Object {
    pub(super) name: String,
    bytes: u64,
    hash: Option<String>,
    last_modified: String,
    /// Only large objects have it; their `hash` is that of the manifest.
    slo_etag: Option<String>,
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Folder { subdir } => subdir,
            Self::Object(object) => &object.name,
        }
    }
}

/// The position in a listing.
enum Next {
    After(String),
    End,
}

impl Inner {
    /// Requests one page of the names that begin with `prefix`, after `marker`; `None` if the container does not
    /// exist.
    pub(super) async fn page(
        &self,
        container: &str,
        prefix: &str,
        delimiter: bool,
        marker: &str,
    ) -> Result<Option<Vec<Entry>>, Error> {
        let mut request = Request::new(Method::GET, container, "")
            .listing()
            .query("format", "json")
            .query("limit", self.limits.page.to_string());
        if !prefix.is_empty() {
            request = request.query("prefix", prefix);
        }
        if delimiter {
            request = request.query("delimiter", "/");
        }
        if !marker.is_empty() {
            request = request.query("marker", marker);
        }
        let answer = self.client.send(&request).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            // Some servers send no body for an empty container, not even in JSON.
            StatusCode::NO_CONTENT => Ok(Some(Vec::new())),
            status if status.is_success() => {
                let invalid = |why: serde_json::Error| Error::InvalidResponse {
                    object: container.to_owned(),
                    why: why.to_string(),
                };
                serde_json::from_slice(&answer.body).map(Some).map_err(invalid)
            }
            _ => Err(answer.error(container)),
        }
    }

    /// Streams every entry of a listing, page by page.
    pub(super) fn pages(
        self: &Arc<Self>,
        container: String,
        prefix: String,
        delimiter: bool,
        marker: String,
    ) -> BoxStream<'static, Result<Vec<Entry>, Error>> {
        let inner = Arc::clone(self);
        let turn = move |next: Next| {
            let (inner, container, prefix) = (Arc::clone(&inner), container.clone(), prefix.clone());
            async move {
                let Next::After(marker) = next else { return Ok(None) };
                let Some(page) = inner.page(&container, &prefix, delimiter, &marker).await? else {
                    return Err(Error::NoContainer { container });
                };
                let next = match page.last() {
                    Some(last) if page.len() >= inner.limits.page => Next::After(last.name().to_owned()),
                    _ => Next::End,
                };
                Ok(Some((page, next)))
            }
        };
        stream::try_unfold(Next::After(marker), turn).boxed()
    }

    pub(super) fn list(
        self: &Arc<Self>,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let inner = Arc::clone(self);
        let below = self.below(prefix);
        let marker = after.map(|path| self.key(path.as_ref())).unwrap_or_default();
        self.pages(self.container.clone(), below.clone(), false, marker)
            .map(move |page| {
                let metas = match page {
                    Ok(page) => page.into_iter().filter_map(|entry| inner.meta(entry).transpose()).collect(),
                    Err(error) => vec![Err(error.at(&below))],
                };
                stream::iter(metas)
            })
            .flatten()
            .boxed()
    }

    pub(super) async fn list_folder(
        self: &Arc<Self>,
        prefix: Option<&Path>,
    ) -> object_store::Result<ListResult> {
        let below = self.below(prefix);
        let mut found = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: Extensions::default(),
        };
        let mut pages = self.pages(self.container.clone(), below.clone(), true, String::new());
        while let Some(page) = pages.next().await {
            for entry in page.map_err(|error| error.at(&below))? {
                match entry {
                    Entry::Folder { subdir } => {
                        found
                            .common_prefixes
                            .extend(subdir.strip_suffix('/').and_then(|name| self.path(name)));
                    }
                    object @ Entry::Object(_) => found.objects.extend(self.meta(object)?),
                }
            }
        }
        Ok(found)
    }

    /// Returns the prefix of the names below a path.
    fn below(&self, path: Option<&Path>) -> String {
        match self.key(path.map(AsRef::as_ref).unwrap_or_default()) {
            key if key.is_empty() => key,
            key => format!("{key}/"),
        }
    }

    fn meta(&self, entry: Entry) -> object_store::Result<Option<ObjectMeta>> {
        let Entry::Object(object) = entry else { return Ok(None) };
        let Some(location) = self.path(&object.name) else { return Ok(None) };
        let time: jiff::Timestamp =
            object.last_modified.parse().or_else(|_| format!("{}Z", object.last_modified).parse()).map_err(
                |error: jiff::Error| Error::InvalidResponse {
                    object: self.name(&object.name),
                    why: error.to_string(),
                },
            )?;
        Ok(Some(ObjectMeta {
            location,
            last_modified: std::time::SystemTime::from(time).into(),
            size: object.bytes,
            e_tag: match object.slo_etag {
                Some(tag) => Some(format!("{}{}", tag.trim_matches('"'), LARGE)),
                None => object.hash,
            },
            version: None,
        }))
    }
}
