//! Packages in an index of another tool that dpkg or apt cannot read. Its adoption publishes them again as they are, and
//! says so once.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::{
    deb,
    dists::{IndexKind, entries::Entry},
    names::Suite,
    store::blocking,
};

/// The most packages that a warning names.
const NAMED: usize = 3;

/// Such packages, each with the fault, by name, version and architecture: indices share packages for all architectures.
#[derive(Default)]
pub(super) struct Unreadable(BTreeMap<[Box<str>; 3], String>);

impl Unreadable {
    /// Judges the entries of an index, which are read anyway.
    pub(super) async fn judge(&mut self, entries: Vec<Entry>) {
        let judge = |entry: Entry| {
            let fault = deb::check_stanza(&entry.stanza).err()?;
            Some(([entry.name, entry.version, entry.architecture], fault.to_string()))
        };
        let is_binary = |entry: &Entry| entry.kind != IndexKind::Sources;
        let found = blocking(move || entries.into_par_iter().filter(is_binary).filter_map(judge).collect());
        let found: Vec<_> = found.await;
        self.0.extend(found);
    }

    /// The warning, if there is such a package.
    pub(super) fn note(self, suite: &Suite) -> Option<String> {
        let Self(found) = self;
        let ([name, version, _], _) = found.first_key_value()?;
        let remedy = format!("`publish remove --suite {suite} {name}={version}`");
        let named = found.iter().take(NAMED).map(|([name, version, architecture], fault)| {
            format!("`{name}` {version} {architecture} cannot be installed ({fault})")
        });
        let named = named.collect::<Vec<_>>().join(", ");
        let more = match found.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(", and so are {more} more"),
        };
        Some(format!(
            "{named}: published again as another tool listed it{more}; `publish check` names every such package, and {remedy} removes one"
        ))
    }
}
