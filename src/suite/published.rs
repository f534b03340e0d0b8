//! `PublishedSuite`: what clients see of a suite now, and the revision it was read at.
//!
//! Verification goes from the top down: the archive's keys verify the signature of the pointer, and the digests in the
//! pointer verify each index. So write access to the store alone is not enough to get a package signed.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    time::SystemTime,
};

use bytes::Bytes;

pub(crate) use crate::dists::layout::plain_path;

use super::{error::Error, limits, references, trust::Trust};
use crate::{
    compression::Compression,
    digest::{Digests, Sha256Digest},
    dists::{
        Entry, IndexKey, PackagesIndex, PackagesKey, Release, index_file,
        layout::ReleaseForm,
        release::{self, Listed},
        subset::Carried,
    },
    names::Suite,
    signing::{self, Distrust, Keyring, Verified},
    size,
    store::{self, Object, ResponseHeaders, Revision, Store, blocking},
};

/// The release file whose conditional write is the commit.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pointer {
    /// `InRelease` of a signed suite, `Release` of an unsigned one.
    pub form: ReleaseForm,
    /// Its bytes.
    pub bytes: Bytes,
    /// The revision at which it was read, such as an `ETag`.
    pub revision: Revision,
    /// Its parsed content.
    pub release: Release,
    /// The fingerprints of the keys whose signatures were verified.
    pub signers: Vec<String>,
    /// Whether it has a signature, verified or not.
    pub signed: bool,
    /// The response headers of a web server.
    pub served: Option<ResponseHeaders>,
}

impl Pointer {
    /// Wraps a release file that was read; `signers` is `None` if it has no signature.
    fn of(object: Object, form: ReleaseForm, release: Release, signers: Option<Vec<String>>) -> Self {
        let Object { bytes, revision, served } = object;
        let signed = signers.is_some();
        Self { form, bytes, revision, release, signers: signers.unwrap_or_default(), signed, served }
    }

    /// Refuses a base that was signed for another suite.
    fn checked(self, suite: &Suite, path: &str, trust: &Trust, purpose: Purpose) -> Result<Self, Error> {
        if purpose == Purpose::BuildOn && !trust.adopts() && self.signed {
            made_for(suite, &self.release, path)?;
        }
        Ok(self)
    }

    /// The name of the file.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.form.file_name()
    }

    /// Whether it is `InRelease`.
    #[must_use]
    pub fn is_in_release(&self) -> bool {
        self.form == ReleaseForm::InRelease
    }
}

/// The content of the release file of a suite that is being dropped: the suite is not published any more.
pub(crate) const DROPPED: &[u8] = b"This suite was dropped.\n";

/// The purpose for which a release file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Read-only: verified as [`Trust`] requires for reading.
    Look,
    /// As the base of an operation: it must be signed by a trusted key, and for this suite.
    BuildOn,
}

/// A suite as it is published; without a pointer it does not exist yet.
#[derive(Clone)]
pub struct PublishedSuite {
    store: Store,
    name: Suite,
    /// Its folder; empty for the root of an archive without `dists/`.
    folder: String,
    pointer: Option<Pointer>,
    /// Whether it is a retained generation.
    is_kept: bool,
}

impl PublishedSuite {
    fn new(store: &Store, name: &Suite, folder: String, pointer: Option<Pointer>) -> Self {
        Self { store: store.clone(), name: name.clone(), folder, pointer, is_kept: false }
    }

    /// Reads the release file of a suite, without building on it.
    pub(crate) async fn look(store: &Store, name: &Suite, trust: &Trust) -> Result<Self, Error> {
        let pointer = read_pointer(store, name, &format!("dists/{name}"), trust, Purpose::Look).await?;
        Ok(Self::new(store, name, format!("dists/{name}"), pointer))
    }

    /// The same release file, verified with other keys; it is read again only if its signature is a file of its own.
    pub(crate) async fn look_again(&self, trust: &Trust) -> Result<Self, Error> {
        match self.pointer.as_ref().filter(|pointer| pointer.is_in_release()) {
            Some(Pointer { bytes, revision, served, .. }) => {
                let (bytes, revision, served) = (bytes.clone(), revision.clone(), served.clone());
                let path = self.path(ReleaseForm::InRelease.file_name());
                let object = Object { bytes, revision, served };
                let pointer = in_release(object, (&self.name, &path), trust, Purpose::Look)?;
                Ok(Self { pointer: Some(pointer), ..self.clone() })
            }
            None => Self::look(&self.store, &self.name, trust).await,
        }
    }

    /// Reads and verifies the release file of a suite; [`super::VerifiedBase`] also ensures that it is the newest.
    pub(crate) async fn verify(store: &Store, name: &Suite, trust: &Trust) -> Result<Self, Error> {
        let pointer = read_pointer(store, name, &format!("dists/{name}"), trust, Purpose::BuildOn).await?;
        Ok(Self::new(store, name, format!("dists/{name}"), pointer))
    }

    /// Reads the release file in a folder of an archive without `dists/`, and verifies it as a reader.
    pub(crate) async fn flat(
        store: &Store,
        name: &Suite,
        folder: &str,
        trust: &Trust,
    ) -> Result<Self, Error> {
        let pointer = read_pointer(store, name, folder, trust, Purpose::Look).await?;
        Ok(Self::new(store, name, folder.to_owned(), pointer))
    }

    /// A suite whose release file is not read: nothing of it is verified.
    pub(crate) fn unread(store: &Store, name: &Suite, folder: String) -> Self {
        Self::new(store, name, folder, None)
    }

    /// Wraps a release file that was already read.
    pub(crate) fn with_pointer(store: &Store, name: &Suite, pointer: Pointer) -> Self {
        Self::new(store, name, format!("dists/{name}"), Some(pointer))
    }

    /// Reads a generation of a suite from its folder; the files that it references are in the folder of the suite.
    pub(crate) async fn open_at(store: &Store, name: &Suite, folder: &str) -> Result<Self, Error> {
        let pointer = read_pointer(store, name, folder, &Trust::unverified(), Purpose::Look).await?;
        let is_kept = folder != format!("dists/{name}");
        Ok(Self { is_kept, ..Self::new(store, name, format!("dists/{name}"), pointer) })
    }

    /// The name of its folder.
    #[must_use]
    pub fn name(&self) -> &Suite {
        &self.name
    }

    /// Its pointer, if it is published.
    #[must_use]
    pub fn pointer(&self) -> Option<&Pointer> {
        self.pointer.as_ref()
    }

    /// The content of its pointer, if it is published.
    #[must_use]
    pub fn release(&self) -> Option<&Release> {
        self.pointer.as_ref().map(|pointer| &pointer.release)
    }

    /// All files that it lists, each once regardless of compression.
    #[must_use]
    pub fn index_keys(&self) -> BTreeSet<IndexKey> {
        let listed = self.release().into_iter().flat_map(Release::own_files);
        let plain: BTreeSet<&str> = listed.map(|(path, _)| plain_path(path)).collect();
        plain.into_iter().map(IndexKey::parse).collect()
    }

    /// The files of its own that it lists and a mirror carries.
    pub(crate) fn carried_files<'a>(
        &'a self,
        carried: &'a Carried,
    ) -> impl Iterator<Item = (&'a String, &'a Listed)> {
        let files = self.release().into_iter().flat_map(Release::own_files);
        files.filter(|(path, _)| carried.holds(path))
    }

    /// The indices that reference pool files.
    pub(crate) fn pool_index_keys(&self) -> BTreeSet<IndexKey> {
        self.index_keys().into_iter().filter(IndexKey::has_entries).collect()
    }

    /// The listed indices of binary packages.
    #[must_use]
    pub fn packages_keys(&self) -> BTreeSet<PackagesKey> {
        self.index_keys().into_iter().filter_map(IndexKey::into_packages).collect()
    }

    /// The listed indices that an edit may write: those of packages of every type.
    pub(crate) fn edited_keys(&self) -> BTreeSet<PackagesKey> {
        self.index_keys().into_iter().filter_map(IndexKey::into_edited).collect()
    }

    /// The same suite, with its files read from another store.
    pub(crate) fn read_from(&self, store: &Store) -> Self {
        Self { store: store.clone(), ..self.clone() }
    }

    /// Whether it is a retained generation: a name without a digest may have the file of a later one.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The store that it was read from.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The path of a file of this suite in the store.
    #[must_use]
    pub fn path(&self, below: &str) -> String {
        below_folder(&self.folder, below)
    }

    /// Whether the release file is byte for byte as this program renders it: the commit that wrote it has verified
    /// everything that it lists. The mark of a generation does not prove that, since releases of other tools are kept
    /// as well.
    pub(crate) fn is_of_our_form(&self) -> bool {
        let Some(pointer) = self.pointer() else { return true };
        let rendered = pointer.release.render();
        match pointer.form {
            ReleaseForm::Release => pointer.bytes == rendered,
            _ => signing::unverified_text(&pointer.bytes)
                .is_ok_and(|text| signing::says_the_same(&rendered, &text)),
        }
    }

    /// Checks that the suite was not published again since it was read.
    ///
    /// # Errors
    /// [`store::Error::Conflict`] if it was.
    pub(crate) async fn still_current(&self) -> Result<(), Error> {
        let Some(pointer) = self.pointer() else { return Ok(()) };
        let path = self.path(pointer.file());
        if self.store.holds(&path, &pointer.bytes).await? {
            return Ok(());
        }
        Err(store::Error::Conflict { path }.into())
    }

    /// Reads an index and verifies it against the pointer; an unlisted index is empty.
    pub async fn index(&self, name: &PackagesKey) -> Result<PackagesIndex, Error> {
        let plain = name.path();
        let Some(text) = self.text(&plain).await? else { return Ok(PackagesIndex::default()) };
        PackagesIndex::parse(&text, name.package_type)
            .map_err(|source| Error::Index { path: self.path(&plain), source })
    }

    /// Reads the entries of an index and verifies it against the pointer; an unlisted index has none.
    pub async fn entries(&self, key: &IndexKey) -> Result<Vec<Entry>, Error> {
        let plain = key.path();
        let Some(text) = self.text(&plain).await? else { return Ok(Vec::new()) };
        let (key, path) = (key.clone(), self.path(&plain));
        blocking(move || references::entries(&key, &path, &text)).await
    }

    /// Reads and verifies the text of an index in its cheapest form; `None` if it is not listed.
    pub(crate) async fn text(&self, plain: &str) -> Result<Option<Bytes>, Error> {
        let Some(release) = self.release() else { return Ok(None) };
        let mut forms: Vec<(Compression, String, Listed)> = Compression::ALL
            .into_iter()
            .filter_map(|compression| {
                let path = format!("{plain}{}", compression.extension());
                let listed = *release.files().get(&path)?;
                Some((compression, path, listed))
            })
            .collect();
        if forms.is_empty() {
            return Ok(None);
        }
        let as_text = release.files().get(plain).copied();
        if as_text.is_some_and(|listed| listed.size == 0) {
            return Ok(Some(Bytes::new()));
        }
        // The cache may have the unpacked text.
        if let Some(listed) = as_text
            && let Some(text) = self.store.known(listed.sha256).await
        {
            return Ok(Some(text));
        }
        // A folder reads the plain form first, which needs no unpacking; a network store the smallest.
        if self.store.location().folder().is_none() {
            forms.sort_by_key(|(.., listed)| listed.size);
        }
        let mut replaced = None;
        for (compression, path, listed) in forms {
            let read = self.listed_file(&path, &listed).await;
            if read.as_ref().is_err_and(|error| self.is_name_replaced(&path, error)) {
                replaced = replaced.or(read.err());
                continue;
            }
            if let Some((path, bytes)) = read? {
                let text = unpack(self.path(&path), bytes, compression, as_text).await?;
                if let Some(listed) = as_text {
                    self.store.keep(listed.sha256, &text).await;
                }
                return Ok(Some(text));
            }
        }
        Err(replaced.unwrap_or_else(|| Error::Missing { path: self.path(plain) }))
    }

    /// Whether a listed file was read by its name alone and differs. A generation of another tool may list a form that was
    /// stored under its name alone, or not at all: a later generation has the name now.
    pub(crate) fn is_name_replaced(&self, path: &str, error: &Error) -> bool {
        matches!(error, Error::Mismatch { path: found, .. } | Error::Longer { path: found, .. }
            if *found == self.path(path))
    }

    /// Reads and verifies a listed file, by its digest or else by its name.
    pub(crate) async fn listed_file(
        &self,
        path: &str,
        listed: &Listed,
    ) -> Result<Option<(String, Bytes)>, Error> {
        let by_hash = index_file::by_hash_path(path, &listed.sha256);
        if let Some(bytes) = self.store.known(listed.sha256).await {
            return Ok(Some((by_hash, bytes)));
        }
        for path in [by_hash.as_str(), path] {
            let full = self.path(path);
            // Either name may be missing.
            let read = self.store.unless_refused(self.store.read(&full, limits::listed(listed.size)).await);
            let read = match read {
                Err(source @ store::Error::TooLarge { .. }) => {
                    return Err(Error::Longer { path: full, source });
                }
                read => read?,
            };
            let Some(object) = read else { continue };
            let bytes = object.bytes;
            if !has_digest(listed, bytes.clone()).await {
                let found = Box::new(hash(bytes).await);
                return Err(Error::Mismatch { path: full, listed: Box::new(*listed), found });
            }
            self.store.keep(listed.sha256, &bytes).await;
            return Ok(Some((path.to_owned(), bytes)));
        }
        Ok(None)
    }
}

/// The path of a file in a folder, which is empty for the root of the store.
fn below_folder(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
}

/// Whether a file matches its entry in the pointer; size and SHA256 decide.
pub(crate) fn is_listed(listed: &Listed, found: &Digests) -> bool {
    (listed.size, listed.sha256) == (found.size, found.sha256)
}

/// Whether bytes match their entry, by SHA256 alone: computing all digests takes three times as long.
async fn has_digest(listed: &Listed, bytes: Bytes) -> bool {
    let Listed { size, sha256, .. } = *listed;
    bytes.len() as u64 == size && blocking(move || Sha256Digest::of(&bytes)).await == sha256
}

/// Hashes on a blocking thread.
async fn hash(bytes: Bytes) -> Digests {
    blocking(move || Digests::of(&bytes)).await
}

/// Unpacks an index, never beyond its listed size, and verifies the text against its entry in the pointer.
pub(crate) async fn unpack(
    path: String,
    bytes: Bytes,
    compression: Compression,
    plain: Option<Listed>,
) -> Result<Bytes, Error> {
    if compression == Compression::Plain {
        return Ok(bytes);
    }
    blocking(move || {
        let failed = |source| Error::Unpack { path: path.clone(), source };
        let limit = plain.map_or(limits::UNLISTED_TEXT, |listed| limits::listed(listed.size)).get();
        let mut text = Vec::new();
        let decoder = compression.index_decoder(&bytes[..]).map_err(failed)?;
        decoder.take(limit.saturating_add(1)).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > limit && plain.is_none_or(|listed| listed.size > limit) {
            let why = format!("it unpacks to more than {}", size::bytes(limit));
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        let text = Bytes::from(text);
        if let Some(listed) = plain
            && (text.len() as u64 != listed.size || Sha256Digest::of(&text) != listed.sha256)
        {
            let found = Box::new(Digests::of(&text));
            return Err(Error::Mismatch { path, listed: Box::new(listed), found });
        }
        Ok(text)
    })
    .await
}

/// Reads a pointer in the folder of a suite or of one of its generations.
pub(crate) async fn read_pointer(
    store: &Store,
    suite: &Suite,
    folder: &str,
    trust: &Trust,
    purpose: Purpose,
) -> Result<Option<Pointer>, Error> {
    if let Some(found) = read_in_release(store, suite, folder, trust, purpose).await? {
        return Ok(found);
    }
    let release = read_release(store, suite, folder, trust, purpose).await;
    if let Err(Error::NotSigned { .. }) = release
        && let Some(found) = read_in_release(store, suite, folder, trust, purpose).await?
    {
        // The first signed commit of the suite wrote `InRelease` since it was looked for, and then `Release`, whose
        // signature it had not written yet.
        return Ok(found);
    }
    release
}

/// Reads `InRelease`; the outer `None` if there is none, the inner if the suite is being dropped.
async fn read_in_release(
    store: &Store,
    suite: &Suite,
    folder: &str,
    trust: &Trust,
    purpose: Purpose,
) -> Result<Option<Option<Pointer>>, Error> {
    let path = below_folder(folder, "InRelease");
    let Some(object) = store.read_writable(&path, limits::RELEASE).await? else { return Ok(None) };
    if object.bytes == DROPPED {
        return dropped(suite, purpose).map(Some);
    }
    in_release(object, (suite, &path), trust, purpose).map(|pointer| Some(Some(pointer)))
}

/// Verifies `InRelease`.
fn in_release(
    object: Object,
    (suite, path): (&Suite, &str),
    trust: &Trust,
    purpose: Purpose,
) -> Result<Pointer, Error> {
    let untrusted = |source| Error::Untrusted { path: path.to_owned(), source };
    let verify = |keyring: &Keyring, now| keyring.verify_in_release(&object.bytes, now);
    let (text, signers) = match check(trust, purpose, (suite, path), verify)? {
        Some(verified) => (verified.release, verified.signers),
        None => (signing::unverified_text(&object.bytes).map_err(untrusted)?, Vec::new()),
    };
    let release = parse(&text, path)?;
    let pointer = Pointer::of(object, ReleaseForm::InRelease, release, Some(signers));
    pointer.checked(suite, path, trust, purpose)
}

/// Reads `Release` in the folder of a suite or of one of its generations, and its detached signature if there is one.
pub(crate) async fn read_release(
    store: &Store,
    suite: &Suite,
    folder: &str,
    trust: &Trust,
    purpose: Purpose,
) -> Result<Option<Pointer>, Error> {
    let path = below_folder(folder, "Release");
    let Some(object) = store.read_writable(&path, limits::RELEASE).await? else { return Ok(None) };
    if object.bytes == DROPPED {
        return dropped(suite, purpose);
    }
    let signature = store.read(&format!("{path}.gpg"), limits::SIGNATURE).await?;
    let mut signers = Vec::new();
    match &signature {
        Some(signature) => {
            let verify =
                |keyring: &Keyring, now| keyring.verify_detached(&object.bytes, &signature.bytes, now);
            if let Some(verified) = check(trust, purpose, (suite, &path), verify)? {
                signers = verified.signers;
            }
        }
        // An unsigned file may come from anyone: signing its content now would vouch for it.
        None if must_verify(trust, purpose) && trust.demands_signature_of(suite) => {
            return Err(Error::NotSigned { path });
        }
        None => {}
    }
    let release = parse(&object.bytes, &path)?;
    let pointer = Pointer::of(object, ReleaseForm::Release, release, signature.map(|_| signers));
    pointer.checked(suite, &path, trust, purpose).map(Some)
}

/// Whether a drop of the suite is not finished.
pub(crate) async fn is_being_dropped(store: &Store, suite: &Suite) -> Result<bool, Error> {
    for form in [ReleaseForm::InRelease, ReleaseForm::Release] {
        let path = format!("dists/{suite}/{}", form.file_name());
        if store.holds(&path, &Bytes::from_static(DROPPED)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The result of reading the release file of a suite that is being dropped: readers see no suite.
fn dropped(suite: &Suite, purpose: Purpose) -> Result<Option<Pointer>, Error> {
    match purpose {
        Purpose::Look => Ok(None),
        Purpose::BuildOn => Err(Error::BeingDropped { suite: suite.clone() }),
    }
}

/// Verifies the signature of a release file if a key is known. `None` if the policy accepts it without: an error if the
/// policy requires a valid one.
fn check(
    trust: &Trust,
    purpose: Purpose,
    (suite, path): (&Suite, &str),
    verify: impl Fn(&Keyring, SystemTime) -> Result<Verified, Distrust>,
) -> Result<Option<Verified>, Error> {
    if purpose == Purpose::BuildOn && !trust.demands_signatures() {
        return Err(Error::NoKey { suite: suite.clone() });
    }
    let verified = match trust.now {
        Some(now) if !trust.keyring.is_empty() => match &trust.source_keys {
            Some(source_keys) => source_keys.verify(&trust.keyring, now, verify),
            None => verify(&trust.keyring, now),
        },
        _ if must_verify(trust, purpose) && trust.demands_signatures() => {
            return Err(Error::NoPublicKey { suite: suite.clone() });
        }
        _ => return Ok(None),
    };
    match verified {
        Ok(verified) => Ok(Some(verified)),
        Err(_) if trust.adopts() => Ok(None),
        Err(source) => Err(Error::Untrusted { path: path.to_owned(), source }),
    }
}

/// Whether a release file that cannot be verified is refused.
fn must_verify(trust: &Trust, purpose: Purpose) -> bool {
    match purpose {
        Purpose::BuildOn => !trust.builds_on_unverified(),
        Purpose::Look => !trust.adopts() && !trust.reads_unverified(),
    }
}

/// Refuses a pointer that was signed for another suite and copied here: its packages would get signed for this suite.
pub(crate) fn made_for(suite: &Suite, release: &Release, path: &str) -> Result<(), Error> {
    match other_name(suite, release) {
        None => Ok(()),
        Some(named) => {
            Err(Error::OtherSuite { path: path.to_owned(), suite: suite.clone(), named: named.to_owned() })
        }
    }
}

/// Returns the name in a `Release` if it does not fit the folder of its suite. The rule is apt's: `Suite` or `Codename`
/// must equal the folder, or the folder without its last part (such as `/updates`). A `Release` without names fits
/// anywhere.
pub(crate) fn other_name<'a>(suite: &Suite, release: &'a Release) -> Option<&'a str> {
    let fits = |name: &str| {
        let folder = suite.as_str();
        name == folder || folder.rsplit_once('/').is_some_and(|(above, _)| name == above)
    };
    let names = ["Codename", "Suite"].into_iter().filter_map(|field| release.field(field));
    let mut names = names.filter(|name| !name.is_empty()).peekable();
    let first = *names.peek()?;
    (!names.any(fits)).then_some(first)
}

fn parse(text: &[u8], path: &str) -> Result<Release, Error> {
    let failed = |source: release::Error| Error::Pointer { path: path.to_owned(), source };
    let release = Release::parse(text).map_err(failed)?;
    // Later steps rely on these.
    release.components().map_err(failed)?;
    release.architectures().map_err(failed)?;
    release.date().map_err(failed)?;
    Ok(release)
}
