//! The files of the pool: each must be the one that the indices name.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::{Report, differs};
use crate::{
    archive::{Error, Event, Events, suite::is_listed},
    dists::release::Listed,
    pool::PoolPath,
    store::Store,
};

/// How many files are read at once.
const AT_ONCE: usize = 8;

/// Reads every file, and compares it with what is said of it.
pub(super) async fn check(
    store: &Store,
    pool: BTreeMap<PoolPath, Listed>,
    report: &mut Report,
    events: Events<'_>,
) -> Result<(), Error> {
    let total = pool.len();
    let found = stream::iter(pool).map(|(path, listed)| async move {
        let found = store.digests(path.as_str()).await;
        (path, listed, found)
    });
    let mut found = found.buffer_unordered(AT_ONCE).enumerate();
    while let Some((done, (path, listed, found))) = found.next().await {
        let path = path.as_str().to_owned();
        match found? {
            Some(found) if is_listed(&listed, &found) => {}
            Some(found) => report.fault(path, differs(&listed, &found)),
            None => report.fault(path, "it is missing, although an index names it"),
        }
        report.files += 1;
        events(Event::Read { done: done + 1, total });
    }
    Ok(())
}
