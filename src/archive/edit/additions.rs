//! What an edit brings into a suite: where each package lacks, and what would change something published.

use std::collections::{BTreeMap, HashMap};

use super::{SuiteEdit, indices::Indices};
use crate::{
    archive::{
        Change, Incoming, PublishedSuite, Reason, Refusal,
        plan::{Plan, Shape},
    },
    dists::{IndexName, PackageEntry},
    names::Component,
    pool::PoolPath,
    store::Content,
};

impl SuiteEdit {
    pub(super) fn apply_additions(
        &self,
        published: &PublishedSuite,
        shape: &Shape,
        components: &[Component],
        indices: &mut Indices,
        plan: &mut Plan,
    ) -> Vec<Refusal> {
        let mut refused = Vec::new();
        // What this very edit brings, by its file in the pool.
        let mut given: HashMap<PoolPath, &Incoming> = HashMap::new();
        let mut new: BTreeMap<IndexName, Vec<PackageEntry>> = BTreeMap::new();
        for (package, component) in self.add.iter().zip(components) {
            let incoming = &package.incoming;
            let mut refuse = |source| {
                let subject = incoming.file.display().to_string();
                let suite = Some(published.name().clone());
                refused.push(Refusal { action: "add", preposition: "to", subject, suite, source });
            };
            let path = PoolPath::of(component, &incoming.package);
            match given.get(&path) {
                Some(other) if other.package.digests() == incoming.package.digests() => continue,
                Some(other) => {
                    refuse(clash(incoming, other, &path));
                    continue;
                }
                None => given.insert(path.clone(), incoming),
            };
            let entry = PackageEntry::of(&incoming.package, &path);
            let targets = match shape.targets(component, incoming.package.architecture()) {
                Ok(targets) => targets,
                Err(reason) => {
                    refuse(reason);
                    continue;
                }
            };
            match place(&entry, component, &path, incoming, &targets, indices) {
                Err(reason) => refuse(reason),
                Ok(Placed { lacking, path: published_path }) => {
                    let change = Change::of(&entry, component);
                    let content = Content::File {
                        file: incoming.file.clone(),
                        digests: *incoming.package.digests(),
                        stamp: incoming.stamp,
                    };
                    match published_path {
                        Some(path) => plan.kept.push((path, content)),
                        None if lacking.is_empty() => {}
                        None => plan.pool.push((path, content)),
                    }
                    if lacking.is_empty() {
                        plan.present.push(change);
                        continue;
                    }
                    if let Some(newest) = newer(&entry, &targets, indices) {
                        plan.notes.push(format!(
                            "`{}` {} is older than {newest}, which clients will prefer",
                            entry.name(),
                            entry.version()
                        ));
                    }
                    for (target, entry) in lacking {
                        new.entry(target).or_default().push(entry);
                    }
                    plan.added.push(change);
                }
            }
        }
        if refused.is_empty() {
            for (name, entries) in new {
                indices.index(&name).insert(entries);
                indices.changed.insert(name);
            }
        }
        refused
    }
}

/// Where a package lacks, and where its file is if it is published in some index already.
struct Placed {
    lacking: Vec<(IndexName, PackageEntry)>,
    path: Option<PoolPath>,
}

/// Decides where a package lacks; an error if it would change something that is published.
fn place(
    entry: &PackageEntry,
    component: &Component,
    path: &PoolPath,
    incoming: &Incoming,
    targets: &[IndexName],
    indices: &Indices,
) -> Result<Placed, Reason> {
    let shown = describe(entry);
    let mut lacking = Vec::new();
    let mut there: Option<PackageEntry> = None;
    for target in targets {
        let index = indices.all.get(target);
        let Some(published) = index.and_then(|index| index.find(entry)) else {
            let twin = index.into_iter().flat_map(|index| index.named(entry.name()));
            if let Some(twin) = twin.into_iter().find(|twin| twin.filename() == Some(path.as_str())) {
                let (package, other, path) = (shown, describe(&twin), path.as_str().to_owned());
                return Err(Reason::SameFile { package, other, path });
            }
            lacking.push((target.clone(), entry.clone()));
            continue;
        };
        if !same_bytes(&published, incoming) {
            let (published, new) = (digest_of(&published), sha256(incoming));
            return Err(Reason::OtherContents { package: shown, published, new });
        }
        there = Some(published);
    }
    let elsewhere =
        indices.all.iter().find(|(name, index)| name.component != *component && index.find(entry).is_some());
    if let Some((name, _)) = elsewhere {
        return Err(Reason::OtherComponent { package: shown, component: name.component.clone() });
    }
    if let Some(published) = &there {
        // One stanza for one package, whatever index it stands in.
        for (_, entry) in &mut lacking {
            entry.clone_from(published);
        }
    }
    // Other tools may keep it elsewhere in the pool than we would.
    let path = there.and_then(|published| PoolPath::parse(published.filename()?).ok());
    Ok(Placed { lacking, path })
}

/// Whether a published package is the file that was given; archives of old may know it by MD5 alone.
fn same_bytes(published: &PackageEntry, incoming: &Incoming) -> bool {
    let digests = incoming.package.digests();
    let same_size = published.size().is_none_or(|size| size == digests.size);
    match published.sha256() {
        Some(sha256) => same_size && sha256 == digests.sha256,
        None => same_size && published.field("MD5sum") == Some(digests.md5.to_string().as_bytes()),
    }
}

fn digest_of(entry: &PackageEntry) -> String {
    entry.sha256().map_or_else(|| "no SHA256".into(), |digest| format!("SHA256 {digest}"))
}

fn sha256(incoming: &Incoming) -> String {
    format!("SHA256 {}", incoming.package.digests().sha256)
}

fn describe(entry: &PackageEntry) -> String {
    format!("`{}` {} {}", entry.name(), entry.version(), entry.architecture())
}

/// Why two files that were given together cannot both be taken.
fn clash(this: &Incoming, other: &Incoming, path: &PoolPath) -> Reason {
    let shown = |incoming: &Incoming| {
        let package = &incoming.package;
        format!("`{}` {} {}", package.name(), package.version(), package.architecture())
    };
    if shown(this) == shown(other) {
        let other_file = other.file.display().to_string();
        return Reason::GivenTwice {
            package: shown(this),
            other: other_file,
            there: sha256(other),
            new: sha256(this),
        };
    }
    Reason::SameFile { package: shown(this), other: shown(other), path: path.as_str().to_owned() }
}

/// The newest published version of the same name, if it is newer.
fn newer(entry: &PackageEntry, targets: &[IndexName], indices: &Indices) -> Option<String> {
    let published = targets.iter().filter_map(|target| indices.all.get(target)?.named(entry.name()).pop());
    let newest = published.max_by(PackageEntry::order_of_versions)?;
    newest.order_of_versions(entry).is_gt().then(|| newest.version().to_owned())
}
