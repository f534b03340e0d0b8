//! Fetches the pool files of packages of another archive, each verified against its index before it is stored.
//!
//! Files are fetched once: those that the pool has with the right digest are left, also after an interrupted run. Memory is
//! bounded: a large file is kept on disk between the two stores.

use std::{
    collections::BTreeSet,
    io::Cursor,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt as _, stream};

use crate::{
    deb::{self, Container},
    operations::{plan::Copied, remote::Fetched},
    store::{self, Awaited, Content, Limit, Put, Store, blocking, unless_larger},
    suite::{
        arriving::{Arriving, ArrivingFile},
        error::Error,
        event::{Event, Events},
        failed::{Failed, FailedBecause},
        references::Expected,
        refusal::{Reason, Refusal},
    },
};

/// The number of connections to the other archive.
const AT_ONCE: usize = 8;
/// A larger file is fetched to disk.
const IN_MEMORY: u64 = 8 << 20;
/// After this many failures the remaining files are not tried: they would fail too.
const MAX_FAILURES: usize = 20;

/// The pool files of an operation that come from another archive.
#[derive(Default)]
pub(super) struct Fetches {
    /// Those that the pool does not have.
    pub(super) missing: Vec<Fetched>,
    /// Those that it has.
    pub(super) there: Vec<Copied>,
}

/// Compares the files with the pool; refuses other bytes at their paths before anything is fetched.
pub(super) async fn compare(store: &Store, files: &[Fetched]) -> Result<Fetches, Error> {
    let checks = stream::iter(files.to_vec()).map(|fetched| async move {
        let found = is_there(store, fetched.to.as_str(), &fetched.file.expected).await;
        (fetched, found)
    });
    let mut checks = checks.buffered(AT_ONCE);
    let (mut fetches, mut refused) = (Fetches::default(), Vec::new());
    while let Some((fetched, found)) = checks.next().await {
        match found? {
            Held::Nothing => fetches.missing.push(fetched),
            Held::Same => fetches.there.push(held(&fetched)),
            Held::Other => {
                let path = fetched.to.to_string();
                let sha256 =
                    fetched.file.expected.sha256.map(|sha256| sha256.to_string()).unwrap_or_default();
                let source = Reason::OtherInPool { path, sha256 };
                let (action, preposition, subject) = ("copy", "to", fetched.subject);
                refused.push(Refusal { action, preposition, subject, suite: None, source });
            }
        }
    }
    if refused.is_empty() { Ok(fetches) } else { Err(Error::Refused(refused)) }
}

/// The file as one that the pool has.
fn held(fetched: &Fetched) -> Copied {
    let (path, subject) = (fetched.to.clone(), fetched.subject.clone());
    Copied { path, size: fetched.file.expected.size, digests: None, action: "copy", subject }
}

/// The file of the pool at a path.
enum Held {
    Nothing,
    Same,
    Other,
}

/// Compares a file with the pool. It is read only if the checksum of the store proves nothing.
async fn is_there(store: &Store, path: &str, expected: &Expected) -> Result<Held, store::Error> {
    let Some(found) = store.head(path).await? else { return Ok(Held::Nothing) };
    if expected.matches_checksum(&found) {
        return Ok(Held::Same);
    }
    if found.size != expected.size {
        return Ok(Held::Other);
    }
    let digests = unless_larger(store.digests(path, Limit::bytes(found.size)).await)?;
    Ok(digests.map_or(Held::Nothing, |found| if expected.is(&found) { Held::Same } else { Held::Other }))
}

/// Fetches files into the pool. Returns those that another publisher has stored meanwhile.
pub(super) async fn fetch(
    store: &Store,
    files: &[Fetched],
    written: &Mutex<BTreeSet<String>>,
    events: Events<'_>,
) -> Result<Vec<Copied>, Error> {
    let has_written = |fetched: &&Fetched| {
        written.lock().unwrap_or_else(PoisonError::into_inner).contains(fetched.to.as_str())
    };
    let files: Vec<&Fetched> = files.iter().filter(|fetched| !has_written(fetched)).collect();
    let (arriving, failed) = (Arriving::new(events), Mutex::new(Vec::new()));
    arriving.announce(files.iter().map(|fetched| fetched.file.expected.size).sum());
    let failures = || failed.lock().unwrap_or_else(PoisonError::into_inner);
    let one = async |fetched: &Fetched| {
        if failures().len() >= MAX_FAILURES {
            return None;
        }
        let (path, bytes) = (fetched.to.to_string(), fetched.file.expected.size);
        let file = arriving.file(bytes);
        let put = fetch_one(store, fetched, &file).await;
        file.end();
        match put {
            Ok(Put::Created) => {
                written.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
                events(Event::Written { path, bytes });
                None
            }
            Ok(Put::Present) => Some(held(fetched)),
            Err(source) => {
                failures().push(Failed { path: fetched.file.path.clone(), source });
                None
            }
        }
    };
    let fetched = stream::iter(files).map(one).buffer_unordered(AT_ONCE);
    let there: Vec<Option<Copied>> = fetched.collect().await;
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() { Ok(there.into_iter().flatten().collect()) } else { Err(Error::NotCarried(failed)) }
}

async fn fetch_one(
    store: &Store,
    fetched: &Fetched,
    arriving: &ArrivingFile<'_>,
) -> Result<Put, FailedBecause> {
    let file = &fetched.file;
    let expected = file.expected;
    let arrived = &|bytes| arriving.at(bytes);
    let awaited = Awaited { size: expected.size, sha256: expected.sha256, arrived };
    let read = file.store.load_awaited(&file.path, IN_MEMORY, awaited).await;
    let loaded = match read {
        Err(error) if file.store.may_be_missing(&error) => return Err(error.into()),
        read => read?.ok_or(FailedBecause::Absent)?,
    };
    let found = *loaded.content.digests();
    if !expected.is(&found) {
        let Expected { size: listed, sha256, .. } = expected;
        return Err(FailedBecause::Differs { listed, sha256, found: Box::new(found) });
    }
    if fetched.to.is_binary() {
        let location = || file.store.location().to_string();
        check_container(&loaded.content)
            .await
            .map_err(|source| FailedBecause::Package { location: location(), source })?;
    }
    Ok(store.put_new(fetched.to.as_str(), &loaded.content).await?)
}

/// Checks that a package has all its members: a tool may have listed a file that was cut off.
async fn check_container(content: &Content) -> Result<(), deb::Error> {
    match content {
        Content::Bytes(bytes, _) => Container::check(&mut Cursor::new(bytes)),
        Content::File(local) => {
            let local = Arc::clone(local);
            blocking(move || {
                let mut opened = crate::regular::open(&local.file).map_err(deb::Error::Read)?;
                Container::check(&mut opened)
            })
            .await
        }
    }
}
