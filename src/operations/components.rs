//! Keeps a package in its component: a new version goes where the suite has the package, whatever its section is now.

use std::collections::{BTreeSet, HashMap};

use super::{
    addition::{Addition, PackageSource},
    copy::Copies,
    edit::SuiteEdit,
    edited_indices::Indices,
    lookup::describe,
    plan::Plan,
    suite_layout::SuiteLayout,
};
use crate::{
    config::Overrides,
    dists::{PackageEntry, PackagesIndex, PackagesKey},
    names::Component,
    package_type::PackageType,
    suite::{error::Error, published::PublishedSuite},
};

impl SuiteEdit {
    /// Reads the indices that the edit needs, and changes the guessed components to those where the suite has the
    /// packages.
    pub(crate) async fn load_settled(
        &self,
        published: &PublishedSuite,
        layout: &SuiteLayout,
        additions: &mut [Addition],
        (outdated, overrides): (&BTreeSet<PackagesKey>, &Overrides),
        plan: &mut Plan,
    ) -> Result<Indices, Error> {
        let mut indices = Indices::default();
        self.load(published, layout, additions, outdated, &mut indices).await?;
        if layout.components.len() < 2 || published.pointer().is_none() || additions.is_empty() {
            return Ok(indices);
        }
        let mut others = Vec::new();
        let has = |name: &str| indices.all.values().any(|index| index.has(name));
        if additions.iter().any(|new| !has(new.entry.name())) {
            // Another architecture may have it.
            let types: BTreeSet<PackageType> = additions.iter().map(|new| new.entry.package_type()).collect();
            let unread = published.edited_keys().into_iter();
            let unread =
                unread.filter(|key| types.contains(&key.package_type) && !indices.all.contains_key(key));
            for key in unread {
                let index = published.index(&key).await?;
                others.push((key, index));
            }
        }
        let mut homes = HashMap::new();
        for new in additions.iter() {
            let package_type = new.entry.package_type();
            let all = indices.all.iter().chain(others.iter().map(|(key, index)| (key, index)));
            let all = all.filter(|(key, _)| key.package_type == package_type);
            let name = new.entry.name().to_owned();
            homes.entry((package_type, name)).or_insert_with_key(|(_, name)| homes_of(name, all));
        }
        for addition in additions.iter_mut() {
            let name = (addition.entry.package_type(), addition.entry.name().to_owned());
            let homes = homes.get(&name).map(Vec::as_slice).unwrap_or_default();
            match homes.first() {
                Some(home) if !homes.contains(&addition.component) => {
                    self.settle(addition, home, overrides, plan);
                }
                _ => {}
            }
        }
        self.load(published, layout, additions, outdated, &mut indices).await?;
        Ok(indices)
    }

    /// Changes the component of one package unless it was named.
    fn settle(&self, addition: &mut Addition, home: &Component, overrides: &Overrides, plan: &mut Plan) {
        let guessed = addition.component.clone();
        let shown = describe(&addition.entry);
        let new = self.given(addition);
        let is_named = new.map_or_else(
            || {
                let is_asked = |copies: &Copies| copies.component.is_some() || copies.is_by_index();
                !self.taken.is_empty() || self.copy.as_ref().is_some_and(is_asked)
            },
            |new| {
                let package = &new.incoming.package;
                new.component.is_some()
                    || new.placement.by_section
                    || overrides.component(package.package_type(), package.name()).is_some()
            },
        );
        match (new, &addition.origin) {
            _ if addition.is_surplus() => return,
            _ if is_named => {
                plan.notes.push(format!(
                    "{shown} is added to component `{guessed}`, and the suite has other versions in component `{home}`"
                ));
                return;
            }
            (Some(new), _) => {
                let Ok(settled) = Addition::of(new, home.clone(), self.replace, overrides) else { return };
                *addition = Addition { given: addition.given, ..settled };
            }
            (None, PackageSource::Pool(_)) => addition.component = home.clone(),
            (None, PackageSource::Remote(_)) => {
                let Ok(settled) = addition.clone().in_component(home.clone()) else { return };
                *addition = settled;
            }
            (None, _) => return,
        }
        plan.notes.push(format!(
            "{shown} stays in component `{home}`, where the suite has the package, instead of `{guessed}`; use `--component {guessed}` to add it there"
        ));
    }
}

/// Returns the components that have a package, the one with the newest version first.
fn homes_of<'a>(
    name: &str,
    indices: impl Iterator<Item = (&'a PackagesKey, &'a PackagesIndex)>,
) -> Vec<Component> {
    let newest = indices.filter_map(|(key, index)| Some((index.named(name).pop()?, &key.component)));
    let mut newest: Vec<(PackageEntry, &Component)> = newest.collect();
    newest.sort_by(|(one, _), (other, _)| other.order_of_versions(one));
    newest.into_iter().map(|(_, component)| component.clone()).collect()
}
