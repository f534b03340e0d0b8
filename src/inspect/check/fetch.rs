//! One file as a client gets it: what a web server refuses is a fault of that file, and not the end of the check.

use bytes::Bytes;

use super::{caches::Changes, findings::Findings};
use crate::{
    store::{self, Limit, Location},
    suite::{
        archive::{Archive, KEY_FILE},
        error::Error,
        limits,
    },
};

/// What came of asking for a file.
pub(super) enum Got<T> {
    /// It is there.
    There(T),
    /// It is not.
    Missing,
    /// The server refuses it, or fails; that has been noted.
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
    /// Whether this is an archive on the web, which is looked at as its clients see it.
    pub(super) fn is_on_the_web(&self) -> bool {
        matches!(self.store.location(), Location::Web(_))
    }

    /// Reads a file whole.
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

    /// Reads the keys that the archive gives clients. There need not be any; and a bucket on the web may say 403 of what is
    /// not there.
    pub(super) async fn key_file(&self) -> Result<Option<Bytes>, Error> {
        match self.store.read(KEY_FILE, limits::KEYS).await {
            Ok(file) => Ok(file.map(|file| file.bytes)),
            Err(error) if self.is_on_the_web() && !error.is_unreachable() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that a web server does not give a file; where it cannot be reached at all, no other file will do better, and
    /// a folder or a bucket that cannot be read is no archive that is damaged.
    pub(super) fn refused<T>(
        &self,
        path: &str,
        error: store::Error,
        findings: &mut Findings,
    ) -> Result<Got<T>, Error> {
        // One that is larger than it may be is damaged, wherever it is.
        if matches!(error, store::Error::TooLarge { .. }) {
            findings.files += 1;
            findings.fault(path, error.to_string());
            return Ok(Got::Refused);
        }
        if !self.is_on_the_web() || error.is_unreachable() {
            return Err(error.into());
        }
        findings.refused(path, &error);
        Ok(Got::Refused)
    }
}
