//! Joins a request, the decisions about it and the store: one request in, one answer out.
//!
//! Files are streamed; only the small files beside `dists/` are held in memory, because they are looked into first.

use std::{error::Error as _, io};

use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Response, StatusCode,
    body::Frame,
    header::{self, HeaderName, HeaderValue},
    http::request::Parts,
};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, path::Path};

use super::{
    http::{self, Decision, Target, Validators},
    listing::{File, Folder},
};
use crate::{dists::media_type, store::pieces, suite::public_files};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, object_store::Error>;

/// A log record of an answered request.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Answered {
    /// The method of the request.
    pub method: String,
    /// The path of the request, as it was sent.
    pub path: String,
    /// The status code of the answer.
    pub status: u16,
    /// The number of bytes that the answer has or, to HEAD, would have.
    pub length: Option<u64>,
    /// The error of the store if the status is 500.
    pub failure: Option<String>,
}

impl std::fmt::Display for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.status, self.method, self.path.escape_debug())?;
        match &self.failure {
            Some(failure) => write!(f, ": {failure}"),
            None => Ok(()),
        }
    }
}

/// How often a file may be replaced between two looks at it before the request is given up.
const LOOKS: u32 = 3;

/// Answers one request.
pub(super) async fn answer(store: &dyn ObjectStore, request: &Parts) -> (Response<Body>, Answered) {
    let (response, failure) = match find(store, request).await {
        Ok(response) => (response, None),
        Err(Refusal::Status(status)) => (message(request, status), None),
        Err(Refusal::Store(error)) => {
            (message(request, StatusCode::INTERNAL_SERVER_ERROR), Some(error.to_string()))
        }
    };
    let length =
        response.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let answered = Answered {
        method: request.method.to_string(),
        path: request.uri.path().to_owned(),
        status: response.status().as_u16(),
        length,
        failure,
    };
    (response, answered)
}

/// Why a request gets no file.
enum Refusal {
    Status(StatusCode),
    Store(object_store::Error),
}

impl From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Self {
        Self::Status(status)
    }
}

impl From<object_store::Error> for Refusal {
    fn from(error: object_store::Error) -> Self {
        if is_missing(&error) { Self::Status(StatusCode::NOT_FOUND) } else { Self::Store(error) }
    }
}

async fn find(store: &dyn ObjectStore, request: &Parts) -> Result<Response<Body>, Refusal> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return Err(StatusCode::METHOD_NOT_ALLOWED.into());
    }
    match http::target(request.uri.path())? {
        Target::File(path) => match file(store, request, &path).await {
            Err(Refusal::Status(StatusCode::NOT_FOUND)) => {
                folder(store, &path).await?;
                Ok(redirect(request, &http::folder_url(&path)))
            }
            found => found,
        },
        Target::RootFile(path) => {
            let (meta, contents) = root_file(store, &path).await?.ok_or(StatusCode::NOT_FOUND)?;
            let decision = http::decide(&request.method, &request.headers, &Validators::of(&meta));
            let body = match &decision {
                Decision::Part(range) => contents.slice(in_memory(range.start)..in_memory(range.end)),
                _ => contents,
            };
            Ok(reply(request, &meta, decision, whole(body)))
        }
        Target::Folder(path) => {
            let page = folder(store, &path).await?.render(&format!("/{path}/"));
            Ok(html(request, page))
        }
        Target::Root => {
            let page = root(store).await?.render("/");
            Ok(html(request, page))
        }
    }
}

/// Answers a request for one file, streaming it.
async fn file(store: &dyn ObjectStore, request: &Parts, path: &Path) -> Result<Response<Body>, Refusal> {
    for _ in 0..LOOKS {
        let meta = store.head(path).await?;
        let decision = http::decide(&request.method, &request.headers, &Validators::of(&meta));
        let range = match &decision {
            Decision::Whole if request.method == Method::GET => None,
            Decision::Part(range) => Some(GetRange::Bounded(range.clone())),
            _ => return Ok(reply(request, &meta, decision, nothing())),
        };
        let options = GetOptions { range, ..GetOptions::default() };
        let result = match store.get_opts(path, options).await {
            // The file became shorter than the range: read its metadata again.
            Err(error) if !is_missing(&error) && !is_same(&store.head(path).await?, &meta) => continue,
            result => result?,
        };
        // Replaced between the two: the decision, and the headers, hold for the other file.
        if is_same(&result.meta, &meta) {
            let stream = pieces(result).map_ok(Frame::data);
            return Ok(reply(request, &meta, decision, StreamBody::new(stream).boxed_unsync()));
        }
    }
    Err(StatusCode::SERVICE_UNAVAILABLE.into())
}

fn is_same(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    one.e_tag == other.e_tag && one.size == other.size && one.last_modified == other.last_modified
}

/// Reads a file beside `dists/`; `None` if it may not be shown.
async fn root_file(store: &dyn ObjectStore, path: &Path) -> Result<Option<(ObjectMeta, Bytes)>, Refusal> {
    let result = store.get(path).await?;
    if result.meta.size > public_files::SIZE_LIMIT {
        return Ok(None);
    }
    let meta = result.meta.clone();
    let contents = result.bytes().await?;
    let is_shown = contents.len() as u64 == meta.size && public_files::is_harmless(path.as_ref(), &contents);
    Ok(is_shown.then_some((meta, contents)))
}

/// Lists a folder of the archive. One without anything to show does not exist: a bucket has no empty folders either.
async fn folder(store: &dyn ObjectStore, path: &Path) -> Result<Folder, Refusal> {
    let folder = visible(store, Some(path)).await?;
    if folder.is_empty() {
        return Err(StatusCode::NOT_FOUND.into());
    }
    Ok(folder)
}

/// Lists the folder above `dists/`; it exists even while the archive is empty.
async fn root(store: &dyn ObjectStore) -> Result<Folder, Refusal> {
    let mut folder = visible(store, None).await?;
    let mut shown = Vec::new();
    for file in folder.files {
        let path = Path::parse(&file.name).map_err(|_| StatusCode::NOT_FOUND)?;
        if root_file(store, &path).await?.is_some() {
            shown.push(file);
        }
    }
    folder.files = shown;
    Ok(folder)
}

async fn visible(store: &dyn ObjectStore, path: Option<&Path>) -> Result<Folder, Refusal> {
    let found = store.list_with_delimiter(path).await?;
    let name = |path: &Path| path.filename().unwrap_or_default().to_owned();
    Ok(Folder {
        folders: found
            .common_prefixes
            .iter()
            .filter(|folder| http::target(&http::folder_url(folder)).is_ok())
            .map(name)
            .collect(),
        files: found
            .objects
            .iter()
            .filter(|file| http::is_part_of_archive(&file.location))
            .map(|file| File {
                name: name(&file.location),
                size: file.size,
                last_modified: Validators::of(file).http_date(),
            })
            .collect(),
    })
}

/// Whether a store says that there is nothing at a path, in whatever words.
fn is_missing(error: &object_store::Error) -> bool {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return true;
    }
    // A folder: `x.deb/y` is "not a directory", a name of 300 bytes "too long".
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
            );
        }
        cause = error.source();
    }
    false
}

/// The answer about an existing file; the body is that of the decision, and left out where there is none to send.
fn reply(request: &Parts, meta: &ObjectMeta, decision: Decision, body: Body) -> Response<Body> {
    let file = Validators::of(meta);
    let (status, length) = match &decision {
        Decision::Whole => (StatusCode::OK, file.size),
        Decision::Part(range) => (StatusCode::PARTIAL_CONTENT, range.end - range.start),
        Decision::NotModified => (StatusCode::NOT_MODIFIED, 0),
        Decision::PreconditionFailed => return message(request, StatusCode::PRECONDITION_FAILED),
        Decision::Unsatisfiable => {
            let mut refusal = message(request, StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut refusal, header::CONTENT_RANGE, &format!("bytes */{}", file.size));
            return refusal;
        }
    };
    let is_sent = request.method == Method::GET && status != StatusCode::NOT_MODIFIED;
    let mut response = Response::new(if is_sent { body } else { nothing() });
    *response.status_mut() = status;
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    set(&mut response, header::CACHE_CONTROL, http::cache_control(&meta.location));
    set(&mut response, header::LAST_MODIFIED, &file.http_date());
    if let Some(tag) = &file.e_tag {
        set(&mut response, header::ETAG, tag);
    }
    if status == StatusCode::NOT_MODIFIED {
        return response;
    }
    set(&mut response, header::CONTENT_TYPE, media_type::of(meta.location.as_ref()));
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    if let Decision::Part(range) = decision {
        let sent = format!("bytes {}-{}/{}", range.start, range.end - 1, file.size);
        set(&mut response, header::CONTENT_RANGE, &sent);
    }
    response
}

/// A page made for this request.
fn html(request: &Parts, page: String) -> Response<Body> {
    made(request, StatusCode::OK, "text/html; charset=utf-8", page)
}

/// One line of text that says the status.
fn message(request: &Parts, status: StatusCode) -> Response<Body> {
    let mut response = made(request, status, "text/plain; charset=utf-8", format!("{status}\n"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        set(&mut response, header::ALLOW, "GET, HEAD");
    }
    response
}

fn redirect(request: &Parts, url: &str) -> Response<Body> {
    let mut response = message(request, StatusCode::MOVED_PERMANENTLY);
    set(&mut response, header::LOCATION, url);
    response
}

fn made(request: &Parts, status: StatusCode, content_type: &str, text: String) -> Response<Body> {
    let length = text.len();
    let body = if request.method == Method::HEAD { nothing() } else { whole(text.into()) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, content_type);
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    // A missing file may be published soon; a cached 404 would hide it.
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    response
}

/// Sets a header, unless the value cannot be one: an entity tag of a strange store is then left out.
fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn nothing() -> Body {
    whole(Bytes::new())
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// An offset in something that is in memory.
fn in_memory(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
