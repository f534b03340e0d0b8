//! Further names of suites: a link in `dists/` of a folder, such as `stable` that leads to `bookworm`.
//!
//! In another folder it becomes a link as well, so that both names stay one suite for every later publisher. A bucket
//! has no links: both names are copied, and a record lets commits there publish both.

use std::{
    collections::BTreeSet,
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use crate::{
    archive::{Archive, Error, Trust},
    cli::failure::Failure,
    names::Suite,
    store::{Location, Store},
};

/// A name that leads to another suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) name: Suite,
    pub(super) target: Suite,
}

/// Returns the suites of an archive that are other names of others: by links in its folder, or by these records.
pub(super) fn of(folders: &[Suite], recorded: Vec<(Suite, Suite)>, source: &Location) -> Vec<Link> {
    let mut links = among(folders, source);
    for (name, target) in recorded {
        if folders.contains(&target) && !links.iter().any(|link| link.name == name) {
            links.push(Link { name, target });
        }
    }
    links
}

/// Adds the other names of the suites that the destination has: one of them alone would leave the others behind.
pub(super) async fn add_published(
    suites: &mut Vec<Suite>,
    links: &[Link],
    destination: &Store,
) -> Result<(), Failure> {
    let there = Archive::new(destination.clone(), Trust::unverified());
    let real = |suite: &Suite| {
        let link = links.iter().find(|link| link.name == *suite);
        link.map_or_else(|| suite.clone(), |link| link.target.clone())
    };
    let reals: BTreeSet<Suite> = suites.iter().map(real).collect();
    let all: BTreeSet<&Suite> = links.iter().flat_map(|link| [&link.name, &link.target]).collect();
    for suite in all.into_iter().filter(|suite| reals.contains(&real(suite))) {
        let is_there = async || match there.suite(suite).await {
            Ok(published) => Ok(published.pointer().is_some()),
            // It is there, and damaged.
            Err(Error::Pointer { .. } | Error::Untrusted { .. }) => Ok(true),
            Err(error) => Err(error),
        };
        if !suites.contains(suite) && is_there().await? {
            suites.push(suite.clone());
        }
    }
    Ok(())
}

/// Returns the suites of a folder that are links to others of these.
fn among(suites: &[Suite], source: &Location) -> Vec<Link> {
    let Some(dists) = source.folder().map(|folder| folder.join("dists")) else { return Vec::new() };
    let is_link = |suite: &Suite| dists.join(suite.as_str()).is_symlink();
    let real = |suite: &Suite| dists.join(suite.as_str()).canonicalize().ok();
    let others: Vec<(&Suite, Option<PathBuf>)> =
        suites.iter().filter(|suite| !is_link(suite)).map(|suite| (suite, real(suite))).collect();
    let target = |link: &Suite| {
        let place = real(link)?;
        others.iter().find(|(_, other)| other.as_ref() == Some(&place)).map(|(suite, _)| (*suite).clone())
    };
    let links = suites.iter().filter(|suite| is_link(suite));
    links.filter_map(|name| Some(Link { name: name.clone(), target: target(name)? })).collect()
}

impl Link {
    fn at(&self, folder: &Path) -> PathBuf {
        folder.join("dists").join(self.name.as_str())
    }

    /// Whether it can be a link in another folder: it is none that has files of its own there.
    pub(super) fn is_possible(&self, destination: &Location) -> bool {
        let Some(folder) = destination.folder() else { return false };
        let at = self.at(folder);
        at.is_symlink() || at.symlink_metadata().is_err()
    }

    /// Makes the link in another folder, unless it is there.
    pub(super) fn make(&self, destination: &Location) -> io::Result<bool> {
        let Some(folder) = destination.folder() else { return Ok(false) };
        let at = self.at(folder);
        // From `dists/a/b` the other suite is above.
        let up = "../".repeat(self.name.as_str().matches('/').count());
        let target = format!("{up}{}", self.target);
        match at.read_link() {
            Ok(found) if found == Path::new(&target) => return Ok(false),
            Ok(_) => {}
            Err(_) => at.parent().map_or(Ok(()), std::fs::create_dir_all)?,
        }
        // Replaced in one step: a client never misses the name.
        let new = at.with_file_name(format!(".{}.link", at.file_name().unwrap_or_default().display()));
        let _ = std::fs::remove_file(&new);
        symlink(&target, &new)?;
        std::fs::rename(&new, &at)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| Location::Folder(folder.path().join(name));
        let dists = folder.path().join("a/dists");
        std::fs::create_dir_all(dists.join("bookworm/updates")).unwrap();
        std::fs::create_dir_all(dists.join("debian")).unwrap();
        for (target, link) in [
            ("bookworm", "stable"),
            ("../bookworm", "debian/stable"),
            ("nothing", "dangling"),
            ("..", "above"),
        ] {
            symlink(target, dists.join(link)).unwrap();
        }
        let names = ["above", "bookworm", "dangling", "debian/stable", "stable"];
        let suites: Vec<Suite> = names.iter().map(|name| Suite::parse(name).unwrap()).collect();
        let links = among(&suites, &place("a"));
        let shown: Vec<String> = links.iter().map(|link| format!("{} {}", link.name, link.target)).collect();
        assert_eq!(shown, ["debian/stable bookworm", "stable bookworm"]);
        assert!(among(&suites, &Location::Memory).is_empty());
        let to = place("b");
        for link in &links {
            assert!(link.is_possible(&to) && link.make(&to).unwrap() && !link.make(&to).unwrap());
        }
        assert_eq!(among(&suites, &to), []);
        std::fs::create_dir_all(folder.path().join("b/dists/bookworm")).unwrap();
        assert_eq!(among(&suites, &to), links);
        std::fs::create_dir_all(folder.path().join("c/dists/stable")).unwrap();
        assert!(!links[1].is_possible(&place("c")) && !links[1].is_possible(&Location::Memory));
    }
}
