//! Reads from a web server that asks only whether a file has changed, if the last response is cached.
//!
//! Only the transfer is saved: what is read from the cache is verified like a response.

use std::{
    sync::PoisonError,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use object_store::{GetOptions, UpdateVersion};
use tokio::time::Instant;

use super::{
    cache::Cache,
    error::Error,
    handle::Store,
    limit::Limit,
    location::Location,
    object::{Object, Revision},
};
use crate::digest::Sha256Digest;

/// The name of the local record of responses.
const RESPONSES: &str = "responses";

/// The validators of a cached response.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Response {
    sha256: Sha256Digest,
    tag: Option<String>,
    modified: SystemTime,
}

impl Response {
    fn render(&self) -> String {
        let modified = self.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        format!("{}\n{modified}\n{}", self.sha256, self.tag.as_deref().unwrap_or_default())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.splitn(3, '\n');
        let sha256 = lines.next()?.parse().ok()?;
        let modified =
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(lines.next()?.parse().ok()?))?;
        let tag = lines.next().filter(|tag| !tag.is_empty()).map(str::to_owned);
        let has_validator = tag.is_some() || modified > SystemTime::UNIX_EPOCH;
        has_validator.then_some(Self { sha256, tag, modified })
    }

    /// The request for the file if it has changed since.
    fn condition(&self) -> GetOptions {
        let is_since = self.tag.is_none().then(|| self.modified.into());
        GetOptions { if_none_match: self.tag.clone(), if_modified_since: is_since, ..GetOptions::default() }
    }

    fn object(&self, bytes: Bytes) -> Object {
        let state = UpdateVersion { e_tag: self.tag.clone(), version: None };
        let revision = Revision { state, modified: self.modified, read: Instant::now() };
        Object { bytes, revision, served: None }
    }
}

impl Store {
    /// Gives an object that was just read to the next read of it, which sends no request then.
    pub(crate) fn hand_over(&self, path: &str, bytes: Bytes, revision: &Revision) {
        let object = Object { bytes, revision: revision.clone(), served: None };
        self.handed_over.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), object);
    }

    pub(super) fn take_over(&self, path: &str) -> Option<Object> {
        self.handed_over.lock().unwrap_or_else(PoisonError::into_inner).remove(path)
    }

    /// Reads files of a web server from the cache, unless the server says that they have changed.
    #[must_use]
    pub fn revalidating(self) -> Self {
        Self { revalidates: true, ..self }
    }

    /// The cache of responses.
    pub(super) fn answers(&self) -> Option<&Cache> {
        let is_web = matches!(self.location, Location::Web(_));
        self.cache.as_ref().filter(|_| is_web && self.revalidates)
    }

    pub(super) async fn read_if_changed(
        &self,
        path: &str,
        limit: Limit,
        cache: &Cache,
    ) -> Result<Option<Object>, Error> {
        let Location::Web(url) = &self.location else {
            return self.read_with(path, GetOptions::default(), limit).await;
        };
        let subject = format!("{}/{path}", url.trim_end_matches('/'));
        let known = cache.recall(RESPONSES, &subject).and_then(|(text, _)| Response::parse(&text));
        let mut condition = GetOptions::default();
        if let Some(known) = known
            && let Some(bytes) = self.known(known.sha256).await
            && bytes.len() as u64 <= limit.get()
        {
            condition = known.condition();
            condition.extensions.insert(limit);
            match self.try_get(path, condition).await? {
                Err(object_store::Error::NotModified { .. }) => return Ok(Some(known.object(bytes))),
                Err(error) if Self::is_absent(&error) => return Ok(None),
                Err(error) => return Err(self.failed("read", path, error)),
                Ok(result) => {
                    limit.admit(path, result.meta.size)?;
                    return self.received(path, limit, cache, &subject, result).await.map(Some);
                }
            }
        }
        match self.get_within(path, condition, limit).await? {
            Some(result) => self.received(path, limit, cache, &subject, result).await.map(Some),
            None => Ok(None),
        }
    }

    async fn received(
        &self,
        path: &str,
        limit: Limit,
        cache: &Cache,
        subject: &str,
        result: object_store::GetResult,
    ) -> Result<Object, Error> {
        let object = self.object_within(path, result, limit).await?;
        if object.served.as_ref().is_some_and(|served| served.is_settled) {
            let (sha256, tag) = (Sha256Digest::of(&object.bytes), object.revision.state.e_tag.clone());
            let response = Response { sha256, tag, modified: object.revision.modified };
            self.keep(sha256, &object.bytes).await;
            cache.remember(RESPONSES, subject, &response.render());
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_without_a_validator_is_not_asked_for_by_one() {
        let response = |tag: Option<&str>, seconds| Response {
            sha256: Sha256Digest::of(b"x"),
            tag: tag.map(str::to_owned),
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        };
        for one in [response(Some("\"a\""), 0), response(None, 7), response(Some("W/\"é\n\""), 7)] {
            assert_eq!(Response::parse(&one.render()), Some(one));
        }
        assert_eq!(Response::parse(&response(None, 0).render()), None);
        for bad in ["", "x\n1\n\"a\"", &"0".repeat(64), &format!("{}\n-1\na", "0".repeat(64))] {
            assert_eq!(Response::parse(bad), None, "{bad}");
        }
    }
}
