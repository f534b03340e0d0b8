//! Decides the components and architectures of a suite, and the component of each new package.

use std::{
    collections::{BTreeMap, HashSet},
    hash::Hash,
};

use super::{
    addition::{Addition, PackageSource},
    copied_package::CopiedPackage,
    edit::SuiteEdit,
    suite_layout::{LeftOut, Retired, SuiteLayout},
};
use crate::{
    config::{Overrides, Sources, SuiteConfig},
    dists::PackagesKey,
    names::{Architecture, Component},
    package_type::PackageType,
    suite::{
        error::Error,
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

impl SuiteEdit {
    /// Returns the new layout of the suite, and the packages to add with their components.
    pub(crate) fn layout(
        &self,
        published: &PublishedSuite,
        config: &SuiteConfig,
        selected: &[CopiedPackage],
        (origin, overrides): (fn(u64) -> PackageSource, &Overrides),
    ) -> Result<(SuiteLayout, Vec<Addition>), Error> {
        let mut layout = as_published(published, config)?;
        let known = |component: &Component| {
            if let Some(reserved) = PackageType::of_folder(component.as_str()) {
                return Err(Error::ReservedComponent { component: component.clone(), reserved });
            }
            if layout.components.is_empty() || layout.components.contains(component) {
                return Ok(component.clone());
            }
            let (suite, known) = (published.name().clone(), layout.components.clone());
            Err(Error::UnknownComponent { component: component.clone(), suite, known })
        };
        let (mut refused, mut additions) = (Vec::new(), Vec::new());
        for (number, new) in self.add.iter().enumerate() {
            let package = &new.incoming.package;
            let (package_type, name) = (package.package_type(), package.name());
            let component = if let Some(named) = &new.component {
                known(named)?
            } else if let Some(named) = overrides.component(package_type, name) {
                known(&Component::parse(named).map_err(Error::OverrideComponent)?)?
            } else {
                let among = layout.separate.get(&package_type);
                let among = among.filter(|names| !names.is_empty()).unwrap_or(&layout.components);
                let forced = new.section.as_deref().filter(|_| new.placement.forced);
                let section = forced.or(overrides.section(package_type, name)).or(new.section.as_deref());
                guess_component(section.or(package.section()), among)
            };
            match Addition::of(new, component, self.replace, overrides) {
                Ok(addition) => additions.push(Addition { given: Some(number), ..addition }),
                Err(reason) => refused.push(new.incoming.refusal(reason)),
            }
        }
        let asked = self.copy.as_ref().and_then(|copies| copies.component.as_ref());
        // A suite with packages for all architectures alone gets those of the new packages.
        let is_open =
            config.architectures.is_empty() && layout.architectures.iter().all(Architecture::is_all);
        // reprepro leaves out silently what a suite has no index for.
        let names_left_out = self.copy.as_ref().is_some_and(|copies| copies.archive.is_some());
        let mut left_out: BTreeMap<LeftOut, Vec<String>> = BTreeMap::new();
        for package in selected {
            if !layout.has_place_for(package, is_open) {
                if names_left_out {
                    let component = known(asked.unwrap_or(&package.component))?;
                    let why = layout.left_out_for(package, &component);
                    left_out.entry(why).or_default().push(package.subject());
                }
                continue;
            }
            let component = known(asked.unwrap_or(&package.component))?;
            match Addition::of_pool(package, component, origin) {
                Ok(addition) => additions.push(addition),
                Err(source) => refused.push(refusal(package, published, source)),
            }
        }
        if !refused.is_empty() {
            return Err(Error::Refused(refused));
        }
        let is_left_out = |new: &Addition| {
            // Binaries are promoted without their source to a suite that has no sources. Surplus must not get lost.
            let is_optional = self.given(new).map_or(!new.is_surplus(), |given| given.found);
            is_optional && layout.refuses(new.entry.package_type(), &new.component)
        };
        // If nothing else is to be added, the request itself is refused.
        if !additions.iter().all(is_left_out) {
            for new in additions.extract_if(.., |new| is_left_out(new)) {
                left_out.entry(LeftOut::Type(new.entry.package_type())).or_default().push(new.subject());
            }
        }
        layout.left_out = left_out;
        if layout.components.is_empty() {
            extend(&mut layout.components, additions.iter().map(|new| new.component.clone()));
        }
        if config.architectures.is_empty() && config.sources != Sources::Alone {
            let new =
                additions.iter().filter(|new| !new.architecture.is_all() && !new.architecture.is_source());
            extend(&mut layout.architectures, new.filter_map(|new| Architecture::parse(new.base()).ok()));
            if layout.architectures.is_empty() {
                // Only packages for all architectures so far: clients of any architecture read `binary-all`. It stays
                // when other architectures are added, since clients may rely on it.
                layout.architectures.push(Architecture::all());
            }
        }
        Ok((layout, additions))
    }
}

/// The layout that the suite is configured to have, with all that it has already.
fn as_published(published: &PublishedSuite, config: &SuiteConfig) -> Result<SuiteLayout, Error> {
    let path = || published.path(published.pointer().map_or("Release", |pointer| pointer.file()));
    let unreadable = |source| Error::Pointer { path: path(), source };
    let mut layout = configured(config);
    if let Some(release) = published.release() {
        // Published components and architectures stay even if the configuration does not list them.
        let indices = published.packages_keys();
        let listed = release.components().map_err(unreadable)?.into_iter();
        let mut listed: Vec<Component> = listed.map(|name| config.own_component(name)).collect();
        // Some archives list `updates/main` for the component whose indices are in `main` (`FakeComponentPrefix` of
        // reprepro); clients request `main`.
        let with_index: HashSet<&str> = indices.iter().map(|index| index.component.as_str()).collect();
        let has_index = |name: &str| with_index.contains(name);
        listed.retain(|component| {
            let name = component.as_str();
            // Nor are `main/debian-installer` and `main/debug`: their indices are those of the installer and of debug
            // symbols.
            let is_other = PackageType::of_folder(name).is_some()
                || name.rsplit_once('/').is_some_and(|(_, last)| has_index(last));
            has_index(name) || !is_other
        });
        let there = listed.into_iter().chain(indices.iter().map(|name| name.component.clone()));
        extend(&mut layout.components, there);
        extend(&mut layout.architectures, release.architectures().map_err(unreadable)?.into_iter());
        let there = indices.into_iter().map(|name| name.architecture);
        let there: Vec<_> = there.filter(|name| !is_variant(name, &layout.architectures)).collect();
        extend(&mut layout.architectures, there.into_iter());
    }
    if config.sources == Sources::Refused && published.edited_keys().iter().any(PackagesKey::is_of_sources) {
        layout.sources = Sources::Accepted;
    }
    // A published suite keeps them.
    for key in published.edited_keys() {
        if let Some(known) = layout.separate.get_mut(&key.package_type) {
            extend(known, [key.component].into_iter());
        }
    }
    Ok(layout)
}

/// The layout that is configured.
fn configured(config: &SuiteConfig) -> SuiteLayout {
    SuiteLayout {
        components: config.components.clone(),
        architectures: config.architectures.clone(),
        sources: config.sources,
        separate: config.separate.clone(),
        left_out: BTreeMap::new(),
        retired: Retired::default(),
    }
}

fn refusal(package: &CopiedPackage, published: &PublishedSuite, source: Reason) -> Refusal {
    let subject = format!("{} {}", package.entry.name(), package.entry.version());
    let suite = Some(published.name().clone());
    Refusal { action: "copy", preposition: "to", subject, suite, source }
}

/// Whether an index is that of a variant of one of these architectures.
fn is_variant(name: &Architecture, architectures: &[Architecture]) -> bool {
    !architectures.contains(name) && architectures.iter().any(|base| name.is_variant_of(base))
}

/// Appends the names that are missing; uses a set, since a release file can list a million names.
fn extend<T: Clone + Eq + Hash>(names: &mut Vec<T>, more: impl Iterator<Item = T>) {
    let mut known: HashSet<T> = names.iter().cloned().collect();
    for name in more {
        if known.insert(name.clone()) {
            names.push(name);
        }
    }
}

/// Guesses the component of a section, in the order of reprepro: the section equals a component, begins with one, ends
/// in one, or is the beginning of one; otherwise the first component.
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
    fn the_component_of_a_section_is_guessed_as_in_reprepro() {
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
