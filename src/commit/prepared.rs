//! `Prepared`: an operation planned on one base. Every change is known and nothing is written; a dry run ends here.

use super::{
    compat_names, derived,
    fetch::Fetches,
    meaning::Meaning,
    operation::Operation,
    options::CommitOptions,
    outcome::{CommitReport, Moved},
    release_file::ReadyRelease,
    upload::{Files, OtherBytes, Upload},
    uploaded::Uploaded,
};
use std::{collections::BTreeSet, mem, time::SystemTime};

use crate::{
    dists::{IndexFile, Release, layout::ReleaseForm},
    operations::{
        adopt,
        copied_package::CopiedPackage,
        plan::{Change, Plan},
        written::Written,
    },
    signing::SigningKeys,
    site::ClientSuite,
    store::{self, Content},
    suite::{
        archive::Archive, base::VerifiedBase, collisions, error::Error, event::Event, generations, note,
        published::PublishedSuite,
    },
};
use futures::FutureExt;

/// An operation planned on a base.
#[must_use = "upload or report it"]
pub(super) struct Prepared<'a> {
    archive: &'a Archive,
    how: &'a CommitOptions<'a>,
    upload: &'a Upload<'a>,
    base: VerifiedBase,
    plan: Plan,
    /// Pool files to write.
    pool: Files,
    /// Pool files that already exist.
    there: Files,
    /// Pool files of other archives.
    fetches: Fetches,
    outcome: CommitReport,
}

impl<'a> Prepared<'a> {
    /// Plans an operation, and finds the missing pool files.
    pub(super) async fn new(
        archive: &'a Archive,
        operation: &Operation<'_>,
        how: &'a CommitOptions<'a>,
        base: VerifiedBase,
        upload: &'a Upload<'a>,
    ) -> Result<Self, Error> {
        let now = how.timestamp();
        let mut plan = operation.plan(archive, &base, how.config, upload.lists(), now).await?;
        let begins_to_be_signed = how.signs() && base.pointer().is_some_and(|old| !old.is_in_release());
        if base.is_behind() || begins_to_be_signed {
            // Clients of `InRelease` see an older revision than this base, or none: its publisher may have been killed.
            plan.publish_anyway(&base, how.config, now)?;
        }
        if operation.applies_keys()
            && let Some(keys) = how.keys
            && !is_signed_by(&base, keys)
        {
            plan.changes.push("the suite is signed with the configured keys".to_owned());
            plan.publish_anyway(&base, how.config, now)?;
        }
        // The new signature vouches for everything that is listed, including files of another tool.
        if let Some(release) = plan.release.as_mut().filter(|_| !base.was_published_here()) {
            plan.notes.extend(adopt::verify(&base, release, &plan.indices).await?);
        }
        if let Some(release) = &plan.release {
            refuse_expired(release, how)?;
            collisions::refuse(&archive.store, &base, release).await?;
        }
        if !plan.stops_apt.is_empty() && !how.allow_releaseinfo_change {
            return Err(Error::StopsApt { suite: base.name().clone(), changes: plan.stops_apt });
        }
        plan.notes.extend(plan.stops_apt.iter().map(|change| {
            format!("{change}: `apt update` stops until its user accepts that (`--allow-releaseinfo-change`)")
        }));
        // Another revision that is added with this one may bring the file.
        let brought: BTreeSet<_> = plan.pool.iter().map(|(path, _)| path.as_str()).collect();
        plan.copied.retain(|file| file.digests.is_none() || !brought.contains(file.path.as_str()));
        upload.all_there(&plan.copied, &base).await?;
        let (mut pool, there) = upload.for_pool(mem::take(&mut plan.pool), &base).await?;
        pool.extend(upload.lost(mem::take(&mut plan.kept)).await?);
        let fetches = upload.to_fetch(&plan).await?;
        let mut outcome = CommitReport::of(&mut plan, &base, how);
        outcome.written.extend(written(&pool));
        let new = fetches.missing.iter();
        outcome.written.extend(new.map(|new| Written::of(new.to.as_str(), new.file.expected.size)));
        Ok(Self { archive, how, upload, base, plan, pool, there, fetches, outcome })
    }

    /// Requires that the plan makes no changes beyond the meaning of the operation; the first try defines that meaning.
    pub(super) fn require_meaning(&self, meant: &mut Option<Meaning>) -> Result<(), Error> {
        if let Some(meaning) = meant {
            return meaning.requires(&self.plan, self.base.name(), self.base.generation());
        }
        *meant = Some(Meaning::of(&self.plan, self.base.generation()));
        Ok(())
    }

    /// The files of the pool that are added.
    pub(super) fn pool_paths(&self) -> BTreeSet<&str> {
        let copied = self.plan.copied.iter().map(|file| file.path.as_str());
        // Those that an interrupted run has fetched already.
        let fetched = self.plan.fetched.iter().map(|file| file.to.as_str());
        let own = self.pool.iter().chain(&self.there).map(|(path, _)| path.as_str());
        own.chain(copied).chain(fetched).collect()
    }

    /// Whether there is a change to publish.
    pub(super) fn changes_something(&self) -> bool {
        self.plan.release.is_some()
    }

    /// Reports the files that would be written.
    pub(super) async fn report(mut self) -> Result<CommitReport, Error> {
        self.outcome.moved = move_surplus(&self.plan.surplus, self.how).await?;
        let Some(release) = self.plan.release.take() else { return Ok(self.outcome) };
        self.list_files(&release)?;
        Ok(self.outcome)
    }

    /// Finishes the last steps of a publisher that was killed; the operation itself is a no-op.
    pub(super) async fn finish_earlier(mut self) -> Result<CommitReport, Error> {
        let store = &self.archive.store;
        // All packages may have been surplus and moved at once.
        self.outcome.moved = move_surplus(&self.plan.surplus, self.how).await?;
        self.upload.put_all(&self.pool, OtherBytes::Refused).await?;
        if let Some(release) = self.base.release() {
            generations::keep_current(store, &self.base).await?;
            let trust = &self.archive.trust;
            let files = derived::files_of(store, &self.base, trust).await?;
            compat_names::clear(store, self.base.name(), release).await?;
            derived::write_derived(store, self.base.name(), trust, (&files, release)).await?;
            compat_names::write(store, self.how.config, release).await?;
            self.archive.publish_client_keys(self.how).await?;
            let is_signed = self.base.pointer().is_some_and(|pointer| pointer.signed);
            let client = ClientSuite::of(self.base.name(), release, is_signed);
            self.archive.publish_client_files(self.how, &client).await?;
            self.archive.publish_page(self.how, None).await?;
            store.flush().await?;
        }
        Ok(self.outcome)
    }

    /// Writes everything that the new release file references: immutable files that nothing references yet.
    pub(super) async fn upload(mut self) -> Result<(Uploaded<'a>, CommitReport, Files), Error> {
        let (store, upload, how) = (&self.archive.store, self.upload, self.how);
        let Some(release) = self.plan.release.take() else {
            unreachable!("only a plan that changes something is uploaded")
        };
        let base: PublishedSuite = self.base.state().clone();
        let (files, generation) = self.list_files(&release)?;
        let by_hash = by_hash_files(&self.plan, &base);
        let (name, _) = files.generation(&base, &release);
        let note = how.note.file(&base, &name);
        // Derived outputs need the space again: indices under their own names, and the other forms of the release file.
        let again = written(by_hash.iter().chain(&generation));
        let needed = self.outcome.written.iter().cloned().chain(again).map(|file| (file.path, file.bytes));
        store.check_space(needed.collect()).await?;

        let mut there = self.there;
        there.extend(upload.put_all(&self.pool, OtherBytes::Refused).await?);
        upload.fetch(self.fetches, &mut self.plan).await?;
        // If the race was already lost during the upload, stopping here leaves fewer unreferenced files.
        base.still_current().await?;
        // A base that `InRelease` is behind gets no mark before the new release file is published: the mark would hide
        // from the next publisher that this base is still unpublished for clients of `InRelease`.
        if adopt::adopt(store, &base).await? && !self.base.is_behind() {
            generations::keep_current(store, &base).await?;
        }
        there.extend(upload.put_all(&by_hash, OtherBytes::Leftover).await?);
        // Nothing references these; one that is lost is read from its package again.
        upload.put_all(&self.plan.file_lists, OtherBytes::Leftover).await?;
        // The detached signature is of another signer in the same second, or damaged: ours is for the same text.
        let is_signature =
            |(path, _): &&(String, Content)| ReleaseForm::of_path(path) == Some(ReleaseForm::Signature);
        let (signature, pointer): (Files, Files) =
            generation.iter().cloned().partition(|file| is_signature(&file));
        upload.put_all(&pointer, OtherBytes::Refused).await?;
        upload.put_all(&signature, OtherBytes::Leftover).await?;
        if let Some((path, content)) = &note {
            note::put(store, path, content).await?;
        }
        // A crash here leaves surplus versions in both suites; the next command removes them from this one.
        self.outcome.moved = move_surplus(&self.plan.surplus, how).await?;
        // Pin files that others wrote and that may be unreferenced, until the new release file references them.
        let pin = upload.pin(&there, &self.plan, &base).await?;
        if let Some((source, _)) = &self.plan.source_files
            && let Err(error) = source.is_kept().await
        {
            if let Some(pin) = pin {
                pin.release().await;
            }
            return Err(error);
        }
        let uploaded = Uploaded { store, base, files, release, generation: name, pin };
        Ok((uploaded, self.outcome, by_hash))
    }

    /// Signs the new release file, and lists the immutable files in the order of writing.
    fn list_files(&mut self, release: &crate::dists::Release) -> Result<(ReadyRelease, Files), Error> {
        let (base, how) = (&self.base, self.how);
        (how.events)(Event::Signing);
        let files = ReadyRelease::sign(release, how, base.name(), how.timestamp())?;
        let (name, generation) = files.generation(base, release);
        let by_hash = by_hash_files(&self.plan, base);
        let note = how.note.file(base, &name);
        let lists = &self.plan.file_lists;
        self.outcome.written.extend(written(by_hash.iter().chain(lists).chain(&generation).chain(&note)));
        self.outcome
            .written
            .push(Written::of(&base.path(files.form().file_name()), files.bytes().len() as u64));
        self.outcome.generation = Some(format!("{}/{name}", generations::FOLDER));
        Ok((files, generation))
    }
}

/// Whether exactly these keys have signed a published suite; the key of a signing command is unknown.
fn is_signed_by(base: &PublishedSuite, keys: &SigningKeys) -> bool {
    let (Some(pointer), own) = (base.pointer(), keys.certificates()) else { return true };
    if own.is_empty() {
        return true;
    }
    let signers: BTreeSet<&String> = pointer.signers.iter().collect();
    let wanted = own.fingerprints();
    pointer.is_in_release()
        && signers == wanted.iter().collect()
        && own.unknown_signers(&pointer.bytes).is_ok_and(|others| others.is_empty())
}

fn written<'a>(files: impl IntoIterator<Item = &'a (String, Content)>) -> Vec<Written> {
    files.into_iter().map(|(path, content)| Written::of(path, content.digests().size)).collect()
}

/// Returns the changed indices to store under by-hash names, and their patches.
fn by_hash_files(plan: &Plan, base: &PublishedSuite) -> Files {
    let stored = plan.indices.iter().filter(|file| file.is_stored());
    let file = |file: &IndexFile| {
        let content = Content::Bytes(file.bytes().clone(), *file.digests());
        (base.path(&file.by_hash_path()), content)
    };
    let patches = plan.patches.patches.iter().map(|(path, content)| (base.path(path), content.clone()));
    stored.chain(&plan.patches.indices).chain(&plan.beside).map(file).chain(patches).collect()
}

/// Moves surplus versions to the archive suite, if there is one.
async fn move_surplus(
    packages: &[(Change, CopiedPackage)],
    how: &CommitOptions<'_>,
) -> Result<Option<Moved>, Error> {
    let Some(to) = how.surplus.filter(|_| !packages.is_empty()) else { return Ok(None) };
    // As for copied packages: content of an unsigned suite must not get signed.
    if !how.signs() && to.keys.is_some() && !to.archive.trust.builds_on_unverified() {
        let (suite, to) = (how.config.codename.clone(), to.config.codename.clone());
        return Err(Error::UnsignedSurplus { suite, to });
    }
    let (packages, selected): (Vec<_>, Vec<_>) = packages.iter().cloned().unzip();
    let (config, keys, surplus) = (&to.config, to.keys.as_ref(), to.next.as_deref());
    let (note, site) = (how.note.clone(), how.site.clone());
    let there = CommitOptions { config, keys, note, surplus, site, ..*how };
    let operation = Operation::Surplus(&selected);
    // Boxed, since that suite may have surplus versions as well.
    let outcome = to.archive.publish(&operation, &there).boxed_local().await;
    // A lost race for the other suite must not count as one for this suite.
    let outcome = outcome.map_err(|error| match error {
        Error::Store(store::Error::Conflict { .. }) => {
            Error::RaceLost { suite: to.config.codename.clone(), times: 1 }
        }
        error => error,
    })?;
    Ok(Some(Moved { packages, to: Box::new(outcome) }))
}

/// Refuses a release file that clients refuse from the first moment.
fn refuse_expired(release: &Release, how: &CommitOptions<'_>) -> Result<(), Error> {
    let until = release.valid_until().ok().flatten();
    let Some((until, clock)) = until.zip(how.clock) else { return Ok(()) };
    if SystemTime::from(until) >= clock {
        return Ok(());
    }
    Err(Error::BornExpired { suite: how.config.codename.clone(), until })
}
