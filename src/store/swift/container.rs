//! The container: created when the first write needs it, public or on the CDN if the location asks for it.

use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderValue},
};

use super::{
    cdn::CdnAddresses,
    client::{Place, Request},
    error::Error,
    handle::Inner,
    wire::Answer,
};

/// The access list entry that makes objects public.
const PUBLIC_READ: &str = ".r:*";

impl Inner {
    /// Configures the container as the location asks; once per open store, before the first write.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        if !self.settings.public && !self.settings.cdn {
            return Ok(());
        }
        self.ready.get_or_try_init(|| self.prepare()).await.map(drop)
    }

    async fn prepare(&self) -> Result<(), Error> {
        // Checked first: without a CDN, the command must leave nothing behind.
        if self.settings.cdn && !self.client.has_cdn().await? {
            return Err(Error::NoCdn);
        }
        if self.settings.public {
            self.grant(&self.container, &[PUBLIC_READ.into()], true).await?;
            // Readers of a large object read its segments.
            self.grant(&self.segments, &[PUBLIC_READ.into()], false).await?;
        } else {
            self.make().await?;
        }
        if self.settings.cdn {
            let addresses = self.enable_cdn().await?;
            self.cdn.get_or_init(|| async { addresses }).await;
        }
        Ok(())
    }

    /// Creates the container after a write failed without one.
    pub(super) async fn make(&self) -> Result<(), Error> {
        let make = async || self.put_container(&self.container, &HeaderMap::new()).await;
        self.made.get_or_try_init(make).await.map(drop)
    }

    /// Creates the container of segments, with the same readers as the container itself.
    pub(super) async fn make_segments(&self) -> Result<(), Error> {
        let make = async || {
            let answer = self.head_container(&self.container).await?;
            let readers = access_list(&answer).into_iter().filter(|element| element != ".rlistings");
            self.grant(&self.segments, &readers.collect::<Vec<_>>(), true).await
        };
        self.segments_made.get_or_try_init(make).await.map(drop)
    }

    /// Adds readers to the access list, and removes none.
    async fn grant(&self, container: &str, readers: &[String], make: bool) -> Result<(), Error> {
        let answer = self.head_container(container).await?;
        let there = access_list(&answer);
        let more: Vec<_> = readers.iter().filter(|reader| !there.contains(reader)).cloned().collect();
        let list = [there, more.clone()].concat().join(",");
        let list = HeaderValue::from_str(&list)
            .map_err(|error| Error::InvalidResponse { object: container.into(), why: error.to_string() })?;
        let mut headers = HeaderMap::new();
        if !more.is_empty() {
            headers.insert("x-container-read", list);
        }
        if answer.status == StatusCode::NOT_FOUND {
            return if make { self.put_container(container, &headers).await } else { Ok(()) };
        }
        if more.is_empty() {
            return Ok(());
        }
        let answer = self.client.send(&Request::new(Method::POST, container, "").headers(&headers)).await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.error(container)) }
    }

    /// Requests a container that may not exist.
    async fn head_container(&self, container: &str) -> Result<Answer, Error> {
        let answer = self.client.send(&Request::new(Method::HEAD, container, "")).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(answer),
            status if status.is_success() => Ok(answer),
            _ => Err(answer.error(container)),
        }
    }

    async fn put_container(&self, container: &str, headers: &HeaderMap) -> Result<(), Error> {
        let answer = self.client.send(&Request::new(Method::PUT, container, "").headers(headers)).await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.error(container)) }
    }

    async fn enable_cdn(&self) -> Result<CdnAddresses, Error> {
        let mut headers = HeaderMap::new();
        headers.insert("x-cdn-enabled", HeaderValue::from_static("True"));
        if let Some(ttl) = self.settings.ttl {
            headers.insert("x-ttl", ttl.into());
        }
        let request = |method| Request::new(method, &self.container, "").at(Place::Cdn).headers(&headers);
        let mut answer = self.client.send(&request(Method::PUT)).await?;
        if answer.status == StatusCode::ACCEPTED {
            // The container was on the CDN before: only this request changes the TTL.
            answer = self.client.send(&request(Method::POST)).await?;
        }
        if !answer.status.is_success() {
            return Err(answer.error(&self.container));
        }
        let header = |name: &str| answer.header(name).map(ToOwned::to_owned);
        Ok(CdnAddresses { http: header("X-Cdn-Uri"), https: header("X-Cdn-Ssl-Uri") })
    }
}

/// Returns the read access list of a container; empty if it does not exist.
fn access_list(answer: &Answer) -> Vec<String> {
    let list = answer.header("X-Container-Read").unwrap_or_default();
    list.split(',').map(str::trim).filter(|element| !element.is_empty()).map(ToOwned::to_owned).collect()
}
