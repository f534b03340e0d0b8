//! The pool files: each must match the index entries that name it.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt, stream};

use super::{caches::Changes, findings::Findings};
use crate::{
    deb::Container,
    digest::Digests,
    dists::{Entry, IndexKind},
    store,
    suite::{
        archive::{Archive, KEY_FILE},
        error::{Error, chain},
        event::{Event, Events},
        images::Image,
        limits,
        references::Expected,
    },
};

/// How many files are read concurrently.
const AT_ONCE: usize = 8;
/// How many files are requested from a web server concurrently.
const AT_ONCE_ON_THE_WEB: usize = 16;
/// After this many refusals in a row the remaining files are not requested: each would take seconds of retries.
const ENOUGH: usize = 50;

/// The files that indices name, by their paths in the archive.
pub(super) type Pool = BTreeMap<String, Named>;

/// A file that an index names.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// Its expected size and digests.
    pub(super) expected: Expected,
    /// The package that the file belongs to.
    package: Box<str>,
    /// The index that names it.
    index: Arc<str>,
    /// Whether it is a binary package.
    is_binary: bool,
}

impl Named {
    pub(super) fn new(expected: Expected, entry: &Entry, index: &Arc<str>) -> Self {
        let is_binary = entry.kind != IndexKind::Sources;
        Self { expected, package: shown(entry).into(), index: Arc::clone(index), is_binary }
    }

    pub(super) fn of_image(size: u64, image: &Image) -> Self {
        let expected = Expected { size, sha256: Some(image.sha256), md5: None };
        let index = image.list.as_str().into();
        Self { expected, package: "a line".into(), index, is_binary: false }
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
            "listed are {size} bytes with {digest}, found {found} bytes with {other}; {} lists it",
            self.by()
        )
    }
}

/// A package, for a message.
pub(super) fn shown(entry: &Entry) -> String {
    format!("`{}` {} {}", entry.name, entry.version, entry.architecture)
}

/// Adds a file; all indices of the archive must agree about it.
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
        // The other index lists more digests.
        Some(other) if other.expected.sha256.is_some() => return,
        _ => {}
    }
    pool.insert(file, named);
}

impl Archive {
    /// Compares every file with its index entry: completely, or on the web by size unless `deep` is set. That also
    /// verifies that the packages have all their members.
    pub(super) async fn check_pool(
        &self,
        pool: Pool,
        deep: bool,
        findings: &mut Findings,
        events: Events<'_>,
    ) -> Result<(), Error> {
        let total = pool.len();
        let at_once = if self.is_on_the_web() { AT_ONCE_ON_THE_WEB } else { AT_ONCE };
        let looks = stream::iter(pool).map(|(path, named)| async move {
            let mut found = Findings::default();
            let answer = self.check_pool_file(&path, &named, deep, &mut found).await?;
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
                let problem = format!("{ENOUGH} files in a row were refused; {left} more were not requested");
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
        deep: bool,
        findings: &mut Findings,
    ) -> Result<Answer, Error> {
        let size = named.expected.size;
        if self.is_on_the_web() && !deep {
            match self.store.head_with_headers(path).await {
                Ok(Some((found, served))) if found.size == size => {
                    findings.served(path, Changes::Never, served.as_ref());
                    findings.files += 1;
                    return Ok(Answer::Given);
                }
                // No client sends HEAD, and some servers implement it badly: the answer to GET decides.
                _ => {}
            }
        }
        let mut container = (named.is_binary && deep).then(Container::default);
        let see = |piece: &[u8]| container.iter_mut().for_each(|container| container.pass(piece));
        let (found, served) = match self.store.digests_with_headers(path, limits::compared(size), see).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                findings.files += 1;
                findings.fault(path, format!("it is missing, although {} lists it", named.by()));
                return Ok(Answer::Given);
            }
            Err(error @ store::Error::TooLarge { .. }) => {
                findings.files += 1;
                findings.fault(path, format!("{error}; {} lists {size} bytes", named.by()));
                return Ok(Answer::Given);
            }
            Err(error) if self.is_on_the_web() && !(error.is_unreachable() && self.is_gone().await) => {
                findings.refused(path, &error);
                return Ok(Answer::Refused);
            }
            Err(error) => return self.refused::<()>(path, error, findings).map(|_| Answer::Given),
        };
        findings.files += 1;
        findings.served(path, Changes::Never, served.as_ref());
        if !named.expected.is(&found) {
            findings.fault(path, named.differs(&found));
        } else if let Some(Err(error)) = container.map(Container::finish) {
            let problem = format!("it matches its index, but dpkg cannot read it: {}", chain(&error));
            findings.fault(path, format!("{problem}; {} lists it", named.by()));
        }
        Ok(Answer::Given)
    }

    /// Whether the server, whose pointer was just read, does not respond at all any more.
    async fn is_gone(&self) -> bool {
        self.store.head(KEY_FILE).await.is_err_and(|error| error.is_unreachable())
    }
}

/// The kind of answer of a server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The file, or that it does not exist.
    Given,
    /// Any other answer.
    Refused,
}
