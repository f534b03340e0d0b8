//! The files beside `dists/` and `pool/`: the public keys and those that the user includes by name. Never a secret key
//! or a private file of the archive.

use crate::{
    dists::layout::ArchivePath,
    glob::Glob,
    store::{Loaded, Location, Store},
    suite::{archive::KEY_FILE, error::Error, limits, public_files},
};

/// A larger file is not held in memory; no key is as large.
const IN_MEMORY: u64 = public_files::SIZE_LIMIT;

/// The included files, beside the suites and the public keys; each of them may be public.
pub(super) async fn files(store: &Store, include: &[String]) -> Result<Vec<String>, Error> {
    let files = included(store, include).await?;
    // On the web, one request for the key is enough: it is the first file that is copied.
    if !matches!(store.location(), Location::Web(_)) {
        load(store, KEY_FILE).await?;
    }
    for path in &files {
        load(store, path).await?;
    }
    Ok(files)
}

/// The files of an archive that match patterns; a name that is no pattern must exist.
async fn included(store: &Store, patterns: &[String]) -> Result<Vec<String>, Error> {
    let (globs, names): (Vec<&String>, Vec<&String>) =
        patterns.iter().partition(|text| Glob::is_pattern(text));
    let mut found = Vec::new();
    for name in names {
        let name = name.trim_start_matches("./");
        if !may_be_carried(name) {
            return Err(Error::Private { path: name.to_owned() });
        }
        if store.size(name).await?.is_none() {
            return Err(Error::NotIncluded { path: name.to_owned() });
        }
        found.push(name.to_owned());
    }
    if globs.is_empty() {
        return Ok(found);
    }
    let globs: Vec<Glob> = globs.into_iter().map(|text| Glob::new(text)).collect();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let (below, files) = store.list(&folder).await?;
        let path = |name: String| if folder.is_empty() { name } else { format!("{folder}/{name}") };
        folders.extend(below.into_iter().map(path).filter(|path| may_be_carried(path)));
        let files = files.into_iter().map(path).filter(|path| may_be_carried(path));
        found.extend(files.filter(|file| globs.iter().any(|glob| glob.matches(file))));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Reads such a file; refuses one that holds a secret key.
pub(super) async fn load(store: &Store, path: &str) -> Result<Option<Loaded>, Error> {
    let read = if path == KEY_FILE {
        // Not every archive has one; the others are requested by name.
        store.unless_refused(store.load(path, IN_MEMORY, limits::KEYS).await)
    } else {
        store.load(path, IN_MEMORY, limits::ROOT_FILE).await
    };
    let Some(loaded) = read? else { return Ok(None) };
    if let crate::store::Content::Bytes(bytes, _) = &loaded.content
        && public_files::holds_a_secret(bytes)
    {
        return Err(Error::Secret { path: path.to_owned() });
    }
    Ok(Some(loaded))
}

fn may_be_carried(path: &str) -> bool {
    ArchivePath::of(path) != ArchivePath::Private
}
