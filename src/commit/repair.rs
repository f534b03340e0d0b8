//! `check --repair`: restores damaged or missing files from other copies in the archive, and reports the lost ones.
//!
//! Invariant: a restored file matches its digest in the pointer, or its signature. Nothing is signed here.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::derived::{files_of, write_derived};
use crate::{
    compression::Compression,
    digest::Digests,
    dists::{
        blocks,
        index_file::by_hash_path,
        layout::{self, ReleaseForm, names_packages},
        release::{Listed, Release},
    },
    names::Suite,
    signing::Distrust,
    store::{self, Content, Limit, Revision, blocking, unless_larger},
    suite::{
        archive::Archive,
        error::Error,
        freshness, generations, limits,
        published::{
            Pointer, PublishedSuite, Purpose, is_being_dropped, is_listed, made_for, plain_path,
            read_pointer, unpack,
        },
    },
};

/// Returns the path of a release file that is empty, truncated or does not parse. A complete one that is signed with
/// unknown or trusted keys is not damaged.
fn unreadable(error: &Error) -> Option<&str> {
    match error {
        Error::Pointer { path, .. } if ReleaseForm::of_path(path) == Some(ReleaseForm::Release) => Some(path),
        Error::Store(store::Error::TooLarge { path, .. }) if layout::is_release_file(path) => Some(path),
        Error::Untrusted { path, source: Distrust::Frame { .. } | Distrust::Damaged { .. } } => Some(path),
        _ => None,
    }
}

/// The result of restoring a damaged release file.
enum Restored {
    /// It was restored; these files were written.
    Written(Vec<String>),
    /// No kept generation can replace it.
    Lost(String),
    /// A publisher has replaced it concurrently.
    NotNeeded,
}

/// The result of a repair.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Repaired {
    /// The files that were written.
    pub restored: Vec<String>,
    /// The files that cannot be restored.
    pub lost: Vec<String>,
}

impl Archive {
    /// Finishes the last steps of a killed publisher, and restores a missing or damaged pointer from the newest
    /// published generation, by-hash indices, the current generation, and the derived outputs for clients without
    /// by-hash.
    pub async fn repair(&self, suite: &Suite) -> Result<Repaired, Error> {
        let mut repaired = Repaired::default();
        let looked = PublishedSuite::look(&self.store, suite, &self.trust.clone().read_unverified()).await;
        let mut published = match looked {
            Err(error) if unreadable(&error).is_some() => {
                match self.restore_damaged(suite).await? {
                    Restored::Written(paths) => repaired.restored.extend(paths),
                    Restored::Lost(path) => {
                        repaired.lost.push(path);
                        return Ok(repaired);
                    }
                    Restored::NotNeeded => {}
                }
                PublishedSuite::look(&self.store, suite, &self.trust.clone().read_unverified()).await?
            }
            looked => looked?,
        };
        if published.pointer().is_none() && is_being_dropped(&self.store, suite).await? {
            return Ok(repaired);
        }
        if published.pointer().is_none_or(|pointer| !pointer.is_in_release()) {
            repaired.restored.extend(self.restore_pointer(&published).await?);
            published =
                PublishedSuite::look(&self.store, suite, &self.trust.clone().read_unverified()).await?;
        }
        let Some(release) = published.release() else { return Ok(repaired) };
        if release.field("Acquire-By-Hash") == Some("yes") {
            for (path, listed) in release.files() {
                self.restore_index(&published, path, listed, &mut repaired).await?;
            }
        }
        repaired.restored.extend(generations::keep_current(&self.store, &published).await?);
        let files = files_of(&self.store, &published).await?;
        let derived = write_derived(&self.store, suite, &files, release).await?;
        repaired.restored.extend(derived);
        self.store.flush().await?;
        Ok(repaired)
    }

    /// Replaces a damaged release file by that of the newest published generation.
    async fn restore_damaged(&self, suite: &Suite) -> Result<Restored, Error> {
        // The revision is read first: it belongs to the damaged bytes only if they are still damaged afterwards.
        let revision = async |form: ReleaseForm| {
            self.store.revision(&format!("dists/{suite}/{}", form.file_name())).await
        };
        let (in_release, release) =
            (revision(ReleaseForm::InRelease).await?, revision(ReleaseForm::Release).await?);
        let path = match PublishedSuite::look(&self.store, suite, &self.trust.clone().read_unverified()).await
        {
            Ok(_) => return Ok(Restored::NotNeeded),
            Err(error) => match unreadable(&error) {
                Some(path) => path.to_owned(),
                None => return Err(error),
            },
        };
        let is_in_release = ReleaseForm::of_path(&path) == Some(ReleaseForm::InRelease);
        let has_signature = self.store.size(&format!("dists/{suite}/Release.gpg")).await?.is_some();
        for name in freshness::published_after(&self.store, suite, Timestamp::UNIX_EPOCH).await?.iter().rev()
        {
            let Some(kept) = self.kept_to_restore(suite, name).await? else { continue };
            // A signed suite is restored only from a release file that is signed by a trusted key.
            let is_believed = !kept.signers.is_empty();
            let expected = match (is_in_release, kept.is_in_release()) {
                (true, true) if is_believed => in_release.as_ref(),
                (false, true) if is_believed => None,
                (false, false) if is_believed || (!kept.signed && !has_signature) => release.as_ref(),
                _ => continue,
            };
            // Restoring must not roll the suite back behind a newer pointer that was seen.
            if freshness::newer(&self.store, suite, &kept, &self.trust).await?.is_some() {
                break;
            }
            return Ok(Restored::Written(self.put_back(suite, name, kept, expected).await?));
        }
        Ok(Restored::Lost(path))
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
        if !self.store.holds(&path, &kept.bytes).await? {
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
        let Some(signature) = self.store.read(&kept, limits::SIGNATURE).await? else { return Ok(None) };
        if self.store.holds(&path, &signature.bytes).await? {
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
            Err(error @ Error::Store(_)) => return Err(error),
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
    async fn restore_pointer(&self, published: &PublishedSuite) -> Result<Vec<String>, Error> {
        let suite = published.name();
        let left = published.release().and_then(|release| release.date().ok());
        let since = left.and_then(|date| date.checked_sub(SignedDuration::from_secs(1)).ok());
        let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
        for name in freshness::published_after(&self.store, suite, since).await?.iter().rev() {
            let Some(kept) = self.kept_to_restore(suite, name).await? else { continue };
            match published.pointer() {
                Some(left) if left.form != kept.form => {}
                None => {}
                // Only its signature was lost.
                Some(left) if kept.signed && !left.signed && left.bytes == kept.bytes => {
                    return Ok(self.put_signature_back(suite, name).await?.into_iter().collect());
                }
                Some(_) => return Ok(Vec::new()),
            }
            return self.put_back(suite, name, kept, None).await;
        }
        Ok(Vec::new())
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
            Err(store::Error::TooLarge { .. }) => Some(None),
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
            unless_larger(self.store.read(&published.path(path), limits::listed(listed.size)).await)?
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
        // The bytes match only if `publish` compressed the index; other tools compress differently.
        let packed = blocking(move || blocks::compress(&text, compression, None)).await;
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
                let Some(object) = unless_larger(read)? else { continue };
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
}
