//! An operation as it was planned on one base: every change is known and nothing is written. A dry run ends here.

use super::{
    derived,
    meaning::Meaning,
    operation::Operation,
    options::CommitOptions,
    outcome::{CommitReport, Moved},
    release_file::ReadyRelease,
    upload::{Files, OtherBytes, Upload},
    uploaded::Uploaded,
};
use crate::{
    dists::IndexFile,
    operations::{
        adopt,
        copied_package::CopiedPackage,
        plan::{Change, Plan},
        written::Written,
    },
    store::{self, Content},
    suite::{
        archive::Archive, base::VerifiedBase, error::Error, generations, note, published::PublishedSuite,
    },
};
use futures::FutureExt;

/// An operation planned on a base.
#[must_use = "it is uploaded, or reported"]
pub(super) struct Prepared<'a> {
    archive: &'a Archive,
    how: &'a CommitOptions<'a>,
    upload: &'a Upload<'a>,
    base: VerifiedBase,
    plan: Plan,
    /// Pool files to write.
    pool: Files,
    /// Pool files that are there already.
    there: Files,
    outcome: CommitReport,
}

impl<'a> Prepared<'a> {
    /// Plans an operation, and looks which files of the pool are missing.
    pub(super) async fn new(
        archive: &'a Archive,
        operation: &Operation<'_>,
        how: &'a CommitOptions<'a>,
        base: VerifiedBase,
        upload: &'a Upload<'a>,
    ) -> Result<Self, Error> {
        let now = how.timestamp();
        let mut plan = operation.plan(archive, &base, how.config, now).await?;
        let begins_to_be_signed =
            how.keys.is_some() && base.pointer().is_some_and(|old| !old.is_in_release());
        if base.is_behind() || begins_to_be_signed {
            // Clients of `InRelease` see an older state than this base, or none: its publisher may have been killed.
            plan.publish_anyway(&base, how.config, now)?;
        }
        // The new release file vouches for all that it lists, also for what another tool made.
        if let Some(release) = plan.release.as_mut().filter(|_| !base.was_published_here()) {
            plan.notes.extend(adopt::verify(&base, release).await?);
        }
        if !plan.stops_apt.is_empty() && !how.allow_releaseinfo_change {
            return Err(Error::StopsApt { suite: base.name().clone(), changes: plan.stops_apt });
        }
        plan.notes.extend(plan.stops_apt.iter().map(|change| {
            format!(
                "{change}: `apt update` stops at that until its user agrees (`--allow-releaseinfo-change`)"
            )
        }));
        upload.all_there(&plan.copied, &base).await?;
        let (mut pool, there) = upload.for_pool(&plan, &base).await?;
        pool.extend(upload.lost(&plan).await?);
        let mut outcome = CommitReport::of(&plan, &base, how);
        outcome.written.extend(written(&pool));
        Ok(Self { archive, how, upload, base, plan, pool, there, outcome })
    }

    /// Requires the plan to mean what the operation meant on its first base, which is this one at the first try.
    pub(super) fn means_what_was_meant(&self, meant: &mut Option<Meaning>) -> Result<(), Error> {
        if let Some(meaning) = meant {
            return meaning.requires(&self.plan, self.base.name(), self.base.generation());
        }
        *meant = Some(Meaning::of(&self.plan, self.base.generation()));
        Ok(())
    }

    /// Whether there is a new state to publish.
    pub(super) fn changes_something(&self) -> bool {
        self.plan.release.is_some()
    }

    /// Reports what would be written.
    pub(super) async fn report(mut self) -> Result<CommitReport, Error> {
        self.outcome.moved = move_on(&self.plan.surplus, self.how).await?;
        let Some(release) = self.plan.release.take() else { return Ok(self.outcome) };
        self.list_files(&release)?;
        Ok(self.outcome)
    }

    /// Finishes the last steps of a publisher that was killed before them: nothing else is to be done.
    pub(super) async fn finish_earlier(mut self) -> Result<CommitReport, Error> {
        let store = &self.archive.store;
        // The packages may have gone on to another suite at once.
        self.outcome.moved = move_on(&self.plan.surplus, self.how).await?;
        self.upload.put_all(&self.pool, OtherBytes::Refused).await?;
        if let Some(release) = self.base.release() {
            generations::keep_current(store, &self.base).await?;
            let files = derived::files_of(store, &self.base).await?;
            derived::write_derived(store, self.base.name(), &files, release).await?;
            self.archive.give_keys(self.how).await?;
            store.flush().await?;
        }
        Ok(self.outcome)
    }

    /// Writes everything that the new release file leads to: files that never change, and that nothing refers to yet.
    pub(super) async fn upload(mut self) -> Result<(Uploaded<'a>, CommitReport, Files), Error> {
        let (store, upload, how) = (&self.archive.store, self.upload, self.how);
        let Some(release) = self.plan.release.take() else {
            unreachable!("only a plan that changes something is uploaded")
        };
        let base: PublishedSuite = self.base.state().clone();
        let (files, generation) = self.list_files(&release)?;
        let by_hash = by_hash_files(&self.plan, how, &base);
        let (name, _) = files.generation(&base, &release);
        let note = how.note.file(&base, &name);
        // The indices once more by their names, and the other forms of the release file.
        let again = written(by_hash.iter().chain(&generation));
        let needed = self.outcome.written.iter().cloned().chain(again).map(|file| (file.path, file.bytes));
        store.check_space(needed.collect()).await?;

        let mut there = self.there;
        there.extend(upload.put_all(&self.pool, OtherBytes::Refused).await?);
        // Or another publisher was faster while the packages were sent: fewer files that nothing refers to.
        base.still_current().await?;
        // A state that was crossed is not marked before this one is published: until then the mark would hide from the next
        // publisher that there is more to publish.
        if adopt::adopt(store, &base, &release).await? && !self.base.is_behind() {
            generations::keep_current(store, &base).await?;
        }
        there.extend(upload.put_all(&by_hash, OtherBytes::Nobodys).await?);
        upload.put_all(&generation, OtherBytes::Refused).await?;
        if let Some((path, content)) = &note {
            note::put(store, path, content).await?;
        }
        // Die here: surplus versions are in both suites, and the next command takes them out of this one.
        self.outcome.moved = move_on(&self.plan.surplus, how).await?;
        // What others wrote, and no release file may lead to any more, is not deleted before this one does.
        let hold = upload.hold(&there, &self.plan, &base).await?;
        if let Some((source, _)) = &self.plan.led_to
            && let Err(error) = source.is_kept().await
        {
            if let Some(hold) = hold {
                hold.release().await;
            }
            return Err(error);
        }
        let uploaded = Uploaded { store, base, files, release, generation: name, hold };
        Ok((uploaded, self.outcome, by_hash))
    }

    /// Signs the new release file, and lists the files that never change, in the order in which they are written.
    fn list_files(&mut self, release: &crate::dists::Release) -> Result<(ReadyRelease, Files), Error> {
        let (base, how) = (&self.base, self.how);
        let files = ReadyRelease::sign(release, how, base.name(), how.timestamp())?;
        let (name, generation) = files.generation(base, release);
        let by_hash = by_hash_files(&self.plan, how, base);
        let note = how.note.file(base, &name);
        self.outcome.written.extend(written(by_hash.iter().chain(&generation).chain(&note)));
        self.outcome
            .written
            .push(Written::of(&base.path(files.form().file_name()), files.bytes().len() as u64));
        self.outcome.generation = Some(format!("{}/{name}", generations::FOLDER));
        Ok((files, generation))
    }
}

fn written<'a>(files: impl IntoIterator<Item = &'a (String, Content)>) -> Vec<Written> {
    files.into_iter().map(|(path, content)| Written::of(path, content.digests().size)).collect()
}

/// The changed indices that are stored, by their digests.
fn by_hash_files(plan: &Plan, how: &CommitOptions<'_>, base: &PublishedSuite) -> Files {
    let stored = plan.indices.iter().filter(|file| how.config.compressions.contains(&file.compression()));
    let file = |file: &IndexFile| {
        let content = Content::Bytes(file.bytes().clone(), *file.digests());
        (base.path(&file.by_hash_path()), content)
    };
    stored.map(file).collect()
}

/// Publishes what is surplus in a suite where it is to go, if that is anywhere.
async fn move_on(
    packages: &[(Change, CopiedPackage)],
    how: &CommitOptions<'_>,
) -> Result<Option<Moved>, Error> {
    let Some(to) = how.surplus.filter(|_| !packages.is_empty()) else { return Ok(None) };
    // As with packages that are copied: nothing that lay here unsigned is signed there.
    if how.keys.is_none() && to.keys.is_some() && !to.archive.trust.adopts() {
        let (suite, to) = (how.config.codename.clone(), to.config.codename.clone());
        return Err(Error::UnsignedSurplus { suite, to });
    }
    let (packages, selected): (Vec<_>, Vec<_>) = packages.iter().cloned().unzip();
    let (config, keys, surplus) = (&to.config, to.keys.as_ref(), to.next.as_deref());
    let there = CommitOptions { config, keys, surplus, note: how.note.clone(), ..*how };
    let operation = Operation::Surplus(&selected);
    // Boxed, since that suite may have surplus versions in its turn.
    let outcome = to.archive.publish(&operation, &there).boxed_local().await;
    // A race that was lost there is none of this suite, whose release file was not even looked at.
    let outcome = outcome.map_err(|error| match error {
        Error::Store(store::Error::Conflict { .. }) => {
            Error::RaceLost { suite: to.config.codename.clone(), times: 1 }
        }
        error => error,
    })?;
    Ok(Some(Moved { packages, to: Box::new(outcome) }))
}
