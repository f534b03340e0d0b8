//! Large objects: the segments are uploaded first, then the manifest that makes them one object.
//!
//! Nothing is visible before the manifest exists. Segments are stored in a container of their own under the object's
//! name and a random number for each upload, so that two uploads of one object never mix. An upload that replaces a
//! large object deletes the segments of the old one; a small object, or a copy, in its place leaves them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use object_store::{
    Error as ObjectError, Extensions, MultipartUpload, PutPayload, PutResult, UploadPart, path::Path,
};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderValue},
};
use serde::{Deserialize, Serialize};

use super::{
    client::Request,
    error::Error,
    get::{LARGE, is_large},
    handle::Inner,
    wire::Answer,
};

/// The maximum size of a segment.
const SEGMENT: usize = 5 << 30;

/// A segment in a manifest to be written.
#[derive(Debug, Clone, Serialize)]
struct Segment {
    path: String,
    etag: String,
    size_bytes: u64,
}

/// A segment in a manifest that was read.
#[derive(Deserialize)]
struct OldSegment {
    /// With the container as prefix.
    name: String,
    #[serde(default)]
    sub_slo: bool,
}

/// A multipart upload.
pub(super) struct Upload {
    inner: Arc<Inner>,
    location: Path,
    key: String,
    headers: HeaderMap,
    /// The prefix of the segments' names.
    place: String,
    begun: usize,
    sent: Arc<Mutex<BTreeMap<usize, Segment>>>,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload of {} in {} parts", self.inner.name(&self.key), self.begun)
    }
}

impl Upload {
    pub(super) fn new(inner: Arc<Inner>, location: Path, headers: HeaderMap) -> Self {
        let key = inner.key(location.as_ref());
        let place = format!("{key}/{:032x}", rand::random::<u128>());
        Self { inner, location, key, headers, place, begun: 0, sent: Arc::default() }
    }

    fn sent(&self) -> BTreeMap<usize, Segment> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn finish(&self) -> Result<PutResult, Error> {
        let sent = self.sent();
        if sent.len() != self.begun {
            let why = format!("{} of {} parts were sent", sent.len(), self.begun);
            return Err(Error::InvalidResponse { object: self.inner.name(&self.key), why });
        }
        if sent.is_empty() {
            let put = self.inner.put(&self.inner.container, &self.key, &self.headers, Bytes::new());
            return put.await.map(|(_, md5)| result(md5));
        }
        let old = self.inner.segments_of(&self.inner.container, &self.key).await?;
        let answer = self.manifest(sent.into_values().collect()).await?;
        if !old.is_empty() {
            // The object is complete; undeleted segments of the old one only take up space.
            let _ = self.inner.delete_segments(old).await;
        }
        let tag = answer.header("ETag").unwrap_or_default().trim_matches('"');
        Ok(result(format!("{tag}{LARGE}")))
    }

    /// Writes the manifest, with nested manifests if the segments do not fit in one.
    async fn manifest(&self, mut segments: Vec<Segment>) -> Result<Answer, Error> {
        let inner = &self.inner;
        let mut level = 0;
        while segments.len() > inner.limits.manifest {
            level += 1;
            let mut above = Vec::new();
            for (number, below) in segments.chunks(inner.limits.manifest).enumerate() {
                let key = format!("{}/level{level}-{number:06}", self.place);
                let answer = inner.put_manifest(&inner.segments, &key, &HeaderMap::new(), below).await?;
                let etag = answer.header("ETag").unwrap_or_default().trim_matches('"').to_owned();
                let size_bytes = below.iter().map(|segment| segment.size_bytes).sum();
                above.push(Segment { path: format!("/{}/{key}", inner.segments), etag, size_bytes });
            }
            segments = above;
        }
        inner.put_manifest(&inner.container, &self.key, &self.headers, &segments).await
    }
}

impl Inner {
    async fn put_manifest(
        &self,
        container: &str,
        key: &str,
        headers: &HeaderMap,
        segments: &[Segment],
    ) -> Result<Answer, Error> {
        let body = serde_json::to_vec(segments)
            .map_err(|error| Error::InvalidResponse { object: self.name(key), why: error.to_string() })?;
        let request = Request::new(Method::PUT, container, key)
            .query("multipart-manifest", "put")
            .headers(headers)
            .body(body.into());
        self.put_request(container, key, &request).await
    }

    /// Returns the segments of an object; none if it is not large or does not exist.
    async fn segments_of(&self, container: &str, key: &str) -> Result<Vec<OldSegment>, Error> {
        let answer = self.client.send(&Request::new(Method::HEAD, container, key)).await?;
        if !answer.status.is_success() || !is_large(&answer) {
            return Ok(Vec::new());
        }
        let request = Request::new(Method::GET, container, key).query("multipart-manifest", "get");
        let answer = self.client.send(&request).await?;
        // Another writer may have replaced or deleted it since, and then deletes the segments itself.
        if !answer.status.is_success() || !is_large(&answer) {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| Error::InvalidResponse { object: self.name(key), why: error.to_string() })
    }

    /// Deletes segments, in any container.
    async fn delete_segments(&self, segments: Vec<OldSegment>) -> Result<(), Error> {
        let mut plain: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for segment in segments {
            let name = segment.name.trim_start_matches('/');
            let Some((container, key)) = name.split_once('/') else { continue };
            if segment.sub_slo {
                self.delete_large(container, key).await?;
            } else {
                plain.entry(container.to_owned()).or_default().push(key.to_owned());
            }
        }
        for (container, keys) in plain {
            self.delete_names(&container, &keys).await?;
        }
        Ok(())
    }

    /// Deletes names that may be absent and are not manifests.
    async fn delete_names(&self, container: &str, keys: &[String]) -> Result<(), Error> {
        if let Some(failures) = self.bulk_delete(container, keys).await? {
            return failures.into_values().next().map_or(Ok(()), Err);
        }
        for key in keys {
            let answer = self.client.send(&Request::new(Method::DELETE, container, key)).await?;
            if !answer.status.is_success() && answer.status != reqwest::StatusCode::NOT_FOUND {
                return Err(answer.error(&format!("{container}/{key}")));
            }
        }
        Ok(())
    }
}

fn result(e_tag: String) -> PutResult {
    PutResult { e_tag: Some(e_tag), version: None, extensions: Extensions::default() }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let bytes = Bytes::from(data);
        if bytes.is_empty() {
            return std::future::ready(Ok(())).boxed();
        }
        let number = self.begun;
        self.begun += 1;
        let (inner, sent) = (Arc::clone(&self.inner), Arc::clone(&self.sent));
        let (location, key) = (self.location.clone(), format!("{}/{number:06}", self.place));
        async move {
            if bytes.len() > SEGMENT {
                let why = "a part holds at most 5 GiB".into();
                return Err(Error::InvalidResponse { object: inner.name(&key), why }.into());
            }
            let size_bytes = bytes.len() as u64;
            let headers = HeaderMap::from_iter([(
                reqwest::header::CONTENT_TYPE,
                HeaderValue::from_static("application/octet-stream"),
            )]);
            let put = inner.put(&inner.segments, &key, &headers, bytes);
            let (_, etag) = put.await.map_err(|error| error.at(location.as_ref()))?;
            let segment = Segment { path: format!("/{}/{key}", inner.segments), etag, size_bytes };
            sent.lock().unwrap_or_else(PoisonError::into_inner).insert(number, segment);
            Ok::<(), ObjectError>(())
        }
        .boxed()
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        self.finish().await.map_err(|error| error.at(self.location.as_ref()))
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        // Including the failed ones: the response may have been lost.
        let keys: Vec<_> = (0..self.begun).map(|number| format!("{}/{number:06}", self.place)).collect();
        let deleted = self.inner.delete_names(&self.inner.segments, &keys).await;
        deleted.map_err(|error| error.at(self.location.as_ref()))
    }
}
