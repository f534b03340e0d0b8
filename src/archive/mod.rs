//! The verbs: what can be done with an archive as a whole.
//!
//! An [`Archive`] is a store and who may extend it. [`Archive::suite`] reads what clients see now; a [`SuiteEdit`] says
//! what is to change; [`Archive::commit`] publishes the change in one atomic step, or nothing of it.

mod trust;
mod suite;
mod base;
mod adopt;
mod suites;
mod intake;
mod selected;
mod edit;
mod dates;
mod refresh;
mod rollback;
mod snapshot;
mod surplus;
mod commit;
mod holds;
mod release_info;
mod generations;
mod newest;
mod diff;
mod compare;
mod history;
mod log;
mod note;
mod package_file;
mod leads;
pub(crate) mod limits;
mod reach;
mod check;
mod repair;
mod prune;
mod sync;
mod keyring_package;
pub mod root_file;
mod error;
mod refusal;
mod event;

pub use check::{Check, Fault, Freshness, Report, Standing, SuiteReport};
pub use commit::{Change, Commit, Moved, Outcome, Phased, Written};
pub use compare::{ChangedFile, Differences};
pub use dates::Refresh;
pub use diff::{Difference, Kind, diff};
pub use edit::{Copies, Named, NewPackage, Removal, Retention, SuiteEdit, Wanted};
pub use error::Error;
pub use event::{Event, Events};
pub use generations::Keep;
pub use history::{NoState, Which};
pub use holds::GRACE;
pub use intake::{Incoming, find_files, read_packages};
pub use keyring_package::{
    KeyringContent, KeyringPackage, PublishedKeyring, keyring_package_name, keyring_path, keyring_version,
};
pub use log::{Log, Signature, State};
pub use note::Note;
pub use package_file::PackageFile;
pub use prune::{Prune, Pruned, Swept};
pub use refusal::{Reason, Refusal};
pub use release_info::ReleaseInfo;
pub use repair::Repaired;
pub use snapshot::{name_of_snapshot, snapshot_of};
pub use suite::{Pointer, PublishedSuite};
pub use surplus::Surplus;
pub use sync::{Failed, FailedBecause, Sync, Synced, SyncedSuite};
pub use trust::{ClientKeys, Trust};

use base::VerifiedBase;

use crate::{
    dists::{layout::TREES, media_type},
    names::Suite,
    store::Store,
};

/// The public keys of the archive at its root, for clients to fetch.
pub const KEY_FILE: &str = "archive-key.asc";

/// An archive: where it is, and whose word counts in it.
pub struct Archive {
    store: Store,
    trust: Trust,
}

impl Archive {
    /// The archive in a store, whose objects have the types of an archive's files; nothing is read yet.
    #[must_use]
    pub fn new(store: Store, trust: Trust) -> Self {
        Self { store: store.with_content_type(media_type::of).with_linked_folders(&TREES), trust }
    }

    /// Where it is kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads what clients see of a suite now, to look at it, verified as its [`Trust`] says.
    ///
    /// # Errors
    /// [`Error::NotSigned`], [`Error::Untrusted`] and [`Error::NoPublicKey`] if the suite is not one to believe.
    pub async fn suite(&self, suite: &Suite) -> Result<PublishedSuite, Error> {
        PublishedSuite::look(&self.store, suite, &self.trust).await
    }
}
