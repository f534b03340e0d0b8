//! Damage: an object of an archive that cannot be what it should be, as opposed to a store that cannot be reached.
//!
//! Damage of one object must not hide that of others, nor keep the intact ones from use.

use super::error::Error;
use crate::{
    signing::Distrust,
    store::{self, Store},
};

/// Whether an error says that one object is damaged. A network store that fails proves nothing about an object, whereas a
/// folder that was listed can be read.
pub(crate) fn is_damage(store: &Store, error: &Error) -> bool {
    match error {
        Error::Store(error) => is_damaged_object(store, error),
        Error::Pointer { .. }
        | Error::Untrusted { source: Distrust::Frame { .. } | Distrust::Damaged { .. }, .. }
        | Error::Mismatch { .. }
        | Error::Longer { .. }
        | Error::Contradicts { .. }
        | Error::Missing { .. }
        | Error::Unpack { .. }
        | Error::Index { .. }
        | Error::Sources { .. }
        | Error::Incomplete { .. }
        | Error::Unsafe { .. }
        | Error::Generation { .. }
        | Error::GenerationGone { .. } => true,
        _ => false,
    }
}

/// Whether a store error concerns one object, which is too large, not a regular file, or not readable.
pub(crate) fn is_damaged_object(store: &Store, error: &store::Error) -> bool {
    let is_folder = store.location().folder().is_some();
    matches!(error, store::Error::TooLarge { .. }) || (is_folder && error.is_of_object())
}

/// The path of a damaged object.
pub(crate) fn path_of(error: &Error) -> Option<&str> {
    match error {
        Error::Store(error) => path_of_object(error),
        Error::Pointer { path, .. }
        | Error::Untrusted { path, .. }
        | Error::Mismatch { path, .. }
        | Error::Longer { path, .. }
        | Error::Contradicts { path, .. }
        | Error::Missing { path }
        | Error::Unpack { path, .. }
        | Error::Index { path, .. }
        | Error::Sources { path, .. }
        | Error::Incomplete { path, .. }
        | Error::Unsafe { path, .. }
        | Error::Generation { path }
        | Error::GenerationGone { path } => Some(path),
        _ => None,
    }
}

/// The path of the object that a store error is about.
pub(crate) fn path_of_object(error: &store::Error) -> Option<&str> {
    match error {
        store::Error::TooLarge { path, .. } | store::Error::Failed { path, .. } => Some(path),
        _ => None,
    }
}

/// Treats an object that cannot be read as absent: it cannot be the expected one.
pub(crate) fn unless_damaged<T>(
    store: &Store,
    read: Result<Option<T>, store::Error>,
) -> Result<Option<T>, store::Error> {
    match read {
        Err(error) if is_damaged_object(store, &error) => Ok(None),
        read => read,
    }
}

/// Whether an object exists with exactly these bytes; one that cannot be read has others.
pub(crate) async fn holds(store: &Store, path: &str, bytes: &[u8]) -> Result<bool, store::Error> {
    match store.holds(path, bytes).await {
        Err(error) if is_damaged_object(store, &error) => Ok(false),
        held => held,
    }
}
