//! The file lists of packages, for the indices that are derived from them.
//!
//! The list of a package is read from its file: from the given file, or from the pool. Lists are kept beside the archive
//! under the digest of the package ([`FOLDER`]), so that a later edit need not read the package again, and in the cache of
//! this machine. They are private: `sync` does not copy them, and `prune` deletes those of packages that are gone.
//!
//! A list in the store has no signature, so it never adds a line to an index that gets signed: it only decides which
//! lines of a verified index stay.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use rayon::prelude::*;

use super::{
    error::{Error, chain},
    event::{Event, Events},
    pool_package,
    refusal::{Reason, Refusal},
};
use crate::{
    compression::Compression,
    deb::{DataFault, FileList, list_files},
    digest::{Digests, Sha256Digest},
    dists::PackageEntry,
    store::{Content, Limit, Store, blocking},
};

/// The folder of the lists, one file for each package.
pub(crate) const FOLDER: &str = ".publish/contents";

/// The limit on a list, compressed or not.
const LIMIT: Limit = Limit::mebibytes(64);
/// The number of packages that are read concurrently.
const AT_ONCE: usize = 8;
/// How many packages without a list are named.
const NAMED: usize = 5;

/// The file lists of packages, each read once in all tries of an operation.
pub(crate) struct FileLists<'a> {
    events: Events<'a>,
    known: Mutex<HashMap<String, Source>>,
}

/// A list and its source.
#[derive(Clone)]
enum Source {
    /// Read from a package with the published digest.
    Package(FileList),
    /// Read from the store.
    Stored(FileList),
    /// The package cannot be read, for this reason.
    Unknown(String),
}

/// Where the files of packages are that the pool may not have yet, by digest.
#[derive(Default)]
pub(crate) struct Given {
    /// Local files.
    pub(crate) files: HashMap<Sha256Digest, PathBuf>,
    /// Files of other archives.
    pub(crate) elsewhere: HashMap<Sha256Digest, (Store, String)>,
}

/// A package whose list is needed.
#[derive(Clone)]
pub(crate) struct Wanted {
    /// The package.
    pub(crate) package: PackageEntry,
    /// Whether a list from the store, which has no signature, is enough.
    pub(crate) may_be_stored: bool,
}

/// The lists of the wanted packages.
#[derive(Default)]
pub(crate) struct Found {
    lists: HashMap<String, FileList>,
    /// Lists to keep beside the archive.
    pub(crate) new: BTreeMap<Sha256Digest, FileList>,
    /// Notes for the user.
    pub(crate) notes: Vec<String>,
}

impl Found {
    /// The list of a package, read from the package itself; `None` if it cannot be read.
    pub(crate) fn of(&self, package: &PackageEntry) -> Option<&FileList> {
        self.lists.get(&key(package, false))
    }

    /// The list of a package, perhaps one without a signature; `None` if it cannot be read.
    pub(crate) fn perhaps_stored(&self, package: &PackageEntry) -> Option<&FileList> {
        self.lists.get(&key(package, true)).or_else(|| self.of(package))
    }
}

/// Identifies the file of a package.
pub(crate) fn id(package: &PackageEntry) -> String {
    match package.sha256() {
        Some(sha256) => sha256.to_string(),
        None => package.filename().unwrap_or_default().to_owned(),
    }
}

/// Distinguishes lists that may come from the store.
fn key(package: &PackageEntry, may_be_stored: bool) -> String {
    let id = id(package);
    if may_be_stored { format!("stored {id}") } else { id }
}

/// The path of the list of a package.
pub(crate) fn path(sha256: &Sha256Digest) -> String {
    format!("{FOLDER}/{sha256}")
}

/// The content of the file of a list.
pub(crate) fn pack(list: &FileList) -> Content {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory does not fail.
    let packed = encoder.write_all(list.text()).and_then(|()| encoder.finish()).unwrap_or_default();
    let digests = Digests::of(&packed);
    Content::Bytes(packed.into(), digests)
}

fn unpack(packed: &Bytes) -> Option<FileList> {
    let mut text = Vec::new();
    let decoder = Compression::Gzip.index_decoder(&packed[..]).ok()?;
    decoder.take(LIMIT.get() + 1).read_to_end(&mut text).ok()?;
    FileList::parse(text.into()).filter(|list| list.text().len() as u64 <= LIMIT.get())
}

impl<'a> FileLists<'a> {
    pub(crate) fn new(events: Events<'a>) -> Self {
        Self { events, known: Mutex::default() }
    }

    /// Returns the lists of packages; `given` has the files of some of them.
    ///
    /// # Errors
    /// [`Error::Refused`] for given packages that dpkg cannot unpack.
    pub(crate) async fn load(
        &self,
        store: &Store,
        wanted: Vec<Wanted>,
        given: &Given,
    ) -> Result<Found, Error> {
        let mut needed: BTreeMap<String, Wanted> = BTreeMap::new();
        for one in wanted {
            needed.entry(key(&one.package, one.may_be_stored)).or_insert(one);
        }
        let is_known =
            |id: &String| self.known.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id);
        let unread: Vec<(String, Wanted)> = needed
            .iter()
            .filter(|(id, _)| !is_known(id))
            .map(|(id, wanted)| (id.clone(), wanted.clone()))
            .collect();
        let file = |wanted: &Wanted| given.files.get(&wanted.package.sha256()?).cloned();
        let (local, others): (Vec<_>, Vec<_>) =
            unread.into_iter().map(|(id, one)| (file(&one), id, one)).partition(|(file, ..)| file.is_some());
        let local = local.into_iter().filter_map(|(file, id, _)| Some((file?, id))).collect();
        self.read_given(local).await?;
        let others = others.into_iter().map(|(_, id, one)| (id, one)).collect();
        self.read_published(store, others, &given.elsewhere).await?;
        Ok(self.found(needed))
    }

    /// Collects the lists that were read.
    fn found(&self, needed: BTreeMap<String, Wanted>) -> Found {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut found, mut unknown) = (Found::default(), Vec::new());
        for (id, Wanted { package, .. }) in needed {
            match known.get(&id) {
                Some(Source::Package(list)) => {
                    if list.left_out() > 0 {
                        found.notes.push(format!(
                            "`Contents` does not list {} of {}, which an index cannot express",
                            count(list.left_out(), "path"),
                            shown(&package)
                        ));
                    }
                    found.new.extend(package.sha256().map(|sha256| (sha256, list.clone())));
                    found.lists.insert(id, list.clone());
                }
                Some(Source::Stored(list)) => drop(found.lists.insert(id, list.clone())),
                Some(Source::Unknown(why)) => unknown.push(format!("{}: {why}", shown(&package))),
                None => {}
            }
        }
        let more = unknown.len().saturating_sub(NAMED);
        found.notes.extend(
            unknown.into_iter().take(NAMED).map(|one| format!("`Contents` does not list the files of {one}")),
        );
        if more > 0 {
            found.notes.push(format!("`Contents` does not list the files of {more} more packages"));
        }
        found
    }

    fn know(&self, id: String, source: Source) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, source);
    }

    /// Reads the lists of given files, on all cores.
    async fn read_given(&self, files: Vec<(PathBuf, String)>) -> Result<(), Error> {
        let read = blocking(move || {
            let read = files.into_par_iter().map(|(file, id)| {
                let list = read_file(&file);
                (file, id, list)
            });
            read.collect::<Vec<_>>()
        });
        let mut refused = Vec::new();
        for (file, id, list) in read.await {
            match list {
                Ok(list) => self.know(id, Source::Package(list)),
                Err(fault) if fault.is_fatal() => refused.push(Refusal {
                    action: "add",
                    preposition: "to",
                    subject: file.display().to_string(),
                    suite: None,
                    source: Reason::Files(fault),
                }),
                Err(fault) => self.know(id, Source::Unknown(chain(&fault))),
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Error::Refused(refused)) }
    }

    /// Reads the lists of published packages: from this machine's cache, from the store, or from the pool.
    async fn read_published(
        &self,
        store: &Store,
        wanted: Vec<(String, Wanted)>,
        elsewhere: &HashMap<Sha256Digest, (Store, String)>,
    ) -> Result<(), Error> {
        let (total, done) = (wanted.len(), AtomicUsize::new(0));
        let reads = stream::iter(wanted).map(|(id, wanted)| {
            let (store, done) = (store.clone(), &done);
            let other = wanted.package.sha256().and_then(|sha256| elsewhere.get(&sha256)).cloned();
            async move {
                let source = read_published(&store, &wanted, other).await?;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                (self.events)(Event::Listed { done, total });
                Ok::<_, Error>((id, source))
            }
        });
        let mut reads = reads.buffer_unordered(AT_ONCE);
        while let Some(read) = reads.next().await {
            let (id, source) = read?;
            self.know(id, source);
        }
        Ok(())
    }
}

async fn read_published(
    store: &Store,
    wanted: &Wanted,
    elsewhere: Option<(Store, String)>,
) -> Result<Source, Error> {
    let sha256 = wanted.package.sha256();
    if let Some(sha256) = sha256 {
        if let Some(list) = store.known_derived(KIND, sha256).await.and_then(FileList::parse) {
            return Ok(Source::Package(list));
        }
        if wanted.may_be_stored
            && let Some(list) = read_stored(store, &sha256).await
        {
            return Ok(Source::Stored(list));
        }
    }
    let path = wanted.package.filename().unwrap_or_default().to_owned();
    let (from, path) = elsewhere.unwrap_or_else(|| (store.clone(), path));
    let source = read_pool(&from, &path, &wanted.package).await?;
    if let (Some(sha256), Source::Package(list)) = (sha256, &source) {
        store.keep_derived(KIND, sha256, list.text()).await;
    }
    Ok(source)
}

/// The list of a package, as far as it is known without the package: from this machine's cache, or in a folder beside the
/// archive.
pub(crate) async fn known(store: &Store, sha256: &Sha256Digest) -> Option<FileList> {
    if let Some(list) = store.known_derived(KIND, *sha256).await.and_then(FileList::parse) {
        return Some(list);
    }
    if store.has_links() { read_stored(store, sha256).await } else { None }
}

/// The kind of the lists in the cache of this machine.
pub(crate) const KIND: &str = "contents";

/// Reads the list of a package beside the archive; one that cannot be read is no error, as the package has it.
async fn read_stored(store: &Store, sha256: &Sha256Digest) -> Option<FileList> {
    let object = store.read(&path(sha256), LIMIT).await.ok()??;
    blocking(move || unpack(&object.bytes)).await
}

/// Reads the list of a package from its file, and verifies the package.
async fn read_pool(store: &Store, path: &str, package: &PackageEntry) -> Result<Source, Error> {
    let content = match pool_package::load(store, path, package).await? {
        Ok(content) => content,
        Err(why) => return Ok(Source::Unknown(why.to_owned())),
    };
    let read = blocking(move || match &content {
        Content::Bytes(bytes, _) => list_files(&bytes[..]),
        Content::File(local) => read_file(&local.file),
    });
    Ok(match read.await {
        Ok(list) => Source::Package(list),
        Err(fault) => Source::Unknown(chain(&fault)),
    })
}

fn read_file(file: &Path) -> Result<FileList, DataFault> {
    let opened: File = crate::regular::open(file).map_err(crate::deb::Error::Read)?;
    list_files(&opened)
}

fn shown(package: &PackageEntry) -> String {
    format!("`{}` {} {}", package.name(), package.version(), package.architecture())
}

fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}
