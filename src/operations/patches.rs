//! The patches of the indices that an operation changes (`Packages.diff/`).
//!
//! Each is made of the texts before and after, and the history of the base, which its release file lists. So publishers
//! that race never mix histories: the loser plans again, on the history of the winner.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    compression::Compression,
    config::{Patches, SuiteConfig},
    digest::Digests,
    dists::{
        IndexFile, IndexKey, Release, blocks, contents,
        layout::{patch_index_path, patch_path, patched_by, plain_path},
        packages,
        patches::{
            History, Patch,
            history::{Limits, MOST, Text},
            name_after,
            script::{self, Unit},
        },
        release::Listed,
        translation,
    },
    store::{Content, blocking},
    suite::{
        base::VerifiedBase,
        damage,
        error::Error,
        generations::{self, Keep},
        limits as size_limits, patches,
        published::PublishedSuite,
    },
};

/// With `PDiffs: auto`, patches are written from this size of the smallest compressed form on. Below it the requests for
/// them cost a client about as much as the index.
const WORTH_IT: u64 = 64 << 10;

/// Up to this size a patch is hashed on the current thread: a handover to another takes longer.
const SMALL: u64 = 64 << 10;

/// The texts of an index that changes.
pub(super) struct Texts {
    pub(super) key: IndexKey,
    /// The published text; `None` if the index is new.
    pub(super) old: Option<Bytes>,
    pub(super) new: Bytes,
    pub(super) to: Text,
    /// The size of the smallest compressed form of the new text that is stored.
    pub(super) smallest: Option<u64>,
}

impl Texts {
    /// The texts of an index that was rendered in these forms; `None` without a published text.
    pub(super) fn of_files(key: IndexKey, old: Option<Bytes>, files: &[IndexFile]) -> Option<Self> {
        let plain = key.path();
        let forms = || files.iter().filter(|file| plain_path(file.path()) == plain);
        let new = forms().find(|file| file.compression() == Compression::Plain)?;
        let smallest = forms().filter(|file| file.is_stored()).map(|file| file.bytes().len() as u64).min();
        let (to, new) = (Text::from(new.digests()), new.bytes().clone());
        Some(Self { key, old: Some(old?), new, to, smallest })
    }
}

/// The files of the patches of changed indices.
#[derive(Default)]
pub(crate) struct PatchFiles {
    /// The lists of patches. They are not compressed: most of a list is digests, a second form would be two more objects for
    /// each commit, and apt, debmirror and apt-mirror all download the plain one.
    pub(crate) indices: Vec<IndexFile>,
    /// The new patches, by their paths below the suite.
    pub(crate) patches: Vec<(String, Content)>,
}

impl PatchFiles {
    /// Makes the patches of these indices.
    pub(super) async fn new(
        published: &VerifiedBase,
        config: &SuiteConfig,
        texts: Vec<Texts>,
        (now, is_export): (Timestamp, bool),
    ) -> Result<Self, Error> {
        let mut files = Self::default();
        for Texts { key, old, new, to, smallest } in texts {
            let smallest = smallest.unwrap_or(new.len() as u64);
            let is_wanted = match config.patches {
                Patches::Never => false,
                Patches::Always => true,
                Patches::Auto => smallest >= WORTH_IT,
            };
            let Some(old) = old.filter(|_| is_wanted) else { continue };
            let plain = key.path();
            let from = published_text(published, &plain, &old);
            let history = history(published, &plain, from, is_export).await?;
            // More than half of the index is no gain for a client, which also needs a request for each patch.
            let largest = if config.patches == Patches::Always { u64::MAX } else { smallest / 2 };
            let limits = Limits { most: MOST, largest, ..limits(config, now) };
            let time = generations::beginning(now);
            let made = blocking(move || make(&key, (&old, from), (&new, to), history, &time, &limits)).await;
            let Some(Made { history, patch }) =
                made.map_err(|source| Error::Unpack { path: plain.clone(), source })?
            else {
                continue;
            };
            files.indices.push(IndexFile::new(patch_index_path(&plain), Bytes::from(history.render())));
            files.patches.extend(patch.map(|(name, content)| (patch_path(&plain, &name), content)));
        }
        Ok(files)
    }

    /// Lists them in a new release file. The lists of indices that change without a patch are removed.
    pub(super) fn list_in(
        &self,
        release: &mut Release,
        config: &SuiteConfig,
        changed: impl Fn(&str) -> bool,
    ) {
        release.retain(|path| match patched_by(plain_path(path)) {
            Some(index) => config.patches != Patches::Never && !changed(index),
            None => true,
        });
        for file in &self.indices {
            release.list(file.path().to_owned(), Listed::from(file.digests()));
        }
    }
}

/// The digest of a published text, from the release file that it was verified with.
fn published_text(published: &VerifiedBase, plain: &str, text: &Bytes) -> Text {
    let listed = published.release().and_then(|release| release.files().get(plain));
    match listed.filter(|listed| listed.size == text.len() as u64) {
        Some(listed) => Text { sha256: listed.sha256, size: listed.size },
        None => Text::of(text),
    }
}

/// The new history, and the patch that was added to it.
struct Made {
    history: History,
    patch: Option<(String, Content)>,
}

/// Makes the patch between two texts, and adds it to a history.
fn make(
    key: &IndexKey,
    (old, from): (&Bytes, Text),
    (new, to): (&Bytes, Text),
    history: History,
    time: &str,
    limits: &Limits,
) -> std::io::Result<Option<Made>> {
    if old == new {
        // Only the compressions change.
        return Ok((!history.patches.is_empty()).then_some(Made { history, patch: None }));
    }
    let unit = if matches!(key, IndexKey::Contents { .. }) { Unit::Line } else { Unit::Stanza };
    let package_type = key.kind().of_packages().unwrap_or_default();
    let order = |one: &[u8], other: &[u8]| match key {
        IndexKey::Contents { .. } => contents::order_of_lines(one, other),
        IndexKey::Translation { .. } => translation::order_of(one, other),
        _ => packages::order_of(one, other, package_type),
    };
    let Some(script) = script::between(old, new, unit, order) else { return Ok(None) };
    let script = Bytes::from(script);
    let file = blocks::compress(&script, Compression::Gzip, None)?;
    let digests = Digests::of(&file);
    let last = history.patches.last().map(|patch| patch.name.as_str());
    let Some(name) = name_after(last, time, &digests.sha256) else { return Ok(None) };
    let patch = Patch { name: name.clone(), from, script: Text::of(&script), file: Text::from(&digests) };
    let history = history.extended(patch, to, limits);
    if history.patches.is_empty() {
        return Ok(None);
    }
    Ok(Some(Made { history, patch: Some((name, Content::Bytes(file, digests))) }))
}

/// Reads the history of an index of the base. It begins again where it cannot be continued: another tool wrote it, or
/// changed the index since.
async fn history(
    published: &VerifiedBase,
    plain: &str,
    from: Text,
    is_export: bool,
) -> Result<History, Error> {
    let none = History { current: from, patches: Vec::new(), merged: false };
    if !published.was_published_here() {
        return Ok(none);
    }
    let known = patches::history(published, plain).await?;
    let Some(mut history) = known.filter(|known| known.current == from && !known.merged) else {
        return Ok(none);
    };
    history.drop_unordered();
    // A lost or damaged patch ends the history. On a bucket each look costs a request, so only an export looks there.
    if is_export || published.store().is_local() {
        for at in (0..history.patches.len()).rev() {
            if !is_whole(published, plain, &history.patches[at]).await? {
                history.patches.drain(..=at);
                break;
            }
        }
    }
    Ok(history)
}

/// Whether the list of the patches of an index is lost, damaged, or of no use to a client, or names a patch that is lost or
/// damaged: an export then ends the history there.
pub(super) async fn is_broken(published: &PublishedSuite, plain: &str) -> Result<bool, Error> {
    let files = published.release().map(Release::files);
    let listed = |path: &str| files.and_then(|files| files.get(path));
    if !published.is_of_our_form() || listed(&patch_index_path(plain)).is_none() {
        return Ok(false);
    }
    let Some(history) = patches::history(published, plain).await? else { return Ok(true) };
    let makes_another = listed(plain).is_some_and(|index| index.sha256 != history.current.sha256);
    if makes_another || !history.is_ordered() {
        return Ok(true);
    }
    for patch in &history.patches {
        if !is_whole(published, plain, patch).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a patch exists with the listed bytes.
async fn is_whole(published: &PublishedSuite, plain: &str, patch: &Patch) -> Result<bool, Error> {
    let (store, file_path) = (published.store(), published.path(&patch_path(plain, &patch.name)));
    let file = patch.file;
    match store.read(&file_path, size_limits::listed(file.size)).await {
        Ok(None) => Ok(false),
        Ok(Some(object)) => {
            let is_listed = move || Text::of(&object.bytes) == file;
            Ok(if file.size <= SMALL { is_listed() } else { blocking(is_listed).await })
        }
        Err(error) if damage::is_damaged_object(store, &error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Clients of a generation that is not retained any more download whole indices.
fn limits(config: &SuiteConfig, now: Timestamp) -> Limits {
    let Keep { generations, span } = Keep::default();
    let span = config.keep_for.unwrap_or(span).min(Duration::from_secs(100 * 365 * 24 * 60 * 60));
    let since = now.checked_sub(span).unwrap_or(Timestamp::UNIX_EPOCH);
    Limits {
        since: generations::beginning(since),
        at_least: config.keep_generations.unwrap_or(generations),
        ..Limits::default()
    }
}
