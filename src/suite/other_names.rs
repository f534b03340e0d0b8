//! Other names of a suite where no link can lead to it: a bucket has `stable` as a copy of `bookworm`.
//!
//! Two small files record that, one beside the generations of each: `generations/names/stable` of `bookworm`, and
//! `generations/name-of/bookworm` of `stable`. Their names sort after those of all generations, so the listing with which a
//! commit looks for newer generations of a signed suite shows them without another request.

use bytes::Bytes;
use futures::TryStreamExt as _;

use super::{error::Error, generations};
use crate::{
    digest::Digests,
    names::Suite,
    store::{Content, Store, StoredObject},
};

/// The folder beside the generations of a suite with its other names.
const NAMES: &str = "names";
/// The folder beside the generations of another name with the suite.
const NAME_OF: &str = "name-of";

/// The records of a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OtherNames {
    /// The other names of this suite.
    pub(crate) names: Vec<Suite>,
    /// The suite that this is another name of.
    pub(crate) of: Option<Suite>,
}

impl OtherNames {
    /// The records among files.
    pub(crate) fn among<'a>(suite: &Suite, paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut found = Self::default();
        for path in paths {
            let Some((folder, kind, name)) = generations::parse(path) else { continue };
            // A part of a name cannot be empty, and no name has this character.
            let Ok(name) = Suite::parse(&name.replace('=', "/")) else { continue };
            match kind {
                _ if folder != format!("dists/{suite}") => {}
                NAMES => found.names.push(name),
                NAME_OF => found.of = Some(name),
                _ => {}
            }
        }
        found
    }

    /// Reads the records of a suite with a listing.
    pub(crate) async fn read(store: &Store, suite: &Suite) -> Result<Self, Error> {
        let folder = format!("dists/{suite}/{}", generations::FOLDER);
        let files: Vec<StoredObject> =
            store.walk_after(&folder, &format!("{folder}/n")).try_collect().await?;
        Ok(Self::among(suite, files.iter().map(|file| file.path.as_str())))
    }
}

/// The suite that the folder of this one is a link to.
pub(crate) async fn linked(store: &Store, suite: &Suite) -> Result<Option<Suite>, Error> {
    let reals = store.real_paths(vec![format!("dists/{suite}")]).await?;
    let real = reals.into_iter().next().and_then(|real| Suite::parse(real.path.strip_prefix("dists/")?).ok());
    Ok(real.filter(|real| real != suite))
}

/// Records that a suite has another name, and that this is the name of no other suite.
pub(crate) async fn record(store: &Store, suite: &Suite, name: &Suite) -> Result<(), Error> {
    // Each run of `sync` calls this; a bucket is asked once by each machine.
    let cache = store.cache().filter(|_| !store.is_local());
    let subject = format!("{} {name}", store.location());
    let known = cache.and_then(|cache| cache.recall(NAME_OF, &subject));
    if known.is_some_and(|(known, _)| known == suite.as_str()) {
        return Ok(());
    }
    let known = OtherNames::read(store, name).await?;
    if let Some(other) = known.of.filter(|other| other != suite) {
        forget(store, &other, name).await?;
    }
    // The suite first: if the second file is missing, a commit under the other name is not refused, but one of the suite
    // still reaches both.
    for path in [path(suite, NAMES, name), path(name, NAME_OF, suite)] {
        let text = Bytes::from_static(b"another name of the same suite\n");
        let digests = Digests::of(&text);
        store.put_new(&path, &Content::Bytes(text, digests)).await?;
    }
    if let Some(cache) = cache {
        cache.remember(NAME_OF, &subject, suite.as_str());
    }
    Ok(())
}

/// Forgets that a suite has another name.
pub(crate) async fn forget(store: &Store, suite: &Suite, name: &Suite) -> Result<(), Error> {
    if let Some(cache) = store.cache().filter(|_| !store.is_local()) {
        cache.remember(NAME_OF, &format!("{} {name}", store.location()), "");
    }
    Ok(store.delete_all(&[path(name, NAME_OF, suite), path(suite, NAMES, name)]).await?)
}

fn path(suite: &Suite, kind: &str, name: &Suite) -> String {
    format!("dists/{suite}/{}", generations::path(kind, &name.as_str().replace('/', "=")))
}
