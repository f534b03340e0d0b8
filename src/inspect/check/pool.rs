//! The files of the pool: each must be the one that the indices name.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, stream};

use super::{caches::Changes, findings::Findings};
use crate::{
    digest::Digests,
    dists::Entry,
    store,
    suite::{
        archive::{Archive, KEY_FILE},
        error::Error,
        event::{Event, Events},
        limits,
        references::Expected,
    },
};

/// How many files are read at once.
const AT_ONCE: usize = 8;
/// How many a web server is asked for at once.
const AT_ONCE_ON_THE_WEB: usize = 16;
/// Who refuses so many files in a row refuses the others too, and each takes seconds of repetitions.
const ENOUGH: usize = 50;

/// The files that indices name, by their paths in the archive.
pub(super) type Pool = BTreeMap<String, Named>;

/// A file that an index names.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// What it must be.
    pub(super) expected: Expected,
    /// The package that it belongs to.
    package: Box<str>,
    /// The index that says so.
    index: Arc<str>,
}

impl Named {
    pub(super) fn new(expected: Expected, entry: &Entry, index: &Arc<str>) -> Self {
        Self { expected, package: shown(entry).into(), index: Arc::clone(index) }
    }

    /// The package and the index, for a message.
    fn by(&self) -> String {
        format!("{} in `{}`", self.package, self.index)
    }

    fn differs(&self, found: &Digests) -> String {
        let Expected { size, sha256, md5 } = self.expected;
        let (digest, other) = match (sha256, md5) {
            (None, Some(md5)) => (format!("MD5 {md5}"), format!("MD5 {}", found.md5)),
            (sha256, _) => (
                sha256.map_or_else(|| "no digest".to_owned(), |sha256| format!("SHA256 {sha256}")),
                format!("SHA256 {}", found.sha256),
            ),
        };
        let found = found.size;
        format!(
            "listed are {size} bytes with {digest}, found {found} bytes with {other}: {} names it",
            self.by()
        )
    }
}

/// A package, for a message.
pub(super) fn shown(entry: &Entry) -> String {
    format!("`{}` {} {}", entry.name, entry.version, entry.architecture)
}

/// Notes a file, of which every index of the archive must say the same.
pub(super) fn name_file(pool: &mut Pool, file: String, named: Named, findings: &mut Findings) {
    match pool.get(&file) {
        Some(other) if !other.expected.agrees(&named.expected) => {
            let digest = |named: &Named| {
                let Expected { size, sha256, md5 } = named.expected;
                let digest = sha256.map(|sha256| format!("SHA256 {sha256}"));
                let digest = digest.or(md5.map(|md5| format!("MD5 {md5}"))).unwrap_or_default();
                format!("{size} bytes with {digest} by {}", named.by())
            };
            let problem = format!("indices disagree about its bytes: {}, {}", digest(other), digest(&named));
            findings.fault(file.clone(), problem);
        }
        // One index knows more of it.
        Some(other) if other.expected.sha256.is_some() => return,
        _ => {}
    }
    pool.insert(file, named);
}

impl Archive {
    /// Compares every file with what is said of it: to its last byte, but on the web by its size unless `deep` is wanted.
    pub(super) async fn check_pool(
        &self,
        pool: Pool,
        deep: bool,
        findings: &mut Findings,
        events: Events<'_>,
    ) -> Result<(), Error> {
        let total = pool.len();
        let by_size = self.is_on_the_web() && !deep;
        let at_once = if self.is_on_the_web() { AT_ONCE_ON_THE_WEB } else { AT_ONCE };
        let looks = stream::iter(pool).map(|(path, named)| async move {
            let mut found = Findings::default();
            let answer = self.check_pool_file(&path, &named, by_size, &mut found).await?;
            Ok::<_, Error>((answer, found))
        });
        let mut looks = looks.buffer_unordered(at_once).enumerate();
        let mut refused = 0;
        while let Some((done, look)) = looks.next().await {
            let (answer, found) = look?;
            findings.merge(found);
            events(Event::Read { done: done + 1, total });
            refused = if answer == Answer::Refused { refused + 1 } else { 0 };
            let left = total - done - 1;
            if refused == ENOUGH && left > 0 {
                let problem = format!("{ENOUGH} files in a row were refused; {left} more were not asked for");
                findings.fault("pool", problem);
                break;
            }
        }
        Ok(())
    }

    async fn check_pool_file(
        &self,
        path: &str,
        named: &Named,
        by_size: bool,
        findings: &mut Findings,
    ) -> Result<Answer, Error> {
        let size = named.expected.size;
        if by_size {
            match self.store.found_served(path).await {
                Ok(Some((found, served))) if found.size == size => {
                    findings.served(path, Changes::Never, served.as_ref());
                    findings.files += 1;
                    return Ok(Answer::Given);
                }
                // No client asks with HEAD, and some servers do not know it well: what GET says counts.
                _ => {}
            }
        }
        let (found, served) = match self.store.digests_served(path, limits::compared(size)).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                findings.files += 1;
                findings.fault(path, format!("it is missing, although {} names it", named.by()));
                return Ok(Answer::Given);
            }
            Err(error @ store::Error::TooLarge { .. }) => {
                findings.files += 1;
                findings.fault(path, format!("{error}, and {} names {size} bytes", named.by()));
                return Ok(Answer::Given);
            }
            Err(error) if self.is_on_the_web() && !(error.is_unreachable() && self.is_gone().await) => {
                findings.refused(path, &error);
                return Ok(Answer::Refused);
            }
            Err(error) => return Err(error.into()),
        };
        findings.files += 1;
        findings.served(path, Changes::Never, served.as_ref());
        if !named.expected.is(&found) {
            findings.fault(path, named.differs(&found));
        }
        Ok(Answer::Given)
    }

    /// Whether nothing at all is heard of the server, of which the pointer was read a moment ago.
    async fn is_gone(&self) -> bool {
        self.store.found(KEY_FILE).await.is_err_and(|error| error.is_unreachable())
    }
}

/// What a server made of being asked for a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It gave it, or said that there is none.
    Given,
    /// It did neither.
    Refused,
}
