//! The indices of an archive without `dists/`: one `Packages` of all architectures, read as one for each.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::upstream::Upstream;
use crate::{
    dists::{PackageEntry, PackagesIndex, PackagesKey},
    names::{Architecture, Component},
    package_type::PackageType,
    suite::error::Error,
};

/// The component of the packages.
const COMPONENT: &str = "main";

/// Reads the indices of binary and of source packages.
pub(super) async fn indices(upstream: &Upstream) -> Result<Vec<(PackagesKey, PackagesIndex)>, Error> {
    let component = Component::parse(COMPONENT).unwrap_or_else(|error| unreachable!("{error}"));
    let mut indices = Vec::new();
    let sources = PackagesKey::of_sources(&component);
    if let Some(text) = upstream.text(&sources).await? {
        let index = PackagesIndex::parse(&text, PackageType::Dsc);
        indices.push((sources.clone(), index.map_err(|error| upstream.not_an_index(&sources, error))?));
    }
    let all = PackagesKey::new(&component, &Architecture::all(), PackageType::Deb);
    let Some(text) = upstream.text(&all).await? else {
        return if indices.is_empty() { Err(upstream.missing(&all)) } else { Ok(indices) };
    };
    let failed = |error| upstream.not_an_index(&all, error);
    let entries = PackagesIndex::parse(&text, PackageType::Deb).map_err(failed)?.entries();
    for architecture in architectures(&entries) {
        let is_listed = |entry: &&PackageEntry| {
            let own = entry.index_architecture();
            own == architecture.as_str() || own == Architecture::all().as_str()
        };
        let stanzas: Vec<&[u8]> = entries.iter().filter(is_listed).map(PackageEntry::stanza).collect();
        let text = Bytes::from(stanzas.join(&b"\n"[..]));
        let index = PackagesIndex::parse(&text, PackageType::Deb).map_err(failed)?;
        indices.push((PackagesKey::new(&component, &architecture, PackageType::Deb), index));
    }
    Ok(indices)
}

/// The architectures whose clients read the packages; `all` if the packages are for no other.
fn architectures(entries: &[PackageEntry]) -> BTreeSet<Architecture> {
    let named = entries.iter().filter_map(|entry| Architecture::parse(entry.index_architecture()).ok());
    let mut found: BTreeSet<Architecture> = named.filter(|name| !name.is_all()).collect();
    if found.is_empty() {
        found.insert(Architecture::all());
    }
    found
}
