//! The keyring package, which delivers the public keys of an archive to clients. No signing here.

pub(crate) mod keyring_package;
