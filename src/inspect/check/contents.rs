//! `Contents`: lists the files of the published packages, as far as their file lists are known without a request.

use std::collections::{BTreeSet, HashMap};

use super::findings::Findings;
use crate::{
    deb::FileList,
    dists::{
        IndexKey, PackagesIndex,
        contents::{self, Lookup},
    },
    package_type::PackageType,
    store::blocking,
    suite::{archive::Archive, error::Error, file_lists, published::PublishedSuite},
};

/// The packages with one label.
#[derive(Default)]
struct Labelled {
    lists: Vec<FileList>,
    /// Whether the list of a package is unknown.
    is_partial: bool,
}

impl Archive {
    /// Compares the indices of files with the file lists of the packages; only in the form that is written here, since
    /// other tools may describe other packages.
    pub(super) async fn check_contents_of_packages(
        &self,
        published: &PublishedSuite,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        if !published.is_of_our_form() {
            return Ok(());
        }
        for key in published.index_keys() {
            let IndexKey::Contents { component, of } = &key else { continue };
            let is_source = |source: &IndexKey| {
                of.is_kind_of(source)
                    && source.architecture() == key.architecture()
                    && component.as_ref().is_none_or(|component| source.component() == Some(component))
            };
            let sources: BTreeSet<IndexKey> = published.index_keys().into_iter().filter(is_source).collect();
            let mut labels: HashMap<String, Labelled> = HashMap::new();
            for source in &sources {
                // One that cannot be read is a finding of its own.
                let Ok(Some(text)) = published.text(&source.path()).await else { continue };
                let package_type = source.kind().of_packages().unwrap_or(PackageType::Deb);
                let Ok(index) = PackagesIndex::parse(&text, package_type) else { continue };
                for package in index.entries() {
                    let list = match package.sha256() {
                        Some(sha256) => file_lists::known(&self.store, &sha256).await,
                        None => None,
                    };
                    let labelled = labels.entry(contents::label(&package)).or_default();
                    labelled.is_partial |= list.is_none();
                    labelled.lists.extend(list);
                }
            }
            let Ok(Some(text)) = published.text(&key.path()).await else { continue };
            let faults = blocking(move || {
                if contents::is_of_our_form(&text) { faults(&Lookup::of(&text), &labels) } else { Vec::new() }
            });
            let path = published.path(&key.path());
            for fault in faults.await {
                findings.fault(path.clone(), fault);
            }
        }
        Ok(())
    }
}

/// The differences between an index and the lists of the packages with each label.
fn faults(index: &Lookup<'_>, labels: &HashMap<String, Labelled>) -> Vec<String> {
    let mut labels: Vec<_> = labels.iter().collect();
    labels.sort_unstable_by_key(|(label, _)| *label);
    let mut faults = Vec::new();
    for (label, Labelled { lists, is_partial }) in labels {
        let paths: BTreeSet<&[u8]> = lists.iter().flat_map(FileList::paths).collect();
        let mut missing = paths.iter().filter(|path| !index.has(path, label.as_bytes()));
        if let Some(path) = missing.next() {
            let (path, more) = (path.escape_ascii(), missing.count());
            let more = if more == 0 { String::new() } else { format!(", nor {more} more of its files") };
            faults.push(format!("it does not list `{path}` of `{label}`{more}"));
        } else if !is_partial && index.count(label.as_bytes()) > paths.len() {
            faults.push(format!("it lists files that `{label}` does not have"));
        }
    }
    faults
}
