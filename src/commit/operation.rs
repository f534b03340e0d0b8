//! `Operation`: every change of a suite that a command can request, in a form that can be planned on any base.

use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::{
    config::SuiteConfig,
    names::Suite,
    operations::{
        copied_package::CopiedPackage, dates::Refresh, edit::SuiteEdit, plan::Plan, refresh, rollback,
        snapshot_source::Source,
    },
    suite::{archive::Archive, base::VerifiedBase, error::Error, file_lists::FileLists},
};

/// An operation on a suite.
pub(super) enum Operation<'a> {
    Edit(&'a SuiteEdit),
    /// Adds packages that are surplus in another suite.
    Surplus(&'a [CopiedPackage]),
    Refresh(Refresh),
    RollBack(Option<&'a str>),
    /// Keeps a generation of a suite: the one that was current when the command started.
    Snapshot {
        of: &'a Suite,
        /// The full name of an earlier generation instead.
        generation: Option<&'a str>,
        source: Box<OnceCell<Source>>,
    },
}

impl Operation<'_> {
    /// Plans the operation on a base. Writes nothing.
    pub(super) async fn plan(
        &self,
        archive: &Archive,
        base: &VerifiedBase,
        config: &SuiteConfig,
        lists: &FileLists<'_>,
        now: Timestamp,
    ) -> Result<Plan, Error> {
        match self {
            Self::Edit(edit) => edit.plan(base, config, lists, now).await,
            Self::Surplus(packages) => SuiteEdit::plan_surplus(packages, base, config, lists, now).await,
            Self::Refresh(when) => refresh::plan(base, config, *when, now),
            Self::RollBack(to) => {
                rollback::plan(&archive.store, &archive.trust, base, config, *to, now).await
            }
            Self::Snapshot { of, generation, source } => {
                let open = || Source::open(&archive.store, of, *generation, &archive.trust);
                source.get_or_try_init(open).await?.plan(base, config, now).await
            }
        }
    }

    /// Whether the operation lists packages that the suite did not list before.
    pub(super) fn brings_packages(&self) -> bool {
        match self {
            Self::Edit(edit) => {
                let brings = !edit.add.is_empty() || edit.copy.is_some() || !edit.taken.is_empty();
                brings || !edit.attach.is_empty()
            }
            Self::Surplus(_) => true,
            Self::Refresh(_) | Self::RollBack(_) | Self::Snapshot { .. } => false,
        }
    }

    /// Whether the operation signs a suite again whose signatures are not those of the configured keys.
    pub(super) fn applies_keys(&self) -> bool {
        matches!(self, Self::Edit(edit) if edit.export)
    }

    /// Whether the operation keeps the content, so that it is allowed on a snapshot, which must be re-signed with new
    /// keys.
    pub(super) fn keeps_content(&self) -> bool {
        matches!(self, Self::Refresh(_) | Self::Snapshot { .. })
    }
}
