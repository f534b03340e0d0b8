//! An open container: its settings, its client, and the names in it.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use tokio::sync::OnceCell;

use super::{auth::Login, cdn::CdnAddresses, client::Client, error::Error, settings::Settings, wire::Wire};
use crate::store::{environment::Environment, requests::Watch, retry::RetryPolicy};

/// A Swift container, or the part of it below a prefix.
#[derive(Clone)]
pub(crate) struct Swift(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) client: Client,
    pub(super) container: String,
    /// The container of the segments of large objects.
    pub(super) segments: String,
    /// Without a slash at either end; empty for the whole container.
    pub(super) prefix: String,
    pub(super) settings: Settings,
    pub(super) limits: Limits,
    pub(super) ready: OnceCell<()>,
    pub(super) made: OnceCell<()>,
    pub(super) segments_made: OnceCell<()>,
    pub(super) cdn: OnceCell<CdnAddresses>,
}

/// Limits of the server, with the defaults of their software.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Names in a page of a listing.
    pub(super) page: usize,
    /// Names in one bulk delete.
    pub(super) delete: usize,
    /// Segments in a manifest.
    pub(super) manifest: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { page: 10_000, delete: 1_000, manifest: 1_000 }
    }
}

impl Swift {
    /// Opens a container; sends no request.
    pub(crate) fn open(
        container: &str,
        prefix: &str,
        options: &BTreeMap<String, String>,
        environment: &Environment,
        watch: &Watch,
    ) -> Result<Self, Error> {
        let (limits, retry) = (Limits::default(), RetryPolicy::default());
        Self::with(container, prefix, options, environment, limits, retry, watch)
    }

    pub(super) fn with(
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
    pub(super) fn requests(&self) -> crate::store::requests::Requests {
        self.0.client.wire.watch.counter.so_far()
    }

    /// Returns the CDN's URLs of the container; known after the first write if the location asks for a CDN.
    pub(crate) fn cdn_addresses(&self) -> Option<&CdnAddresses> {
        self.0.cdn.get()
    }
}

/// Returns why a text is not a valid container name.
pub(super) fn invalid_name(name: &str) -> Option<&'static str> {
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
    pub(super) fn key(&self, path: &str) -> String {
        match (self.prefix.as_str(), path) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}/{path}"),
        }
    }

    /// Returns the path of a name in the container; `None` if it is not a valid path.
    pub(super) fn path(&self, key: &str) -> Option<object_store::path::Path> {
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
    pub(super) fn name(&self, key: &str) -> String {
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
