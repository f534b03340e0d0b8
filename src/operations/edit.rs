//! `SuiteEdit`: packages to add, copy and remove, independent of the base that they are applied to.
//!
//! [`SuiteEdit::plan`] applies it to a base: it resolves each package, renders the new indices and the new `Release`,
//! and refuses changes of published packages. Nothing is written. The loser of a race for the commit plans the same
//! edit again on the new base.

use std::{collections::BTreeSet, path::PathBuf, time::SystemTime};

use jiff::Timestamp;

use super::{
    addition::{Addition, PackageSource},
    attachment::{AttachedPath, Attachment},
    contents::Derivation,
    copied_package::CopiedPackage,
    copy::{Copies, Named},
    listing,
    new_package::NewPackage,
    plan::Plan,
    selection::Selection,
    translations,
};
use crate::{
    config::{Overrides, SuiteConfig},
    digest::Digests,
    names::Architecture,
    pool::PoolPath,
    store::{Content, FileStamp},
    suite::{
        base::VerifiedBase,
        error::Error,
        file_lists::{FileLists, Given},
        refusal::{Reason, Refusal},
    },
};

/// A requested change of the content of a suite.
#[derive(Default)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "independent requests")]
pub struct SuiteEdit {
    /// Packages to add.
    pub add: Vec<NewPackage>,
    /// Files of uploads to keep beside them.
    pub records: Vec<UploadRecord>,
    /// The policy for versions older than the newest published one of that name, which clients would prefer.
    pub older: Older,
    /// Whether to replace a package of the same version with other contents. Requires a
    /// [`mutable`](SuiteConfig::mutable) suite.
    pub replace: bool,
    /// The phase of the packages in `add`, in per cent of machines (`Phased-Update-Percentage`); also changes the phase
    /// of published ones.
    pub phased: Option<u8>,
    /// Packages to copy from another suite.
    pub copy: Option<Copies>,
    /// Packages of other suites or archives that were selected and verified before.
    pub(crate) taken: Vec<CopiedPackage>,
    /// Packages to remove.
    pub remove: Vec<Removal>,
    /// Packages to remove, index by index; without a match none.
    pub remove_selected: Vec<Selection>,
    /// Published packages to which the overrides of the configuration are applied again.
    pub reoverride: Option<Selection>,
    /// Whether a copied package replaces a newer version where `Limit` permits one of both.
    pub downgrade: bool,
    /// Files of other tools to list.
    pub attach: Vec<Attachment>,
    /// Files of other tools to take from the list.
    pub detach: Vec<AttachedPath>,
    /// The retention of versions of all packages.
    pub retention: Option<Retention>,
    /// Whether to publish the suite as it is configured, even without packages.
    pub export: bool,
    /// Whether to publish indices of the files in packages (`Contents`), even if they are not configured.
    pub contents: bool,
}

/// The policy for a version that is older than the newest published one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Older {
    /// It is added, with a note.
    #[default]
    Add,
    /// It is left out.
    Skip,
    /// It is refused, and with it the whole edit.
    Refuse,
}

/// A file of an upload that is kept beside its packages in the pool; no index names it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UploadRecord {
    /// Its name in the pool.
    pub name: String,
    /// The name and version of the source, for a file that an administrator handles.
    pub by_hand_of: Option<String>,
    /// Its path.
    pub file: PathBuf,
    /// Its size and digests.
    pub digests: Digests,
    /// The size and times of the file when it was read.
    pub stamp: FileStamp,
}

/// Packages to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Their name, or that of their source.
    pub named: Named,
    /// Only this version of the packages, or of their source.
    pub version: Option<String>,
    /// Only this architecture.
    pub architecture: Option<Architecture>,
}

/// The retention of versions of packages; the newest version of each name and architecture always stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The minimal number of newest versions that stay.
    pub versions: usize,
    /// Versions that were added to the pool after this time stay as well.
    pub since: Option<SystemTime>,
    /// [Globs](crate::glob::Glob) of package names; if empty, all packages.
    pub names: Vec<String>,
}

impl SuiteEdit {
    /// Returns an edit that adds packages.
    #[must_use]
    pub fn adding(packages: impl IntoIterator<Item = impl Into<NewPackage>>) -> Self {
        Self { add: packages.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Returns an edit that copies packages from another suite.
    #[must_use]
    pub fn copying(packages: Copies) -> Self {
        Self { copy: Some(packages), ..Self::default() }
    }

    /// Returns an edit that removes packages.
    #[must_use]
    pub fn removing(packages: impl IntoIterator<Item = Removal>) -> Self {
        Self { remove: packages.into_iter().collect(), ..Self::default() }
    }

    /// The package that was given as files, unless an addition comes from another suite.
    pub(super) fn given(&self, addition: &Addition) -> Option<&NewPackage> {
        self.add.get(addition.given?)
    }

    /// Plans the edit on a base.
    pub(crate) async fn plan(
        &self,
        published: &VerifiedBase,
        config: &SuiteConfig,
        lists: &FileLists<'_>,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        if self.replace && !config.mutable {
            return Err(Error::NotMutable { suite: published.name().clone() });
        }
        let (mut copied, notes) = match &self.copy {
            Some(copies) => copies.select(published).await?,
            None => Default::default(),
        };
        copied.extend(self.taken.iter().cloned());
        let mut plan = self.plan_with((&copied, PackageSource::Pool), published, config, lists, now).await?;
        plan.notes.extend(notes);
        Ok(plan)
    }

    /// Plans the files that are kept in the folder of the source package, or else of a package of the upload.
    fn keep_records(&self, additions: &[Addition], plan: &mut Plan) -> Result<(), Error> {
        let source = additions.iter().find(|new| new.architecture.is_source());
        let Some(beside) = source.or(additions.first()).filter(|_| !self.records.is_empty()) else {
            return Ok(());
        };
        for UploadRecord { name, by_hand_of, file, digests, stamp } in &self.records {
            let folder = beside.path.folder();
            let path = match by_hand_of {
                Some(upload) => PoolPath::of_by_hand(folder, upload, name),
                None => PoolPath::of_record(folder, name),
            };
            let path = path.map_err(|source| {
                let (action, subject) = ("add", file.display().to_string());
                let (preposition, source) = ("to", Reason::Path(source));
                Error::Refused(vec![Refusal { action, preposition, subject, suite: None, source }])
            })?;
            let content = Content::file(file.clone(), *digests, *stamp);
            plan.records.push(path.to_string());
            plan.pool.push((path, content));
        }
        Ok(())
    }

    /// Plans to add packages that are surplus in another suite.
    pub(crate) async fn plan_surplus(
        selected: &[CopiedPackage],
        published: &VerifiedBase,
        config: &SuiteConfig,
        lists: &FileLists<'_>,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        Self::default().plan_with((selected, PackageSource::Surplus), published, config, lists, now).await
    }

    async fn plan_with(
        &self,
        (selected, origin): (&[CopiedPackage], fn(u64) -> PackageSource),
        published: &VerifiedBase,
        config: &SuiteConfig,
        lists: &FileLists<'_>,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        if self.export && published.pointer().is_none() && config.components.is_empty() {
            return Err(Error::not_published(published.name()));
        }
        let overrides = if self.add.is_empty() && self.reoverride.is_none() {
            Overrides::default()
        } else {
            Overrides::read(config)?
        };
        let (mut layout, mut additions) = self.layout(published, config, selected, (origin, &overrides))?;
        let outdated = self.outdated_forms(published, config).await?;
        let mut plan = Plan::default();
        let mut indices =
            self.load_settled(published, &layout, &mut additions, (&outdated, &overrides), &mut plan).await?;
        plan.notes.extend(unknown_architectures(&additions, config));
        plan.notes.extend(layout.notes_of_left_out(published.name()));
        let mut refused = self.apply_removals(published, &mut indices, &mut plan);
        refused.extend(self.apply_overrides(published, &overrides, &mut indices));
        refused.extend(self.apply_additions(published, &layout, &additions, &mut indices, &mut plan));
        refused.extend(self.apply_retention(published, config, &additions, &mut indices, &mut plan).await?);
        if !refused.is_empty() {
            return Err(Error::Refused(refused));
        }
        // The other suite does not read the translations of this one.
        let mut known = translations::Known::new();
        for (_, moved) in &mut plan.surplus {
            let suite = (0, published.state());
            moved.entry =
                translations::with_description(&moved.entry, &moved.component, suite, &mut known).await?;
        }
        // A package that `Limit` removes at once is not offered to clients.
        let older = std::mem::take(&mut plan.older);
        let older = older.into_iter().filter(|(change, _)| !plan.skipped.contains(change));
        plan.notes.extend(older.map(|(_, note)| note));
        self.keep_records(&additions, &mut plan)?;
        self.apply_attachments(published, config, &mut plan).await?;
        if additions.is_empty() && published.pointer().is_none() && !self.export {
            // An edit without packages does not create a suite.
            return Ok(plan);
        }
        // Their stanzas would stay in memory beside the rendered indices.
        drop(additions);
        indices.retire(published, config, &mut layout, &mut plan).await?;
        let changed = indices.all.into_iter().filter(|(name, _)| indices.changed.contains(name)).collect();
        plan.listings = listing::of(&changed);
        let derivation = self.derivation(config, &plan, lists);
        plan.render(changed, published, config, &layout, &derivation, now).await?;
        if plan.release.is_some() {
            plan.changes.extend(self.attachment_changes());
        }
        if self.export && !plan.indices.is_empty() {
            // A form that was listed and not stored does not change the release file.
            plan.publish_anyway(published, config, now)?;
        }
        Ok(plan)
    }
}

impl SuiteEdit {
    /// Returns the settings of the indices that are derived from the packages.
    fn derivation<'a>(&self, config: &SuiteConfig, plan: &Plan, lists: &'a FileLists<'a>) -> Derivation<'a> {
        let mut contents = config.contents.clone().or_else(|| self.contents.then(Default::default));
        if let Some(contents) = contents.as_mut().filter(|_| self.contents) {
            contents.debs = true;
        }
        let mut commands = config.commands;
        if commands.is_none() && contents.as_ref().is_some_and(|contents| contents.debs) {
            commands = Some(true);
        }
        let local = |content: &Content| match content {
            Content::File(local) => Some((local.digests.sha256, local.file.clone())),
            Content::Bytes(..) => None,
        };
        let files = plan.pool.iter().chain(&plan.kept).filter_map(|(_, content)| local(content)).collect();
        let elsewhere = plan.fetched.iter().filter_map(|fetched| {
            let file = &fetched.file;
            Some((file.expected.sha256?, (file.store.clone(), file.path.clone())))
        });
        let given = Given { files, elsewhere: elsewhere.collect() };
        Derivation { contents, commands, is_export: self.export, lists, given }
    }
}

/// Returns a note for each architecture that no machine has and the configuration does not name.
fn unknown_architectures(additions: &[Addition], config: &SuiteConfig) -> Vec<String> {
    let unknown = additions
        .iter()
        .filter(|new| !new.is_surplus() && !new.architecture.is_source() && !new.is_of_variant())
        .map(|new| &new.architecture);
    let unknown: BTreeSet<&Architecture> =
        unknown.filter(|new| !new.is_known() && !config.architectures.contains(new)).collect();
    let note = |architecture| {
        format!(
            "dpkg does not know architecture `{architecture}`, so no machine installs its packages; packages for every machine have `Architecture: all`"
        )
    };
    unknown.into_iter().map(note).collect()
}
