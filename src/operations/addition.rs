//! `Addition`: a package to include, from files or from another suite, with its component.

use std::collections::BTreeSet;

use super::{
    copied_package::CopiedPackage,
    new_package::NewPackage,
    read_debs::{Artifact, Incoming},
    remote::{RemoteFile, placed},
};
use crate::{
    config::{FieldChange, Overrides},
    deb::{self, BinaryPackage, SourcePackage},
    digest::Digests,
    dists::{PackageEntry, PackagesKey},
    names::{Architecture, Component},
    pool::PoolPath,
    store::Content,
    suite::{
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

/// A package to include.
#[derive(Clone)]
pub(crate) struct Addition {
    /// Its stanza.
    pub(crate) entry: PackageEntry,
    /// Its component.
    pub(crate) component: Component,
    /// The architecture whose index lists it, which may be a variant.
    pub(crate) architecture: Architecture,
    /// The path of its file in the pool; for a source package, of its `.dsc`.
    pub(crate) path: PoolPath,
    /// The source of that file.
    pub(crate) origin: PackageSource,
    /// The other files of a source package.
    pub(crate) others: Vec<(PoolPath, PackageSource)>,
    /// The architectures whose indices list it, if it is for all architectures; `None` for all of them.
    pub(crate) only: Option<BTreeSet<Architecture>>,
    /// The number of the package in [`SuiteEdit::add`](super::edit::SuiteEdit), if it was given as files.
    pub(crate) given: Option<usize>,
}

/// Applies the overrides of its name to a published package.
pub(super) fn overridden(entry: &PackageEntry, overrides: &Overrides) -> Result<PackageEntry, Reason> {
    let changes = overrides.of(entry.package_type(), entry.name());
    let new = changes.iter().fold(entry.clone(), changed);
    if !changes.is_empty() && !new.is_source() {
        // A field that apt cannot read stops every client.
        deb::check_stanza(new.stanza())?;
    }
    Ok(new)
}

/// Applies one change of an override.
fn changed(entry: PackageEntry, change: &FieldChange) -> PackageEntry {
    match change {
        FieldChange::Set { field, value } => entry.with_field(field, Some(value)),
        FieldChange::Delete { field } => entry.with_field(field, None),
        FieldChange::Maintainer { old, new } => {
            let is_old = |name: &String| name == "*" || entry.field("Maintainer") == Some(name.as_bytes());
            if old.iter().any(is_old) { entry.with_field("Maintainer", Some(new)) } else { entry }
        }
        _ => entry,
    }
}

/// The source of a file of a package.
#[derive(Clone)]
pub(crate) enum PackageSource {
    /// A file, which may not be in the pool yet.
    File(Content),
    /// A file that is not given: one with these digests is in the pool.
    Known(Digests),
    /// Another suite: a file of this size is in the pool.
    Pool(u64),
    /// Another suite, where it is surplus: a file of this size is in the pool.
    Surplus(u64),
    /// Another archive.
    Remote(Box<RemoteFile>),
}

impl PackageSource {
    /// Whether two files have the same bytes, as far as is known.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one.digests() == other.digests(),
            (Self::Remote(one), Self::Remote(other)) => one.expected.agrees(&other.expected),
            (Self::File(file), Self::Remote(remote)) | (Self::Remote(remote), Self::File(file)) => {
                remote.expected.is(file.digests())
            }
            (Self::Known(one), Self::Known(other)) => one == other,
            (Self::File(file), Self::Known(known)) | (Self::Known(known), Self::File(file)) => {
                file.digests() == known
            }
            (Self::Remote(remote), Self::Known(known)) | (Self::Known(known), Self::Remote(remote)) => {
                remote.expected.is(known)
            }
            (one, other) => one.size() == other.size(),
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::File(content) => content.digests().size,
            Self::Known(digests) => digests.size,
            Self::Pool(size) | Self::Surplus(size) => *size,
            Self::Remote(file) => file.expected.size,
        }
    }
}

impl Addition {
    /// Includes a package that was given as files, with the fields that its upload and the overrides change. If it may
    /// replace another package, its path in the pool is content-addressed.
    pub(crate) fn of(
        new: &NewPackage,
        component: Component,
        replaces: bool,
        overrides: &Overrides,
    ) -> Result<Self, Reason> {
        let (incoming, placement) = (&new.incoming, &new.placement);
        let replaces = replaces || placement.own_path;
        let mut addition = match &incoming.package {
            Artifact::Binary(package) => Self::of_deb(incoming, package, component, replaces),
            Artifact::Source(package) => Self::of_dsc(incoming, package, component, replaces)?,
        };
        let mut entry = addition.entry.clone();
        let changes = overrides.of(entry.package_type(), entry.name());
        let given = [("Section", &new.section), ("Priority", &new.priority)];
        let set = |mut entry: PackageEntry| {
            for (field, value) in given.into_iter().filter(|(_, value)| value.is_some()) {
                entry = entry.with_field(field, value.as_deref());
            }
            entry
        };
        entry = set(entry);
        for change in changes {
            entry = changed(entry, change);
        }
        if placement.forced {
            entry = set(entry);
        }
        if !changes.is_empty() && !entry.is_source() {
            // A field that apt cannot read stops every client.
            deb::check_stanza(entry.stanza())?;
        }
        addition.entry = entry;
        if !placement.architectures.is_empty() {
            addition.only = Some(placement.architectures.iter().cloned().collect());
        }
        Ok(addition)
    }

    fn of_deb(incoming: &Incoming, package: &BinaryPackage, component: Component, replaces: bool) -> Self {
        let Incoming { file, stamp, .. } = incoming;
        let path =
            if replaces { PoolPath::unique(&component, package) } else { PoolPath::of(&component, package) };
        let content = Content::file(file.clone(), *package.digests(), *stamp);
        Self {
            entry: PackageEntry::of(package, &path),
            component,
            architecture: package.index_architecture(),
            path,
            origin: PackageSource::File(content),
            others: Vec::new(),
            only: None,
            given: None,
        }
    }

    fn of_dsc(
        incoming: &Incoming,
        package: &SourcePackage,
        component: Component,
        replaces: bool,
    ) -> Result<Self, Reason> {
        let paths = if replaces {
            PoolPath::unique_source(&component, package)?
        } else {
            PoolPath::of_source(&component, package)?
        };
        let stamps = [(&incoming.file, Some(incoming.stamp))].into_iter();
        let stamps = stamps.chain(incoming.others.iter().map(|other| (&other.file, other.stamp)));
        let contents = package.files().iter().zip(stamps).map(|(described, (file, stamp))| {
            let digests = described.digests().digests;
            match stamp {
                Some(stamp) => PackageSource::File(Content::file(file.clone(), digests, stamp)),
                None => PackageSource::Known(digests),
            }
        });
        let mut files: Vec<_> = paths.into_iter().zip(contents).collect();
        let (path, origin) = files.remove(0);
        Ok(Self {
            entry: PackageEntry::of_source(package, path.folder()),
            component,
            architecture: Architecture::source(),
            path,
            origin,
            others: files,
            only: None,
            given: None,
        })
    }

    /// Includes a package of another suite.
    pub(crate) fn of_pool(
        selected: &CopiedPackage,
        component: Component,
        origin: fn(u64) -> PackageSource,
    ) -> Result<Self, Reason> {
        let CopiedPackage { entry, component: own, architecture, path, size, others, only, remote } =
            selected.clone();
        let mut files = remote.into_iter();
        let mut source =
            |size| files.next().map_or_else(|| origin(size), |file| PackageSource::Remote(Box::new(file)));
        let (origin, given) = (source(size), None);
        let others = others.into_iter().map(|(path, size)| (path, source(size))).collect();
        let addition = Self { entry, component: own, architecture, path, origin, others, only, given };
        addition.in_component(component)
    }

    /// The same package of another suite in another component. The path of a file that is fetched follows from it.
    pub(crate) fn in_component(self, component: Component) -> Result<Self, Reason> {
        let remote = self.files().filter_map(|(_, source)| match source {
            PackageSource::Remote(file) => Some((**file).clone()),
            _ => None,
        });
        let remote: Vec<RemoteFile> = remote.collect();
        if remote.is_empty() {
            return Ok(Self { component, ..self });
        }
        let (entry, paths) = placed(&self.entry, &component, &remote)?;
        let mut paths = paths.into_iter();
        let path = paths.next().unwrap_or(self.path);
        let others = paths.zip(self.others.into_iter().map(|(_, source)| source)).collect();
        Ok(Self { entry, component, path, others, ..self })
    }

    /// All of its files, first the main one.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&PoolPath, &PackageSource)> {
        [(&self.path, &self.origin)]
            .into_iter()
            .chain(self.others.iter().map(|(path, origin)| (path, origin)))
    }

    /// The published path of one of its files, where the main file has another path than here: other tools may use
    /// another folder.
    pub(crate) fn beside(&self, main: &PoolPath, path: &PoolPath) -> Option<PoolPath> {
        if *path == self.path {
            return Some(main.clone());
        }
        let (_, name) = path.as_str().rsplit_once('/')?;
        PoolPath::parse_source(format!("{}/{name}", main.folder()).trim_start_matches('/')).ok()
    }

    /// Restricts the indices that list it.
    pub(crate) fn restricted(&self, mut targets: Vec<PackagesKey>) -> Vec<PackagesKey> {
        if let Some(only) = self.only.as_ref().filter(|_| self.architecture.is_all()) {
            targets.retain(|target| only.contains(&target.architecture));
        }
        targets
    }

    /// The package for messages.
    pub(crate) fn subject(&self) -> String {
        match &self.origin {
            PackageSource::File(Content::File(local)) => local.file.display().to_string(),
            _ => {
                format!("{} {} {}", self.entry.name(), self.entry.version(), self.entry.index_architecture())
            }
        }
    }

    /// Returns the refusal of this package.
    pub(crate) fn refusal(&self, published: &PublishedSuite, source: Reason) -> Refusal {
        let suite = Some(published.name().clone());
        Refusal { action: self.action(), preposition: "to", subject: self.subject(), suite, source }
    }

    /// The verb for messages.
    pub(crate) fn action(&self) -> &'static str {
        match self.origin {
            PackageSource::File(_) | PackageSource::Known(_) => "add",
            PackageSource::Pool(_) | PackageSource::Remote(_) => "copy",
            PackageSource::Surplus(_) => "move",
        }
    }

    /// The index that lists it, unless it is for all architectures.
    pub(crate) fn key(&self) -> PackagesKey {
        PackagesKey::new(&self.component, &self.architecture, self.entry.package_type())
    }

    /// Its own architecture, of which the other may be a variant.
    pub(crate) fn base(&self) -> &str {
        self.entry.architecture()
    }

    /// Whether it is for a variant of an architecture.
    pub(crate) fn is_of_variant(&self) -> bool {
        self.base() != self.architecture.as_str()
    }

    /// Whether it is surplus in another suite.
    pub(crate) fn is_surplus(&self) -> bool {
        matches!(self.origin, PackageSource::Surplus(_))
    }
}
