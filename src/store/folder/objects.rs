//! A folder as an [`ObjectStore`].

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use object_store::{
    Attributes, CopyMode, CopyOptions, Extensions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, path::Path as ObjectPath,
};

use super::{
    put::{Durable, persist},
    root::{Folder, absent, failed, meta},
};
use crate::store::{
    content::LocalFile,
    offload::{INLINE, blocking},
};

impl Folder {
    /// Reads the metadata on the current thread, without opening the file: a handover to another thread takes ten
    /// times as long.
    fn head(&self, location: &ObjectPath, options: &GetOptions) -> Result<GetResult> {
        let metadata = fs::metadata(self.readable(location)?).map_err(failed)?;
        if metadata.is_dir() {
            return Err(absent(location));
        }
        let meta = meta(location.clone(), &metadata)?;
        options.check_preconditions(&meta)?;
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::empty().boxed()),
            range: 0..meta.size,
            meta,
            attributes: Attributes::default(),
            extensions: Extensions::default(),
        })
    }
}

/// Opens a file, and reads it if it is small: a second handover would take longer than that.
fn open(path: &Path, is_whole: bool) -> io::Result<(File, Metadata, Option<Bytes>)> {
    let file = crate::regular::open(path)?;
    let metadata = file.metadata()?;
    if !is_whole || metadata.len() > INLINE {
        return Ok((file, metadata, None));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1);
    // It may have grown since.
    (&file).take(INLINE + 1).read_to_end(&mut bytes)?;
    Ok((file, metadata, Some(bytes.into())))
}

/// No caller uses the revision that a write returns.
fn no_revision() -> PutResult {
    PutResult { e_tag: None, version: None, extensions: Extensions::default() }
}

#[async_trait::async_trait]
impl ObjectStore for Folder {
    async fn put_opts(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        // A folder stores no attributes: the web server sets the headers.
        let (folder, path) = (self.clone(), self.place(location)?);
        // A put without payload copies the file in its extensions.
        let local = options.extensions.get::<Arc<LocalFile>>().cloned();
        let size = payload.content_length() as u64 + local.as_ref().map_or(0, |local| local.stamp.size());
        let takes_lock = matches!(options.mode, PutMode::Update(_));
        let durable = options.extensions.get::<Durable>().is_some();
        let put = move || folder.put(&path, &payload, local.as_deref(), options.mode, durable);
        // A swap waits for a lock.
        if takes_lock || size > INLINE {
            blocking(put).await?;
        } else {
            put()?;
        }
        Ok(no_revision())
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        // Local files are copied whole, and no other large content is written to a folder.
        let operation = format!("writing `{location}` in parts");
        Err(object_store::Error::NotImplemented { operation, implementer: self.to_string() })
    }

    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        if options.head {
            return self.head(location, &options);
        }
        // `LocalFileSystem` would wait for the writer of a named pipe, and hands over to another thread for each step.
        let path = self.readable(location)?;
        let (at, is_whole) = (path.clone(), options.range.is_none());
        let (file, metadata, bytes) = match blocking(move || open(&at, is_whole)).await {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => return Err(absent(location)),
            opened => opened.map_err(failed)?,
        };
        let meta = meta(location.clone(), &metadata)?;
        options.check_preconditions(&meta)?;
        let range = match options.range {
            Some(range) => range.as_range(meta.size).map_err(|error| failed(io::Error::other(error)))?,
            None => 0..meta.size,
        };
        let payload = match bytes {
            Some(bytes) => GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed()),
            None => GetResultPayload::File(file, path),
        };
        Ok(GetResult {
            payload,
            range,
            meta,
            attributes: Attributes::default(),
            extensions: Extensions::default(),
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<ObjectPath>>,
    ) -> BoxStream<'static, Result<ObjectPath>> {
        let folder = self.clone();
        let delete = move |location: Result<ObjectPath>| {
            let folder = folder.clone();
            async move {
                let location = location?;
                folder.place(&location)?;
                match folder.reader()? {
                    Some(reader) => reader.delete(&location).await.map(|()| location),
                    None => Err(absent(&location)),
                }
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.walk(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&ObjectPath>,
        offset: &ObjectPath,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.walk_after(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        let (folder, prefix) = (self.clone(), prefix.cloned());
        blocking(move || folder.list_folder(prefix.as_ref())).await
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> Result<()> {
        let (folder, from, to) = (self.clone(), self.readable(from)?, self.place(to)?);
        blocking(move || {
            let mut source = crate::regular::open(&from).map_err(failed)?;
            let mut file = folder.temp_file(&to)?;
            // The kernel copies, and shares blocks where the file system supports that.
            io::copy(&mut source, file.as_file_mut()).map_err(failed)?;
            persist(file, &to, options.mode == CopyMode::Create)?;
            folder.record_unflushed(to);
            Ok(())
        })
        .await
    }
}
