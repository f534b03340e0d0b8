//! Derived outputs for clients without by-hash (apt before 1.2): the indices under their own names, `Release` and
//! `Release.gpg`.
//!
//! They are written after the commit, and a publisher may be killed before it has written them, or while it overwrites
//! those of a faster one. So writing them is idempotent, and every command checks all of them and writes the stale
//! ones. An index is not read for that if the store reports its size and MD5. A commit needs no look at the indices that
//! it has just changed.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::release_file::ReadyRelease;
use crate::{
    dists::{
        Release,
        index_file::by_hash_path,
        layout::{ReleaseForm, plain_path},
        release::Listed,
    },
    names::Suite,
    signing::{self, Distrust},
    store::{Limit, Store},
    suite::{
        damage,
        error::Error,
        generations, limits,
        published::{self, PublishedSuite, is_being_dropped},
        trust::Trust,
    },
};

/// The number of files that are checked and written concurrently.
const AT_ONCE: usize = 8;

/// Writes the missing or stale derived outputs of a release file. Returns the written paths.
///
/// Two publishers may do this concurrently. The last to finish reads the release file again and, if it is not its own,
/// writes the outputs of that one; so the outputs finally match the published release file.
pub(crate) async fn write_derived(
    store: &Store,
    suite: &Suite,
    trust: &Trust,
    of: (&ReadyRelease, &Release),
) -> Result<Vec<String>, Error> {
    write_after_commit(store, suite, trust, of, &BTreeSet::new()).await
}

/// As [`write_derived`], without a look at these listed files: the commit has written their by-hash names, and their own
/// names are stale.
pub(super) async fn write_after_commit(
    store: &Store,
    suite: &Suite,
    trust: &Trust,
    (files, release): (&ReadyRelease, &Release),
    stale: &BTreeSet<&str>,
) -> Result<Vec<String>, Error> {
    let path = |form: ReleaseForm| format!("dists/{suite}/{}", form.file_name());
    let mut written = write_names(store, suite, release, stale).await?;
    written.extend(write_forms(store, suite, files).await?);
    // If the suite was signed for the first time meanwhile, its release file has another name.
    let mut done = (path(files.form()), files.bytes().clone());
    while !damage::holds(store, &done.0, &done.1).await? {
        if store.size(&done.0).await?.is_none() || is_being_dropped(store, suite).await? {
            withdraw(store, suite, files, release).await?;
            return Err(Error::BeingDropped { suite: suite.clone() });
        }
        let now = PublishedSuite::look(store, suite, &Trust::unverified()).await?;
        let Some(pointer) = now.pointer() else { break };
        written.extend(write_names(store, suite, &pointer.release, &BTreeSet::new()).await?);
        written.extend(write_forms(store, suite, &files_of(store, &now, trust).await?).await?);
        done = (path(pointer.form), pointer.bytes.clone());
    }
    Ok(written)
}

/// Deletes the outputs of a suite that was dropped after its release file was published: the drop may not have seen them,
/// and they would bring the suite back.
async fn withdraw(
    store: &Store,
    suite: &Suite,
    files: &ReadyRelease,
    release: &Release,
) -> Result<(), Error> {
    let mut paths: Vec<String> =
        release.own_files().map(|(path, _)| format!("dists/{suite}/{path}")).collect();
    for (form, bytes) in
        [(ReleaseForm::Release, Some(&files.text)), (ReleaseForm::Signature, files.signature.as_ref())]
    {
        let path = format!("dists/{suite}/{}", form.file_name());
        if let Some(bytes) = bytes
            && store.holds(&path, bytes).await?
        {
            paths.push(path);
        }
    }
    let date = release.date().unwrap_or(Timestamp::UNIX_EPOCH);
    let generation = generations::name(date, files.bytes());
    paths.push(format!("dists/{suite}/{}", generations::path(&generation, generations::MARK)));
    Ok(store.delete_all(&paths).await?)
}

/// Writes the other forms of a release file; `Release` comes last, and marks the outputs as complete.
async fn write_forms(store: &Store, suite: &Suite, files: &ReadyRelease) -> Result<Vec<String>, Error> {
    if files.form() == ReleaseForm::Release {
        return Ok(Vec::new());
    }
    let mut written = Vec::new();
    let forms =
        [(ReleaseForm::Signature, files.signature.as_ref()), (ReleaseForm::Release, Some(&files.text))];
    for (form, bytes) in forms {
        let path = format!("dists/{suite}/{}", form.file_name());
        match bytes {
            Some(bytes) => {
                if !damage::holds(store, &path, bytes).await? {
                    store.replace(&path, bytes.clone()).await?;
                    written.push(path);
                }
            }
            // A lost signature cannot be restored without the key, and a stale one must be deleted: clients then use
            // `InRelease`, and clients that know only the pair fail closed until the next commit.
            None => store.delete(&path).await?,
        }
    }
    Ok(written)
}

/// Writes listed files under their own names.
async fn write_names(
    store: &Store,
    suite: &Suite,
    release: &Release,
    stale: &BTreeSet<&str>,
) -> Result<Vec<String>, Error> {
    let is_packed = |plain: &str| {
        let start = format!("{plain}.");
        let after = release.files().range(start.clone()..).map(|(path, _)| path);
        after.take_while(|path| path.starts_with(&start)).any(|path| plain_path(path) == plain)
    };
    // Owned, so that a commit can be spawned.
    let listed: Vec<_> = release
        .own_files()
        .map(|(path, listed)| (path.clone(), *listed, is_packed(path), stale.contains(path.as_str())))
        .collect();
    let names = stream::iter(listed).map(|(path, listed, is_packed, is_stale)| async move {
        if is_stale {
            let copied = copy(store, suite, (&path, &path), &listed).await;
            // A faster commit may have replaced this one, and `prune` deleted its files: only then a look is needed.
            if copied.is_ok() || store.size(&by_hash(suite, &path, &listed)).await?.is_some() {
                return copied;
            }
        }
        let name = write_as(store, suite, (&path, &path), &listed).await?;
        // Clients take a compressed form instead of a missing file, and not instead of a wrong one.
        if matches!(name, Name::NotStored { another: true }) && is_packed {
            store.delete(&format!("dists/{suite}/{path}")).await?;
        }
        Ok::<_, Error>(name)
    });
    let mut names = names.buffered(AT_ONCE);
    let mut written = Vec::new();
    while let Some(name) = names.next().await {
        if let Name::Written(path) = name? {
            written.push(path);
        }
    }
    Ok(written)
}

/// A listed file under a name.
pub(super) enum Name {
    UpToDate,
    Written(String),
    /// No copy by its digest is stored; the name may be that of another file.
    NotStored {
        another: bool,
    },
}

/// Writes a listed file under a name, unless it is up to date.
pub(super) async fn write_as(
    store: &Store,
    suite: &Suite,
    (path, name): (&str, &str),
    listed: &Listed,
) -> Result<Name, Error> {
    let own = format!("dists/{suite}/{name}");
    let found = store.head(&own).await?;
    let another = found.is_some();
    if let Some(found) = found.filter(|found| found.size == listed.size) {
        let vouched = listed.md5.is_some() && found.md5 == listed.md5;
        // A concurrent publisher may be writing a longer one.
        let read =
            async || damage::unless_damaged(store, store.digests(&own, Limit::bytes(listed.size)).await);
        if vouched || read().await?.is_some_and(|found| published::is_listed(listed, &found)) {
            return Ok(Name::UpToDate);
        }
    }
    // A listed file without a by-hash name is not stored, or was written by another tool.
    if store.size(&by_hash(suite, path, listed)).await?.is_none() {
        return Ok(Name::NotStored { another });
    }
    copy(store, suite, (path, name), listed).await
}

/// Copies a listed file from its by-hash name to another name.
async fn copy(
    store: &Store,
    suite: &Suite,
    (path, name): (&str, &str),
    listed: &Listed,
) -> Result<Name, Error> {
    let name = format!("dists/{suite}/{name}");
    store.copy_known(listed.sha256, &by_hash(suite, path, listed), &name).await?;
    Ok(Name::Written(name))
}

fn by_hash(suite: &Suite, path: &str, listed: &Listed) -> String {
    format!("dists/{suite}/{}", by_hash_path(path, &listed.sha256))
}

/// Reads the forms of a release file of another publisher without its key: its detached signature is kept with the
/// generation.
pub(crate) async fn files_of(
    store: &Store,
    state: &PublishedSuite,
    trust: &Trust,
) -> Result<ReadyRelease, Error> {
    let Some(pointer) = state.pointer() else {
        return Ok(ReadyRelease { in_release: None, text: Bytes::new(), signature: None });
    };
    if pointer.form == ReleaseForm::Release {
        let beside = state.path(ReleaseForm::Signature.file_name());
        let signature = if pointer.signed { read_signature(store, &beside).await? } else { None };
        return Ok(ReadyRelease { in_release: None, text: pointer.bytes.clone(), signature });
    }
    let untrusted = |source| Error::Untrusted { path: state.path(pointer.file()), source };
    let text = Bytes::from(signing::unverified_text(&pointer.bytes).map_err(untrusted)?);
    let signature = detached_signature(store, state, trust, &text).await?;
    Ok(ReadyRelease { in_release: Some(pointer.bytes.clone()), text, signature })
}

async fn read_signature(store: &Store, path: &str) -> Result<Option<Bytes>, Error> {
    // Optional, and a web server may refuse it.
    let read = store.unless_refused(store.read(path, limits::SIGNATURE).await);
    let read = damage::unless_damaged(store, read)?;
    Ok(read.map(|object| object.bytes))
}

/// Returns the detached signature of a published text: the copy in its generation or the published one, whichever is
/// intact.
async fn detached_signature(
    store: &Store,
    state: &PublishedSuite,
    trust: &Trust,
    text: &Bytes,
) -> Result<Option<Bytes>, Error> {
    let file = ReleaseForm::Signature.file_name();
    let generation = state.generation().unwrap_or_default();
    let kept = read_signature(store, &state.path(&generations::path(&generation, file))).await?;
    let kept = kept.map(|kept| (Signature::of(trust, text, &kept), kept));
    if let Some((Signature::Verified, kept)) = kept {
        return Ok(Some(kept));
    }
    // `Release.gpg` may belong to another revision: it is written after the commit, or its publisher was killed before.
    let belongs = match damage::holds(store, &state.path(ReleaseForm::Release.file_name()), text).await {
        Err(error) if store.may_be_missing(&error) => false,
        belongs => belongs?,
    };
    let beside = if belongs { read_signature(store, &state.path(file)).await? } else { None };
    let beside = beside.map(|beside| (Signature::of(trust, text, &beside), beside));
    let best = kept.into_iter().chain(beside).filter(|(found, _)| *found != Signature::Damaged);
    // Of equals the last: it is published already.
    Ok(best.max_by_key(|(found, _)| *found).map(|(_, signature)| signature))
}

/// The knowledge about a detached signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Signature {
    /// It does not belong to the text, or is not a signature.
    Damaged,
    /// No key is known that can verify it.
    Unverified,
    /// A known key made it for this text.
    Verified,
}

impl Signature {
    fn of(trust: &Trust, text: &[u8], signature: &[u8]) -> Self {
        let now = trust.now.unwrap_or(std::time::UNIX_EPOCH);
        match trust.keyring.verify_detached(text, signature, now) {
            Ok(_) => Self::Verified,
            Err(
                Distrust::UnknownSigners { .. }
                | Distrust::NotBelieved { .. }
                | Distrust::KeyExpired { .. }
                | Distrust::Unverifiable { .. },
            ) => Self::Unverified,
            Err(_) => Self::Damaged,
        }
    }
}
