//! Errors of a login at a cloud, which happens before a request to its store.

/// A login failed; the text says at which step.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct LoginError {
    pub(super) text: String,
    pub(super) hint: String,
    /// Whether the same login may succeed later.
    pub(super) transient: bool,
}
