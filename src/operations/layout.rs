//! What components and architectures a suite will have, and where a new package belongs.

use std::{collections::HashSet, hash::Hash};

use super::{
    addition::{Addition, PackageSource},
    copied_package::CopiedPackage,
    edit::SuiteEdit,
    plan::SuiteLayout,
};
use crate::{
    config::SuiteConfig,
    dists::index_key::INSTALLER,
    names::{Architecture, Component},
    suite::{error::Error, published::PublishedSuite},
};

impl SuiteEdit {
    /// What components and architectures there will be, and what goes where.
    pub(crate) fn shape(
        &self,
        published: &PublishedSuite,
        config: &SuiteConfig,
        selected: &[CopiedPackage],
        origin: fn(u64) -> PackageSource,
    ) -> Result<(SuiteLayout, Vec<Addition>), Error> {
        let path = || published.path(published.pointer().map_or("Release", |pointer| pointer.file()));
        let unreadable = |source| Error::Pointer { path: path(), source };
        let mut shape = SuiteLayout {
            components: config.components.clone(),
            architectures: config.architectures.clone(),
        };
        if let Some(release) = published.release() {
            // Nothing published is lost because a configuration does not name it.
            let indices = published.packages_keys();
            let mut listed = release.components().map_err(unreadable)?;
            // `updates/main` is what some call the component whose indices lie in `main` (`FakeComponentPrefix` of
            // reprepro); clients ask for `main`.
            let with_index: HashSet<&str> = indices.iter().map(|index| index.component.as_str()).collect();
            let has_index = |name: &str| with_index.contains(name);
            listed.retain(|component| {
                let name = component.as_str();
                // Nor is `main/debian-installer` a component: what would be written there is the index of the installer.
                let is_other =
                    name.rsplit_once('/').is_some_and(|(_, last)| has_index(last) || last == INSTALLER);
                has_index(name) || !is_other
            });
            let there = listed.into_iter().chain(indices.iter().map(|name| name.component.clone()));
            extend(&mut shape.components, there);
            let listed = release.architectures().map_err(unreadable)?;
            let there = listed.into_iter().chain(indices.into_iter().map(|name| name.architecture));
            extend(&mut shape.architectures, there);
        }
        let known = |component: &Component| {
            if shape.components.is_empty() || shape.components.contains(component) {
                return Ok(component.clone());
            }
            let (suite, known) = (published.name().clone(), shape.components.clone());
            Err(Error::UnknownComponent { component: component.clone(), suite, known })
        };
        let mut additions = Vec::with_capacity(self.add.len() + selected.len());
        for new in &self.add {
            let component = match &new.component {
                Some(named) => known(named)?,
                None => guess_component(new.incoming.package.section(), &shape.components),
            };
            additions.push(Addition::of(&new.incoming, component, self.replace));
        }
        let asked = self.copy.as_ref().and_then(|copies| copies.component.as_ref());
        for package in selected {
            let component = known(asked.unwrap_or(&package.component))?;
            additions.push(Addition::of_pool(package, component, origin));
        }
        if shape.components.is_empty() {
            extend(&mut shape.components, additions.iter().map(|new| new.component.clone()));
        }
        if config.architectures.is_empty() {
            let new = additions.iter().map(|new| &new.architecture);
            extend(&mut shape.architectures, new.filter(|architecture| !architecture.is_all()).cloned());
            if shape.architectures.is_empty() {
                // Only packages for all architectures so far. An index `binary-all` is what a client of any architecture
                // then reads; it stays when other architectures come, since clients may rely on it.
                shape.architectures.push(Architecture::all());
            }
        }
        Ok((shape, additions))
    }
}

/// Adds the names that are not there yet; a release file can list a million of them.
fn extend<T: Clone + Eq + Hash>(names: &mut Vec<T>, more: impl Iterator<Item = T>) {
    let mut known: HashSet<T> = names.iter().cloned().collect();
    for name in more {
        if known.insert(name.clone()) {
            names.push(name);
        }
    }
}

/// The component that a section speaks of, in the order that reprepro guesses: the section is a component, begins with
/// one, ends in one, begins one; else the first.
fn guess_component(section: Option<&str>, components: &[Component]) -> Component {
    let section = section.unwrap_or_default();
    let find = |fits: &dyn Fn(&str) -> bool| components.iter().find(|component| fits(component.as_str()));
    let begins = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('/'));
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('/'));
    let guess = find(&|component| component == section)
        .or_else(|| find(&|component| begins(section, component)))
        .or_else(|| find(&|component| ends(section, component)))
        .or_else(|| find(&|component| !section.is_empty() && begins(component, section)))
        .or(components.first());
    match guess {
        Some(component) => component.clone(),
        None => Component::parse("main").unwrap_or_else(|error| unreachable!("{error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_speaks_of_a_component_as_in_reprepro() {
        let components: Vec<Component> =
            ["main", "contrib", "non-free/firmware"].iter().map(|name| name.parse().unwrap()).collect();
        for (section, expected) in [
            (Some("contrib"), "contrib"),
            (Some("contrib/net"), "contrib"),
            (Some("net/contrib"), "contrib"),
            (Some("non-free"), "non-free/firmware"),
            (Some("net"), "main"),
            (Some(""), "main"),
            (None, "main"),
        ] {
            assert_eq!(guess_component(section, &components).as_str(), expected, "{section:?}");
        }
        assert_eq!(guess_component(Some("contrib/net"), &[]).as_str(), "main");
    }
}
