//! Swift as an [`ObjectStore`].

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error as ObjectError, Extensions, GetOptions, GetResult, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, path::Path,
};
use reqwest::{Method, StatusCode, header::HeaderValue};

use super::{
    client::Request,
    error::{Error, STORE},
    handle::Swift,
    large::Upload,
    put::headers_of,
};

#[async_trait::async_trait]
impl ObjectStore for Swift {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let inner = &self.0;
        let mut headers = headers_of(&options.attributes)?;
        match options.mode {
            PutMode::Overwrite => {}
            PutMode::Create => {
                headers.insert("if-none-match", HeaderValue::from_static("*"));
            }
            PutMode::Update(_) => {
                // The header is accepted and ignored: the object would be overwritten.
                let operation = format!("writing `{location}` only if it is unchanged");
                return Err(ObjectError::NotImplemented { operation, implementer: STORE.into() });
            }
        }
        let failed = |error: Error| error.at(location.as_ref());
        inner.ready().await.map_err(failed)?;
        let key = inner.key(location.as_ref());
        let (_, md5) =
            inner.put(&inner.container, &key, &headers, Bytes::from(payload)).await.map_err(failed)?;
        Ok(PutResult { e_tag: Some(md5), version: None, extensions: Extensions::default() })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let failed = |error: Error| error.at(location.as_ref());
        let headers = headers_of(&options.attributes)?;
        self.0.ready().await.map_err(failed)?;
        self.0.make_segments().await.map_err(failed)?;
        Ok(Box::new(Upload::new(self.0.clone(), location.clone(), headers)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_all(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_folder(prefix).await
    }

    /// Copies within the server; [`Attributes`] in the extensions become those of the copy.
    ///
    /// A copy of a large object is one object without segments. Create-only is a check before the copy, which is not
    /// atomic: the server would apply the condition to the source.
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let inner = &self.0;
        let failed = |error: Error| error.at(to.as_ref());
        let headers = options.extensions.get::<Attributes>().map(headers_of).transpose()?;
        inner.ready().await.map_err(failed)?;
        let (from_key, to_key) = (inner.key(from.as_ref()), inner.key(to.as_ref()));
        if options.mode == CopyMode::Create {
            let request = Request::new(Method::HEAD, &inner.container, &to_key);
            let answer = inner.client.send(&request).await.map_err(failed)?;
            if answer.status.is_success() {
                return Err(failed(Error::Exists { object: inner.name(&to_key) }));
            }
            if answer.status != StatusCode::NOT_FOUND {
                return Err(failed(answer.error(&inner.name(&to_key))));
            }
        }
        inner.copy(&from_key, &to_key, headers.as_ref()).await.map_err(|error| match error {
            Error::NoObject { .. } => error.at(from.as_ref()),
            error => failed(error),
        })
    }
}
