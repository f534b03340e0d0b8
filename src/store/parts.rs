//! Multipart uploads of large objects: several parts in flight, with bounded memory.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use object_store::{Attributes, ObjectStore, PutMultipartOptions, path::Path};

use super::error::Error;

/// The size of a part. R2 requires equal sizes for all but the last, and every service at least 5 MiB.
const PART: u64 = 8 << 20;
/// From this size on, an object is uploaded in parts.
const LARGE: u64 = 2 * PART;
/// The maximum number of parts that every service accepts.
const MOST: u64 = 10_000;
/// The number of parts in flight; one more is being read.
const AT_ONCE: usize = 3;

/// The reason why an upload failed.
pub(super) enum Failure {
    /// The store rejected it or failed.
    Store(object_store::Error),
    /// The content could not be read.
    Content(Error),
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

/// Returns whether an object of this size is uploaded in parts.
pub(super) fn is_large(size: u64) -> bool {
    size >= LARGE
}

/// Returns the part size for an object.
pub(super) fn size_for(size: u64) -> usize {
    let part = size.div_ceil(MOST).next_multiple_of(1 << 20).max(PART);
    usize::try_from(part).unwrap_or(usize::MAX)
}

/// Uploads parts, of equal size but for the last, as one object; it becomes visible whole or not at all.
pub(super) async fn send(
    objects: &dyn ObjectStore,
    path: &Path,
    attributes: Attributes,
    parts: impl Stream<Item = Result<Bytes, Error>> + Unpin,
) -> Result<(), Failure> {
    let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
    let mut upload = objects.put_multipart_opts(path, options).await?;
    let sent = parts
        .map_err(Failure::Content)
        .map_ok(|part| {
            let sending = upload.put_part(part.into());
            async { sending.await.map_err(Failure::Store) }
        })
        .try_buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await;
    let done = match sent {
        Ok(()) => upload.complete().await.map(drop).map_err(Failure::Store),
        Err(error) => Err(error),
    };
    if done.is_err() {
        // The first error is the cause; the upload is aborted.
        let _ = upload.abort().await;
    }
    done
}

/// Splits a stream into pieces of one size; only the last may be shorter.
pub(super) fn cut<S: Stream<Item = Result<Bytes, Error>> + Unpin>(
    pieces: S,
    size: usize,
) -> impl Stream<Item = Result<Bytes, Error>> + Unpin {
    let next = move |(mut pieces, mut held): (S, BytesMut)| async move {
        while held.len() < size {
            match pieces.next().await {
                Some(Ok(piece)) => held.extend_from_slice(&piece),
                Some(Err(error)) => return Err(error),
                None if held.is_empty() => return Ok(None),
                None => return Ok(Some((held.split().freeze(), (pieces, held)))),
            }
        }
        Ok(Some((held.split_to(size).freeze(), (pieces, held))))
    };
    Box::pin(stream::try_unfold((pieces, BytesMut::new()), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_where_ten_thousand_would_not_do() {
        assert!(!is_large(LARGE - 1) && is_large(LARGE));
        assert_eq!(size_for(LARGE), 8 << 20);
        assert_eq!(size_for(80_000 << 20), 8 << 20);
        for size in [(80_000 << 20) + 1, 1 << 40, 5 << 40] {
            let part = size_for(size) as u64;
            assert!(part > PART && size.div_ceil(part) <= MOST, "{size}: {part}");
        }
    }

    #[tokio::test]
    async fn a_stream_is_cut_into_pieces_of_one_size() {
        for lengths in [&[][..], &[0], &[3], &[4], &[5], &[1, 2, 1, 9, 0, 3], &[8, 8]] {
            let pieces: Vec<Result<Bytes, Error>> =
                lengths.iter().map(|&length| Ok(Bytes::from(vec![b'x'; length]))).collect();
            let cut: Vec<Bytes> = cut(stream::iter(pieces), 4).try_collect().await.unwrap();
            let sum: usize = lengths.iter().sum();
            let got: Vec<usize> = cut.iter().map(Bytes::len).collect();
            assert_eq!(got.iter().sum::<usize>(), sum);
            assert!(got.iter().rev().skip(1).all(|&length| length == 4), "{got:?}");
            assert!(got.last().is_none_or(|&length| (1..=4).contains(&length)), "{got:?}");
        }
    }
}
