//! The public keys of an archive, as clients get them.

pub(crate) mod keyring_package;
