//! The files of a suite that are missing at a destination, found by comparing the pointers and indices of both sides,
//! without a listing.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{
    copy::{Transfer, WriteMode},
    images,
};
use crate::{
    commit::{derived::files_of, release_file::ReadyRelease},
    compression::Compression,
    dists::{
        index_file::by_hash_path,
        layout::{ReleaseForm, patch_index_path, plain_path},
        release::Listed,
        subset::Carried,
    },
    names::Suite,
    signing,
    store::{Content, Limit, Store, unless_larger},
    suite::{
        error::Error,
        generations::short_digest,
        patches::{self, patched_indices},
        published::{Pointer, PublishedSuite, is_listed},
        references::{self, Expected, PoolFiles},
        trust::Trust,
    },
};

/// The writes that make a destination serve a suite, in order.
pub(super) struct Difference {
    /// Pool files.
    pub(super) pool: Vec<Transfer>,
    /// Images of the installer with new paths.
    pub(super) images: Vec<Transfer>,
    /// Patches of indices.
    pub(super) patches: Vec<Transfer>,
    /// Indices under their by-hash names.
    pub(super) by_hash: Vec<Transfer>,
    /// The release file at the source.
    pub(super) files: ReadyRelease,
    /// The release file and its signature, kept as a generation.
    pub(super) generation: Vec<(String, Content)>,
    /// The name of the generation.
    pub(super) name: String,
    /// Whether the pointer changes.
    pub(super) swaps: bool,
    /// Indices under their canonical names, and images whose paths have other bytes now.
    pub(super) compat_names: Vec<Transfer>,
    /// The other forms of the release file; `None` deletes one.
    pub(super) forms: Vec<(String, Option<Bytes>)>,
    /// How many pool files the destination is known to have.
    pub(super) known: usize,
    /// Indices that the source lists and does not have.
    pub(super) missing: BTreeSet<String>,
}

/// A suite on both sides.
pub(super) struct Sides<'a> {
    pub(super) source: &'a PublishedSuite,
    pub(super) there: &'a PublishedSuite,
    pub(super) source_store: &'a Store,
    /// The files of the source that are copied.
    pub(super) carried: &'a Carried,
    /// The files that the destination carries.
    pub(super) carried_there: &'a Carried,
    /// Package files and indices that the source did not have before.
    pub(super) retried: &'a BTreeSet<String>,
    /// Whether the copy goes on without files that the source does not have.
    pub(super) ignore_missing: bool,
    /// The keys to verify a detached signature with.
    pub(super) trust: &'a Trust,
    pub(super) destination: &'a Store,
}

impl Difference {
    pub(super) async fn between(sides: &Sides<'_>) -> Result<Self, Error> {
        let (pool, known, missing) = sides.missing_pool().await?;
        // One more request, skipped where every file is going to be written.
        let files = files_of(sides.source_store, sides.source, sides.trust).await?;
        let finished = sides.listed().all(|(.., same)| !same) || sides.finished(&files).await?;
        let swaps = !sides.same_pointer();
        let Sides { source, there, carried, carried_there, .. } = *sides;
        let both = images::Sides { source, there, carried, carried_there, finished };
        let images = images::missing(&both, (sides.source_store, sides.destination)).await?;
        let mut compat_names = sides.compat_names(finished).await?;
        compat_names.extend(images.changed);
        let (name, generation) = match sides.source.release() {
            Some(release) => files.generation(sides.source, release),
            None => (String::new(), Vec::new()),
        };
        Ok(Self {
            pool,
            images: images.new,
            patches: sides.missing_patches().await?,
            by_hash: sides.by_hash(),
            generation: if swaps { generation } else { Vec::new() },
            name,
            swaps,
            compat_names,
            forms: sides.forms(&files, finished),
            files,
            known,
            missing,
        })
    }

    /// The number and bytes of the objects to write.
    pub(super) fn written(&self) -> Vec<(String, u64)> {
        let transfers = self
            .pool
            .iter()
            .chain(&self.images)
            .chain(&self.patches)
            .chain(&self.by_hash)
            .chain(&self.compat_names);
        let transfers = transfers.map(|load| (load.to.clone(), load.expected.size));
        let forms =
            self.forms.iter().filter_map(|(path, bytes)| Some((path.clone(), bytes.as_ref()?.len() as u64)));
        let generation = self.generation.iter().map(|(path, content)| (path.clone(), content.digests().size));
        transfers.chain(generation).chain(forms).collect()
    }
}

impl Sides<'_> {
    pub(super) fn same_pointer(&self) -> bool {
        match (self.source.pointer(), self.there.pointer()) {
            (Some(ours), Some(theirs)) => ours.form == theirs.form && ours.bytes == theirs.bytes,
            _ => false,
        }
    }

    /// The listed files to copy, each with whether the destination's pointer lists the same bytes.
    fn listed(&self) -> impl Iterator<Item = (&String, &Listed, bool)> {
        let files = self.source.carried_files(self.carried);
        files.map(|(path, listed)| (path, listed, self.is_same(path, listed)))
    }

    /// Whether the destination has the same bytes under a path.
    fn is_same(&self, path: &str, listed: &Listed) -> bool {
        let there = self.there.release().and_then(|release| release.files().get(path));
        there.is_some_and(|there| (there.size, there.sha256) == (listed.size, listed.sha256))
            && self.carried_there.holds(path)
            && !self.retried.contains(&self.source.path(plain_path(path)))
    }

    fn load(&self, path: &str, listed: &Listed, to: String, how: WriteMode) -> Transfer {
        let by_hash = self.source.path(&by_hash_path(path, &listed.sha256));
        Transfer {
            to,
            from: vec![by_hash, self.source.path(path)],
            expected: Expected::from(listed),
            how,
            optional: true,
        }
    }

    fn by_hash(&self) -> Vec<Transfer> {
        let mut missing: Vec<Transfer> = self
            .listed()
            .filter(|(.., same)| !same)
            .map(|(path, listed, _)| {
                let to = self.source.path(&by_hash_path(path, &listed.sha256));
                self.load(path, listed, to, WriteMode::New)
            })
            .collect();
        // The smallest first: if an interrupted run has sent them, the large ones are probed before they are sent.
        missing.sort_by(|a, b| (a.expected.size, &a.to).cmp(&(b.expected.size, &b.to)));
        // Several names may list the same bytes.
        missing.dedup_by(|a, b| a.to == b.to);
        missing
    }

    async fn compat_names(&self, finished: bool) -> Result<Vec<Transfer>, Error> {
        let mut missing = Vec::new();
        for (path, listed, same) in self.listed() {
            let to = self.source.path(path);
            if same && (finished || self.is_there(&to, listed).await?) {
                continue;
            }
            missing.push(self.load(path, listed, to, WriteMode::Replace));
        }
        Ok(missing)
    }

    /// Whether an index under its own name has the listed bytes, after a run that may have been interrupted.
    async fn is_there(&self, path: &str, listed: &Listed) -> Result<bool, Error> {
        let Some(found) = self.destination.head(path).await?.filter(|found| found.size == listed.size) else {
            return Ok(false);
        };
        if found.md5.is_some() && found.md5 == listed.md5 {
            return Ok(true);
        }
        // Whether a suite without `InRelease` is complete is never known, so its names would be read in every run.
        let was_interrupted = self.source.pointer().is_some_and(Pointer::is_in_release);
        if !was_interrupted && !self.destination.is_local() {
            return Ok(true);
        }
        let read = unless_larger(self.destination.digests(path, Limit::bytes(listed.size)).await)?;
        Ok(read.is_some_and(|found| is_listed(listed, &found)))
    }

    /// Whether all derived outputs of the generation that is published at the destination were written: `Release` is
    /// the last of them. Unknown for a suite without `InRelease`.
    async fn finished(&self, files: &ReadyRelease) -> Result<bool, Error> {
        let Some(pointer) = self.there.pointer().filter(|pointer| pointer.is_in_release()) else {
            return Ok(false);
        };
        if is_recorded_as_finished(self.destination, self.there.name(), &pointer.bytes) {
            return Ok(true);
        }
        let text = signing::unverified_text(&pointer.bytes).unwrap_or_default();
        if !self.destination.holds(&self.there.path(ReleaseForm::Release.file_name()), &text).await? {
            return Ok(false);
        }
        // The first signature of a suite writes `Release` before `InRelease`, and `Release.gpg` after the names.
        match &files.signature {
            Some(signature) if self.same_pointer() => {
                let path = self.there.path(ReleaseForm::Signature.file_name());
                Ok(self.destination.holds(&path, signature).await?)
            }
            _ => Ok(true),
        }
    }

    /// The pool files that the destination's indices do not name, the number that they do name, and the indices that the
    /// source does not have.
    async fn missing_pool(&self) -> Result<(Vec<Transfer>, usize, BTreeSet<String>), Error> {
        let (mut needed, mut missing) = (PoolFiles::new(), BTreeSet::new());
        let keys = self.source.pool_index_keys();
        for key in keys.into_iter().filter(|key| self.carried.holds(&key.path())) {
            let plain = key.path();
            let is_same = self.same_index(&plain);
            if is_same && self.retried.is_empty() {
                continue;
            }
            let text = match self.source.text(&plain).await {
                Err(Error::Missing { path }) if self.ignore_missing => {
                    missing.insert(path);
                    continue;
                }
                text => text?,
            };
            let Some(text) = text else { continue };
            let mut named = PoolFiles::new();
            references::pool_files(&key, &self.source.path(&plain), &text, &mut named)?;
            named.retain(|path, _| !is_same || self.retried.contains(path));
            needed.extend(named);
        }
        let mut known = PoolFiles::new();
        if !needed.is_empty() {
            let keys = self.there.pool_index_keys();
            for key in keys.into_iter().filter(|key| self.carried_there.holds(&key.path())) {
                let plain = key.path();
                if self.retried.contains(&self.there.path(&plain)) {
                    continue;
                }
                if let Some(text) = self.published_text(&plain).await? {
                    // An index that cannot be read there proves nothing about the pool.
                    let _ = references::pool_files(&key, &plain, &text, &mut known);
                }
            }
        }
        let all = needed.len();
        let absent: BTreeMap<String, Expected> = needed
            .into_iter()
            .filter(|(path, file)| {
                self.retried.contains(path) || !known.get(path).is_some_and(|there| same(file, there))
            })
            .collect();
        let count = all - absent.len();
        let load = |(path, expected): (String, Expected)| Transfer {
            to: path.clone(),
            from: vec![path],
            expected,
            how: WriteMode::New,
            optional: self.ignore_missing,
        };
        Ok((absent.into_iter().map(load).collect(), count, missing))
    }

    /// The patches that the destination's lists of patches do not name.
    async fn missing_patches(&self) -> Result<Vec<Transfer>, Error> {
        let is_new = |index: &&str| self.carried.holds(index) && !self.same_index(&patch_index_path(index));
        if !self.source.release().into_iter().flat_map(patched_indices).any(|index| is_new(&index)) {
            return Ok(Vec::new());
        }
        // Reading the destination's list at the source costs no request to the destination.
        let mut known = PoolFiles::new();
        if self.source_store.location().folder().is_some() {
            known = patches::files(&self.there.read_from(self.source_store), self.carried_there).await?;
        }
        if known.is_empty() {
            known = patches::files(self.there, self.carried_there).await?;
        }
        let needed = patches::files(self.source, self.carried).await?;
        let missing =
            needed.into_iter().filter(|(path, file)| !known.get(path).is_some_and(|there| same(file, there)));
        Ok(missing.map(|(path, expected)| Transfer::of_patch(path, expected, WriteMode::New)).collect())
    }

    /// The destination's text of an index, read from the source if it has the same file, since that costs no request
    /// to the destination.
    async fn published_text(&self, plain: &str) -> Result<Option<Bytes>, Error> {
        let is_local = self.source_store.location().folder().is_some();
        if self.same_index(plain) {
            return if is_local { self.source.text(plain).await } else { Ok(None) };
        }
        if is_local && let Ok(Some(text)) = self.there.read_from(self.source_store).text(plain).await {
            return Ok(Some(text));
        }
        match self.there.text(plain).await {
            // The index is listed, but missing or damaged: the files that it referenced are unknown.
            Err(
                Error::Missing { .. } | Error::Mismatch { .. } | Error::Longer { .. } | Error::Unpack { .. },
            ) => Ok(None),
            text => text,
        }
    }

    fn same_index(&self, plain: &str) -> bool {
        let Some(release) = self.source.release() else { return false };
        Compression::ALL.into_iter().any(|compression| {
            let path = format!("{plain}{}", compression.extension());
            release.files().get(&path).is_some_and(|listed| self.is_same(&path, listed))
        })
    }

    /// The other forms of the release file with their bytes; `Release` is last and marks the suite as complete.
    fn forms(&self, files: &ReadyRelease, finished: bool) -> Vec<(String, Option<Bytes>)> {
        let Some(pointer) = self.source.pointer() else { return Vec::new() };
        if self.same_pointer() && (!pointer.is_in_release() || finished) {
            return Vec::new();
        }
        let path = |form: ReleaseForm| self.source.path(form.file_name());
        let mut forms = Vec::new();
        if pointer.signed && (files.signature.is_some() || self.there.pointer().is_some()) {
            forms.push((path(ReleaseForm::Signature), files.signature.clone()));
        }
        if pointer.is_in_release() {
            forms.push((path(ReleaseForm::Release), Some(files.text.clone())));
        }
        forms
    }
}

/// The name of the local record of suites that were copied completely.
const FINISHED: &str = "finished";

/// Records that a suite was copied completely, so that the next run can skip the checks; a part of it is not recorded.
pub(super) fn record_as_finished(destination: &Store, suite: &Suite, pointer: &[u8], is_whole: bool) {
    if let Some(cache) = destination.cache().filter(|_| !destination.is_local()) {
        let finished = if is_whole { short_digest(pointer) } else { "a part".to_owned() };
        cache.remember(FINISHED, &format!("{} {suite}", destination.location()), &finished);
    }
}

pub(super) fn is_recorded_as_finished(destination: &Store, suite: &Suite, pointer: &[u8]) -> bool {
    let cache = destination.cache().filter(|_| !destination.is_local());
    let finished =
        cache.and_then(|cache| cache.recall(FINISHED, &format!("{} {suite}", destination.location())));
    finished.is_some_and(|(finished, _)| finished == short_digest(pointer))
}

/// Whether two index entries describe the same bytes.
fn same(one: &Expected, other: &Expected) -> bool {
    let by_md5 = || one.md5.is_some() && one.md5 == other.md5;
    one.size == other.size
        && match (one.sha256, other.sha256) {
            (Some(one), Some(other)) => one == other,
            _ => by_md5(),
        }
}
