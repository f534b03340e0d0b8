//! What stands below `dists/`: stanzas become indices, indices are listed in a `Release`.
//!
//! Pure: bytes in, bytes out. Rules: <https://wiki.debian.org/DebianRepository/Format>, and what apt was measured to do.

pub mod blocks;
pub mod index_file;
pub mod layout;
pub mod media_type;
mod ordered;
mod package_entry;
pub mod packages;
pub mod release;
pub mod sources;

pub use index_file::IndexFile;
pub use packages::{PackageEntry, PackagesIndex};
pub use release::Release;

use crate::names::{Architecture, Component};

/// Names one `Packages` of a suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexName {
    /// The component.
    pub component: Component,
    /// The architecture whose clients read it.
    pub architecture: Architecture,
}

impl IndexName {
    /// The path of the uncompressed index below the suite's folder.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/binary-{}/Packages", self.component, self.architecture)
    }

    /// Understands a path such as `main/binary-amd64/Packages`; anything else is no index of binary packages.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (component, rest) = path.strip_suffix("/Packages")?.rsplit_once("/binary-")?;
        // `main/debian-installer/binary-amd64/Packages` holds udebs.
        if component.ends_with("/debian-installer") {
            return None;
        }
        Some(Self { component: component.parse().ok()?, architecture: rest.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_names_go_both_ways() {
        for path in ["main/binary-amd64/Packages", "updates/main/binary-all/Packages"] {
            assert_eq!(IndexName::parse(path).unwrap().path(), path);
        }
        for other in
            ["main/source/Sources", "main/debian-installer/binary-amd64/Packages", "binary-amd64/Packages"]
        {
            assert_eq!(IndexName::parse(other), None, "{other}");
        }
    }
}
