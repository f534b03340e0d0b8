//! Work that must not run on the async threads.

/// Up to this size, files are read and written on the current thread: a handover to another takes longer.
pub(super) const INLINE: u64 = 256 << 10;

/// Runs blocking or CPU-bound work outside the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        // The runtime is never shut down under a running command, so the only possible error is a panic.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
