//! Collisions of suites: component `updates/main` of suite `bookworm` and component `main` of suite `bookworm/updates`
//! have the same folder, so each commit of one would overwrite the indices of the other.

use std::collections::BTreeSet;

use super::{error::Error, published::PublishedSuite, trust::Trust};
use crate::{
    dists::{IndexKey, Release, layout::plain_path},
    names::{Component, Suite},
    store::Store,
};

/// Refuses a new release file of a suite with a component whose folder is that of a component of another published
/// suite. Components that the suite has already are not compared again, so that a collision of another tool can be
/// resolved.
pub(crate) async fn refuse(store: &Store, base: &PublishedSuite, new: &Release) -> Result<(), Error> {
    let suite = base.name();
    let known = base.release().map(components).unwrap_or_default();
    for component in components(new).difference(&known) {
        for (other, theirs) in other_names(suite, component) {
            let published = match PublishedSuite::look(store, &other, &Trust::unverified()).await {
                Err(error @ Error::Store(_)) => return Err(error),
                // The components of a damaged suite are unknown.
                Err(_) => continue,
                Ok(published) => published,
            };
            if published.release().is_some_and(|release| components(release).contains(&theirs)) {
                let component = component.clone();
                return Err(Error::Collision { suite: suite.clone(), component, other, theirs });
            }
        }
    }
    Ok(())
}

/// Returns the files that the suites above a suite list, by their paths in the archive: a component of theirs may be in
/// the folder of this suite.
pub(crate) async fn listed_above(store: &Store, suite: &Suite) -> Result<BTreeSet<String>, Error> {
    let mut listed = BTreeSet::new();
    for (at, _) in suite.as_str().match_indices('/') {
        let Ok(above) = Suite::parse(&suite.as_str()[..at]) else { continue };
        let published = match PublishedSuite::look(store, &above, &Trust::unverified()).await {
            Err(error @ Error::Store(_)) => return Err(error),
            Err(_) => continue,
            Ok(published) => published,
        };
        let files = published.release().into_iter().flat_map(Release::own_files);
        listed.extend(files.map(|(path, _)| published.path(path)));
    }
    Ok(listed)
}

/// Returns the components that have files of their own in a suite.
fn components(release: &Release) -> BTreeSet<Component> {
    let keys = release.own_files().map(|(path, _)| IndexKey::parse(plain_path(path)));
    keys.filter_map(|key| key.component().cloned()).collect()
}

/// Returns the suites that would have the folder of a component as that of one of their components.
fn other_names(suite: &Suite, component: &Component) -> Vec<(Suite, Component)> {
    let folder = format!("{suite}/{component}");
    let splits = folder.match_indices('/').map(|(at, _)| (&folder[..at], &folder[at + 1..]));
    let named = splits.filter_map(|(suite, component)| {
        Some((Suite::parse(suite).ok()?, Component::parse(component).ok()?))
    });
    named.filter(|(other, _)| other != suite).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_can_belong_to_several_suites() {
        let others = |suite: &str, component: &str| -> Vec<String> {
            let others = other_names(&suite.parse().unwrap(), &component.parse().unwrap());
            others.into_iter().map(|(suite, component)| format!("{suite} {component}")).collect()
        };
        assert_eq!(others("stable", "main"), [""; 0]);
        assert_eq!(others("bookworm", "updates/main"), ["bookworm/updates main"]);
        assert_eq!(others("bookworm/updates", "main"), ["bookworm updates/main"]);
        assert_eq!(others("a/b", "c/d"), ["a b/c/d", "a/b/c d"]);
    }
}
