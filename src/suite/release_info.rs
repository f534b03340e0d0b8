//! What a `Release` says of itself that apt does not accept silently when it changes.

use std::fmt;

use crate::dists::Release;

/// A field whose change stops apt until its user agrees (apt-secure(8), "information changes"); `Suite` and `Version` apt
/// only mentions.
const FIELDS: [&str; 5] = ["Origin", "Label", "Codename", "NotAutomatic", "ButAutomaticUpgrades"];

/// A change at which apt stops.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReleaseInfo {
    /// The field.
    pub field: &'static str,
    /// What clients know.
    pub before: Option<String>,
    /// What they would see.
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

/// What changes between two states at which apt stops.
pub(crate) fn stops_apt(old: &Release, new: &Release) -> Vec<ReleaseInfo> {
    let changes = FIELDS.into_iter().map(|field| {
        let value = |release: &Release| release.field(field).map(ToOwned::to_owned);
        ReleaseInfo { field, before: value(old), after: value(new) }
    });
    changes.filter(|change| change.before != change.after).collect()
}
