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
    Suite::parse(parts(suite)?.0).ok()
}

/// Returns the name that the user gave to a snapshot: of `stable/snapshots/1.0` the last part. That of another suite is
/// the last part of its name.
#[must_use]
pub fn own_name(suite: &Suite) -> &str {
    parts(suite).map_or_else(|| suite.as_str().rsplit('/').next().unwrap_or_default(), |(_, name)| name)
}

/// The two parts of the name of a snapshot.
fn parts(suite: &Suite) -> Option<(&str, &str)> {
    // No other part of a suite has this name.
    suite.as_str().split_once("/snapshots/")
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
        let deep = name_of_snapshot(&suite, "2026/11").unwrap();
        assert_eq!((snapshot_of(&deep), own_name(&deep)), (Some(suite.clone()), "2026/11"));
        for bad in ["", ".", "..", "a/", "/a", "a//b", "a/../../x", "../x", "a b"] {
            assert!(name_of_snapshot(&suite, bad).is_err(), "{bad}");
        }
    }
}
