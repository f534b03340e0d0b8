//! Indices that a source lists and does not have: those of a mirror of a part, as debmirror makes one under the release file
//! of its upstream. Only the indices that are asked for need be there.

use std::collections::BTreeMap;

use super::copy::{Copies, Named};
use crate::{
    dists::{PackagesIndex, PackagesKey},
    glob::Glob,
    names::Architecture,
    package_type::PackageType,
    suite::error::Error,
};

/// An index that is listed and missing, with its path.
pub(super) type Missing = (PackagesKey, String);

impl Copies {
    /// Whether packages of an index may be meant, by its architecture.
    pub(super) fn reads(&self, key: &PackagesKey) -> bool {
        let all = &self.architectures;
        if key.is_of_sources() {
            let is_named = |named: &Named| matches!(named, Named::Source(_));
            return all.is_empty() && self.is_by_index()
                || all.iter().any(Architecture::is_source)
                || self.wanted.iter().any(|wanted| is_named(&wanted.named));
        }
        let mut binaries = all.iter().filter(|name| !name.is_source()).peekable();
        let only_sources = binaries.peek().is_none() && !all.is_empty();
        // Each index lists the packages for all architectures.
        let any = binaries.all(Architecture::is_all) && !only_sources;
        let is_meant = |name: &Architecture| {
            *name == key.architecture || self.with_variants && key.architecture.is_variant_of(name)
        };
        any || key.architecture.is_all() || all.iter().any(is_meant)
    }

    /// Decides about the missing indices of a source; returns notes for the user.
    ///
    /// # Errors
    /// [`Error::NotMirrored`] if the source has no index of a component or an architecture that may be meant;
    /// [`Error::Missing`] if it has others of both.
    pub(super) fn without(
        &self,
        missing: Vec<Missing>,
        there: &[(PackagesKey, PackagesIndex)],
    ) -> Result<Vec<String>, Error> {
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        // An empty index is not read, so that it need not be there.
        let is_there = |(_, index): &&(PackagesKey, PackagesIndex)| !index.entries().is_empty();
        let there: Vec<&PackagesKey> = there.iter().filter(is_there).map(|(key, _)| key).collect();
        let has = |fits: &dyn Fn(&PackagesKey) -> bool| there.iter().any(|key| fits(key));
        let is_of_debs = |key: &PackagesKey| key.package_type == PackageType::Deb;
        let mut by_type: BTreeMap<PackageType, String> = BTreeMap::new();
        for (key, path) in missing.into_iter().filter(|(key, _)| self.needs(key, &there)) {
            // Damaged or missing `Sources` do not affect binary packages, and mirrors leave out the installer.
            let is_alone = !is_of_debs(&key) && !has(&|other| other.package_type == key.package_type);
            if key.is_of_sources() || is_alone {
                by_type.entry(key.package_type).or_insert(path);
                continue;
            }
            let (component, architecture) = (&key.component, &key.architecture);
            let names = |of: fn(&PackagesKey) -> String| {
                let mut all: Vec<String> =
                    there.iter().copied().filter(|key| is_of_debs(key)).map(of).collect();
                all.sort_unstable();
                all.dedup();
                all
            };
            let (what, name, known) = if !has(&|other| is_of_debs(other) && other.component == *component) {
                ("component", component.to_string(), names(|key| key.component.to_string()))
            } else if !has(&|other| is_of_debs(other) && other.architecture == *architecture) {
                ("architecture", architecture.to_string(), names(|key| key.architecture.to_string()))
            } else {
                return Err(Error::Missing { path });
            };
            if there.is_empty() {
                return Err(Error::Missing { path });
            }
            return Err(Error::NotMirrored { path, what, name, there: known });
        }
        // Of packages that are all named, none is left out unseen.
        let is_exact = |named: &Named| matches!(named, Named::Package(name) if !Glob::is_pattern(name));
        let is_named = self.filter.is_none() && !self.is_by_index();
        by_type.retain(|package_type, _| {
            *package_type == PackageType::Dsc
                || !is_named
                || !self.wanted.iter().all(|wanted| is_exact(&wanted.named))
        });
        let note = |(package_type, path): (PackageType, String)| {
            let packages = match package_type {
                PackageType::Dsc => "source packages".to_owned(),
                other => format!("packages of type `{other}`"),
            };
            format!("{packages} are not copied: the source lists `{path}` and does not have it")
        };
        Ok(by_type.into_iter().map(note).collect())
    }

    fn needs(&self, key: &PackagesKey, there: &[&PackagesKey]) -> bool {
        let is_of = |component: &crate::names::Component| {
            // A component of another name is one of the suite only.
            let is_there = there.iter().any(|key| key.component == *component);
            !is_there || key.component == *component
        };
        let is_selected = self.selected.is_empty()
            || self.selected.iter().any(|selection| selection.places.hold(&key.clone().into_index_key()));
        self.component.as_ref().is_none_or(is_of) && is_selected && self.reads(key)
    }
}
