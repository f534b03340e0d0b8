//! The errors of the preview server.

use std::io;

/// An error of the preview server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address as it was requested.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The system refused new connections for a whole minute.
    #[error("cannot accept more connections")]
    Accept(#[source] io::Error),
}
