//! Adoption of an archive of another tool: verifies its files once, and gives them by-hash names.
//!
//! The commit that published a release file has verified everything that it lists. A release file of another tool may
//! contradict itself, and a new signature would vouch for that.

use std::{
    collections::BTreeSet,
    io::{self, Read},
};

use futures::{StreamExt, stream};

use crate::{
    compression::Compression,
    digest::{Digests, HashingReader},
    dists::{IndexFile, IndexKey, Release, index_file::by_hash_path, release::Listed},
    operations::unreadable::Unreadable,
    store::{self, Content, Limit, Loaded, Store, blocking, unless_larger},
    suite::{
        error::{Error, chain},
        limits,
        published::{PublishedSuite, is_listed, plain_path},
        references,
    },
};

/// A larger form is spooled and read from disk.
const IN_MEMORY: u64 = 16 << 20;
/// A listed file other than an index is read up to this size, unless the store's checksum proves its content; of a
/// larger one only the size is compared.
const CHEAP: u64 = 64 << 20;
/// The number of files that are compared concurrently.
const AT_ONCE: usize = 8;

/// The text of an index, as one of its forms or the release file describes it.
struct Text {
    path: String,
    listed: Listed,
}

/// The warnings of an adoption.
#[derive(Default)]
pub(crate) struct Notes {
    /// About files.
    indices: Vec<String>,
    /// About packages that dpkg or apt cannot read.
    pub(super) packages: Option<String>,
}

impl IntoIterator for Notes {
    type Item = String;
    type IntoIter = std::iter::Chain<std::vec::IntoIter<String>, std::option::IntoIter<String>>;

    fn into_iter(self) -> Self::IntoIter {
        self.indices.into_iter().chain(self.packages)
    }
}

/// Verifies the files that another tool published: each form of an index that the new release file lists, changed or
/// not, against its digest and against the other forms, and other files that it still lists against their digests. Other
/// files that differ are removed from the list, since no client accepts them; returns a note for each, and for each index
/// that is kept although it cannot be read, and one for the packages that dpkg or apt cannot read. A missing file is not a
/// fault: other tools list plain forms that they do not store, and mirrors list what they leave out. Of those only the plain
/// forms stay listed. `changed` has the indices that replace old ones.
///
/// # Errors
/// Two forms of an index contradict each other, or a form that stays does not match its digest.
pub(crate) async fn verify(
    state: &PublishedSuite,
    release: &mut Release,
    changed: &[IndexFile],
) -> Result<Notes, Error> {
    let Some(old) = state.release() else { return Ok(Notes::default()) };
    let still = |path: &str, listed: &Listed| release.files().get(path) == Some(listed);
    let indices = state.pool_index_keys();
    let stay: BTreeSet<&str> = release.files().keys().map(|path| plain_path(path)).collect();
    let (mut notes, mut absent) = (Vec::new(), BTreeSet::new());
    let mut unreadable = Unreadable::default();
    for key in &indices {
        let plain = key.path();
        if !stay.contains(&*plain) {
            continue;
        }
        let mut text =
            old.files().get(&plain).map(|listed| Text { path: state.path(&plain), listed: *listed });
        let (mut is_carried_on, mut is_stored, mut unstored) = (false, false, Vec::new());
        for compression in Compression::ALL {
            let path = format!("{plain}{}", compression.extension());
            let Some(listed) = old.files().get(&path).copied() else { continue };
            let stays = still(&path, &listed);
            is_carried_on |= stays;
            let found = async {
                let Some((path, loaded)) = load(state, &path, &listed).await? else { return Ok(None) };
                let found = unpacked(&path, loaded, compression, text.as_ref()).await?;
                Ok(Some((path, found)))
            };
            let (path, found) = match found.await {
                Err(error) if state.is_kept() && state.is_name_replaced(&path, &error) => continue,
                // No client can use it, and the change replaces it by one that was made from another form.
                Err(Error::Mismatch { .. } | Error::Longer { .. } | Error::Unpack { .. }) if !stays => {
                    continue;
                }
                Err(error) => return Err(error),
                Ok(None) => {
                    unstored.extend((stays && compression != Compression::Plain).then_some(path));
                    continue;
                }
                Ok(Some(found)) => found,
            };
            is_stored = true;
            match &text {
                None => text = Some(Text { path, listed: Listed::from(&found) }),
                Some(text) if is_listed(&text.listed, &found) => {}
                Some(text) => {
                    let found = Box::new(found);
                    return Err(Error::Contradicts {
                        path,
                        other: text.path.clone(),
                        found,
                        listed: Box::new(text.listed),
                    });
                }
            }
        }
        // Clients may choose a form that is not stored, and then get none.
        absent.extend(unstored.into_iter().filter(|_| is_stored));
        if !is_carried_on {
            let new = changed.iter().find(|file| file.path() == plain).map(|file| file.bytes().clone());
            let (key, path) = (key.clone(), state.path(&plain));
            if let Some(text) = new {
                unreadable.judge(blocking(move || references::entries(&key, &path, &text)).await?).await;
            }
            continue;
        }
        match state.entries(key).await {
            Ok(entries) => unreadable.judge(entries).await,
            // Listed, but never stored.
            Err(Error::Missing { .. }) => {}
            Err(error @ Error::Store(_)) => return Err(error),
            Err(error) => notes.push(format!(
                "{} and is kept as it is: regenerate it with the tool that made it, since clients cannot use it and `publish prune` deletes nothing until then",
                chain(&error)
            )),
        }
    }
    let (refused, unstored) = others(state, release, &indices).await?;
    absent.extend(unstored);
    release.retain(|path| !refused.contains(path) && !absent.contains(path));
    if let Some(one) = absent.first() {
        notes.push(format!(
            "files that are listed and not stored are no longer listed, since no client can fetch them: `{}`{}",
            state.path(one),
            if absent.len() > 1 { format!(" and {} more", absent.len() - 1) } else { String::new() }
        ));
    }
    let note = |path: &String| {
        format!(
            "`{}` does not match the release file and no client accepts it: it is no longer listed",
            state.path(path)
        )
    };
    notes.extend(refused.iter().map(note));
    Ok(Notes { indices: notes, packages: unreadable.note(state.name()) })
}

/// Returns the listed files other than indices of which no copy has the listed bytes, and those that are not stored; without
/// the uncompressed ones that are listed beside a stored form.
async fn others(
    state: &PublishedSuite,
    release: &Release,
    indices: &BTreeSet<IndexKey>,
) -> Result<(BTreeSet<String>, Vec<String>), Error> {
    let plain: BTreeSet<String> = indices.iter().map(IndexKey::path).collect();
    let old = state.release().into_iter().flat_map(Release::own_files);
    let others = old.filter(|(path, listed)| {
        !plain.contains(plain_path(path)) && release.files().get(*path) == Some(listed)
    });
    // Owned, so that a commit can be spawned.
    let others: Vec<_> = others.map(|(path, listed)| (path.clone(), *listed)).collect();
    let looks = stream::iter(others).map(|(path, listed)| {
        let state = state.clone();
        async move { Ok::<_, Error>((look(&state, &path, &listed).await?, path)) }
    });
    let mut looks = looks.buffered(AT_ONCE);
    let (mut refused, mut unstored, mut stored) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    while let Some(look) = looks.next().await {
        match look? {
            (Look::Another, path) => _ = refused.insert(path),
            (Look::Absent, path) => unstored.push(path),
            (Look::Listed, path) => _ = stored.insert(plain_path(&path).to_owned()),
        }
    }
    unstored.retain(|path| path != plain_path(path) || !stored.contains(plain_path(path)));
    Ok((refused, unstored))
}

/// Reads a form of an index as clients do, by its digest or else by its name; `None` if it is not stored.
async fn load(
    state: &PublishedSuite,
    path: &str,
    listed: &Listed,
) -> Result<Option<(String, Loaded)>, Error> {
    for path in places(state, path, listed) {
        let loaded = match state.store().load(&path, IN_MEMORY, Limit::bytes(listed.size)).await {
            Err(source @ store::Error::TooLarge { .. }) => return Err(Error::Longer { path, source }),
            loaded => loaded?,
        };
        let Some(loaded) = loaded else { continue };
        let found = *loaded.content.digests();
        if !is_listed(listed, &found) {
            return Err(Error::Mismatch { path, listed: Box::new(*listed), found: Box::new(found) });
        }
        return Ok(Some((path, loaded)));
    }
    Ok(None)
}

fn places(state: &PublishedSuite, path: &str, listed: &Listed) -> [String; 2] {
    [state.path(&by_hash_path(path, &listed.sha256)), state.path(path)]
}

/// Returns the digests of the text that a form of an index unpacks to, in a streaming way and bounded by the size of
/// the known text.
async fn unpacked(
    path: &str,
    loaded: Loaded,
    compression: Compression,
    text: Option<&Text>,
) -> Result<Digests, Error> {
    if compression == Compression::Plain {
        return Ok(*loaded.content.digests());
    }
    let limit = text.map_or(limits::UNLISTED_TEXT.get(), |text| text.listed.size);
    let unpacked = blocking(move || {
        let packed: Box<dyn Read> = match &loaded.content {
            Content::Bytes(bytes, _) => Box::new(&bytes[..]),
            Content::File(local) => Box::new(std::fs::File::open(&local.file)?),
        };
        let text = compression.index_decoder(packed)?.take(limit.saturating_add(1));
        let mut text = HashingReader::new(text);
        io::copy(&mut text, &mut io::sink())?;
        Ok(text.finish())
    });
    unpacked.await.map_err(|source| Error::Unpack { path: path.to_owned(), source })
}

/// The copies of a listed file that are stored.
enum Look {
    /// A copy with the listed bytes.
    Listed,
    /// Copies with other bytes alone.
    Another,
    /// Nothing.
    Absent,
}

/// Looks for a copy of a listed file other than an index. The name of a file of an earlier generation may be that of a later
/// one's.
async fn look(state: &PublishedSuite, path: &str, listed: &Listed) -> Result<Look, Error> {
    let mut is_there = false;
    let [by_hash, by_name] = places(state, path, listed);
    for (path, is_its_own) in [(by_hash, true), (by_name, !state.is_kept())] {
        let Some(found) = state.store().head(&path).await? else { continue };
        is_there |= is_its_own;
        if found.size != listed.size {
            continue;
        }
        let vouched = found.md5.is_some() && found.md5 == listed.md5;
        if vouched || listed.size > CHEAP {
            return Ok(Look::Listed);
        }
        let read = unless_larger(state.store().digests(&path, Limit::bytes(listed.size)).await)?;
        if read.is_some_and(|found| is_listed(listed, &found)) {
            return Ok(Look::Listed);
        }
    }
    Ok(if is_there { Look::Another } else { Look::Absent })
}

/// Copies the listed files of an archive without by-hash, made by another tool, to by-hash names, so that the new
/// release file may declare `Acquire-By-Hash` and the old generation can be kept, with the files that change now. Returns
/// whether all of its indices have one.
pub(crate) async fn adopt(store: &Store, published: &PublishedSuite) -> Result<bool, Error> {
    let Some(old) = published.release().filter(|old| old.field("Acquire-By-Hash") != Some("yes")) else {
        return Ok(true);
    };
    let indices: BTreeSet<String> = published.pool_index_keys().iter().map(IndexKey::path).collect();
    let mut missing = indices.clone();
    for (path, listed) in old.own_files() {
        let plain = plain_path(path);
        let (from, to) = (published.path(path), published.path(&by_hash_path(path, &listed.sha256)));
        let is_there = store.size(&to).await?.is_some();
        let read = async || unless_larger(store.digests(&from, Limit::bytes(listed.size)).await);
        if is_there || read().await?.is_some_and(|found| is_listed(listed, &found)) {
            if !is_there {
                store.copy(&from, &to).await?;
            }
            missing.remove(plain);
        }
    }
    // An empty index need not be stored.
    missing.retain(|plain| old.files().get(plain).is_none_or(|listed| listed.size > 0));
    Ok(missing.is_empty())
}
