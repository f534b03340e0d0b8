//! The part of a suite that is copied, and the part that the destination has.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{
    difference::{Sides, is_recorded_as_finished},
    run::Run,
};
use crate::{
    dists::{
        Release,
        subset::{Carried, Subset},
    },
    names::Architecture,
    suite::{error::Error, partial::Partial, published::PublishedSuite},
};

impl Run<'_> {
    /// The files of a suite of the source that are copied. The source may be a mirror of a part itself.
    pub(super) async fn part_of(&self, source: &PublishedSuite) -> Result<Carried, Error> {
        let release = source.release().cloned().unwrap_or_default();
        let of_source = if self.is_known_as_whole(source.name()) {
            Subset::default()
        } else {
            let partial = Partial::read(source).await?;
            if partial.is_whole() {
                self.record_as_whole(source.name());
            }
            partial.subset
        };
        self.refuse_left_out(source, &of_source)?;
        Ok(self.how.subset.within(&of_source).of(&release))
    }

    /// Refuses a named part that a source leaves out, which is a mirror of a part by its own record.
    fn refuse_left_out(&self, source: &PublishedSuite, has: &Subset) -> Result<(), Error> {
        let Subset { components, architectures, .. } = &self.how.subset;
        let components = components.iter().filter(|name| !has.has_component(name.as_str()));
        let components = components.map(|name| ("component", name.to_string()));
        let architectures =
            architectures.iter().filter(|name| !name.is_source() && !has.has_architecture(name.as_str()));
        let architectures = architectures.map(|name| ("architecture", name.to_string()));
        let Some((what, name)) = components.chain(architectures).next() else { return Ok(()) };
        let (suite, part) = (source.name().clone(), has.describe());
        Err(Error::LeftOutBySource { suite, part, what, name })
    }

    /// The part of a suite that the destination has; all of it where an earlier run has recorded that.
    pub(super) async fn part_there(&self, there: &PublishedSuite) -> Result<Partial, Error> {
        match there.pointer() {
            Some(pointer) if !is_recorded_as_finished(self.destination, there.name(), &pointer.bytes) => {
                Partial::read(there).await
            }
            _ => Ok(Partial::default()),
        }
    }

    /// Records the part that the destination has from now on; returns whether that is all of the suite. Its files are there,
    /// and clients may not see it yet: `check` knows what is left out at any moment.
    pub(super) async fn record_part(
        &mut self,
        sides: &Sides<'_>,
        missing: &BTreeSet<String>,
        there: &Partial,
    ) -> Result<bool, Error> {
        let missing = missing.iter().cloned().chain(self.copier.take_missing()).collect();
        let partial = Partial { subset: sides.carried.subset().clone(), missing };
        let whole = Partial::default();
        // The record of an earlier generation stays beside that.
        let before = if sides.same_pointer() { there } else { &whole };
        partial.write(self.destination, sides.source, before).await?;
        self.synced.missing.extend(partial.missing.iter().cloned());
        Ok(partial.is_whole())
    }

    /// Reads an index of the source; `None` for one that it does not have, if that is ignored.
    pub(super) fn unless_ignored(&self, read: Result<Option<Bytes>, Error>) -> Result<Option<Bytes>, Error> {
        match read {
            Err(Error::Missing { .. }) if self.how.ignore_missing => Ok(None),
            read => read,
        }
    }

    /// Refuses a name of a component or an architecture that no suite of the source has: it is mistyped.
    pub(super) fn refuse_unknown_parts(&self) -> Result<(), Error> {
        let releases: Vec<&Release> = self.opened.values().filter_map(PublishedSuite::release).collect();
        let known = |field: &str| -> Vec<String> {
            let words = releases
                .iter()
                .flat_map(|release| release.field(field).unwrap_or_default().split_whitespace());
            let mut words: Vec<String> = words.map(ToOwned::to_owned).collect();
            words.sort_unstable();
            words.dedup();
            words
        };
        let subset = &self.how.subset;
        let components = known("Components");
        for component in &subset.components {
            let one = Subset { components: vec![component.clone()], ..Subset::default() };
            if !components.is_empty() && !components.iter().any(|name| one.has_component(name)) {
                let name = component.to_string();
                return Err(Error::UnknownPart { what: "component", name, known: components });
            }
        }
        let architectures = known("Architectures");
        // Packages for all architectures are in the indices of the others, unless `all` has indices of its own.
        let lists_all = |release: &&Release| release.files().keys().any(|path| path.contains("/binary-all/"));
        let is_all_alone =
            !subset.architectures.is_empty() && subset.architectures.iter().all(Architecture::is_all);
        if is_all_alone && !releases.is_empty() && !releases.iter().any(lists_all) {
            return Err(Error::NoIndexOfAll { known: architectures });
        }
        for architecture in subset.architectures.iter().filter(|name| !name.is_all() && !name.is_source()) {
            if !architectures.is_empty() && !architectures.iter().any(|name| name == architecture.as_str()) {
                let name = architecture.to_string();
                return Err(Error::UnknownPart { what: "architecture", name, known: architectures });
            }
        }
        Ok(())
    }
}
