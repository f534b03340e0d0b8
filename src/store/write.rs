//! Writes of any content, and deletes; the writes that compare are in [`super::swap`] and [`super::create`].

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use object_store::{Attributes, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, path::Path};

use super::{
    content::{self, Content},
    error::Error,
    folder,
    handle::Store,
    object::parse,
    parts::{self, Failure},
};
use crate::digest::Digests;

impl Store {
    /// Writes any content: a folder copies a file, a bucket uploads it, in parts if it is large.
    pub(super) async fn write(
        &self,
        path: &Path,
        content: &Content,
        mode: PutMode,
        attributes: impl FnOnce() -> Attributes,
    ) -> Result<(), Failure> {
        match content {
            Content::File(local) if self.folder.is_some() => {
                let mut options = PutOptions::from(mode);
                options.extensions.insert(Arc::clone(local));
                self.request(false).put_opts(path, PutPayload::new(), options).await?;
                Ok(())
            }
            // Already in memory, and every service accepts the size of any index in one request.
            Content::Bytes(bytes, _) => Ok(self.put(path, bytes.clone(), mode, attributes).await?),
            Content::File(local) if !parts::is_large(local.digests.size) => {
                let bytes = content::read_file(&local.file, local.stamp).await.map_err(Failure::Content)?;
                Ok(self.put(path, bytes, mode, attributes).await?)
            }
            Content::File(local) => {
                let parts = content::parts(&local.file, local.stamp, parts::size_for(local.digests.size));
                parts::send(self.request(false), path, attributes(), parts).await
            }
        }
    }

    /// Writes an object; in a folder, the file is flushed to disk before it gets its name.
    pub(super) async fn put_durably(
        &self,
        path: &Path,
        bytes: Bytes,
        mode: PutMode,
        attributes: impl FnOnce() -> Attributes,
    ) -> object_store::Result<()> {
        let mut options = self.put_options(mode, attributes);
        if self.folder.is_some() {
            options.extensions.insert(folder::Durable);
        }
        self.request(false).put_opts(path, PutPayload::from(bytes), options).await.map(drop)
    }

    pub(super) async fn put(
        &self,
        path: &Path,
        bytes: Bytes,
        mode: PutMode,
        attributes: impl FnOnce() -> Attributes,
    ) -> object_store::Result<()> {
        let options = self.put_options(mode, attributes);
        self.request(false).put_opts(path, PutPayload::from(bytes), options).await.map(drop)
    }

    /// Returns the options of a write; a folder stores no attributes.
    fn put_options(&self, mode: PutMode, attributes: impl FnOnce() -> Attributes) -> PutOptions {
        let mut options = PutOptions::from(mode);
        if self.folder.is_none() {
            options.attributes = attributes();
        }
        options
    }

    pub(super) fn unwritten(&self, path: &str, failure: Failure) -> Error {
        match failure {
            Failure::Content(error) => error,
            Failure::Store(error) => {
                content_error(error).unwrap_or_else(|error| self.failed("write", path, error))
            }
        }
    }

    /// Writes a mutable object, which may lag behind the commit.
    pub async fn replace(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let digests = Digests::of(&bytes);
        self.replace_with(path, &Content::Bytes(bytes, digests)).await
    }

    /// Writes a mutable object from any content.
    pub async fn replace_with(&self, path: &str, content: &Content) -> Result<(), Error> {
        self.overwrite(path, content, || self.headers.of_mutable(path)).await
    }

    /// Writes an immutable object over an existing one, such as a damaged one.
    pub async fn renew(&self, path: &str, content: &Content) -> Result<(), Error> {
        self.overwrite(path, content, || self.headers.of_immutable(path)).await
    }

    async fn overwrite(
        &self,
        path: &str,
        content: &Content,
        attributes: impl FnOnce() -> Attributes,
    ) -> Result<(), Error> {
        self.writable("write", path)?;
        let written = self.write(&parse(path)?, content, PutMode::Overwrite, attributes).await;
        written.map_err(|failure| self.unwritten(path, failure))
    }

    /// Deletes an object; succeeds if it does not exist.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        self.writable("delete", path)?;
        match self.request(false).delete(&parse(path)?).await {
            Err(error) if !Self::is_absent(&error) => Err(self.failed("delete", path, error)),
            _ => Ok(()),
        }
    }

    /// Deletes objects, with bulk requests where the store supports them; missing ones are ignored.
    pub async fn delete_all(&self, paths: &[String]) -> Result<(), Error> {
        let Some(first) = paths.first() else { return Ok(()) };
        self.writable("delete", first)?;
        let parsed: Vec<Path> = paths.iter().map(|path| parse(path)).collect::<Result<_, _>>()?;
        let mut deleted = self.request(false).delete_stream(stream::iter(parsed.into_iter().map(Ok)).boxed());
        while let Some(done) = deleted.next().await {
            match done {
                Err(error) if !Self::is_absent(&error) => return Err(self.failed("delete", first, error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Returns the error of the local file, if a folder failed to copy it.
fn content_error(error: object_store::Error) -> Result<Error, object_store::Error> {
    match error {
        object_store::Error::Generic { store, source } => match source.downcast::<Error>() {
            Ok(error) => Ok(*error),
            Err(source) => Err(object_store::Error::Generic { store, source }),
        },
        error => Err(error),
    }
}
