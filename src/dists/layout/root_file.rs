//! The names of files at the root, and of the parts of the page.

/// The folder of the data of the archive's page.
pub const PAGE: &str = "page";

/// The page of the archive, at its root.
pub const INDEX_PAGE: &str = "index.html";

/// Whether a file at the root has the name of a public key.
#[must_use]
pub fn is_key_file(name: &str) -> bool {
    [".asc", ".gpg", ".pgp", ".pub"]
        .iter()
        .any(|end| name.strip_suffix(end).is_some_and(|before| !before.is_empty()))
}

/// Whether a file at the root has the name of a file for sources.list.d.
#[must_use]
pub fn is_sources_file(name: &str) -> bool {
    name.strip_suffix(".sources").is_some_and(|before| !before.is_empty())
}

/// Whether a file at the root has the name of a page for visitors.
#[must_use]
pub fn is_page(name: &str) -> bool {
    name == INDEX_PAGE
}

/// The path of a part of the data of the page.
#[must_use]
pub fn page_path(digest: &str) -> String {
    format!("{PAGE}/{digest}.gz")
}

pub(super) fn page_digest(name: &str) -> Option<&str> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    name.strip_suffix(".gz").filter(|digest| digest.len() == 64 && digest.bytes().all(is_hex))
}
