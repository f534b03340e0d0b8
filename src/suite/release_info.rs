//! The fields of a `Release` whose change apt does not accept silently.

use std::fmt;

use crate::dists::Release;

/// Fields whose change stops `apt update` until its user accepts it (apt-secure(8), "information changes"). Of `Suite`
/// and `Version` apt only prints a notice.
const FIELDS: [&str; 3] = ["Origin", "Label", "Codename"];

/// Fields that give the packages of a suite their default priority (`apt_preferences(5)`). Only its change stops apt.
const PRIORITY: [&str; 2] = ["NotAutomatic", "ButAutomaticUpgrades"];

/// The values that apt reads as `yes`.
const YES: [&str; 6] = ["yes", "true", "with", "on", "enable", "1"];

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
    let mut found = changes(&FIELDS, old, new);
    if priority(old) != priority(new) {
        found.extend(changes(&PRIORITY, old, new));
    }
    found
}

/// The default priority of the packages of a suite.
fn priority(release: &Release) -> u16 {
    let says = |field| {
        let value = release.field(field).unwrap_or_default().trim();
        YES.iter().any(|yes| yes.eq_ignore_ascii_case(value))
    };
    match PRIORITY.map(says) {
        [true, true] => 100,
        [true, false] => 1,
        [false, _] => 500,
    }
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
