//! `ReadyRelease`: a signed release file in all its forms, ready to be published.

use bytes::Bytes;
use jiff::Timestamp;

use super::options::CommitOptions;
use crate::{
    digest::Digests,
    dists::{Release, layout::ReleaseForm},
    names::Suite,
    store::Content,
    suite::{error::Error, generations, published::PublishedSuite},
};

/// The forms of a release file.
#[derive(Clone)]
pub(crate) struct ReadyRelease {
    /// `InRelease`, of a signed suite.
    pub(crate) in_release: Option<Bytes>,
    /// The text of `Release`.
    pub(crate) text: Bytes,
    /// `Release.gpg`, of a signed suite; it may be missing if another publisher signed.
    pub(crate) signature: Option<Bytes>,
}

impl ReadyRelease {
    /// Signs a release file, if there is a key.
    pub(super) fn sign(
        release: &Release,
        how: &CommitOptions<'_>,
        suite: &Suite,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let text = release.render();
        // A dry run runs no command.
        let keys = how.keys.filter(|keys| !(how.dry_run && keys.is_command()));
        let Some(keys) = keys else {
            // A plan without the key has the same files.
            let unsigned = how.signs().then(Bytes::new);
            return Ok(Self { in_release: unsigned.clone(), text: text.into(), signature: unsigned });
        };
        let signed =
            keys.sign(&text, now.into()).map_err(|source| Error::Signing { suite: suite.clone(), source })?;
        Ok(Self {
            in_release: Some(signed.in_release),
            text: signed.release,
            signature: Some(signed.release_gpg),
        })
    }

    /// The form whose conditional write is the commit.
    pub(crate) fn form(&self) -> ReleaseForm {
        if self.in_release.is_some() { ReleaseForm::InRelease } else { ReleaseForm::Release }
    }

    /// The bytes of that form.
    pub(crate) fn bytes(&self) -> &Bytes {
        self.in_release.as_ref().unwrap_or(&self.text)
    }

    /// Returns the name and the files of the generation that keeps this release file.
    ///
    /// They include the detached signature: a publisher that finishes the last steps of a killed one has no key.
    pub(crate) fn generation(
        &self,
        published: &PublishedSuite,
        release: &Release,
    ) -> (String, Vec<(String, Content)>) {
        let date = release.date().unwrap_or(Timestamp::UNIX_EPOCH);
        let name = generations::name(date, self.bytes());
        let file = |form: ReleaseForm, bytes: &Bytes| {
            let content = Content::Bytes(bytes.clone(), Digests::of(bytes));
            (published.path(&generations::path(&name, form.file_name())), content)
        };
        let mut files = vec![file(self.form(), self.bytes())];
        files.extend(self.signature.as_ref().map(|signature| file(ReleaseForm::Signature, signature)));
        (name, files)
    }
}
