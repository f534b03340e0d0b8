//! Reads one file as a client does: an error of the web server is a fault of that file and does not end the check.

use bytes::Bytes;

use super::{caches::Changes, findings::Findings};
use crate::{
    store::{self, Limit, Location},
    suite::{
        archive::{Archive, KEY_FILE},
        damage, discovery,
        error::Error,
        limits,
    },
};

/// The result of a read.
pub(super) enum Got<T> {
    /// The file exists.
    There(T),
    /// The file does not exist.
    Missing,
    /// The server refuses it or fails, which has been noted.
    Refused,
}

impl<T> Got<T> {
    pub(super) fn there(self) -> Option<T> {
        match self {
            Self::There(file) => Some(file),
            Self::Missing | Self::Refused => None,
        }
    }
}

impl Archive {
    /// Whether the archive is on the web, where it is checked as its clients see it.
    pub(super) fn is_on_the_web(&self) -> bool {
        matches!(self.store.location(), Location::Web(_))
    }

    /// Reads a whole file.
    pub(super) async fn fetch(
        &self,
        path: &str,
        limit: Limit,
        changes: Changes,
        findings: &mut Findings,
    ) -> Result<Got<Bytes>, Error> {
        match self.store.read(path, limit).await {
            Ok(Some(object)) => {
                findings.served(path, changes, object.served.as_ref());
                Ok(Got::There(object.bytes))
            }
            Ok(None) => Ok(Got::Missing),
            Err(error) => self.refused(path, error, findings),
        }
    }

    /// Reads the key file of the archive. It is optional, and a bucket on the web may answer 403 for a missing file.
    pub(super) async fn key_file(&self) -> Result<Option<Bytes>, Error> {
        match self.store.read(KEY_FILE, limits::KEYS).await {
            Ok(file) => Ok(file.map(|file| file.bytes)),
            Err(error) if self.is_on_the_web() && !error.is_unreachable() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that a web server refuses a file. An unreachable server is an error, since every other file would fail
    /// too; so is an unreadable folder or bucket, which does not prove that the archive is damaged.
    pub(super) fn refused<T>(
        &self,
        path: &str,
        error: store::Error,
        findings: &mut Findings,
    ) -> Result<Got<T>, Error> {
        // A file above its size limit is damaged, in any store.
        if matches!(error, store::Error::TooLarge { .. }) {
            findings.files += 1;
            findings.fault(path, error.to_string());
            return Ok(Got::Refused);
        }
        // One odd file of a folder must not hide the faults of all others.
        if damage::is_damaged_object(&self.store, &error) {
            findings.refused(path, &error);
            return Ok(Got::Refused);
        }
        // Without the release file there is nothing to check: a server that fails at it is out of reach.
        let ends =
            error.is_unreachable() || (error.is_transient() && discovery::of_release_file(path).is_some());
        if !self.is_on_the_web() || ends {
            return Err(error.into());
        }
        findings.refused(path, &error);
        Ok(Got::Refused)
    }
}
