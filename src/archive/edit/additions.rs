//! What an edit brings into a suite: where each package lacks, and what would change something published.

use std::collections::{BTreeMap, HashMap};

use super::{
    SuiteEdit,
    arrival::{Arrival, Origin},
    indices::Indices,
};
use crate::{
    archive::{
        Change, PublishedSuite, Reason, Refusal,
        plan::{Copied, Plan, Shape},
    },
    dists::{IndexName, PackageEntry},
    pool::PoolPath,
};

impl SuiteEdit {
    /// Puts what arrives into the indices where it lacks.
    pub(super) fn apply_additions(
        &self,
        published: &PublishedSuite,
        shape: &Shape,
        arrivals: &[Arrival],
        indices: &mut Indices,
        plan: &mut Plan,
    ) -> Vec<Refusal> {
        let mut refused = Vec::new();
        // What this very edit brings, by its file in the pool.
        let mut given: HashMap<&PoolPath, &Arrival> = HashMap::new();
        let mut new: BTreeMap<IndexName, Vec<PackageEntry>> = BTreeMap::new();
        for arrival in arrivals {
            let entry = &arrival.entry;
            let mut refuse = |reason| refused.push(arrival.refusal(published, reason));
            match given.get(&arrival.path) {
                Some(other) if other.entry.is_same_package(entry) && same_bytes(&other.entry, entry) => {
                    continue;
                }
                Some(other) => {
                    refuse(clash(arrival, other));
                    continue;
                }
                None => given.insert(&arrival.path, arrival),
            };
            let targets = match shape.targets(&arrival.component, &arrival.architecture) {
                Ok(targets) => targets,
                Err(reason) => {
                    refuse(reason);
                    continue;
                }
            };
            match place(arrival, &targets, indices) {
                Err(reason) => refuse(reason),
                Ok(Placed { lacking, path }) => {
                    let change = Change::of(entry, &arrival.component);
                    match (&arrival.origin, path) {
                        (Origin::File(content), Some(path)) => plan.kept.push((path, content.clone())),
                        (_, _) if lacking.is_empty() => {}
                        (Origin::File(content), None) => {
                            plan.pool.push((arrival.path.clone(), content.clone()));
                        }
                        (Origin::Pool(size) | Origin::Surplus(size), path) => plan.copied.push(Copied {
                            path: path.unwrap_or_else(|| arrival.path.clone()),
                            size: *size,
                            subject: arrival.subject(),
                        }),
                    }
                    if lacking.is_empty() {
                        plan.present.push(change);
                        continue;
                    }
                    // What is surplus elsewhere is older as a rule.
                    let is_surplus = matches!(arrival.origin, Origin::Surplus(_));
                    if let Some(newest) = newer(entry, &targets, indices).filter(|_| !is_surplus) {
                        if self.if_newer {
                            refuse(Reason::NotNewer { package: describe(entry), newest });
                            continue;
                        }
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
fn place(arrival: &Arrival, targets: &[IndexName], indices: &Indices) -> Result<Placed, Reason> {
    let Arrival { entry, component, path, .. } = arrival;
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
        if !same_bytes(&published, entry) {
            let (published, new) = (digest_of(&published), digest_of(entry));
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

/// Whether two stanzas are of one file; archives of old may know it by MD5 alone.
fn same_bytes(published: &PackageEntry, new: &PackageEntry) -> bool {
    let same_size = match (published.size(), new.size()) {
        (Some(published), Some(new)) => published == new,
        _ => true,
    };
    let same_digest = match (published.sha256(), new.sha256()) {
        (Some(published), Some(new)) => published == new,
        _ => published.md5().is_some_and(|published| new.md5() == Some(published)),
    };
    same_size && same_digest
}

fn digest_of(entry: &PackageEntry) -> String {
    match (entry.sha256(), entry.md5()) {
        (Some(digest), _) => format!("SHA256 {digest}"),
        (None, Some(digest)) => format!("MD5 {digest} and no SHA256"),
        (None, None) => "no SHA256".into(),
    }
}

fn describe(entry: &PackageEntry) -> String {
    format!("`{}` {} {}", entry.name(), entry.version(), entry.architecture())
}

/// Why two packages that were given together cannot both be taken.
fn clash(this: &Arrival, other: &Arrival) -> Reason {
    let shown = describe(&this.entry);
    if this.entry.is_same_package(&other.entry) {
        return Reason::GivenTwice {
            package: shown,
            other: other.subject(),
            there: digest_of(&other.entry),
            new: digest_of(&this.entry),
        };
    }
    Reason::SameFile { package: shown, other: describe(&other.entry), path: this.path.to_string() }
}

/// The newest published version of the same name, if it is newer.
fn newer(entry: &PackageEntry, targets: &[IndexName], indices: &Indices) -> Option<String> {
    let published = targets.iter().filter_map(|target| indices.all.get(target)?.named(entry.name()).pop());
    let newest = published.max_by(PackageEntry::order_of_versions)?;
    newest.order_of_versions(entry).is_gt().then(|| newest.version().to_owned())
}
