//! `check --repair`: restores damaged or missing files from other copies in the archive, and reports the lost ones.
//!
//! Invariant: a restored file matches its digest in the pointer, or its signature. Nothing is signed here.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::derived::{files_of, write_derived};
use crate::{
    compression::Compression,
    digest::Digests,
    dists::IndexKey,
    dists::{
        blocks,
        index_file::by_hash_path,
        layout::{self, ReleaseForm, names_packages},
        release::{Listed, Release, parse_date},
    },
    names::Suite,
    signing::Distrust,
    store::{self, Content, Limit, Revision, blocking},
    suite::{
        archive::Archive,
        damage,
        error::Error,
        first_signing, freshness, generations, limits,
        published::{
            Pointer, PublishedSuite, Purpose, is_being_dropped, is_listed, made_for, plain_path,
            read_pointer, read_release, unpack,
        },
    },
};

/// The result of restoring a damaged release file.
enum Restored {
    /// The suite can be read again.
    Done,
    /// No kept generation can replace it.
    Lost(String),
}

/// A damaged release file, and the revisions at which the forms were read.
struct Damaged {
    path: String,
    in_release: Option<Revision>,
    release: Option<Revision>,
}

/// A retained release file that can replace a damaged one.
struct Candidate {
    generation: String,
    pointer: Pointer,
    expected: Option<Revision>,
}

/// The result of a repair.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Repaired {
    /// The files that were written.
    pub restored: Vec<String>,
    /// Damaged files that were deleted, because clients can use others instead.
    pub removed: Vec<String>,
    /// The suites that went back to an earlier generation, because no intact copy of the newest was found.
    pub rolled_back: Vec<WentBack>,
    /// The files that cannot be restored.
    pub lost: Vec<String>,
}

/// A suite that a repair took back to an earlier generation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WentBack {
    /// The suite.
    pub suite: Suite,
    /// The `Date` of the lost generation.
    pub from: Timestamp,
    /// The `Date` of the restored generation.
    pub to: Timestamp,
    /// The name of the restored generation.
    pub generation: String,
}

impl Repaired {
    /// Adds the result of another repair.
    pub(crate) fn merge(&mut self, other: Self) {
        self.restored.extend(other.restored);
        self.removed.extend(other.removed);
        self.rolled_back.extend(other.rolled_back);
        self.lost.extend(other.lost);
    }
}

impl Archive {
    /// Finishes the last steps of a killed publisher, and restores a missing or damaged pointer from the newest
    /// published generation, by-hash indices, the current generation, and the derived outputs for clients without
    /// by-hash. A file that cannot be restored is reported and does not end the repair.
    pub async fn repair(&self, suite: &Suite) -> Result<Repaired, Error> {
        let mut repaired = Repaired::default();
        match self.repair_suite(suite, &mut repaired).await {
            Err(error) if damage::is_damage(&self.store, &error) => {
                repaired.lost.push(damage::path_of(&error).unwrap_or(&format!("dists/{suite}")).to_owned());
            }
            done => done?,
        }
        self.store.flush().await?;
        Ok(repaired)
    }

    async fn look_to_repair(&self, suite: &Suite) -> Result<PublishedSuite, Error> {
        PublishedSuite::look(&self.store, suite, &self.trust.clone().read_unverified()).await
    }

    /// Returns the path of a release file that is empty, truncated, not a file, or does not parse. A complete one that
    /// is signed with unknown or trusted keys is not damaged.
    fn unreadable<'a>(&self, error: &'a Error) -> Option<&'a str> {
        match error {
            Error::Pointer { path, .. } if ReleaseForm::of_path(path) == Some(ReleaseForm::Release) => {
                Some(path)
            }
            Error::Store(error) if damage::is_damaged_object(&self.store, error) => {
                damage::path_of_object(error).filter(|path| layout::is_release_file(path))
            }
            Error::Untrusted { path, source: Distrust::Frame { .. } | Distrust::Damaged { .. } } => {
                Some(path)
            }
            _ => None,
        }
    }

    async fn repair_suite(&self, suite: &Suite, repaired: &mut Repaired) -> Result<(), Error> {
        let mut published = match self.look_to_repair(suite).await {
            Err(error) if self.unreadable(&error).is_some() => {
                if let Restored::Lost(path) = self.restore_damaged(suite, repaired).await? {
                    repaired.lost.push(path);
                    return Ok(());
                }
                self.look_to_repair(suite).await?
            }
            looked => looked?,
        };
        if published.pointer().is_none() && is_being_dropped(&self.store, suite).await? {
            return Ok(());
        }
        if published.pointer().is_none_or(|pointer| !pointer.is_in_release()) {
            match self.finish_first_signing(suite).await? {
                Some(path) => repaired.restored.push(path),
                None => self.restore_pointer(&published, repaired).await?,
            }
            published = self.look_to_repair(suite).await?;
        }
        let Some(release) = published.release() else { return Ok(()) };
        if release.field("Acquire-By-Hash") == Some("yes") {
            let carried = published.carried().await?;
            for (path, listed) in release.files().iter().filter(|(path, _)| carried.holds(path)) {
                self.restore_index(&published, path, listed, repaired).await?;
            }
        }
        if first_signing::is_crossed_now(&published).await? {
            // Each of the two release files has a commit of its own, and only a key can unite them.
            return Ok(());
        }
        let files = files_of(&self.store, &published, &self.trust).await?;
        let mended = generations::mend_current(&self.store, &published, files.signature.as_ref()).await?;
        repaired.restored.extend(mended);
        let derived = write_derived(&self.store, suite, &self.trust, (&files, release)).await?;
        repaired.restored.extend(derived);
        Ok(())
    }

    /// Replaces a damaged release file by that of the newest published generation, unless `Release` with its signature
    /// is intact and newer.
    async fn restore_damaged(&self, suite: &Suite, repaired: &mut Repaired) -> Result<Restored, Error> {
        // The revision is read first: it belongs to the damaged bytes only if they are still damaged afterwards.
        let revision = async |form: ReleaseForm| {
            self.store.revision(&format!("dists/{suite}/{}", form.file_name())).await
        };
        let (in_release, release) =
            (revision(ReleaseForm::InRelease).await?, revision(ReleaseForm::Release).await?);
        let damaged = match self.look_to_repair(suite).await {
            // A publisher has replaced it concurrently.
            Ok(_) => return Ok(Restored::Done),
            Err(error) => match self.unreadable(&error) {
                Some(path) => Damaged { path: path.to_owned(), in_release, release },
                None => return Err(error),
            },
        };
        let best = self.best_generation(suite, &damaged).await?;
        let date = |pointer: &Pointer| pointer.release.date().ok();
        if let Some(pair) = self.intact_pair(suite, &damaged).await?
            && best.as_ref().is_none_or(|best| date(&best.pointer) < date(&pair))
        {
            // Clients read `Release` with `Release.gpg` if there is no `InRelease`. The next commit writes it again.
            if revision(ReleaseForm::InRelease).await? == damaged.in_release {
                self.store.delete(&damaged.path).await?;
                repaired.removed.push(damaged.path);
            }
            return Ok(Restored::Done);
        }
        let Some(Candidate { generation, pointer, expected }) = best else {
            return Ok(Restored::Lost(damaged.path));
        };
        let went_back = self.went_back(suite, &generation, &pointer).await?;
        let written = self.put_back(suite, &generation, pointer, expected.as_ref()).await?;
        repaired.restored.extend(written);
        repaired.rolled_back.extend(went_back);
        Ok(Restored::Done)
    }

    /// Returns the newest retained release file that can replace a damaged one.
    async fn best_generation(&self, suite: &Suite, damaged: &Damaged) -> Result<Option<Candidate>, Error> {
        let is_in_release = ReleaseForm::of_path(&damaged.path) == Some(ReleaseForm::InRelease);
        let has_signature = self.store.size(&format!("dists/{suite}/Release.gpg")).await?.is_some();
        let names = freshness::published_after(&self.store, suite, Timestamp::UNIX_EPOCH).await?;
        for generation in names.into_iter().rev() {
            let Some(pointer) = self.kept_to_restore(suite, &generation).await? else { continue };
            // A signed suite is restored only from a release file that is signed by a trusted key.
            let is_believed = !pointer.signers.is_empty();
            let expected = match (is_in_release, pointer.is_in_release()) {
                (true, true) if is_believed => damaged.in_release.clone(),
                (false, true) if is_believed => None,
                (false, false) if is_believed || (!pointer.signed && !has_signature) => {
                    damaged.release.clone()
                }
                _ => continue,
            };
            // Restoring must not roll the suite back behind a newer pointer that was seen.
            let newer = freshness::newer(&self.store, suite, &pointer, &self.trust).await?;
            return Ok(newer.is_none().then_some(Candidate { generation, pointer, expected }));
        }
        Ok(None)
    }

    /// Returns `Release` beside a damaged `InRelease`, if a trusted key signed it in `Release.gpg` for this suite.
    async fn intact_pair(&self, suite: &Suite, damaged: &Damaged) -> Result<Option<Pointer>, Error> {
        if ReleaseForm::of_path(&damaged.path) != Some(ReleaseForm::InRelease) {
            return Ok(None);
        }
        let folder = format!("dists/{suite}");
        let read = read_release(&self.store, suite, &folder, &self.trust.strict(), Purpose::BuildOn).await;
        match read {
            Err(error @ Error::Store(_)) if !damage::is_damage(&self.store, &error) => Err(error),
            Ok(Some(pair)) if !pair.signers.is_empty() => {
                let newer = freshness::newer(&self.store, suite, &pair, &self.trust).await?;
                Ok(newer.is_none().then_some(pair))
            }
            _ => Ok(None),
        }
    }

    /// Compares a release file to restore with the traces of newer ones: names of generations, and dates in damaged
    /// release files.
    async fn went_back(
        &self,
        suite: &Suite,
        generation: &str,
        to: &Pointer,
    ) -> Result<Option<WentBack>, Error> {
        let Ok(to) = to.release.date() else { return Ok(None) };
        let known = freshness::published_after(&self.store, suite, to).await?;
        let mut from = known.iter().filter_map(|name| generations::date_of(name)).max();
        for form in [ReleaseForm::InRelease, ReleaseForm::Release] {
            let path = format!("dists/{suite}/{}", form.file_name());
            let read = damage::unless_damaged(&self.store, self.store.read(&path, limits::RELEASE).await)?;
            from = from.max(read.and_then(|read| date_in(&read.bytes)));
        }
        let from = from.filter(|from| *from > to);
        Ok(from.map(|from| WentBack { suite: suite.clone(), from, to, generation: generation.to_owned() }))
    }

    /// Writes the release file of a kept generation over the published one, and its detached signature if it has one.
    /// Returns the written files.
    async fn put_back(
        &self,
        suite: &Suite,
        name: &str,
        kept: Pointer,
        expected: Option<&Revision>,
    ) -> Result<Vec<String>, Error> {
        let path = format!("dists/{suite}/{}", kept.file());
        let mut written = Vec::new();
        // Only the detached signature may be damaged.
        if !damage::holds(&self.store, &path, &kept.bytes).await? {
            self.store.swap(&path, kept.bytes, expected).await?;
            written.push(path);
        }
        if kept.signed && kept.form == ReleaseForm::Release {
            written.extend(self.put_signature_back(suite, name).await?);
        }
        Ok(written)
    }

    /// Writes the detached signature of a kept generation beside its `Release`.
    async fn put_signature_back(&self, suite: &Suite, name: &str) -> Result<Option<String>, Error> {
        let file = ReleaseForm::Signature.file_name();
        let kept = format!("dists/{suite}/{}", generations::path(name, file));
        let path = format!("dists/{suite}/{file}");
        let read = self.unless_damaged(self.store.read(&kept, limits::SIGNATURE).await)?;
        let Some(signature) = read else { return Ok(None) };
        if damage::holds(&self.store, &path, &signature.bytes).await? {
            return Ok(None);
        }
        self.store.replace(&path, signature.bytes).await?;
        Ok(Some(path))
    }

    /// Reads the release file of a kept generation, if it matches its name and, in a signed suite, a trusted key signed
    /// it.
    async fn kept_to_restore(&self, suite: &Suite, name: &str) -> Result<Option<Pointer>, Error> {
        let folder = format!("dists/{suite}/{}/{name}", generations::FOLDER);
        let purpose = if self.trust.demands_signature_of(suite) { Purpose::BuildOn } else { Purpose::Look };
        let trust = self.trust.without_adopting();
        let kept = match read_pointer(&self.store, suite, &folder, &trust, purpose).await {
            Err(error @ Error::Store(_)) if !damage::is_damage(&self.store, &error) => return Err(error),
            Err(_) => return Ok(None),
            Ok(kept) => kept,
        };
        Ok(kept.filter(|kept| {
            name.ends_with(&format!("-{}", generations::short_digest(&kept.bytes)))
                && made_for(suite, &kept.release, &folder).is_ok()
        }))
    }

    /// Restores the pointer from the newest published generation, if that is no older than the remaining form of the
    /// pointer; in a signed suite only from one that a trusted key signed.
    async fn restore_pointer(
        &self,
        published: &PublishedSuite,
        repaired: &mut Repaired,
    ) -> Result<(), Error> {
        let suite = published.name();
        let left = published.release().and_then(|release| release.date().ok());
        let since = left.and_then(|date| date.checked_sub(SignedDuration::from_secs(1)).ok());
        let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
        for name in freshness::published_after(&self.store, suite, since).await?.iter().rev() {
            let Some(kept) = self.kept_to_restore(suite, name).await? else { continue };
            match published.pointer() {
                // `Release` with its signature is a whole release file; an earlier one of the same second is not newer.
                Some(left) if !left.signers.is_empty() && is_earlier(&kept, left) => return Ok(()),
                Some(left) if left.form != kept.form => {}
                None => {}
                // Only its signature was lost.
                Some(left) if kept.signed && !left.signed && left.bytes == kept.bytes => {
                    repaired.restored.extend(self.put_signature_back(suite, name).await?);
                    return Ok(());
                }
                Some(_) => return Ok(()),
            }
            let went_back = self.went_back(suite, name, &kept).await?;
            repaired.restored.extend(self.put_back(suite, name, kept, None).await?);
            repaired.rolled_back.extend(went_back);
            return Ok(());
        }
        Ok(())
    }

    /// Restores a by-hash index that is damaged or missing.
    async fn restore_index(
        &self,
        published: &PublishedSuite,
        path: &str,
        listed: &Listed,
        repaired: &mut Repaired,
    ) -> Result<(), Error> {
        let by_hash = published.path(&by_hash_path(path, &listed.sha256));
        let there = match self.store.digests(&by_hash, Limit::bytes(listed.size)).await {
            Err(error) if damage::is_damaged_object(&self.store, &error) => Some(None),
            read => read?.map(Some),
        };
        if there.flatten().is_some_and(|there| is_listed(listed, &there)) {
            return Ok(());
        }
        // The plain form is listed even if it is not stored, and other forms may be as well.
        let is_stored = there.is_some() || self.store.size(&published.path(path)).await?.is_some();
        let is_needed = is_stored || self.is_only_form(published, path).await?;
        if !is_needed && path == plain_path(path) {
            return Ok(());
        }
        match self.found_elsewhere(published, path, listed).await? {
            Some(bytes) => {
                let digests = Digests::of(&bytes);
                self.store.renew(&by_hash, &Content::Bytes(bytes, digests)).await?;
                repaired.restored.push(by_hash);
            }
            None if is_needed => repaired.lost.push(by_hash),
            None => {}
        }
        Ok(())
    }

    /// Whether no form of an index exists, so that this one is needed.
    async fn is_only_form(&self, published: &PublishedSuite, path: &str) -> Result<bool, Error> {
        let plain = plain_path(path);
        let files = published.release().into_iter().flat_map(Release::files);
        for (form, listed) in files.filter(|(form, _)| plain_path(form) == plain) {
            for there in [published.path(form), published.path(&by_hash_path(form, &listed.sha256))] {
                if self.store.size(&there).await?.is_some() {
                    return Ok(false);
                }
            }
        }
        // Files other than package indices may be listed without being stored.
        Ok(names_packages(plain))
    }

    /// Returns the bytes of an index: from this machine's cache, by its name, or compressed again from another form.
    async fn found_elsewhere(
        &self,
        published: &PublishedSuite,
        path: &str,
        listed: &Listed,
    ) -> Result<Option<Bytes>, Error> {
        if let Some(bytes) = self.store.known(listed.sha256).await {
            return Ok(Some(bytes));
        }
        if let Some(named) =
            self.unless_damaged(self.store.read(&published.path(path), limits::listed(listed.size)).await)?
            && is_listed(listed, &Digests::of(&named.bytes))
        {
            return Ok(Some(named.bytes));
        }
        let Some(text) = self.text_of_any_form(published, plain_path(path)).await? else { return Ok(None) };
        let extension = &path[plain_path(path).len()..];
        let Some(compression) = Compression::ALL.into_iter().find(|form| form.extension() == extension)
        else {
            return Ok(None);
        };
        let unit = IndexKey::parse(plain_path(path)).unit();
        // The bytes match only if `publish` compressed the index; other tools compress differently.
        let packed = blocking(move || blocks::compress_units(&text, compression, None, unit)).await;
        Ok(packed.ok().filter(|bytes| is_listed(listed, &Digests::of(bytes))))
    }

    /// Returns the text of an index from any valid form.
    async fn text_of_any_form(
        &self,
        published: &PublishedSuite,
        plain: &str,
    ) -> Result<Option<Bytes>, Error> {
        let Some(release) = published.release() else { return Ok(None) };
        for compression in Compression::ALL {
            let path = format!("{plain}{}", compression.extension());
            let Some(listed) = release.files().get(&path) else { continue };
            for from in [published.path(&by_hash_path(&path, &listed.sha256)), published.path(&path)] {
                let read = self.store.read(&from, limits::listed(listed.size)).await;
                let Some(object) = self.unless_damaged(read)? else { continue };
                if !is_listed(listed, &Digests::of(&object.bytes)) {
                    continue;
                }
                let as_text = release.files().get(plain).copied();
                if let Ok(text) = unpack(from, object.bytes, compression, as_text).await {
                    return Ok(Some(text));
                }
            }
        }
        Ok(None)
    }

    fn unless_damaged<T>(&self, read: Result<Option<T>, store::Error>) -> Result<Option<T>, store::Error> {
        damage::unless_damaged(&self.store, read)
    }
}

/// Whether a retained release file of the same second as the published one is another one.
fn is_earlier(kept: &Pointer, left: &Pointer) -> bool {
    let same_second = kept.release.date().ok() == left.release.date().ok();
    same_second && !kept.release.says_the_same(&left.release)
}

/// Returns the `Date` in a release file, however damaged.
fn date_in(text: &[u8]) -> Option<Timestamp> {
    let text = String::from_utf8_lossy(text);
    let mut dates = text.lines().filter_map(|line| line.strip_prefix("Date:"));
    dates.next().and_then(parse_date)
}
