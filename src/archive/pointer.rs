//! The new pointer of a suite, ready to be published: signed, or not.

use bytes::Bytes;
use jiff::Timestamp;

use super::{Commit, Error, PublishedSuite};
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

    /// The files that keep this state of the suite for later, and the name of their folder.
    ///
    /// The detached signature is among them: whoever finishes the last step for a killed publisher has no key.
    pub(super) fn generation(
        &self,
        published: &PublishedSuite,
        now: Timestamp,
    ) -> (String, Vec<(String, Content)>) {
        let pointer = self.pointer();
        let name = format!("generations/{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), short_digest(pointer.bytes));
        let file = |file: &str, bytes: &Bytes| {
            let content = Content::Bytes(bytes.clone(), Digests::of(bytes));
            (published.path(&format!("{name}/{file}")), content)
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

/// The first digits of a digest: what tells generations of one second apart.
pub(super) fn short_digest(bytes: &[u8]) -> String {
    let mut digest = Digests::of(bytes).sha256.to_string();
    digest.truncate(8);
    digest
}
