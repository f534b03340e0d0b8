//! The new pointer of a suite, ready to be published: signed, or not.

use bytes::Bytes;
use jiff::Timestamp;

use super::{Commit, Error, PublishedSuite, generations};
use crate::{digest::Digests, dists::Release, names::Suite, signing::SignedRelease, store::Content};

/// The file whose swap is the commit.
pub(super) struct NewPointer<'a> {
    pub(super) file: &'static str,
    pub(super) bytes: &'a Bytes,
}

/// A `Release` that is ready to be published, signed or not.
pub(super) enum Ready {
    Signed(SignedRelease),
    Unsigned(Bytes),
}

impl Ready {
    pub(super) fn pointer(&self) -> NewPointer<'_> {
        match self {
            Self::Signed(signed) => NewPointer { file: "InRelease", bytes: &signed.in_release },
            Self::Unsigned(release) => NewPointer { file: "Release", bytes: release },
        }
    }

    /// The name of the generation that keeps this state of the suite for later, and its files.
    ///
    /// The detached signature is among them: whoever finishes the last step for a killed publisher has no key.
    pub(super) fn generation(
        &self,
        published: &PublishedSuite,
        release: &Release,
    ) -> (String, Vec<(String, Content)>) {
        let pointer = self.pointer();
        let date = release.date().unwrap_or(Timestamp::UNIX_EPOCH);
        let name = generations::name(date, pointer.bytes);
        let file = |file: &str, bytes: &Bytes| {
            let content = Content::Bytes(bytes.clone(), Digests::of(bytes));
            (published.path(&generations::path(&name, file)), content)
        };
        let mut files = vec![file(pointer.file, pointer.bytes)];
        if let Self::Signed(signed) = self {
            files.push(file("Release.gpg", &signed.release_gpg));
        }
        (name, files)
    }
}

pub(super) fn sign(
    release: &Release,
    how: &Commit<'_>,
    suite: &Suite,
    now: Timestamp,
) -> Result<Ready, Error> {
    let text = release.render();
    let Some(keys) = how.keys else { return Ok(Ready::Unsigned(text.into())) };
    let at = now.into();
    let signed = keys.sign(&text, at).map_err(|source| Error::Signing { suite: suite.clone(), source })?;
    Ok(Ready::Signed(signed))
}
