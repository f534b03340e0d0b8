//! Streams of objects in pieces of a useful size.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{Error, GetResult, GetResultPayload, Result};

use super::offload::blocking;

/// The size of a piece of a local file. [`GetResult::into_stream`] reads 8 KiB at a time, and each read changes threads.
const PIECE: u64 = 256 << 10;

/// Returns an object, or the requested range of it, as a stream.
pub(crate) fn pieces(result: GetResult) -> BoxStream<'static, Result<Bytes>> {
    let GetResultPayload::File(file, path) = result.payload else { return result.into_stream() };
    let rest = stream::try_unfold((file, result.range), move |(mut file, rest)| {
        let path = path.clone();
        blocking(move || {
            if rest.is_empty() {
                return Ok(None);
            }
            let size = PIECE.min(rest.end - rest.start);
            let piece = read(&mut file, rest.start, size).map_err(|error| failed(&error, &path))?;
            // Truncated concurrently.
            if piece.is_empty() {
                let error = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                return Err(failed(&error, &path));
            }
            let rest = rest.start + piece.len() as u64..rest.end;
            Ok(Some((Bytes::from(piece), (file, rest))))
        })
    });
    rest.boxed()
}

fn read(file: &mut std::fs::File, at: u64, size: u64) -> std::io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.seek(SeekFrom::Start(at))?;
    file.take(size).read_to_end(&mut piece)?;
    Ok(piece)
}

fn failed(error: &std::io::Error, path: &Path) -> Error {
    Error::Generic { store: "folder", source: format!("cannot read `{}`: {error}", path.display()).into() }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, local::LocalFileSystem};

    use super::*;

    #[tokio::test]
    async fn a_file_arrives_whole_in_few_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..600_000_u32).map(|at| (at % 251) as u8).collect();
        std::fs::write(folder.path().join("file"), &bytes).unwrap();
        let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let whole: Vec<Bytes> = pieces(store.get(&"file".into()).await.unwrap()).try_collect().await.unwrap();
        assert!(whole.len() == 3 && whole.concat() == bytes);
        let range = Some(GetRange::Bounded(1_000..300_000));
        let options = GetOptions { range, ..GetOptions::default() };
        let part = pieces(store.get_opts(&"file".into(), options).await.unwrap());
        let part: Vec<Bytes> = part.try_collect().await.unwrap();
        assert_eq!(part.concat(), bytes[1_000..300_000]);
    }

    #[tokio::test]
    async fn a_file_that_is_truncated_meanwhile_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), vec![1; 600_000]).unwrap();
        let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let result = store.get(&"file".into()).await.unwrap();
        std::fs::write(folder.path().join("file"), vec![1; 300_000]).unwrap();
        let read: Result<Vec<Bytes>> = pieces(result).try_collect().await;
        assert!(read.unwrap_err().to_string().contains("cannot read"));
    }
}
