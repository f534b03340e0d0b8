//! What an edit brings into a suite: what is put where, and what is told of it.

use std::collections::{BTreeMap, HashMap};

use super::{
    addition::{Addition, PackageSource},
    edit::SuiteEdit,
    edited_indices::Indices,
    plan::{Change, Copied, Phased, Plan, SuiteLayout},
    resolve::{PlaceChange, Placed, describe, digest_of, same_bytes},
};
use crate::{
    dists::{PackageEntry, PackagesKey},
    pool::PoolPath,
    suite::{
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

impl SuiteEdit {
    /// Puts what arrives into the indices where it lacks.
    pub(crate) fn apply_additions(
        &self,
        published: &PublishedSuite,
        shape: &SuiteLayout,
        additions: &[Addition],
        indices: &mut Indices,
        plan: &mut Plan,
    ) -> Vec<Refusal> {
        let mut refused = Vec::new();
        let mut given = Given::default();
        let mut new: BTreeMap<PackagesKey, Vec<PackageEntry>> = BTreeMap::new();
        for addition in additions {
            let placed = match given.is_again(addition) {
                Ok(true) => continue,
                Ok(false) => shape
                    .targets(&addition.component, &addition.architecture)
                    .and_then(|targets| self.look(addition, &targets, indices, plan)),
                Err(reason) => Err(reason),
            };
            match placed {
                Ok(placed) => {
                    for target in placed.into {
                        new.entry(target).or_default().push(placed.stanza.clone());
                    }
                }
                Err(reason) => refused.push(addition.refusal(published, reason)),
            }
        }
        if refused.is_empty() {
            for (name, entries) in new {
                let index = indices.index(&name);
                // One that lacks in some index may stand in others, where it is offered to another share of machines.
                if self.replace || self.phased.is_some() {
                    for entry in &entries {
                        index.remove(entry.name(), |other| other.is_same_package(entry));
                    }
                }
                index.insert(entries);
                indices.changed.insert(name);
            }
        }
        refused
    }

    /// Decides what has to be done for one package, and notes what it comes to.
    fn look(
        &self,
        addition: &Addition,
        targets: &[PackagesKey],
        indices: &Indices,
        plan: &mut Plan,
    ) -> Result<Placed, Reason> {
        let Addition { entry, component, .. } = addition;
        let placed = self.place(addition, targets, indices)?;
        // What is surplus elsewhere is older as a rule.
        let is_added = placed.change == PlaceChange::Added;
        if let Some(newest) = newer(entry, targets, indices).filter(|_| is_added && !addition.is_surplus()) {
            if self.if_newer {
                return Err(Reason::NotNewer { package: describe(entry), newest });
            }
            plan.notes.push(format!(
                "`{}` {} is older than {newest}, which clients will prefer",
                entry.name(),
                entry.version()
            ));
        }
        let path = placed.path.clone();
        match (&addition.origin, path) {
            (PackageSource::File(content), Some(path)) => plan.kept.push((path, content.clone())),
            (_, _) if placed.into.is_empty() => {}
            (PackageSource::File(content), None) => plan.pool.push((addition.path.clone(), content.clone())),
            (PackageSource::Pool(size) | PackageSource::Surplus(size), path) => plan.copied.push(Copied {
                path: path.unwrap_or_else(|| addition.path.clone()),
                size: *size,
                action: addition.action(),
                subject: addition.subject(),
            }),
        }
        let change = Change::of(entry, component);
        if let PackageSource::Pool(_) = addition.origin {
            plan.resolved.insert(format!("copy {change} with {}", digest_of(entry)));
        }
        match placed.change {
            PlaceChange::None => plan.present.push(change),
            PlaceChange::Added => plan.added.push(change),
            PlaceChange::Replaced { from, to } => {
                // Such as a version that was stopped, of which nobody said that this build is for all.
                if self.phased.is_none() && from != to {
                    plan.notes.push(format!(
                        "{} is offered to {to} % of machines, and the build that it takes the place of to {from} %",
                        describe(entry)
                    ));
                }
                plan.resolved.insert(format!("replace {change}"));
                plan.replaced.push(change);
            }
            PlaceChange::Phased { from, to } => plan.phased.push(Phased { package: change, from, to }),
        }
        Ok(placed)
    }
}

/// What one edit brings, by who it is and by its file in the pool.
#[derive(Default)]
struct Given<'a> {
    by_identity: HashMap<[&'a str; 3], &'a Addition>,
    by_path: HashMap<&'a PoolPath, &'a Addition>,
}

impl<'a> Given<'a> {
    /// Whether the very package was given before; an error if the two cannot both be taken.
    fn is_again(&mut self, this: &'a Addition) -> Result<bool, Reason> {
        let entry = &this.entry;
        let shown = describe(entry);
        let identity = [entry.name(), entry.version(), entry.architecture()];
        if let Some(other) = self.by_identity.get(&identity) {
            if same_bytes(&other.entry, entry) {
                return Ok(true);
            }
            return Err(Reason::GivenTwice {
                package: shown,
                other: other.subject(),
                there: digest_of(&other.entry),
                new: digest_of(entry),
            });
        }
        if let Some(other) = self.by_path.get(&this.path) {
            let (other, path) = (describe(&other.entry), this.path.to_string());
            return Err(Reason::SameFile { package: shown, other, path });
        }
        self.by_identity.insert(identity, this);
        self.by_path.insert(&this.path, this);
        Ok(false)
    }
}

/// The newest published version of the same name, if it is newer.
fn newer(entry: &PackageEntry, targets: &[PackagesKey], indices: &Indices) -> Option<String> {
    let published = targets.iter().filter_map(|target| indices.all.get(target)?.named(entry.name()).pop());
    let newest = published.max_by(PackageEntry::order_of_versions)?;
    newest.order_of_versions(entry).is_gt().then(|| newest.version().to_owned())
}
