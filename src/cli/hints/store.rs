//! What to do about an error of a store.

use crate::store::Error;

/// What the user can do about it.
pub(in crate::cli) fn hint(error: &Error) -> Option<String> {
    let text = match error {
        Error::Conflict { .. } => "run the same command again",
        Error::Occupied { .. } => {
            "a published file never changes; build it as a new version, such as one with `+1` added"
        }
        Error::Unlistable { .. } => "name what is wanted, such as the suite with `--suite`",
        // Credentials, servers and folders are the same to every program.
        error => return error.hint(),
    };
    Some(text.to_owned())
}
