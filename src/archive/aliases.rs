//! What clients without by-hash read: the indices by their names, and the other forms of the pointer.
//!
//! It may lag behind the pointer: whoever knows by-hash needs none of it.

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::{Error, PublishedSuite, generations, pointer::Ready, suite};
use crate::{
    dists::{Release, index_file::by_hash_path, release::Listed},
    store::Store,
};

/// How many names are looked at, and written, at once.
const AT_ONCE: usize = 8;

/// Writes what clients without by-hash read, as far as it is not there already: the indices by their names, and the
/// other forms of the pointer. Says what was written.
///
/// Two publishers may be here at once. Whoever ends last looks at the pointer once more and, if it is not his, writes
/// the aliases of that one; so in the end they are those of the pointer that is published.
pub(super) async fn write_aliases(
    store: &Store,
    published: &PublishedSuite,
    release: &Release,
    signed: Option<&Ready>,
) -> Result<Vec<String>, Error> {
    let mut written = Vec::new();
    let mut release = release.clone();
    let mut pointer = match signed {
        Some(ready) => ready.pointer().bytes.clone(),
        None => published.pointer().map(|pointer| pointer.bytes.clone()).unwrap_or_default(),
    };
    let mut signed = signed;
    let file = signed.map_or_else(
        || published.pointer().map_or("Release", |pointer| pointer.file),
        |ready| ready.pointer().file,
    );
    loop {
        if file == "InRelease" {
            let (text, signature) = match signed {
                Some(Ready::Signed(signed)) => (signed.release.clone(), Some(signed.release_gpg.clone())),
                _ => in_release_parts(store, published, &pointer).await?,
            };
            if replace_if_other(store, &published.path("Release"), text).await? {
                written.push(published.path("Release"));
            }
            if let Some(signature) = signature
                && replace_if_other(store, &published.path("Release.gpg"), signature).await?
            {
                written.push(published.path("Release.gpg"));
            }
        }
        // Owned, so that a commit can be spawned.
        let listed: Vec<_> = release.files().iter().map(|(path, listed)| (path.clone(), *listed)).collect();
        let aliases = stream::iter(listed)
            .map(|(path, listed)| async move { write_alias(store, published, &path, &listed).await });
        let mut aliases = aliases.buffered(AT_ONCE);
        while let Some(alias) = aliases.next().await {
            written.extend(alias?);
        }
        match store.read(&published.path(file)).await? {
            Some(now) if now.bytes != pointer => {
                let text = match file {
                    "InRelease" => crate::signing::unverified_text(&now.bytes)
                        .map_err(|source| Error::Untrusted { path: published.path(file), source })?,
                    _ => now.bytes.to_vec(),
                };
                release = Release::parse(&text)
                    .map_err(|source| Error::Pointer { path: published.path(file), source })?;
                pointer = now.bytes;
                signed = None;
            }
            _ => return Ok(written),
        }
    }
}

/// Writes a listed file by its name, as far as it is not there already. Says whether it was written.
async fn write_alias(
    store: &Store,
    published: &PublishedSuite,
    path: &str,
    listed: &Listed,
) -> Result<Option<String>, Error> {
    let (alias, by_hash) = (published.path(path), published.path(&by_hash_path(path, &listed.sha256)));
    // A listed file without a by-hash name is not stored, or not ours.
    if store.size(&by_hash).await?.is_none() {
        return Ok(None);
    }
    let current = match store.size(&alias).await? {
        Some(size) if size == listed.size => store.digests(&alias).await?,
        _ => None,
    };
    if current.is_some_and(|found| suite::is_listed(listed, &found)) {
        return Ok(None);
    }
    store.copy_known(listed.sha256, &by_hash, &alias).await?;
    Ok(Some(alias))
}

/// `Release` and `Release.gpg` as they belong to an `InRelease` that somebody else published, or a killed publisher.
///
/// The detached signature cannot be made without the key; it is kept beside the generation. Where there is none, and the
/// one that is there belongs to another text, it has to go: a client then takes `InRelease`, and one that knows only the
/// pair fails closed until the next commit.
async fn in_release_parts(
    store: &Store,
    published: &PublishedSuite,
    pointer: &Bytes,
) -> Result<(Bytes, Option<Bytes>), Error> {
    let untrusted = |source| Error::Untrusted { path: published.path("InRelease"), source };
    let text = Bytes::from(crate::signing::unverified_text(pointer).map_err(untrusted)?);
    let same = store.read(&published.path("Release")).await?.is_some_and(|release| release.bytes == text);
    let kept = kept_signature(store, published, pointer).await?;
    if kept.is_none() && !same {
        store.delete(&published.path("Release.gpg")).await?;
    }
    Ok((text, kept))
}

/// The detached signature that was kept with the generation of a pointer.
async fn kept_signature(
    store: &Store,
    published: &PublishedSuite,
    pointer: &Bytes,
) -> Result<Option<Bytes>, Error> {
    let end = format!("-{}", generations::short_digest(pointer));
    let (kept, _) = store.list(&published.path(generations::FOLDER)).await?;
    for generation in kept.iter().rev().filter(|name| name.ends_with(&end)) {
        let path = |file: &str| published.path(&generations::path(generation, file));
        if store.read(&path("InRelease")).await?.is_some_and(|kept| kept.bytes == *pointer) {
            return Ok(store.read(&path("Release.gpg")).await?.map(|kept| kept.bytes));
        }
    }
    Ok(None)
}

async fn replace_if_other(store: &Store, path: &str, bytes: Bytes) -> Result<bool, Error> {
    if store.read(path).await?.is_some_and(|there| there.bytes == bytes) {
        return Ok(false);
    }
    store.replace(path, bytes).await?;
    Ok(true)
}
