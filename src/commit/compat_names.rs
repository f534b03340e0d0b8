//! `Contents` in the folder of a suite, where clients before 2012 look for it: the index of the first component, as
//! reprepro links it there. The release file does not list these names, and those clients verify nothing.
//!
//! In a folder they are symbolic links, so they are never stale. A bucket has no links: a suite with `compatsymlink` gets
//! copies, written by each of its commits.

use std::collections::{BTreeMap, BTreeSet};

use super::derived::write_as;
use crate::{
    config::{CompatNames, SuiteConfig},
    dists::{IndexKey, Release, index_key::ContentsOf, layout::uncompressed, release::Listed},
    names::{Component, Suite},
    store::Store,
    suite::error::Error,
};

/// Deletes links under the names of listed files, as an earlier configuration asked for: the file that they lead to is
/// another one. Their files are written after that.
pub(super) async fn clear(store: &Store, suite: &Suite, release: &Release) -> Result<(), Error> {
    if !store.has_links() {
        return Ok(());
    }
    let listed = possible(release).filter(|name| release.files().contains_key(name));
    Ok(store.link_all(listed.map(|name| (path(suite, &name), None))).await?)
}

/// Writes the names that the configuration asks for, and deletes links that it no longer asks for.
pub(super) async fn write(store: &Store, config: &SuiteConfig, release: &Release) -> Result<(), Error> {
    let Some(contents) = config.contents.as_ref() else { return Ok(()) };
    let suite = &config.codename;
    let wanted = match contents.compat_names {
        CompatNames::Never => BTreeMap::new(),
        _ => names(release, &config.components),
    };
    if store.has_links() {
        let mut links: BTreeMap<String, Option<String>> =
            unlisted(release).map(|name| (path(suite, &name), None)).collect();
        links
            .extend(wanted.iter().map(|(name, (target, _))| (path(suite, name), Some((*target).to_owned()))));
        return Ok(store.link_all(links).await?);
    }
    if contents.compat_names == CompatNames::LinksOrCopies {
        for (name, (target, listed)) in wanted {
            write_as(store, suite, (target, &name), listed).await?;
        }
    }
    Ok(())
}

fn path(suite: &Suite, name: &str) -> String {
    format!("dists/{suite}/{name}")
}

/// The names, each with the index of the first component that has one, in any form: that of another component has other
/// files.
fn names<'a>(release: &'a Release, components: &[Component]) -> BTreeMap<String, (&'a str, &'a Listed)> {
    let mut names = BTreeMap::new();
    let mut first: BTreeMap<String, &Component> = BTreeMap::new();
    for component in components {
        for (listed, file) in release.own_files() {
            let (plain, compression) = uncompressed(listed);
            let IndexKey::Contents { component: Some(own), of: of @ ContentsOf::Binaries(_) } =
                IndexKey::parse(plain)
            else {
                continue;
            };
            let name = format!("{of}{}", compression.extension());
            let is_first =
                own == *component && *first.entry(of.to_string()).or_insert(component) == component;
            if is_first && !release.files().contains_key(&name) {
                names.entry(name).or_insert((listed.as_str(), file));
            }
        }
    }
    names
}

/// The names that an earlier configuration may have asked for, without those of listed files.
fn unlisted(release: &Release) -> impl Iterator<Item = String> {
    possible(release).filter(|name| !release.files().contains_key(name))
}

/// All names that a configuration may ask for.
fn possible(release: &Release) -> impl Iterator<Item = String> {
    let architectures: BTreeSet<String> =
        release.architectures().unwrap_or_default().iter().map(ToString::to_string).collect();
    architectures.into_iter().flat_map(|architecture| {
        crate::compression::Compression::ALL
            .into_iter()
            .map(move |compression| format!("Contents-{architecture}{}", compression.extension()))
    })
}
