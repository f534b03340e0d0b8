//! The names of snapshots: `stable/snapshots/1.0` is a snapshot of `stable`.

use crate::names::{self, Suite};

/// The folder of a suite's snapshots.
pub(crate) const FOLDER: &str = "snapshots";

/// Returns the name of a snapshot as a suite.
pub fn name_of_snapshot(of: &Suite, name: &str) -> Result<Suite, names::Error> {
    Suite::parse(&format!("{of}/{FOLDER}/{name}"))
}

/// Returns the suite that a snapshot was made of; `None` if the suite is not a snapshot.
#[must_use]
pub fn snapshot_of(suite: &Suite) -> Option<Suite> {
    let (above, _) = suite.as_str().rsplit_once('/')?;
    Suite::parse(above.strip_suffix(FOLDER)?.strip_suffix('/')?).ok()
}

/// Returns the last part of a suite's name: of `stable/snapshots/1.0`, the name that the user gave to the snapshot.
#[must_use]
pub fn own_name(suite: &Suite) -> &str {
    suite.as_str().rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_names_round_trip_and_cannot_leave_their_folder() {
        let suite = Suite::parse("bookworm/updates").unwrap();
        let snapshot = name_of_snapshot(&suite, "12.1").unwrap();
        assert_eq!(snapshot.as_str(), "bookworm/updates/snapshots/12.1");
        assert_eq!(snapshot_of(&snapshot), Some(suite.clone()));
        assert_eq!(snapshot_of(&suite), None);
        for bad in ["", ".", "..", "a/b", "../x", "a b"] {
            assert!(name_of_snapshot(&suite, bad).is_err(), "{bad}");
        }
    }
}
