//! The fields that say what is kept of an upload, and where the overrides are.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::lines::text_of;
use crate::{package_type::PackageType, stanza::Stanza};

/// Files of uploads that are kept beside their packages in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent settings")]
#[non_exhaustive]
pub struct Records {
    /// The `.changes` file.
    pub changes: bool,
    /// The `.buildinfo` files.
    pub buildinfos: bool,
    /// The logs of the build.
    pub logs: bool,
    /// The files that an administrator handles.
    pub by_hand: bool,
}

/// Fields that name the file with overrides of packages of a type.
const OVERRIDES: [(&str, PackageType); 3] = [
    ("DebOverride", PackageType::Deb),
    ("UDebOverride", PackageType::Udeb),
    ("DscOverride", PackageType::Dsc),
];

/// The names of the fields with overrides.
pub(super) fn override_fields() -> impl Iterator<Item = &'static str> {
    OVERRIDES.map(|(field, _)| field).into_iter()
}

/// The files with overrides.
pub(super) fn overrides(
    stanza: &Stanza<'_>,
    folder: &Path,
) -> Result<BTreeMap<PackageType, PathBuf>, String> {
    let mut found = BTreeMap::new();
    for (field, package_type) in OVERRIDES {
        let file = text_of(stanza, field)?;
        found.extend(file.map(|file| (package_type, folder.join(file.trim()))));
    }
    Ok(found)
}

/// The files of uploads to keep, from `Tracking`.
pub(super) fn records(stanza: &Stanza<'_>, warn: &mut impl FnMut(String)) -> Result<Records, String> {
    let mut records = Records::default();
    for word in text_of(stanza, "Tracking")?.unwrap_or_default().split_whitespace() {
        match word {
            "includechanges" => records.changes = true,
            "includebuildinfos" => records.buildinfos = true,
            "includelogs" => records.logs = true,
            "includebyhand" => records.by_hand = true,
            "minimal" | "needsources" | "embargoalls" => {}
            "keep" | "all" => warn(format!(
                "`{word}` in field `Tracking`: `reprepro deleteunreferenced` spares the files that it keeps, `publish prune` does not"
            )),
            _ => warn(format!("`{word}` in field `Tracking` has no effect")),
        }
    }
    Ok(records)
}
