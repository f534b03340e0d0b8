//! Publishes a signed suite as an unsigned one: for a suite whose configuration names no key any more.

use bytes::Bytes;

use crate::{
    dists::layout::ReleaseForm,
    names::Suite,
    signing,
    suite::{archive::Archive, error::Error, published::PublishedSuite, trust::Trust},
};

impl Archive {
    /// Removes the signatures of a suite, whose content stays as it is. Returns whether it had one.
    ///
    /// Clients that verify the suite refuse it from now on.
    pub async fn remove_signature(&self, suite: &Suite) -> Result<bool, Error> {
        let published = PublishedSuite::look(&self.store, suite, &Trust::unverified()).await?;
        let Some(pointer) = published.pointer().filter(|pointer| pointer.signed) else { return Ok(false) };
        let path = |form: ReleaseForm| published.path(form.file_name());
        if pointer.is_in_release() {
            // Its publisher may have been killed before it wrote the forms of the release file.
            let text = signing::unverified_text(&pointer.bytes);
            let text = Bytes::from(
                text.map_err(|source| Error::Untrusted { path: path(ReleaseForm::InRelease), source })?,
            );
            if !self.store.holds(&path(ReleaseForm::Release), &text).await? {
                self.store.replace(&path(ReleaseForm::Release), text).await?;
            }
        }
        // A crash after the first step leaves a signed suite, so the command can be repeated.
        self.store.delete(&path(ReleaseForm::Signature)).await?;
        if pointer.is_in_release() {
            // Not the one of a publisher that signs the suite at the same time.
            self.store.delete_revision(&path(ReleaseForm::InRelease), &pointer.revision).await?;
        }
        Ok(true)
    }
}
