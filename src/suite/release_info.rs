//! The fields of a `Release` whose change apt does not accept silently.

use std::fmt;

use crate::dists::Release;

/// Fields whose change stops `apt update` until its user accepts it (apt-secure(8), "information changes"). Of `Suite`
/// and `Version` apt only prints a notice.
const FIELDS: [&str; 5] = ["Origin", "Label", "Codename", "NotAutomatic", "ButAutomaticUpgrades"];

/// The fields of a `Release` that the configuration or the indices determine.
const CONTENT: [&str; 15] = [
    "Origin",
    "Label",
    "Suite",
    "Codename",
    "Version",
    "Description",
    "NotAutomatic",
    "ButAutomaticUpgrades",
    "Signed-By",
    "Changelogs",
    "Snapshots",
    "Components",
    "Architectures",
    "Acquire-By-Hash",
    "Valid-Until",
];

/// A changed field of a `Release`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReleaseInfo {
    /// The field.
    pub field: &'static str,
    /// The published value.
    pub before: Option<String>,
    /// The new value.
    pub after: Option<String>,
}

impl fmt::Display for ReleaseInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| {
            value.as_ref().map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
        };
        write!(f, "`{}` changes from {} to {}", self.field, shown(&self.before), shown(&self.after))
    }
}

/// Returns the changes between two release files that stop `apt update`.
pub(crate) fn stops_apt(old: &Release, new: &Release) -> Vec<ReleaseInfo> {
    changes(&FIELDS, old, new)
}

/// Returns the changes of fields between two release files, except those of `Date` and of the time in `Valid-Until`.
pub(crate) fn changed_fields(old: &Release, new: &Release) -> Vec<ReleaseInfo> {
    let mut changes = changes(&CONTENT, old, new);
    changes
        .retain(|change| change.field != "Valid-Until" || change.before.is_none() || change.after.is_none());
    changes
}

fn changes(fields: &[&'static str], old: &Release, new: &Release) -> Vec<ReleaseInfo> {
    let changes = fields.iter().map(|&field| {
        let value = |release: &Release| release.field(field).map(ToOwned::to_owned);
        ReleaseInfo { field, before: value(old), after: value(new) }
    });
    changes.filter(|change| change.before != change.after).collect()
}
