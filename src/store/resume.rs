//! Reads that go on after a broken connection: the rest of the object is requested.
//!
//! `object_store` does so only if the server sent an `ETag`, and only within the first minute of a read.

use std::time::SystemTime;

use bytes::Bytes;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta};
use reqwest::header::HeaderValue;
use tokio::time::{Instant, sleep};

use super::{error::Error, handle::Store, http::IfRange, pieces::pieces, retry::RetryPolicy};

/// After this many bytes, the server counts as working, and the attempts begin anew.
const PROGRESS: u64 = 1 << 20;

/// The properties that tell two versions of an object apart.
struct Version {
    size: u64,
    tag: Option<String>,
    modified: Option<SystemTime>,
}

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        let modified = SystemTime::from(meta.last_modified);
        Self {
            size: meta.size,
            tag: meta.e_tag.clone(),
            modified: Some(modified).filter(|modified| *modified > SystemTime::UNIX_EPOCH),
        }
    }

    /// Whether the server says anything that identifies the version.
    fn is_known(&self) -> bool {
        self.tag.is_some() || self.modified.is_some()
    }

    /// Whether two versions are the same, as far as the server tells.
    fn is(&self, other: &Self) -> bool {
        self.size == other.size && self.tag == other.tag && self.modified == other.modified
    }

    /// The condition under which a server sends the rest of this version: only a strong validator is one.
    fn if_range(&self) -> Option<IfRange> {
        let text = match (&self.tag, self.modified) {
            (Some(tag), _) if tag.starts_with('"') => tag.clone(),
            (None, Some(modified)) => httpdate::fmt_http_date(modified),
            _ => return None,
        };
        HeaderValue::from_str(&text).ok().map(IfRange)
    }
}

/// An object that is being read.
struct Reading<'a> {
    store: &'a Store,
    path: &'a str,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    version: Version,
    /// The number of bytes that arrived, and that had arrived when the connection broke the last time.
    at: u64,
    broke_at: u64,
    tries: u32,
    since: Instant,
}

impl Store {
    /// The bytes of a requested object as they arrive.
    pub(super) fn pieces<'a>(
        &'a self,
        path: &'a str,
        result: GetResult,
    ) -> BoxStream<'a, Result<Bytes, Error>> {
        if self.is_local() {
            return pieces(result).map_err(|error| self.failed("read", path, error)).boxed();
        }
        let at = result.range.start;
        let reading = Reading {
            store: self,
            path,
            version: Version::of(&result.meta),
            stream: result.into_stream(),
            at,
            broke_at: at,
            tries: 0,
            since: Instant::now(),
        };
        let next = |mut reading: Reading<'a>| async move {
            loop {
                match reading.stream.try_next().await {
                    Ok(Some(piece)) => {
                        reading.at += piece.len() as u64;
                        return Ok(Some((piece, reading)));
                    }
                    Ok(None) => return Ok(None),
                    Err(error) => reading.resume(error).await?,
                }
            }
        };
        stream::try_unfold(reading, next).boxed()
    }

    /// Requests the bytes of an object from `at` on; `None` if the server does not send them.
    pub(super) async fn rest(
        &self,
        path: &str,
        at: u64,
        condition: Option<IfRange>,
    ) -> Result<Option<GetResult>, Error> {
        let mut options = GetOptions { range: Some(GetRange::Offset(at)), ..GetOptions::default() };
        if let Some(condition) = condition {
            options.extensions.insert(condition);
        }
        Ok(self.try_get(path, options).await?.ok())
    }
}

impl Reading<'_> {
    /// Requests the rest after an error; returns the error if the server does not send the rest of the same version.
    async fn resume(&mut self, error: object_store::Error) -> Result<(), Error> {
        if self.tries == 0 || self.at - self.broke_at >= PROGRESS {
            (self.tries, self.since) = (0, Instant::now());
        }
        self.broke_at = self.at;
        self.tries += 1;
        // The broken connection is closed first.
        self.stream = stream::empty().boxed();
        let pause = RetryPolicy::default().wait(self.tries, self.since, None);
        if let Some(pause) = pause.filter(|_| self.version.is_known()) {
            sleep(pause).await;
            let rest = self.store.rest(self.path, self.at, self.version.if_range()).await?;
            if let Some(rest) = rest.filter(|rest| self.version.is(&Version::of(&rest.meta))) {
                self.stream = rest.into_stream();
                return Ok(());
            }
        }
        Err(self.store.failed("read", self.path, error))
    }
}
