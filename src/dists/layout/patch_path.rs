//! The paths of the patches of an index, and of their list.

/// The ending of the folder with the patches of an index.
pub(super) const DIFF: &str = ".diff";
/// The list of the patches.
pub(super) const PATCH_INDEX: &str = "Index";

/// Whether a folder holds the patches of an index.
#[must_use]
pub fn is_patch_folder(part: &str) -> bool {
    part.ends_with(DIFF)
}

/// The path of the list of patches of an index.
#[must_use]
pub fn patch_index_path(index: &str) -> String {
    format!("{index}{DIFF}/{PATCH_INDEX}")
}

/// The path of a patch of an index.
#[must_use]
pub fn patch_path(index: &str, name: &str) -> String {
    format!("{index}{DIFF}/{name}.gz")
}

/// The index whose patches a listed file lists; `None` for any other file.
#[must_use]
pub fn patched_by(plain: &str) -> Option<&str> {
    plain.strip_suffix(PATCH_INDEX)?.strip_suffix('/')?.strip_suffix(DIFF)
}
