//! Locations on the command line: a folder, a bucket, a URL, or a name in conf/destinations.

use std::path::{Path, PathBuf};

use super::{class::Kind, failure::Failure, global::Global, ui::Ui};
use crate::{
    config::{Destination, Destinations},
    nearest::nearest,
    store::Location,
};

/// Where names are looked up.
pub(super) struct Places<'a> {
    /// The folders that may contain conf/destinations' file, the first that has it decides.
    folders: Vec<PathBuf>,
    current: &'a Path,
}

/// A location, and the destination that names it.
pub(super) struct Place {
    pub(super) location: Location,
    pub(super) destination: Option<Destination>,
}

/// Whether a folder of a name that is not known is a new one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NewFolder {
    /// Only where no destination is configured: `--archive` may begin an archive.
    Allowed,
    Refused,
}

impl<'a> Places<'a> {
    /// Looks beside a configuration, then in an archive, then in the current folder.
    pub(super) fn new(config: Option<&Path>, archive: Option<&Location>, current: &'a Path) -> Self {
        let beside = config.map(Path::to_owned).filter(|folder| !folder.as_os_str().is_empty());
        let inside = archive.and_then(Location::folder).map(|folder| folder.join("conf"));
        let folders = beside.into_iter().chain(inside).chain([current.join("conf")]).collect();
        Self { folders, current }
    }

    /// Reads conf/destinations; empty if there is none.
    pub(super) fn destinations(&self, ui: Option<&Ui>) -> Result<Destinations, Failure> {
        let mut files = self.folders.iter().map(|folder| folder.join("destinations"));
        let Some(path) = files.find(|path| path.exists()) else { return Ok(Destinations::default()) };
        let read = Destinations::read(&path)?;
        if let Some(ui) = ui {
            read.warnings.iter().for_each(|warning| ui.warn(warning));
        }
        Ok(read)
    }

    /// Reads a location.
    ///
    /// A name in conf/destinations comes first, as a remote of git does: `./NAME` is the folder. A mistyped name must not
    /// create a folder, and leave the destination that was meant as it is.
    pub(super) fn find(&self, text: &str, new: NewFolder) -> Result<Place, Failure> {
        let location = self.parse(text)?;
        if !is_word(text) || location.folder().is_none() {
            return Ok(Place { location, destination: None });
        }
        let known = self.destinations(None)?;
        if let Some(found) = known.find(text) {
            let location = self.parse(&found.location);
            let location =
                location.map_err(|failure| failure.while_doing(format!("in destination `{text}`")))?;
            return Ok(Place { location, destination: Some(found.clone()) });
        }
        if self.current.join(text).exists() || new == NewFolder::Allowed && known.all.is_empty() {
            return Ok(Place { location, destination: None });
        }
        Err(unknown(text, &known))
    }

    fn parse(&self, text: &str) -> Result<Location, Failure> {
        Location::parse(text, self.current).map_err(|error| Failure::usage(error.to_string()))
    }
}

/// Whether a text can be the name of a destination, and is no path.
fn is_word(text: &str) -> bool {
    !text.contains(['/', ':']) && !text.starts_with('.')
}

fn unknown(word: &str, known: &Destinations) -> Failure {
    let names: Vec<&str> = known.all.iter().map(|known| known.name.as_str()).collect();
    let near = nearest(word, names.iter().copied());
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let known =
        if names.is_empty() { "names none".to_owned() } else { format!("names `{}`", names.join("`, `")) };
    let web = if word.contains('.') { format!(", for a web server `https://{word}`") } else { String::new() };
    let hint = format!("{near}for a new folder of that name, write `./{word}`{web}");
    let text =
        format!("there is no destination `{word}` and no folder of that name; conf/destinations {known}");
    Failure::text(text, Some(hint)).kind(Kind::NotFound)
}

/// Replaces the archive by the location that an argument names, with the configuration of the archive if that is the name of
/// one of its destinations.
pub(super) fn instead_of_archive(global: &mut Global, text: &str) -> Result<(), Failure> {
    if !is_word(text) {
        text.clone_into(&mut global.archive);
        return Ok(());
    }
    let current = current()?;
    let config = global.config.as_deref().map(|path| current.join(path));
    let archive = Places::new(config.as_deref().and_then(Path::parent), None, &current);
    let archive = archive.find(&global.archive, NewFolder::Allowed)?.location;
    let places = Places::new(config.as_deref().and_then(Path::parent), Some(&archive), &current);
    let found = places.find(text, NewFolder::Refused)?;
    if found.destination.is_some() && global.config.is_none() {
        global.config = default_config(&archive, &current);
    }
    global.archive = found.location.to_string();
    Ok(())
}

/// The current folder, for relative paths.
pub(super) fn current() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::of(&error, None).while_doing("cannot determine the current directory"))
}

/// The configuration of an archive: in it, else in the current folder.
pub(super) fn default_config(location: &Location, current: &Path) -> Option<PathBuf> {
    let below = |folder: &Path| folder.join("conf/distributions");
    location.folder().map(below).into_iter().chain([below(current)]).find(|path| path.exists())
}
