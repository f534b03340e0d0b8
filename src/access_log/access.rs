//! A request of a client.

/// A request, as a server logged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// Seconds since 1970.
    pub(crate) time: i64,
    /// The address of the client.
    pub(crate) client: String,
    pub(crate) method: String,
    /// The path, as it was requested.
    pub(crate) path: String,
    pub(crate) status: u16,
    /// The user agent, if the format has it.
    pub(crate) agent: String,
}
