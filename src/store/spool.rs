//! Bodies without an announced length: read to their end before they are passed on, small ones into memory and large
//! ones into an unnamed temporary file.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind, HttpResponseBody};

use super::pace::{Pace, TooSlow};

/// The most bytes of one body that are held in memory.
const IN_MEMORY: usize = 4 << 20;
/// The buffer size for reads of the file.
const PIECE: u64 = 256 << 10;

/// Reads a body up to a limit; returns its size, and the same body with a known length.
pub(super) async fn measured(
    mut body: HttpResponseBody,
    most: u64,
) -> Result<(u64, HttpResponseBody), HttpError> {
    let (mut held, mut file, mut pace) = (BytesMut::new(), None, Pace::begin());
    let mut size = 0;
    while size < most {
        let Some(frame) = body.frame().await else { break };
        let Ok(mut piece) = frame?.into_data() else { continue };
        pace.count(piece.len() as u64).map_err(too_slow)?;
        piece.truncate(usize::try_from(most - size).unwrap_or(usize::MAX));
        size += piece.len() as u64;
        held.extend_from_slice(&piece);
        if held.len() > IN_MEMORY {
            let file = match &mut file {
                Some(file) => file,
                none => none.insert(tempfile::tempfile().map_err(|error| unwritable(&error))?),
            };
            file.write_all(&held).map_err(|error| unwritable(&error))?;
            held.clear();
        }
    }
    let Some(mut file) = file else { return Ok((size, held.freeze().into())) };
    file.write_all(&held).and_then(|()| file.rewind()).map_err(|error| unwritable(&error))?;
    Ok((size, HttpResponseBody::new(Spooled { file, left: size })))
}

/// A slow response is not retried: it would take as long again.
pub(super) fn too_slow(error: TooSlow) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

fn unwritable(error: &io::Error) -> HttpError {
    let why = format!("cannot store the response in the folder for temporary files: {error}");
    HttpError::new(HttpErrorKind::Unknown, io::Error::new(error.kind(), why))
}

/// A body in a file.
struct Spooled {
    file: File,
    left: u64,
}

impl Body for Spooled {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let length = self.left.min(PIECE);
        let mut piece = vec![0; usize::try_from(length).unwrap_or_default()];
        // Just written, so it is in the page cache.
        let read = self.file.read_exact(&mut piece).map_err(|error| unwritable(&error));
        self.left -= length;
        Poll::Ready(Some(read.map(|()| Frame::data(piece.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_of_any_size_is_the_same_afterwards() {
        for length in [0, 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY + 7] {
            let bytes: Bytes = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let (size, body) = measured(bytes.clone().into(), u64::MAX).await.unwrap();
            assert_eq!(size, length as u64);
            assert!(body.bytes().await.unwrap() == bytes, "{length}");
            let most = size / 2;
            let (size, body) = measured(bytes.clone().into(), most).await.unwrap();
            assert_eq!(size, most);
            assert!(body.bytes().await.unwrap() == bytes[..length / 2], "half of {length}");
        }
    }
}
