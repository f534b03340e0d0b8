//! `flood`: lists the packages for all architectures in the index of each architecture.

use std::collections::{BTreeMap, BTreeSet};

use super::{call::Call, log::Cause, status, targets::selected};
use crate::{
    archive::{Copies, Matcher, Older, Places, Selection, SuiteEdit},
    cli::failure::Failure,
    dists::{Entry, IndexKey, IndexKind},
    names::{Architecture, Component},
};

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let suite = call.suite(&call.arguments[0])?;
    let targets = match call.arguments.get(1) {
        None => suite.architectures.clone(),
        Some(name) => {
            let known: Option<&Architecture> =
                suite.architectures.iter().find(|architecture| architecture.as_str() == name);
            let unknown = || format!("suite `{}` has no architecture `{name}`", suite.codename);
            vec![known.cloned().ok_or_else(|| status::text(status::FAILED, unknown()))?]
        }
    };
    let published = call.published(&suite.codename).await?;
    let packages =
        selected(&published, &suite, &Selection { places: call.places()?, ..everything() }).await?;
    let mut is_done = false;
    for target in targets {
        let chosen = Chosen::of(&packages, &target);
        if chosen.0.is_empty() {
            continue;
        }
        // One architecture at a time: an index that has a newer version keeps it, whatever the others have.
        let mut copies = Copies::new(suite.codename.clone(), call.trust_to_copy(&suite, &suite).await?);
        copies.selected = chosen.selections();
        copies.into = vec![target];
        let edit = SuiteEdit { copy: Some(copies), older: Older::Skip, ..SuiteEdit::default() };
        let report = call.commit(&suite, edit, &Cause::default()).await?;
        is_done |= !report.added.is_empty();
    }
    Ok(call.status(is_done))
}

fn everything() -> Selection {
    Selection::of(Matcher::All)
}

/// The packages for all architectures that an architecture is to have: their versions, by component and name.
struct Chosen<'a>(BTreeMap<(&'a Component, &'a str), &'a Entry>);

impl<'a> Chosen<'a> {
    /// Chooses the version that was built with the packages of the architecture, else the newest.
    fn of(packages: &'a [(IndexKey, Vec<Entry>)], target: &Architecture) -> Self {
        let all = || {
            packages.iter().filter(|(key, _)| key.kind() != IndexKind::Sources).flat_map(|(key, entries)| {
                entries.iter().filter_map(move |entry| Some((key, key.component()?, entry)))
            })
        };
        let siblings: BTreeSet<(&Component, &str, &str)> = all()
            .filter(|(key, _, entry)| key.architecture() == Some(target) && &*entry.architecture != "all")
            .map(|(_, component, entry)| (component, entry.source().name, entry.source().version))
            .collect();
        let mut chosen: BTreeMap<(&Component, &str), (bool, &Entry)> = BTreeMap::new();
        for (_, component, entry) in all().filter(|(_, _, entry)| &*entry.architecture == "all") {
            let source = entry.source();
            let new = (siblings.contains(&(component, source.name, source.version)), entry);
            let known = chosen.entry((component, &entry.name)).or_insert(new);
            if known.0.cmp(&new.0).then_with(|| known.1.order_of_versions(entry)).is_lt() {
                *known = new;
            }
        }
        Self(chosen.into_iter().map(|(place, (_, entry))| (place, entry)).collect())
    }

    fn selections(&self) -> Vec<Selection> {
        let selection = |((component, name), entry): (&(&Component, &str), &&Entry)| Selection {
            places: Places { components: vec![(*component).clone()], ..Places::default() },
            ..Selection::of(Matcher::Name {
                name: (*name).to_owned(),
                version: Some(entry.version.to_string()),
            })
        };
        self.0.iter().map(selection).collect()
    }
}
