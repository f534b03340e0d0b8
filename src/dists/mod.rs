//! The files below `dists/`: stanzas become indices, indices are listed in a `Release`.
//!
//! Pure: bytes in, bytes out. Rules: <https://wiki.debian.org/DebianRepository/Format>, and the measured behaviour of
//! apt.

pub mod subset;
pub mod commands;
pub mod contents;
pub mod index_release;
pub mod entries;
pub mod index_file;
pub mod index_key;
pub mod blocks;
pub mod media_type;
pub mod checksums;
pub mod packages;
pub mod translation;
mod ordered;
mod package_entry;
pub mod release;
pub mod patches;
pub mod layout;
pub mod sources;

pub use entries::{Entry, entries};
pub use index_file::IndexFile;
pub use index_key::{IndexKey, IndexKind, PackagesKey};
pub use package_entry::Source;
pub(crate) use package_entry::order_of_versions;
pub use packages::{PackageEntry, PackagesIndex};
pub use release::Release;
