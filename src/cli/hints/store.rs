//! Hints for errors of a store.

use crate::store::Error;

/// Returns what the user can do about an error.
pub(in crate::cli) fn hint(error: &Error) -> Option<String> {
    let text = match error {
        Error::Conflict { .. } => "run the same command again",
        Error::Occupied { .. } => {
            "a published file never changes; build it as a new version, such as one with `+1` added"
        }
        Error::Unlistable { .. } => "name the suite with `--suite`",
        // Credentials, servers and folders do not depend on this command.
        error => return error.hint(),
    };
    Some(text.to_owned())
}
