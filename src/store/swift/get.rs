//! Reads: whole objects, ranges, and conditional reads; a broken connection is resumed.

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use object_store::{
    Error as ObjectError, Extensions, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta,
    path::Path,
};
use reqwest::{
    Method, Response, StatusCode,
    header::{
        HeaderMap, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE,
    },
};
use tokio::time::{Instant, sleep};

use super::{
    client::Request,
    error::{Error, STORE},
    handle::Inner,
    put::attributes_of,
    wire::Answer,
};

/// The `ETag` suffix of a large object, whose `ETag` looks like an MD5 but is not that of its bytes.
pub(super) const LARGE: &str = "-large";

/// Requests the newest version of an object, in the extensions of [`GetOptions`]: the server asks all replicas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newest;

impl Inner {
    pub(super) async fn get(
        self: &Arc<Self>,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        if options.version.is_some() {
            let operation = "reading an old version".into();
            return Err(ObjectError::NotImplemented { operation, implementer: STORE.into() });
        }
        if let Some(range) = &options.range {
            range.is_valid().map_err(|error| generic(error.into()))?;
        }
        let key = self.key(location.as_ref());
        let headers = conditions(&options).map_err(|error| error.at(location.as_ref()))?;
        let method = if options.head { Method::HEAD } else { Method::GET };
        let mut request = Request::new(method, &self.container, &key).headers(&headers).stream();
        if options.extensions.get::<Newest>().is_some() {
            request = request.header("x-newest", HeaderValue::from_static("true"));
        }
        let answer = self.client.send(&request).await.map_err(|error| error.at(location.as_ref()))?;
        let path = location.to_string();
        let text = format!("the server answered {}", answer.status);
        match answer.status {
            StatusCode::NOT_MODIFIED => return Err(ObjectError::NotModified { path, source: text.into() }),
            StatusCode::PRECONDITION_FAILED => {
                return Err(ObjectError::Precondition { path, source: text.into() });
            }
            status if status.is_success() => {}
            _ => return Err(answer.error(&self.name(&key)).at(location.as_ref())),
        }
        let invalid = |why: &str| {
            ObjectError::from(Error::InvalidResponse { object: self.name(&key), why: why.to_owned() })
        };
        let (range, size) = extent(&answer).ok_or_else(|| invalid("it has no length"))?;
        if let Some(requested) = &options.range
            && !options.head
        {
            check_range(requested, &range, size).map_err(|error| generic(error.into()))?;
        }
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: answer
                .header("Last-Modified")
                .and_then(|text| httpdate::parse_http_date(text).ok())
                .ok_or_else(|| invalid("it has no `Last-Modified`"))?
                .into(),
            size,
            e_tag: e_tag(&answer),
            version: None,
        };
        let attributes = attributes_of(&answer.headers);
        let raw_tag = answer.headers.get("etag").cloned();
        let payload = if options.head {
            stream::empty().boxed()
        } else {
            let (at, end) = (range.start, range.end);
            Reading { inner: Arc::clone(self), key, tag: raw_tag, response: answer.rest, at, end }.stream()
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            meta,
            range,
            attributes,
            extensions: Extensions::default(),
        })
    }
}

/// Returns the `ETag` of an object; that of a large one gets the suffix.
pub(super) fn e_tag(answer: &Answer) -> Option<String> {
    let tag = answer.header("ETag")?.trim_matches('"');
    let large = is_large(answer);
    Some(if large { format!("{tag}{LARGE}") } else { tag.to_owned() })
}

/// Returns whether an object is a manifest of segments.
pub(super) fn is_large(answer: &Answer) -> bool {
    answer.header("X-Static-Large-Object").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> ObjectError {
    ObjectError::Generic { store: STORE, source }
}

fn conditions(options: &GetOptions) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    let tags = |text: &String| {
        let plain: Vec<_> =
            text.split(',').map(|tag| tag.trim().trim_matches('"').trim_end_matches(LARGE)).collect();
        plain.join(", ")
    };
    let date = |time: SystemTime| httpdate::fmt_http_date(time);
    let wanted = [
        (IF_MATCH, options.if_match.as_ref().map(tags)),
        (IF_NONE_MATCH, options.if_none_match.as_ref().map(tags)),
        (IF_MODIFIED_SINCE, options.if_modified_since.map(|time| date(time.into()))),
        (IF_UNMODIFIED_SINCE, options.if_unmodified_since.map(|time| date(time.into()))),
        // The response to a HEAD describes the whole object.
        (RANGE, options.range.as_ref().filter(|_| !options.head).map(ToString::to_string)),
    ];
    for (name, value) in wanted {
        let Some(value) = value else { continue };
        let bad = |_| Error::BadValue {
            name: name.to_string(),
            value: value.escape_debug().to_string(),
            why: "it cannot be in a header".into(),
        };
        headers.insert(name.clone(), HeaderValue::from_str(&value).map_err(bad)?);
    }
    Ok(headers)
}

/// Returns the range of the response and the size of the object.
fn extent(answer: &Answer) -> Option<(std::ops::Range<u64>, u64)> {
    if answer.status == StatusCode::PARTIAL_CONTENT {
        let (range, size) = answer.header("Content-Range")?.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        return Some((first..last.checked_add(1)?, size.parse().ok()?));
    }
    let size = answer.header("Content-Length")?.parse().ok()?;
    Some((0..size, size))
}

/// Fails if the range of the response differs from the requested one.
fn check_range(requested: &GetRange, got: &std::ops::Range<u64>, size: u64) -> Result<(), String> {
    match requested.as_range(size) {
        Ok(wanted) if wanted == *got => Ok(()),
        Ok(wanted) => Err(format!("bytes {wanted:?} were requested, and {got:?} arrived")),
        Err(error) => Err(error.to_string()),
    }
}

/// An object that is being read.
struct Reading {
    inner: Arc<Inner>,
    key: String,
    /// The `ETag`, which ensures that a resumed read continues the same object.
    tag: Option<HeaderValue>,
    response: Option<Response>,
    at: u64,
    end: u64,
}

impl Reading {
    fn stream(self) -> BoxStream<'static, object_store::Result<Bytes>> {
        stream::try_unfold(self, |mut reading| async move {
            Ok(reading.next().await?.map(|bytes| (bytes, reading)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let inner = Arc::clone(&self.inner);
        let wire = &inner.client.wire;
        let since = Instant::now();
        let mut tries = 0;
        while self.at < self.end {
            let piece = match &mut self.response {
                Some(response) => wire.piece(response).await,
                None => self.again().await?,
            };
            let why = match piece {
                Ok(Some(bytes)) => {
                    let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
                    let bytes = bytes.slice(..bytes.len().min(left));
                    self.at += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                Ok(None) => "the connection was closed".to_owned(),
                Err(why) => why,
            };
            self.response = None;
            tries += 1;
            match wire.retry.wait(tries, since, None) {
                Some(pause) => sleep(pause).await,
                None => return Err(self.truncated(why)),
            }
        }
        Ok(None)
    }

    /// Requests the rest of the same object, and returns its first piece.
    async fn again(&mut self) -> Result<Result<Option<Bytes>, String>, Error> {
        let mut headers = HeaderMap::new();
        let range = format!("bytes={}-{}", self.at, self.end - 1);
        headers
            .insert(RANGE, HeaderValue::from_str(&range).map_err(|error| self.truncated(error.to_string()))?);
        let Some(tag) = &self.tag else {
            return Err(self.truncated("without an ETag, the rest may belong to another object".into()));
        };
        headers.insert(IF_MATCH, tag.clone());
        let request = Request::new(Method::GET, &self.inner.container, &self.key).headers(&headers).stream();
        let answer = self.inner.client.send(&request).await?;
        match (answer.status, extent(&answer), answer.rest) {
            (StatusCode::PARTIAL_CONTENT, Some((range, _)), Some(mut rest))
                if range == (self.at..self.end) =>
            {
                let piece = self.inner.client.wire.piece(&mut rest).await;
                self.response = Some(rest);
                Ok(piece)
            }
            (StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND, ..) => {
                Err(self.truncated("it was replaced concurrently".into()))
            }
            (status, ..) => {
                Err(self.truncated(format!("the server answered {status} to the request for the rest")))
            }
        }
    }

    fn truncated(&self, why: String) -> Error {
        Error::Truncated { object: self.inner.name(&self.key), got: self.at, size: self.end, why }
    }
}
