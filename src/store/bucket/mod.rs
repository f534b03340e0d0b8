//! Buckets: opens a client of `object_store` from a location and the environment variables.
//!
//! Every setting is passed to the client explicitly; it never reads the environment of the process itself.

mod open;
mod azure;
mod gcs;
mod s3;
mod checksums;
mod external_account;
mod copy;
mod credentials_file;
mod profile;
mod opened;

pub(super) use open::open;
