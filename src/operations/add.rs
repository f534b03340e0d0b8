//! `add`: inserts new and copied packages into the indices, and records the changes in the plan.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    addition::{Addition, PackageSource},
    edit::{Older, SuiteEdit},
    edited_indices::Indices,
    lookup::{Lookup, describe},
    plan::{Change, Copied, Phased, Plan},
    resolve::{Resolution, ResolvedChange, digest_of, same_bytes},
    suite_layout::SuiteLayout,
};
use crate::{
    dists::{PackageEntry, PackagesKey},
    names::Component,
    package_type::PackageType,
    pool::PoolPath,
    suite::{
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

impl SuiteEdit {
    /// Inserts packages into the indices that do not have them.
    pub(crate) fn apply_additions(
        &self,
        published: &PublishedSuite,
        layout: &SuiteLayout,
        additions: &[Addition],
        indices: &mut Indices,
        plan: &mut Plan,
    ) -> Vec<Refusal> {
        let mut refused = Vec::new();
        let mut given = Given::default();
        let mut new: BTreeMap<PackagesKey, Vec<PackageEntry>> = BTreeMap::new();
        let mut lookup = Lookup::new(indices);
        for addition in additions {
            let resolution = match given.is_again(addition) {
                Ok(true) => continue,
                Ok(false) => layout
                    .targets(&addition.key(), addition.base())
                    .map(|targets| addition.restricted(targets))
                    .and_then(|targets| self.resolve_into(addition, &targets, &mut lookup, plan)),
                Err(reason) => Err(reason),
            };
            match resolution {
                Ok(resolution) => {
                    for target in resolution.into {
                        new.entry(target).or_default().push(resolution.stanza.clone());
                    }
                }
                Err(reason) => refused.push(addition.refusal(published, reason)),
            }
        }
        plan.notes.append(&mut given.notes);
        // Versions of one source share the tarball of their upstream version.
        let mut seen = HashSet::new();
        plan.pool.retain(|(path, _)| seen.insert(path.clone()));
        plan.fetched.retain(|file| seen.insert(file.to.clone()));
        if refused.is_empty() {
            for (name, entries) in new {
                let index = indices.index(&name);
                // The index may have the package with other bytes or another phase.
                if self.replace || self.phased.is_some() {
                    index.remove_all(&entries);
                }
                index.insert(entries);
                indices.changed.insert(name);
            }
        }
        refused
    }

    /// Resolves one package, and records the changes in the plan.
    fn resolve_into(
        &self,
        addition: &Addition,
        targets: &[PackagesKey],
        lookup: &mut Lookup<'_>,
        plan: &mut Plan,
    ) -> Result<Resolution, Reason> {
        let Addition { entry, component, .. } = addition;
        let mut resolution = self.resolve(addition, targets, lookup)?;
        // A surplus version is usually older: no warning.
        let is_added = resolution.change == ResolvedChange::Added;
        let is_new = is_added && !addition.is_surplus();
        let may_be_older = is_new && !(self.downgrade && addition.given.is_none());
        if let Some(newest) = may_be_older.then(|| lookup.newer(entry, targets)).flatten() {
            match self.older {
                Older::Add => {}
                Older::Skip => {
                    plan.skipped.push(Change::of(entry, component));
                    resolution.into.clear();
                    return Ok(resolution);
                }
                Older::Refuse => return Err(Reason::NotNewer { package: describe(entry), newest }),
            }
            let note = format!(
                "`{}` {} is older than {newest}, which clients will prefer",
                entry.name(),
                entry.version()
            );
            plan.older.push((Change::of(entry, component), note));
        }
        for (path, origin) in addition.files() {
            let published = resolution.path.as_ref().and_then(|main| addition.beside(main, path));
            match (origin, published) {
                (PackageSource::File(content), Some(path)) => plan.kept.push((path, content.clone())),
                (_, _) if resolution.into.is_empty() => {}
                (PackageSource::Known(_), Some(_)) => {}
                (PackageSource::Known(digests), None) => plan.copied.push(Copied {
                    path: path.clone(),
                    size: digests.size,
                    digests: Some(*digests),
                    action: addition.action(),
                    subject: addition.subject(),
                }),
                (PackageSource::File(content), None) => plan.pool.push((path.clone(), content.clone())),
                (PackageSource::Remote(file), None) => {
                    plan.fetched.push(file.fetched(path, addition.subject()));
                }
                (PackageSource::Remote(file), Some(path)) => plan.copied.push(Copied {
                    path,
                    size: file.expected.size,
                    digests: None,
                    action: addition.action(),
                    subject: addition.subject(),
                }),
                (PackageSource::Pool(size) | PackageSource::Surplus(size), published) => {
                    plan.copied.push(Copied {
                        path: published.unwrap_or_else(|| path.clone()),
                        size: *size,
                        digests: None,
                        action: addition.action(),
                        subject: addition.subject(),
                    });
                }
            }
        }
        let change = Change::of(entry, component);
        if let PackageSource::Pool(_) | PackageSource::Remote(_) = addition.origin {
            plan.resolved.insert(format!("copy {change} with {}", digest_of(entry)));
        }
        match resolution.change {
            ResolvedChange::None => plan.present.push(change),
            ResolvedChange::Added => plan.added.push(change),
            ResolvedChange::Replaced { from, to } => {
                // The phase of the replaced build may have been stopped on purpose.
                if self.phased.is_none() && from != to {
                    plan.notes.push(format!(
                        "{} is offered to {to} % of machines; the build that it replaces was offered to {from} %",
                        describe(entry)
                    ));
                }
                plan.resolved.insert(format!("replace {change}"));
                plan.replaced.push(change);
            }
            ResolvedChange::Phased { from, to } => plan.phased.push(Phased { package: change, from, to }),
        }
        Ok(resolution)
    }
}

/// The packages of one edit, by identity and by path in the pool.
#[derive(Default)]
struct Given<'a> {
    by_identity: HashMap<(PackageType, [&'a str; 3]), &'a Addition>,
    by_path: HashMap<&'a PoolPath, &'a Addition>,
    /// Those of one name and version in one component: either one for all architectures, or one for each.
    by_version: HashMap<(&'a Component, PackageType, [&'a str; 2]), &'a Addition>,
    notes: Vec<String>,
    /// The further files of source packages.
    shared: HashMap<&'a PoolPath, (&'a Addition, &'a PackageSource)>,
}

impl<'a> Given<'a> {
    /// Whether the same package was given before; an error if the two conflict.
    fn is_again(&mut self, this: &'a Addition) -> Result<bool, Reason> {
        let entry = &this.entry;
        let shown = describe(entry);
        let identity = (entry.package_type(), [entry.name(), entry.version(), entry.index_architecture()]);
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
        // A source package has the version of its binaries.
        if !this.architecture.is_source() {
            let version = (&this.component, entry.package_type(), [entry.name(), entry.version()]);
            let other = *self.by_version.entry(version).or_insert(this);
            if other.architecture.is_all() != this.architecture.is_all() && !this.is_surplus() {
                // Builds of one source may be given together on purpose: a note, and no error as for a later addition.
                self.notes.push(format!(
                    "{shown} and {} are in one index; apt may install either of them",
                    describe(&other.entry)
                ));
            }
        }
        for (path, file) in &this.others {
            if let Some((other, there)) = self.shared.get(path)
                && !file.is_same_as(there)
            {
                let (other, path) = (describe(&other.entry), path.to_string());
                return Err(Reason::SharedFile { package: shown, other, path });
            }
            self.shared.insert(path, (this, file));
        }
        self.by_identity.insert(identity, this);
        self.by_path.insert(&this.path, this);
        Ok(false)
    }
}
