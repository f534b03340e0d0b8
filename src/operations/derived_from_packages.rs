//! Listed files that other tools derive from the packages of a suite, and that `publish` does not write: `Contents`
//! indices, `AppStream` metadata (`dep11/`), lists of commands (`cnf/`).
//!
//! They describe exactly the packages that they were made from. A signed release file that lists a stale one would
//! vouch for it, so a change of the packages removes it from the list. `Translation` files stay: they are looked up by
//! the digest of a description, and new packages have their descriptions in `Packages`.

use std::collections::BTreeSet;

use super::plan::{Change, Plan};
use crate::dists::{
    IndexKey, Release,
    index_key::ContentsOf,
    layout::{index_of, plain_path},
};
use crate::package_type::PackageType;

impl Plan {
    /// Removes the files that describe changed packages from the list of a new release file; notes each once. Those in
    /// `current` describe the new packages too.
    pub(super) fn unlist_stale(&mut self, release: &mut Release, current: &BTreeSet<String>) {
        let changed: Vec<&Change> =
            [&self.added, &self.removed, &self.replaced].into_iter().flatten().collect();
        if changed.is_empty() {
            return;
        }
        let mut carried_on: BTreeSet<&str> =
            self.indices.iter().map(|file| plain_path(file.path())).collect();
        carried_on.extend(current.iter().map(String::as_str));
        let mut stale = BTreeSet::new();
        for path in release.files().keys() {
            // The patches of a stale file are stale too.
            let file = index_of(path);
            if !carried_on.contains(file) && changed.iter().any(|change| describes(file, change)) {
                stale.insert(file.to_owned());
            }
        }
        release.retain(|path| !stale.contains(index_of(path)));
        self.notes.extend(stale.iter().map(|file| {
        format!(
            "`{file}` describes the packages before this change and is no longer listed: generate it again with the \
             tool that wrote it"
        )
    }));
    }
}

/// Whether a file describes the packages of the component and architecture of a changed one. A package for all
/// architectures may be described with those of each.
fn describes(file: &str, change: &Change) -> bool {
    let is_of = |architecture: &str| architecture == change.architecture || change.architecture == "all";
    match IndexKey::parse(file) {
        IndexKey::Contents { component, of: ContentsOf::Sources } => {
            change.is_source() && component.is_none_or(|component| component == change.component)
        }
        IndexKey::Contents {
            component,
            of: ContentsOf::Installer(architecture) | ContentsOf::Udebs(architecture),
        } => {
            change.package_type == PackageType::Udeb
                && component.is_none_or(|component| component == change.component)
                && is_of(architecture.as_str())
        }
        _ if change.package_type != PackageType::Deb => false,
        IndexKey::Contents { component, of: ContentsOf::Binaries(architecture) } => {
            component.is_none_or(|component| component == change.component) && is_of(architecture.as_str())
        }
        IndexKey::Other(path) => {
            let Some(below) = path.strip_prefix(change.component.as_str()) else { return false };
            let Some(below) = below.strip_prefix('/') else { return false };
            let Some((folder, name)) = below.split_once('/') else { return false };
            match (folder, name.split_once('-')) {
                ("dep11", Some(("Components", rest))) | ("cnf", Some(("Commands", rest))) => {
                    is_of(rest.split('.').next().unwrap_or_default())
                }
                // Icons are those of all architectures.
                ("dep11" | "cnf", _) => true,
                _ => false,
            }
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::package_file::PackageFile;

    fn change(component: &str, architecture: &str) -> Change {
        Change {
            name: "hello".into(),
            version: "1.0".into(),
            architecture: architecture.into(),
            component: component.parse().unwrap(),
            package_type: if architecture == "source" { PackageType::Dsc } else { PackageType::Deb },
            file: PackageFile {
                path: None,
                size: None,
                sha256: None,
                source: "hello".into(),
                source_version: "1.0".into(),
            },
        }
    }

    #[test]
    fn a_file_is_stale_when_packages_that_it_describes_change() {
        let files = [
            "Contents-amd64",
            "main/Contents-amd64",
            "main/Contents-all",
            "main/Contents-i386",
            "main/Contents-source",
            "main/Contents-udeb-amd64",
            "main/cnf/Commands-amd64",
            "main/cnf/Commands-i386",
            "main/dep11/Components-amd64.yml",
            "main/dep11/icons-64x64.tar",
            "main/i18n/Translation-en",
            "main/binary-amd64/Release",
            "contrib/Contents-amd64",
            "contrib/cnf/Commands-amd64",
            "uContents-amd64",
        ];
        let stale = |component: &str, architecture: &str| -> Vec<&str> {
            let change = change(component, architecture);
            files.into_iter().filter(|file| describes(file, &change)).collect()
        };
        assert_eq!(
            stale("main", "amd64"),
            [files[0], files[1], "main/cnf/Commands-amd64", "main/dep11/Components-amd64.yml", files[9]]
        );
        assert_eq!(stale("contrib", "amd64"), [files[0], "contrib/Contents-amd64", files[13]]);
        assert_eq!(
            stale("main", "all"),
            [files[0], files[1], files[2], files[3], files[6], files[7], files[8], files[9]]
        );
        assert_eq!(stale("updates/main", "i386"), [""; 0]);
        assert_eq!(stale("main", "source"), ["main/Contents-source"]);
    }
}
