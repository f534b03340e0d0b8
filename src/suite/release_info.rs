//! The fields of a `Release` whose change apt does not accept silently.

use std::fmt;

use crate::dists::Release;

/// Fields whose change stops `apt update` until its user accepts it (apt-secure(8), "information changes"). Of `Suite`
/// and `Version` apt only prints a notice.
const FIELDS: [&str; 5] = ["Origin", "Label", "Codename", "NotAutomatic", "ButAutomaticUpgrades"];

/// A changed field that stops `apt update`.
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
    let changes = FIELDS.into_iter().map(|field| {
        let value = |release: &Release| release.field(field).map(ToOwned::to_owned);
        ReleaseInfo { field, before: value(old), after: value(new) }
    });
    changes.filter(|change| change.before != change.after).collect()
}
