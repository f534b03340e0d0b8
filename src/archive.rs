//! The public API of the rooms: everything that a program can do with a whole archive.
//!
//! An [`Archive`] is a store with a trust policy. [`Archive::suite`] reads a suite as clients see it, a [`SuiteEdit`]
//! describes a change, and [`Archive::commit`] publishes it atomically. [`Archive::check`] verifies an archive,
//! [`Archive::prune`] collects garbage, and [`Archive::sync`] mirrors to another store. A [`Keychain`] holds the keys of a
//! configured archive, and a [`Publisher`] commits with them and rotates them.

pub use crate::commit::{
    client_files::ClientFiles,
    options::CommitOptions,
    outcome::{CommitReport, Moved},
    page::{PageUpdate, PageWritten},
    repair::{Repaired, WentBack},
};
pub use crate::gc::{
    pins::GRACE,
    prune_options::Prune,
    pruned::{Pruned, Retained, Swept},
};
pub use crate::inspect::{
    check::{
        Check,
        report::{Fault, Freshness, FreshnessState, Remedy, Report, SuiteReport},
    },
    compare::{ChangedFile, Differences},
    diff::{Difference, Kind, diff},
    log::{Log, LogEntry, Signature},
};
pub use crate::keys::keyring_package::{
    KeyringContent, KeyringPackage, PublishedKeyring, keyring_package_name, keyring_path, keyring_version,
};
pub use crate::keys::{
    delivery::{Delivery, DeliveryOptions},
    error::{Early, Error as KeyError, NoPackageName},
    event::{KeyEvent, KeyEvents, NewKeyReport},
    keychain::{GivenKeys, Keychain, SuiteKeys},
    publisher::Publisher,
    report::{DroppedKey, KeyChange, Rotated, Step},
    rotation::{OVERLAP, RotateOptions},
};
pub use crate::mirror::{
    options::Sync,
    report::{Synced, SyncedSuite},
};
pub use crate::operations::written::Written;
pub use crate::operations::{
    attachment::{AttachedPath, Attachment},
    copy::{Copies, CopySource, Named, Wanted},
    dates::Refresh,
    drop::Dropped,
    edit::{Older, Removal, Retention, SuiteEdit, UploadRecord},
    listing::Listing,
    new_package::{NewPackage, Placement},
    overflow::ArchiveTarget,
    plan::{Change, Phased},
    read_debs::{Artifact, Incoming, OtherFile, find_files, read_packages},
    selection::{Matcher, Places, Selection},
    upload::{Upload, UploadOptions},
};
pub use crate::site::{
    ClientKey, ClientSuite, Script, Site, UNKNOWN_URL, archive_name, inline, installed_key, one_lines,
    stanzas,
};
pub use crate::suite::{
    archive::{Archive, KEY_FILE},
    attach_fault::AttachFault,
    error::Error,
    event::{Event, Events},
    failed::{Failed, FailedBecause},
    generations::Keep,
    history::{NoState, Which},
    note::Note,
    package_file::PackageFile,
    published::{Pointer, PublishedSuite},
    refusal::{Reason, Refusal},
    release_info::ReleaseInfo,
    snapshots::{name_of_snapshot, own_name, snapshot_of},
    trust::{ClientKeys, Trust},
};
