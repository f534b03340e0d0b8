//! `OpenStack` Swift, which is also Rackspace's Cloud Files, as an object store.
//!
//! Missing features are not emulated: Swift has no compare-and-swap, so [`object_store::PutMode::Update`] is an
//! error, and create-only is not atomic: of several concurrent writers, more than one may succeed. Listings of a
//! container lag behind writes.
//!
//! A large object is a manifest that references segments. They are in a container of their own, `CONTAINER_segments`,
//! with the same readers as the container, because Swift reads a segment with the permissions of the client. A
//! listing of the container itself never shows segments.
//!
//! The interface: <https://docs.openstack.org/api-ref/object-store/>, and for the CDN
//! <https://docs.rackspace.com/docs/cloud-files/v1/cdn-api-reference>.

mod container;
mod delete;
mod listing;
mod objects;
mod large;
mod get;
mod put;
mod client;
mod auth;
mod settings;
mod wire;
mod error;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use tokio::sync::OnceCell;

use super::{Environment, requests::Watch, retry::RetryPolicy};
use auth::Login;
use client::Client;
use settings::Settings;
use wire::Wire;

pub(super) use client::encoded;
pub(super) use container::CdnAddresses;
pub(super) use error::Error;
pub(super) use get::Newest;

/// The name of this store in errors.
const STORE: &str = "swift";

/// A Swift container, or the part of it below a prefix.
#[derive(Clone)]
pub(super) struct Swift(Arc<Inner>);

struct Inner {
    client: Client,
    container: String,
    /// The container of the segments of large objects.
    segments: String,
    /// Without a slash at either end; empty for the whole container.
    prefix: String,
    settings: Settings,
    limits: Limits,
    ready: OnceCell<()>,
    made: OnceCell<()>,
    segments_made: OnceCell<()>,
    cdn: OnceCell<CdnAddresses>,
}

/// Limits of the server, with the defaults of their software.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Names in a page of a listing.
    page: usize,
    /// Names in one bulk delete.
    delete: usize,
    /// Segments in a manifest.
    manifest: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { page: 10_000, delete: 1_000, manifest: 1_000 }
    }
}

impl Swift {
    /// Opens a container; sends no request.
    pub(super) fn open(
        container: &str,
        prefix: &str,
        options: &BTreeMap<String, String>,
        environment: &Environment,
        watch: &Watch,
    ) -> Result<Self, super::Error> {
        let (limits, retry) = (Limits::default(), RetryPolicy::default());
        Self::with(container, prefix, options, environment, limits, retry, watch).map_err(|error| {
            super::Error::Unusable {
                location: format!("swift://{container}"),
                why: error.to_string(),
                hint: error.hint(),
            }
        })
    }

    fn with(
        container: &str,
        prefix: &str,
        options: &BTreeMap<String, String>,
        environment: &Environment,
        limits: Limits,
        retry: RetryPolicy,
        watch: &Watch,
    ) -> Result<Self, Error> {
        if let Some(why) = invalid_name(container) {
            let (name, value) = ("the name of a container".into(), container.into());
            return Err(Error::BadValue { name, value, why: why.into() });
        }
        let settings = Settings::parse(options)?;
        let login = Login::from_environment(environment)?;
        let wire = Wire::new(environment.get("OS_CACERT").map(Path::new), retry, watch.clone())?;
        Ok(Self(Arc::new(Inner {
            client: Client::new(wire, login),
            container: container.to_owned(),
            segments: format!("{container}_segments"),
            prefix: prefix.trim_matches('/').to_owned(),
            settings,
            limits,
            ready: OnceCell::new(),
            made: OnceCell::new(),
            segments_made: OnceCell::new(),
            cdn: OnceCell::new(),
        })))
    }

    /// Returns the number of requests sent.
    #[cfg(test)]
    fn requests(&self) -> super::Requests {
        self.0.client.wire.watch.counter.so_far()
    }

    /// Returns the CDN's URLs of the container; known after the first write if the location asks for a CDN.
    pub(super) fn cdn_addresses(&self) -> Option<&CdnAddresses> {
        self.0.cdn.get()
    }
}

/// Returns why a text is not a valid container name.
fn invalid_name(name: &str) -> Option<&'static str> {
    // The container of segments has a longer name.
    const LONGEST: usize = 256 - "_segments".len();
    match name {
        "" => Some("it is empty"),
        "." | ".." => Some("addresses cannot contain it"),
        name if name.contains('/') => Some("it has a slash"),
        name if name.len() > LONGEST => Some("it is longer than 247 bytes"),
        name if name.chars().any(char::is_control) => Some("it has a control character"),
        _ => None,
    }
}

impl Inner {
    /// Returns the name in the container.
    fn key(&self, path: &str) -> String {
        match (self.prefix.as_str(), path) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}/{path}"),
        }
    }

    /// Returns the path of a name in the container; `None` if it is not a valid path.
    fn path(&self, key: &str) -> Option<object_store::path::Path> {
        let path = match self.prefix.as_str() {
            "" => key,
            prefix => key.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        // Parsing strips slashes at both ends, which would change the name.
        object_store::path::Path::parse(path)
            .ok()
            .filter(|parsed| parsed.as_ref() == path && !path.is_empty())
    }

    /// Returns the name of an object for error texts.
    fn name(&self, key: &str) -> String {
        format!("{}/{key}", self.container)
    }
}

impl fmt::Display for Swift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { container, prefix, .. } = &*self.0;
        let slash = if prefix.is_empty() { "" } else { "/" };
        write!(f, "swift://{container}{slash}{prefix}")
    }
}

impl fmt::Debug for Swift {
    /// Omits the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
