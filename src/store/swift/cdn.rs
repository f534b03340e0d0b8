//! The URLs of a container on the server's CDN.

/// The URLs of a container on a CDN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CdnAddresses {
    /// The http URL.
    pub(crate) http: Option<String>,
    /// The https URL.
    pub(crate) https: Option<String>,
}
