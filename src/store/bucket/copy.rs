//! Server-side copies with new headers: `CopyObject` of S3 and its equivalent at Google, which differs only in names
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>,
//! <https://cloud.google.com/storage/docs/xml-api/put-object-copy>).
//!
//! `object_store` copies the headers of the source too, so caches would keep a mutable file for a year.

use std::{fmt, ops::Range};

use bytes::Bytes;
use futures::stream::BoxStream;
use hyper::Request;
use object_store::{
    Attribute, Attributes, CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    client::{HttpClient, HttpErrorKind, HttpRequest, HttpRequestBody},
    path::Path,
};
use reqwest::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::store::{
    retry::{RetryPolicy, is_retryable},
    swift::encoded,
};

/// A bucket that copies on the server and gives the copy the [`Attributes`] in the extensions of the request.
///
/// Returns [`Error::NotImplemented`] where the server cannot do that; the caller may read and write the object
/// instead.
#[derive(Debug)]
pub(super) struct Copying<T, S> {
    /// The bucket.
    pub(super) objects: T,
    /// Signs the requests to the bucket.
    pub(super) signer: S,
    pub(super) http: HttpClient,
    pub(super) place: Place,
}

/// The name and address of a bucket.
#[derive(Debug)]
pub(super) struct Place {
    /// Its name.
    pub(super) bucket: String,
    /// Its address, without a slash at the end.
    pub(super) url: String,
    /// The prefix of the service's own headers, such as `x-amz-`.
    pub(super) dialect: &'static str,
}

/// Signs requests to a bucket.
#[async_trait::async_trait]
pub(super) trait Sign: fmt::Debug + Send + Sync + 'static {
    /// Signs a request without a body, or signs one with a body again.
    async fn sign(&self, request: &mut HttpRequest) -> Result<()>;
}

impl Place {
    /// Builds the unsigned request for a copy.
    fn request(&self, from: &Path, to: &Path, attributes: &Attributes) -> Result<HttpRequest> {
        let Self { bucket, url, dialect } = self;
        let mut request = Request::put(format!("{url}/{}", encoded(to.as_ref())))
            .header(
                format!("{dialect}copy-source"),
                format!("{}/{}", encoded(bucket), encoded(from.as_ref())),
            )
            .header(format!("{dialect}metadata-directive"), "REPLACE")
            // Some servers require a length even for an empty body.
            .header(CONTENT_LENGTH, 0);
        for (attribute, value) in attributes {
            let name = match attribute {
                Attribute::CacheControl => CACHE_CONTROL,
                Attribute::ContentType => CONTENT_TYPE,
                other => return Err(self.cannot(format!("a copy with the attribute {other:?}"))),
            };
            request = request.header(name, value.as_ref());
        }
        request.body(HttpRequestBody::empty()).map_err(|error| self.failed(error))
    }

    fn cannot(&self, operation: String) -> Error {
        Error::NotImplemented { operation, implementer: self.bucket.clone() }
    }

    fn failed(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let store = if self.dialect == "x-amz-" { "S3" } else { "GCS" };
        Error::Generic { store, source: source.into() }
    }
}

impl<T: ObjectStore, S: Sign> Copying<T, S> {
    /// Copies, with retries: a copy is idempotent.
    async fn copy(&self, from: &Path, to: &Path, attributes: &Attributes) -> Result<()> {
        RetryPolicy::default().run(|| self.copy_once(from, to, attributes)).await
    }

    /// Copies once; the inner error is transient.
    async fn copy_once(&self, from: &Path, to: &Path, attributes: &Attributes) -> Result<Result<()>> {
        let mut request = self.place.request(from, to, attributes)?;
        self.signer.sign(&mut request).await?;
        let answer = match self.http.execute(request).await {
            Ok(answer) => answer,
            Err(error) if matches!(error.kind(), HttpErrorKind::Connect | HttpErrorKind::Request) => {
                return Ok(Err(self.place.failed(error)));
            }
            Err(error) => return Err(self.place.failed(error)),
        };
        let status = answer.status();
        let body = match answer.into_body().bytes().await {
            Ok(body) => body,
            Err(error) => return Ok(Err(self.place.failed(error))),
        };
        let body = String::from_utf8_lossy(&body);
        let failure = format!("the server answered with status code: {status}: {body}");
        match status {
            // A copy may fail after the server has sent status 200.
            _ if status.is_success() && !body.contains("<Error>") => Ok(Ok(())),
            _ if status.is_success() || is_retryable(status) => Ok(Err(self.place.failed(failure))),
            StatusCode::NOT_FOUND => Err(Error::NotFound { path: from.to_string(), source: failure.into() }),
            // The server does not copy, or not objects of this size, or not for this user. Reading and writing
            // reports the actual cause.
            _ => Err(self.place.cannot(format!("a copy with other headers ({failure})"))),
        }
    }
}

impl<T: fmt::Display, S> fmt::Display for Copying<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.objects.fmt(f)
    }
}

#[async_trait::async_trait]
impl<T: ObjectStore, S: Sign> ObjectStore for Copying<T, S> {
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match (options.extensions.get::<Attributes>(), options.mode) {
            (None, _) => self.objects.copy_opts(from, to, options).await,
            (Some(attributes), CopyMode::Overwrite) => self.copy(from, to, attributes).await,
            (Some(_), CopyMode::Create) => {
                Err(self.place.cannot("a copy with other headers that must not replace an object".into()))
            }
        }
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.objects.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.objects.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }
}
