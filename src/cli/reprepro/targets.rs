//! The indices of a suite in reprepro's order, each with reprepro's identifier.

use crate::{
    archive::{PublishedSuite, Selection},
    cli::failure::Failure,
    config::SuiteConfig,
    dists::{Entry, IndexKey, IndexKind},
    names::Suite,
};

/// Returns the published indices whose entries are packages: by component and architecture, in the order in which the
/// configuration names them; those of source packages last in each component.
pub(super) fn of(published: &PublishedSuite, config: &SuiteConfig) -> Vec<IndexKey> {
    let place = |key: &IndexKey| {
        let component = key.component_of_entries()?;
        let component = config.components.iter().position(|other| other == component).unwrap_or(usize::MAX);
        let architecture = key.architecture().map(|name| {
            config.architectures.iter().position(|other| other == name).unwrap_or(usize::MAX - 1)
        });
        Some((component, architecture.unwrap_or(usize::MAX), key.kind()))
    };
    let mut keys: Vec<_> =
        published.index_keys().into_iter().filter_map(|key| Some((place(&key)?, key))).collect();
    keys.sort();
    keys.into_iter().map(|(_, key)| key).collect()
}

/// Reads the selected packages of a suite, index by index: by name, and the newest version of each first.
pub(super) async fn selected(
    published: &PublishedSuite,
    suite: &SuiteConfig,
    selection: &Selection,
) -> Result<Vec<(IndexKey, Vec<Entry>)>, Failure> {
    let mut found = Vec::new();
    for key in of(published, suite).into_iter().filter(|key| selection.places.hold(key)) {
        let mut entries = published.entries(&key).await?;
        entries.retain(|entry| selection.selects(&key, entry));
        entries.sort_by(|one, other| one.name.cmp(&other.name).then_with(|| other.order_of_versions(one)));
        if !entries.is_empty() {
            found.push((key, entries));
        }
    }
    Ok(found)
}

/// The name of an index: `bookworm|main|amd64`, with `u|` before it for packages of the installer.
pub(super) fn identifier(suite: &Suite, key: &IndexKey) -> String {
    let component = key.component().map(ToString::to_string).unwrap_or_default();
    let prefix = match key.kind() {
        IndexKind::Packages | IndexKind::Sources => "",
        kind if kind.package_type() == "ddeb" => "d|",
        _ => "u|",
    };
    format!("{prefix}{suite}|{component}|{}", architecture(key))
}

/// The architecture of an index; `source` for source packages.
pub(super) fn architecture(key: &IndexKey) -> &str {
    key.architecture().map_or("source", |architecture| architecture.as_str())
}
