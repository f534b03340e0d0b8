//! The keys of a configured archive: which keys sign, which are trusted, which clients get, and their rotation. It commits
//! through the operations of the rooms below, and prints nothing.

pub(crate) mod rotate;
mod change;
mod renew;
pub(crate) mod rotation;
pub(crate) mod report;
mod next_key;
mod rotation_state;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod publisher;
pub(crate) mod keychain;
pub(crate) mod error;
pub(crate) mod keyring_package;
