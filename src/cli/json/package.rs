//! Packages and files, in the same form in every output.

use serde::Serialize;

use crate::{
    archive::{Change, Difference, PackageFile, Written},
    dists::{Entry, IndexKind},
    names::Component,
};

/// A package.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Package {
    pub(in crate::cli) name: String,
    pub(in crate::cli) version: String,
    pub(in crate::cli) architecture: String,
    pub(in crate::cli) component: String,
    r#type: String,
    path: Option<String>,
    size: Option<u64>,
    sha256: Option<String>,
    source: Source,
}

/// The source package that a package was built from.
#[derive(Debug, Serialize)]
struct Source {
    name: String,
    version: String,
}

/// A package of a suite.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ListedPackage {
    pub(in crate::cli) suite: String,
    index: String,
    #[serde(flatten)]
    pub(in crate::cli) package: Package,
}

/// A change of the phasing percentage.
#[derive(Debug, Serialize)]
pub(super) struct Share {
    pub(super) from: u8,
    pub(super) to: u8,
}

/// A file of the archive.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct File {
    path: String,
    size: u64,
}

impl Package {
    fn new(
        name: &str,
        version: &str,
        architecture: &str,
        (component, kind): (&Component, IndexKind),
        file: PackageFile,
    ) -> Self {
        let PackageFile { path, size, sha256, source, source_version } = file;
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: architecture.to_owned(),
            component: component.to_string(),
            r#type: kind.package_type().to_owned(),
            path,
            size,
            sha256: sha256.map(|digest| digest.to_string()),
            source: Source { name: source, version: source_version },
        }
    }

    /// The package in the older and in the newer side of a comparison.
    pub(super) fn of_difference(difference: &Difference) -> [Option<Self>; 2] {
        let Difference { name, architecture, component, index, old, new, old_file, new_file, .. } =
            difference;
        [(old, old_file), (new, new_file)].map(|(version, file)| {
            let (version, file) = version.as_ref().zip(file.clone())?;
            Some(Self::new(name, version, architecture, (component, *index), file))
        })
    }
}

impl From<&Change> for Package {
    fn from(change: &Change) -> Self {
        let Change { name, version, architecture, component, package_type, file } = change;
        let kind = IndexKind::of_type(*package_type);
        Self::new(name, version, architecture, (component, kind), file.clone())
    }
}

impl ListedPackage {
    pub(in crate::cli) fn new(suite: &crate::names::Suite, component: &Component, entry: &Entry) -> Self {
        let Entry { name, version, architecture, kind, .. } = entry;
        Self {
            suite: suite.to_string(),
            index: kind.name().to_owned(),
            package: Package::new(name, version, architecture, (component, *kind), entry.into()),
        }
    }
}

impl From<&Written> for File {
    fn from(Written { path, bytes }: &Written) -> Self {
        Self { path: path.clone(), size: *bytes }
    }
}
